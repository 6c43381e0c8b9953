use guildgate_core::rebase::{Guard, Patch, apply};
use proptest::prelude::*;

use super::*;

fn field(id: &str, title: &str) -> Value {
    json!({ "id": id, "title": title, "type": 0 })
}

fn form(fields: &[Value]) -> Value {
    json!({ "status": 1, "sections": [{ "title": "s", "fields": fields }] })
}

/// The paths of the patch from one to the other, which must lead there.
fn paths(before: &Value, after: &Value) -> Vec<String> {
    let json = diff(before, after);
    let patch = Patch::parse(json.clone()).expect("a patch");
    let applied = apply(before, &patch, Guard::Open).expect("a patch that applies");
    assert_eq!(applied.document, *after, "{json}");
    let operations = json.as_array().expect("a list");
    operations
        .iter()
        .map(|operation| {
            let text = |key: &str| operation[key].as_str().expect("text");
            format!("{} {}", text("op"), text("path"))
        })
        .collect()
}

#[test]
fn what_stays_is_not_touched() {
    let (a, b, c) = (field("a", "A"), field("b", "B"), field("c", "C"));
    let before = form(&[a.clone(), b.clone(), c.clone()]);
    let check = |after: &[Value], expected: &[&str]| {
        assert_eq!(paths(&before, &form(after)), expected);
    };
    check(&[a.clone(), b.clone(), c.clone()], &[]);
    check(
        &[a.clone(), field("b", "Other"), c.clone()],
        &["replace /sections/0/fields/1/title"],
    );
    check(&[b.clone(), c.clone()], &["remove /sections/0/fields/0"]);
    check(
        &[field("z", "Z"), a.clone(), b.clone(), field("c", "Other")],
        &[
            "add /sections/0/fields/0",
            "replace /sections/0/fields/3/title",
        ],
    );
    check(
        &[a, c, b],
        &[
            "remove /sections/0/fields/2",
            "remove /sections/0/fields/1",
            "add /sections/0/fields/1",
            "add /sections/0/fields/2",
        ],
    );
}

#[test]
fn keys_come_go_and_are_escaped() {
    let before = json!({ "a/b": 1, "c~d": [1] });
    assert_eq!(
        paths(&before, &json!({ "c~d": [1, 2], "e": null })),
        ["remove /a~1b", "add /c~0d/1", "add /e"]
    );
    assert_eq!(paths(&before, &json!([])), ["replace "]);
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        (0..3_u8).prop_map(Value::from),
        "[ab]{0,1}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("id|title|[ab~/]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_becomes_any_other(before in documents(), after in documents()) {
        let patch = Patch::parse(diff(&before, &after)).expect("a patch");
        let applied = apply(&before, &patch, Guard::Open).expect("it applies");
        prop_assert_eq!(applied.document, after);
    }
}

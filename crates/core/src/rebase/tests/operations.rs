//! RFC 6902, operation by operation.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::patched;
use crate::rebase::{
    COPIED_BYTES_MAX, FormGuard, Guard, PATCH_BYTES_MAX, PATCH_OPS_MAX, POINTER_TOKENS_MAX, Patch,
    PatchErrorKind::{self, Malformed, NoSuchPlace, Protected, TestFailed, TooLarge},
    apply,
};

fn makes(document: Value, patch: Value, expected: Value) {
    let made = patched(&document, patch.clone());
    assert_eq!(made, Ok(expected), "{patch} on {document}");
}

fn fails(document: Value, patch: Value, operation: usize, kind: PatchErrorKind, pointer: &str) {
    let made = patched(&document, patch.clone());
    let expected = Err((Some(operation), kind, pointer.to_owned()));
    assert_eq!(made, expected, "{patch} on {document}");
}

#[test]
fn add() {
    let add = |path: &str, value: Value| json!([{"op": "add", "path": path, "value": value}]);
    makes(
        json!({"a": 1}),
        add("/b", json!(2)),
        json!({"a": 1, "b": 2}),
    );
    makes(json!({"a": 1}), add("/a", json!(2)), json!({"a": 2}));
    makes(json!({"a": 1}), add("/", json!(2)), json!({"a": 1, "": 2}));
    makes(json!({"a": 1}), add("", json!([2])), json!([2]));
    makes(
        json!({"a": {"b": {}}}),
        add("/a/b/c", json!(null)),
        json!({"a": {"b": {"c": null}}}),
    );
    makes(json!([1, 3]), add("/1", json!(2)), json!([1, 2, 3]));
    makes(json!([1, 3]), add("/0", json!(0)), json!([0, 1, 3]));
    makes(json!([1, 3]), add("/2", json!(4)), json!([1, 3, 4]));
    makes(
        json!([1, 3]),
        add("/-", json!([4, 5])),
        json!([1, 3, [4, 5]]),
    );
    makes(
        json!({"a": [[]]}),
        add("/a/0/-", json!(1)),
        json!({"a": [[1]]}),
    );
    makes(json!({"1": 0}), add("/1", json!(2)), json!({"1": 2}));
    makes(json!({}), add("/-", json!(2)), json!({"-": 2}));
    makes(
        json!({}),
        add("/a~1b~0c~01", json!(2)),
        json!({"a/b~c~1": 2}),
    );
    fails(
        json!({"a": 1}),
        add("/b/c", json!(2)),
        0,
        NoSuchPlace,
        "/b/c",
    );
    fails(
        json!({"a": 1}),
        add("/a/c", json!(2)),
        0,
        NoSuchPlace,
        "/a/c",
    );
    for bad in [
        "/3",
        "/01",
        "/-1",
        "/+1",
        "/1e0",
        "/one",
        "/",
        "/--",
        "/18446744073709551616",
    ] {
        fails(json!([1, 2]), add(bad, json!(0)), 0, NoSuchPlace, bad);
    }
    fails(json!([[1]]), add("/-/0", json!(0)), 0, NoSuchPlace, "/-/0");
}

#[test]
fn remove() {
    let remove = |path: &str| json!([{"op": "remove", "path": path}]);
    makes(json!({"a": 1, "b": 2}), remove("/a"), json!({"b": 2}));
    makes(json!([1, 2, 3]), remove("/1"), json!([1, 3]));
    makes(
        json!({"a": [{"b": null}]}),
        remove("/a/0/b"),
        json!({"a": [{}]}),
    );
    fails(json!({"a": 1}), remove("/b"), 0, NoSuchPlace, "/b");
    fails(json!([1]), remove("/1"), 0, NoSuchPlace, "/1");
    fails(json!([1]), remove("/-"), 0, NoSuchPlace, "/-");
    fails(json!([1]), remove("/00"), 0, NoSuchPlace, "/00");
    fails(json!({}), remove(""), 0, NoSuchPlace, "");
}

#[test]
fn replace() {
    let replace =
        |path: &str, value: Value| json!([{"op": "replace", "path": path, "value": value}]);
    makes(json!({"a": 1}), replace("/a", json!([])), json!({"a": []}));
    makes(
        json!({"a": 1}),
        replace("/a", json!(null)),
        json!({"a": null}),
    );
    makes(json!([1, 2]), replace("/1", json!("x")), json!([1, "x"]));
    makes(
        json!([1, 2]),
        replace("", json!({"new": true})),
        json!({"new": true}),
    );
    fails(
        json!({"a": 1}),
        replace("/b", json!(2)),
        0,
        NoSuchPlace,
        "/b",
    );
    fails(json!([1]), replace("/1", json!(2)), 0, NoSuchPlace, "/1");
    fails(json!([1]), replace("/-", json!(2)), 0, NoSuchPlace, "/-");
}

#[test]
fn move_() {
    let shift = |from: &str, path: &str| json!([{"op": "move", "from": from, "path": path}]);
    makes(
        json!({"a": {"b": 1}, "c": {}}),
        shift("/a/b", "/c/d"),
        json!({"a": {}, "c": {"d": 1}}),
    );
    makes(json!([0, 1, 2, 3]), shift("/1", "/3"), json!([0, 2, 3, 1]));
    makes(json!([0, 1, 2, 3]), shift("/3", "/0"), json!([3, 0, 1, 2]));
    makes(json!([0, 1, 2]), shift("/0", "/-"), json!([1, 2, 0]));
    makes(json!({"a": 1}), shift("/a", "/a"), json!({"a": 1}));
    makes(json!({"a": 1, "b": 2}), shift("/a", "/b"), json!({"b": 1}));
    makes(json!({"a": {"b": 1}}), shift("/a/b", "/a"), json!({"a": 1}));
    makes(json!({"a": {"b": 1}}), shift("/a/b", ""), json!(1));
    makes(
        json!({"a": 1, "ab": {}}),
        shift("/a", "/ab/c"),
        json!({"ab": {"c": 1}}),
    );
    fails(
        json!({"a": {"b": 1}}),
        shift("/a", "/a/b"),
        0,
        NoSuchPlace,
        "/a/b",
    );
    fails(json!({"a": 1}), shift("", "/a"), 0, NoSuchPlace, "/a");
    fails(json!({"a": 1}), shift("/x", "/a"), 0, NoSuchPlace, "/x");
    fails(json!([0, 1]), shift("/0", "/2"), 0, NoSuchPlace, "/2");
}

#[test]
fn copy() {
    let copy = |from: &str, path: &str| json!([{"op": "copy", "from": from, "path": path}]);
    makes(
        json!({"a": [1]}),
        copy("/a", "/b"),
        json!({"a": [1], "b": [1]}),
    );
    makes(
        json!({"a": [1]}),
        copy("/a", "/a/0"),
        json!({"a": [[1], 1]}),
    );
    makes(
        json!({"a": [1]}),
        copy("", "/a/-"),
        json!({"a": [1, {"a": [1]}]}),
    );
    makes(json!({"a": {"b": 1}}), copy("/a/b", ""), json!(1));
    fails(json!({"a": 1}), copy("/b", "/c"), 0, NoSuchPlace, "/b");
    fails(json!({"a": 1}), copy("/a", "/b/c"), 0, NoSuchPlace, "/b/c");
}

#[test]
fn test() {
    let test = |path: &str, value: Value| json!([{"op": "test", "path": path, "value": value}]);
    let document = json!({"a": {"b": [1, 2.5, "x", null]}, "n": 10});
    for (path, value) in [
        ("", document.clone()),
        ("/a", json!({"b": [1.0, 2.5, "x", null]})),
        ("/n", json!(10)),
        ("/n", json!(10.0)),
        ("/n", json!(1e1)),
        ("/a/b/3", json!(null)),
    ] {
        makes(document.clone(), test(path, value), document.clone());
    }
    for (path, value) in [
        ("/n", json!("10")),
        ("/n", json!(10.5)),
        ("/a", json!({})),
        ("/a", json!({"b": [1, 2.5, "x", null], "c": 1})),
        ("/a/b", json!([2.5, 1, "x", null])),
        ("/a/b", json!([1, 2.5, "x"])),
        ("/a/b/2", json!(null)),
    ] {
        fails(document.clone(), test(path, value), 0, TestFailed, path);
    }
    fails(document, test("/a/c", json!(null)), 0, NoSuchPlace, "/a/c");
    let big = json!({"n": u64::MAX});
    fails(big, test("/n", json!(u64::MAX - 1)), 0, TestFailed, "/n");
}

#[test]
fn operations_see_what_those_before_them_did() {
    makes(
        json!({"list": []}),
        json!([
            {"op": "add", "path": "/list/-", "value": {"n": 1}},
            {"op": "add", "path": "/list/0", "value": {"n": 0}},
            {"op": "copy", "from": "/list/0", "path": "/first"},
            {"op": "move", "from": "/list/1", "path": "/second"},
            {"op": "remove", "path": "/list/0"},
            {"op": "test", "path": "/list", "value": []},
            {"op": "replace", "path": "/first/n", "value": 9, "comment": "ignored"},
        ]),
        json!({"list": [], "first": {"n": 9}, "second": {"n": 1}}),
    );
    makes(json!({"a": 1}), json!([]), json!({"a": 1}));
}

#[test]
fn the_operation_at_fault_is_named_and_nothing_is_half_applied() {
    let document = json!({"a": {"b": 1}, "keep": true});
    let patch = json!([
        {"op": "move", "from": "/a/b", "path": "/a"},
        {"op": "remove", "path": "/keep"},
        {"op": "test", "path": "/a", "value": 2},
    ]);
    let before = document.clone();
    let result = patched(&document, patch);
    assert_eq!(result, Err((Some(2), TestFailed, "/a".to_owned())));
    assert_eq!(document, before);
}

#[test]
fn what_is_not_rfc_6902_is_refused_before_it_is_applied() {
    let cases = [
        (json!({"op": "add"}), None),
        (json!(null), None),
        (json!("[]"), None),
        (json!([1]), Some(0)),
        (json!([{"op": "remove", "path": "/a"}, []]), Some(1)),
        (json!([{"path": "/a"}]), Some(0)),
        (json!([{"op": "delete", "path": "/a"}]), Some(0)),
        (json!([{"op": "Add", "path": "/a", "value": 1}]), Some(0)),
        (json!([{"op": 1, "path": "/a"}]), Some(0)),
        (json!([{"op": "remove"}]), Some(0)),
        (json!([{"op": "remove", "path": 1}]), Some(0)),
        (json!([{"op": "remove", "path": "a"}]), Some(0)),
        (json!([{"op": "remove", "path": "/a~2"}]), Some(0)),
        (json!([{"op": "remove", "path": "/a~"}]), Some(0)),
        (json!([{"op": "add", "path": "/a"}]), Some(0)),
        (json!([{"op": "test", "path": "/a"}]), Some(0)),
        (json!([{"op": "replace", "path": "/a"}]), Some(0)),
        (json!([{"op": "move", "path": "/a"}]), Some(0)),
        (json!([{"op": "copy", "path": "/a", "from": null}]), Some(0)),
    ];
    for (patch, operation) in cases {
        let result = patched(&json!({"a": 1}), patch.clone());
        assert_eq!(
            result,
            Err((operation, Malformed, String::new())),
            "{patch}"
        );
    }
}

#[test]
fn a_patch_is_bounded() {
    let document = json!({"a": 1});
    let test = json!({"op": "test", "path": "/a", "value": 1});
    let many = |count: usize| Value::Array(vec![test.clone(); count]);
    assert!(patched(&document, many(PATCH_OPS_MAX)).is_ok());
    let kind = |result: Result<Value, (Option<usize>, PatchErrorKind, String)>| {
        result.expect_err("past a bound").1
    };
    assert_eq!(kind(patched(&document, many(PATCH_OPS_MAX + 1))), TooLarge);

    let steps = "/a".repeat(POINTER_TOKENS_MAX + 1);
    assert_eq!(
        kind(patched(&document, json!([{"op": "remove", "path": steps}]))),
        TooLarge
    );

    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let add = json!([{"op": "add", "path": "/b", "value": deep}]);
    assert_eq!(kind(patched(&document, add)), TooLarge);

    let add = json!([{"op": "add", "path": "/b", "value": "x".repeat(PATCH_BYTES_MAX)}]);
    assert_eq!(kind(patched(&document, add)), TooLarge);

    let doubling = vec![json!({"op": "copy", "from": "", "path": "/a"}); PATCH_OPS_MAX];
    let heavy = json!({"text": "x".repeat(COPIED_BYTES_MAX / 4)});
    assert_eq!(kind(patched(&heavy, Value::Array(doubling))), TooLarge);
}

#[test]
fn what_no_patch_may_touch_is_guarded() {
    let document = json!({"sections": [{"title": "", "fields": [
        {"id": "locked", "title": "old"},
        {"id": "free", "title": "old"},
    ]}]});
    let id = "/sections/0/fields/0/id";
    let field = "/sections/0/fields/0";
    let locked = BTreeSet::from(["locked".try_into().expect("a field id")]);
    let guard = FormGuard::new(locked);
    let guard = Guard::Form(&guard);
    let refused = [
        (
            json!([{"op": "add", "path": "/apv", "value": 7}]),
            0,
            "/apv",
        ),
        (
            json!([{"op": "copy", "from": "/sections", "path": "/apv"}]),
            0,
            "/apv",
        ),
        (
            json!([{"op": "replace", "path": id, "value": "other"}]),
            0,
            id,
        ),
        (json!([{"op": "add", "path": id, "value": "other"}]), 0, id),
        (json!([{"op": "remove", "path": id}]), 0, id),
        (json!([{"op": "move", "from": id, "path": "/x"}]), 0, id),
        (
            json!([{"op": "move", "from": "/sections/0/fields/1/id", "path": id}]),
            0,
            id,
        ),
        (
            json!([{"op": "copy", "from": "/sections/0/fields/1/id", "path": id}]),
            0,
            id,
        ),
        (
            json!([{"op": "replace", "path": field, "value": {"id": "other"}}]),
            0,
            id,
        ),
        (json!([{"op": "replace", "path": field, "value": 1}]), 0, id),
        (
            json!([
                {"op": "move", "from": field, "path": "/sections/0/fields/1"},
                {"op": "replace", "path": "/sections/0/fields/1/id", "value": "other"},
            ]),
            1,
            "/sections/0/fields/1/id",
        ),
    ];
    for (patch, operation, pointer) in refused {
        let parsed = Patch::parse(patch.clone()).expect("well-formed");
        let error = apply(&document, &parsed, guard).expect_err("guarded");
        let found = (error.operation, error.kind, &*error.pointer);
        assert_eq!(found, (Some(operation), Protected, pointer), "{patch}");
    }
    let other = json!([{"id": "other"}, {"id": "free"}]);
    let containers = [
        json!([{"op": "replace", "path": "/sections/0/fields", "value": other}]),
        json!([{"op": "replace", "path": "/sections/0", "value": {"fields": other}}]),
        json!([{"op": "replace", "path": "/sections", "value": [{"fields": other}]}]),
        json!([{"op": "replace", "path": "", "value": {"sections": [{"fields": other}]}}]),
        json!([{"op": "add", "path": "/sections/0/fields", "value": other}]),
        json!([
            {"op": "remove", "path": field},
            {"op": "add", "path": field, "value": {"id": "other"}},
        ]),
    ];
    for patch in containers {
        let parsed = Patch::parse(patch.clone()).expect("well-formed");
        let error = apply(&document, &parsed, guard).expect_err("guarded");
        let found = (error.operation, error.kind, &*error.pointer);
        assert_eq!(found, (None, Protected, id), "{patch}");
    }
    let taken = [
        json!([{"op": "replace", "path": "/sections/0/fields", "value": [{"id": "free"}]}]),
        json!([{"op": "replace", "path": id, "value": "locked"}]),
        json!([{"op": "test", "path": id, "value": "locked"}]),
        json!([{"op": "replace", "path": "/sections/0/fields/0/title", "value": "new"}]),
        json!([{"op": "replace", "path": "/sections/0/fields/1/id", "value": "other"}]),
        json!([{"op": "replace", "path": field, "value": {"id": "locked", "title": "new"}}]),
        json!([{"op": "add", "path": field, "value": {"id": "third"}}]),
        json!([{"op": "move", "from": field, "path": "/sections/0/fields/1"}]),
        json!([{"op": "remove", "path": field}]),
        json!([{"op": "remove", "path": "/sections/0"}]),
    ];
    for patch in taken {
        let parsed = Patch::parse(patch.clone()).expect("well-formed");
        assert!(apply(&document, &parsed, guard).is_ok(), "{patch}");
    }
}

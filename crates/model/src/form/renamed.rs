//! Fields that stand under another id than before: the one rule by which answers keep their field.

use std::collections::BTreeSet;

use serde_json::Value;

use super::FieldId;

/// A field that is gone, and in whose place a new one stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// Where the new id stands: an RFC 6901 pointer into the newer document.
    pub pointer: Box<str>,
    /// The id that it was known by.
    pub was: FieldId,
}

/// The fields that `after` has under another id than `before`.
///
/// A field can be changed, moved and removed. It is renamed where it is gone and a field that
/// was not there before stands in its very place, by whatever way it came there: through its id,
/// itself, its section, or the whole form. Neither document needs to be a form without fault.
#[must_use]
pub fn renamed(before: &Value, after: &Value) -> Vec<Renamed> {
    let ids = |document| fields(document).map(|(_, _, id)| id).collect();
    let (known, kept): (BTreeSet<&str>, BTreeSet<&str>) = (ids(before), ids(after));
    fields(before)
        .filter(|(_, _, id)| !kept.contains(id))
        .filter_map(|(section, field, id)| {
            let pointer = format!("/sections/{section}/fields/{field}/id");
            let now = after.pointer(&pointer)?.as_str()?;
            (!known.contains(now)).then_some(())?;
            Some(Renamed {
                pointer: pointer.into(),
                was: FieldId::try_from(id).ok()?,
            })
        })
        .collect()
}

/// Every id of a field, with the places of its section and in it.
fn fields(document: &Value) -> impl Iterator<Item = (usize, usize, &str)> {
    let sections = document.get("sections").and_then(Value::as_array);
    sections
        .into_iter()
        .flatten()
        .enumerate()
        .flat_map(move |(at, section)| {
            let fields = section.get("fields").and_then(Value::as_array);
            fields
                .into_iter()
                .flatten()
                .enumerate()
                .filter_map(move |(place, field)| Some((at, place, field.get("id")?.as_str()?)))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(sections: &[&[&str]]) -> Value {
        let fields =
            |ids: &&[&str]| -> Vec<Value> { ids.iter().map(|id| json!({ "id": id })).collect() };
        let sections: Vec<Value> = sections
            .iter()
            .map(|ids| json!({ "fields": fields(ids) }))
            .collect();
        json!({ "sections": sections })
    }

    fn check(before: &[&[&str]], after: &[&[&str]], expected: &[(&str, &str)]) {
        let found = renamed(&form(before), &form(after));
        let found: Vec<_> = found
            .iter()
            .map(|one| (&*one.pointer, one.was.as_str()))
            .collect();
        assert_eq!(found, expected, "{before:?} then {after:?}");
    }

    #[test]
    fn a_new_id_in_the_place_of_one_that_is_gone_is_another_name() {
        check(&[&["a"]], &[&["b"]], &[("/sections/0/fields/0/id", "a")]);
        check(
            &[&["a", "b"], &["c"]],
            &[&["x", "b"], &["y"]],
            &[
                ("/sections/0/fields/0/id", "a"),
                ("/sections/1/fields/0/id", "c"),
            ],
        );
    }

    #[test]
    fn a_field_may_move_go_and_make_room() {
        check(&[&["a", "b"]], &[&["b", "a"]], &[]);
        check(&[&["a", "b"]], &[&["b"]], &[]);
        check(&[&["a", "b"]], &[&["b", "c"]], &[]);
        check(&[&["a"]], &[&["new", "a"]], &[]);
        check(&[&["a"], &["b"]], &[&["b"]], &[]);
        check(&[&["a"]], &[], &[]);
    }

    #[test]
    fn what_is_no_form_has_no_fields() {
        let form = form(&[&["a"]]);
        for other in [
            json!(null),
            json!({"sections": 5}),
            json!({"sections": [1]}),
        ] {
            assert_eq!(renamed(&form, &other), []);
            assert_eq!(renamed(&other, &form), []);
        }
    }
}

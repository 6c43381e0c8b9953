//! Random patches, against a second implementation and against what a patch sees.

use guildgate_model::Revision;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::rebase::{Guard, History, Patch, apply};

/// Small documents over few keys, so that paths often meet.
fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab0]", inner, 0..3).prop_map(|members| members
                .into_iter()
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

fn pointers() -> impl Strategy<Value = String> {
    let token = prop_oneof!["[ab]", "[0-3]", Just("-".to_owned())];
    prop::collection::vec(token, 0..4)
        .prop_map(|tokens| tokens.iter().map(|token| format!("/{token}")).collect())
}

fn operations() -> impl Strategy<Value = Value> {
    (0..6_u8, pointers(), pointers(), documents()).prop_map(
        |(kind, path, from, value)| match kind {
            0 => json!({"op": "add", "path": path, "value": value}),
            1 => json!({"op": "remove", "path": path}),
            2 => json!({"op": "replace", "path": path, "value": value}),
            3 => json!({"op": "move", "from": from, "path": path}),
            4 => json!({"op": "copy", "from": from, "path": path}),
            _ => json!({"op": "test", "path": path, "value": value}),
        },
    )
}

/// What every operation of `patch` finds where it reads, removes, replaces or inserts.
fn seen(document: &Value, patch: &[Value]) -> Option<Vec<Value>> {
    let mut document = document.clone();
    let mut seen = Vec::new();
    for operation in patch {
        let at = |key: &str| operation[key].as_str().unwrap_or_default().to_owned();
        let (name, path) = (at("op"), at("path"));
        let from = if matches!(&*name, "move" | "copy") {
            at("from")
        } else {
            path.clone()
        };
        if name != "add" {
            seen.push(document.pointer(&from)?.clone());
        }
        let parsed = Patch::parse(json!([operation])).ok()?;
        document = apply(&document, &parsed, Guard::Open).ok()?.document;
        if matches!(&*name, "add" | "move" | "copy") {
            seen.push(before(&document, &path));
        }
    }
    Some(seen)
}

/// The names of the elements before `path` in its array; null for an append.
fn before(document: &Value, path: &str) -> Value {
    let Some((array, token)) = path.rsplit_once('/') else {
        return Value::Null;
    };
    let Some(Value::Array(items)) = document.pointer(array) else {
        return Value::Null;
    };
    let Ok(index) = token.parse::<usize>() else {
        return Value::Null;
    };
    items[..index]
        .iter()
        .map(|item| item["id"].clone())
        .collect()
}

/// A table of rows of cells, every row and cell with a name of its own.
fn table() -> Value {
    let cell = |row: usize, at: usize| json!({"id": format!("{row}.{at}"), "text": ""});
    let row = |row: usize| {
        let cells: Vec<Value> = (0..4).map(|at| cell(row, at)).collect();
        json!({"id": row.to_string(), "cells": cells})
    };
    json!({"rows": (0..4).map(row).collect::<Vec<Value>>(), "note": {"text": ""}})
}

/// Draws for one edit of a [`table`]: what to do, and where by numbers that are cut to size.
type Draw = (u8, [usize; 4], u32);

fn draws(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Draw>> {
    prop::collection::vec((0..12_u8, any::<[usize; 4]>(), any::<u32>()), count)
}

/// Edits that succeed one after the other on `document`, which keeps its shape: texts are
/// replaced, rows and cells come, go, move and are copied.
fn edits(document: &Value, draws: &[Draw]) -> Vec<Value> {
    let mut document = document.clone();
    let mut list = Vec::new();
    for (kind, numbers, fresh) in draws {
        let Some(edit) = edit(&document, *kind, *numbers, *fresh) else {
            continue;
        };
        let patch = Patch::parse(json!([edit])).expect("well-formed");
        let applied = apply(&document, &patch, Guard::Open).expect("it was cut to size");
        document = applied.document;
        list.push(edit);
    }
    list
}

fn edit(document: &Value, kind: u8, numbers: [usize; 4], fresh: u32) -> Option<Value> {
    let length = |array: &str| document.pointer(array)?.as_array().map(Vec::len);
    let pick = |array: &str, number: usize| {
        let index = number.checked_rem(length(array)?)?;
        Some(format!("{array}/{index}"))
    };
    let cells = |number: usize| Some(format!("{}/cells", pick("/rows", number)?));
    let [first, second, third, fourth] = numbers;
    let rows = "/rows".to_owned();
    let new = json!({"id": format!("new {fresh}"), "text": "", "cells": []});
    // To insert, the place behind the last element counts, too; `taken` is what a move has
    // taken out before.
    let gap = |array: &str, number: usize, taken: usize| {
        Some(format!("{array}/{}", number % (length(array)? - taken + 1)))
    };
    Some(match kind {
        0 => json!({"op": "add", "path": gap(&rows, first, 0)?, "value": new}),
        1 => json!({"op": "add", "path": gap(&cells(first)?, second, 0)?, "value": new}),
        2 => json!({"op": "add", "path": format!("{}/-", cells(first)?), "value": new}),
        3 => json!({"op": "remove", "path": pick(&rows, first)?}),
        4 => json!({"op": "remove", "path": pick(&cells(first)?, second)?}),
        5 => json!({"op": "move", "from": pick(&rows, first)?, "path": gap(&rows, second, 1)?}),
        6 => {
            let (from, to) = (cells(first)?, cells(second)?);
            let taken = usize::from(from == to);
            json!({"op": "move", "from": pick(&from, third)?, "path": gap(&to, fourth, taken)?})
        }
        7 => json!({"op": "copy", "from": pick(&rows, first)?, "path": gap(&rows, second, 0)?}),
        8 => json!({"op": "replace", "path": "/note/text", "value": fresh}),
        9 => json!({"op": "test", "path": pick(&rows, first)?,
            "value": document.pointer(&pick(&rows, first)?)?}),
        _ => {
            let cell = pick(&cells(first)?, second)?;
            json!({"op": "replace", "path": format!("{cell}/text"), "value": fresh})
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Where no operation compares numbers of two kinds, json-patch says the same, as long as
    /// it can: it gives up with a panic where it must undo a move onto an ancestor, so it is
    /// asked without a way back.
    #[test]
    fn two_implementations_agree(document in documents(), list in prop::collection::vec(operations(), 0..5)) {
        let patch = Patch::parse(Value::from(list.clone())).expect("well-formed");
        let ours = apply(&document, &patch, Guard::Open).map(|applied| applied.document);
        let list: Vec<json_patch::PatchOperation> =
            serde_json::from_value(Value::from(list)).expect("well-formed");
        let mut theirs = document.clone();
        match json_patch::patch_unsafe(&mut theirs, &list) {
            Ok(()) => prop_assert_eq!(ours.ok(), Some(theirs)),
            Err(error) => prop_assert_eq!(ours.err().and_then(|ours| ours.operation), Some(error.operation)),
        }
    }

    /// A late patch that is taken finds at every step exactly what it found on its base.
    #[test]
    fn a_patch_that_holds_sees_what_it_saw(
        first in prop::collection::vec(draws(1..3), 1..3),
        late in draws(1..4),
    ) {
        let guard = Guard::Open;
        let base = table();
        let mut history = History::new(Revision::FIRST);
        let mut newest = base.clone();
        for draws in first {
            let edits = Value::from(edits(&newest, &draws));
            let patch = Patch::parse(edits).expect("well-formed");
            let applied = apply(&newest, &patch, guard).expect("its edits succeed");
            newest = applied.document;
            history.push(applied.footprint);
        }
        let late = edits(&base, &late);
        let patch = Patch::parse(Value::from(late.clone())).expect("well-formed");
        if history.rebase(&newest, Revision::FIRST, &patch, guard).is_ok() {
            let on_base = seen(&base, &late);
            prop_assert!(on_base.is_some());
            prop_assert_eq!(seen(&newest, &late), on_base);
        }
    }

    /// Patches of different rows never disturb each other, whatever they do inside.
    #[test]
    fn work_in_different_rows_is_merged(
        (mine, theirs) in (0..4_usize, 0..4_usize).prop_filter("two rows", |(a, b)| a != b),
        at in 0..4_usize,
    ) {
        let guard = Guard::Open;
        let base = table();
        let edit = |row: usize| json!([
            {"op": "remove", "path": format!("/rows/{row}/cells/{at}")},
            {"op": "add", "path": format!("/rows/{row}/cells/0"), "value": {"id": "n", "text": ""}},
        ]);
        let (mine, theirs) = (Patch::parse(edit(mine)).expect("well-formed"), Patch::parse(edit(theirs)).expect("well-formed"));
        let merged = |one: &Patch, other: &Patch| {
            let mut history = History::new(Revision::FIRST);
            let applied = apply(&base, one, guard).expect("it applies");
            history.push(applied.footprint);
            history.rebase(&applied.document, Revision::FIRST, other, guard).map(|applied| applied.document)
        };
        let both = merged(&mine, &theirs);
        prop_assert!(both.is_ok());
        prop_assert_eq!(both, merged(&theirs, &mine));
    }
}

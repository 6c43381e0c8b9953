//! When a patch on an old version still holds.

use guildgate_model::Revision;
use serde_json::{Value, json};

use crate::rebase::{
    Guard, HISTORY_CHANGES_MAX, HISTORY_VERSIONS_MAX, History, Patch, PatchErrorKind, RebaseError,
    apply,
};

const BASE: Revision = Revision(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Holds,
    Stale,
}

fn document() -> Value {
    json!({
        "title": "t",
        "box": {"x": 1, "y": 2, "0": 3},
        "list": [
            {"name": "a", "sub": [1, 2, 3]},
            {"name": "b", "sub": [4, 5, 6]},
            {"name": "c", "sub": [7, 8, 9]},
        ],
        "lists": ["other"],
    })
}

fn parse(patch: &Value) -> Patch {
    Patch::parse(patch.clone()).expect("well-formed")
}

/// One patch is taken first, another comes late that was made without it.
fn check(first: Value, late: Value, expected: Fate) {
    let guard = Guard::Open;
    let mut history = History::new(BASE);
    let made = apply(&document(), &parse(&first), guard).expect("the first applies");
    history.push(made.footprint);
    let rebased = history.rebase(&made.document, BASE, &parse(&late), guard);
    let fate = match &rebased {
        Ok(_) => Fate::Holds,
        Err(RebaseError::Stale { base }) => {
            assert_eq!(*base, BASE);
            Fate::Stale
        }
        Err(other) => panic!("{first} then {late}: {other}"),
    };
    assert_eq!(fate, expected, "{first} then {late}");
}

fn set(path: &str) -> Value {
    json!([{"op": "replace", "path": path, "value": {"sub": [0, 0, 0]}}])
}

fn add(path: &str) -> Value {
    json!([{"op": "add", "path": path, "value": "new"}])
}

fn cut(path: &str) -> Value {
    json!([{"op": "remove", "path": path}])
}

#[test]
fn strangers_hold_and_neighbours_do_not() {
    use Fate::{Holds, Stale};
    let cases = [
        (set("/title"), set("/box/x"), Holds),
        (set("/title"), set("/title"), Stale),
        (set("/box/x"), set("/box/y"), Holds),
        (set("/box/x"), set("/box"), Stale),
        (set("/box"), set("/box/x"), Stale),
        (set("/lists"), set("/list/0/name"), Holds),
        (add("/box/z"), set("/box/x"), Holds),
        (add("/box/z"), set("/box"), Stale),
        (add("/box/z"), add("/box/z"), Stale),
        (cut("/box/x"), set("/box/y"), Holds),
        (cut("/box/x"), cut("/box/x"), Stale),
        (set("/box/0"), set("/box/x"), Holds),
        (add("/box/00"), set("/box/0"), Holds),
        // Elements that stay where they are.
        (set("/list/0/name"), set("/list/1/name"), Holds),
        (set("/list/0/name"), cut("/list/1"), Holds),
        (set("/list/0/name"), cut("/list/0"), Stale),
        (add("/list/2"), set("/list/1/name"), Holds),
        (add("/list/-"), set("/list/2/name"), Holds),
        (cut("/list/2"), set("/list/1"), Holds),
        // Elements that have moved.
        (add("/list/1"), set("/list/1/name"), Stale),
        (add("/list/0"), set("/list/1/name"), Stale),
        (cut("/list/0"), set("/list/1/name"), Stale),
        (cut("/list/0"), set("/list/0/name"), Stale),
        (cut("/list/0"), cut("/list/0"), Stale),
        (cut("/list/0"), set("/list"), Stale),
        (cut("/list/0"), set("/title"), Holds),
        (add("/list/0/sub/0"), set("/list/0/sub/2"), Stale),
        (add("/list/0/sub/0"), set("/list/1/sub/2"), Holds),
        (add("/list/0/sub/0"), set("/list/0/name"), Holds),
        (cut("/list/0"), set("/list/1/sub/0"), Stale),
        // Inserting counts on what is before, appending on nothing but the array.
        (add("/list/2"), add("/list/1"), Holds),
        (add("/list/1"), add("/list/1"), Stale),
        (add("/list/0"), add("/list/2"), Stale),
        (cut("/list/2"), add("/list/2"), Stale),
        (set("/list/0"), add("/list/1"), Holds),
        (add("/list/-"), add("/list/-"), Holds),
        (add("/list/-"), add("/list/3"), Stale),
        (cut("/list/0"), add("/list/-"), Holds),
        (set("/list"), add("/list/-"), Stale),
        (cut("/list/0"), add("/list/0/sub/-"), Stale),
        (add("/list/2"), add("/list/0/sub/-"), Holds),
        // The whole document.
        (set(""), set("/title"), Stale),
        (set("/title"), set(""), Stale),
    ];
    for (first, late, expected) in cases {
        check(first, late, expected);
    }
}

#[test]
fn reading_is_touching() {
    use Fate::{Holds, Stale};
    let test = json!([{"op": "test", "path": "/box", "value": document()["box"]}]);
    check(set("/title"), test.clone(), Holds);
    check(
        json!([{"op": "replace", "path": "/box/x", "value": 1}]),
        test,
        Stale,
    );
    let copy = json!([{"op": "copy", "from": "/list/1", "path": "/copy"}]);
    check(set("/list/0/name"), copy.clone(), Holds);
    check(set("/list/1/name"), copy.clone(), Stale);
    check(add("/list/1/sub/-"), copy.clone(), Stale);
    check(add("/list/0"), copy, Stale);
}

#[test]
fn moving_touches_both_ends() {
    use Fate::{Holds, Stale};
    let shift = json!([{"op": "move", "from": "/list/0", "path": "/list/2"}]);
    check(set("/title"), shift.clone(), Holds);
    check(set("/list/0/name"), shift.clone(), Stale);
    check(add("/list/2"), shift.clone(), Stale);
    check(add("/list/-"), shift.clone(), Stale);
    check(shift.clone(), set("/list/1/name"), Stale);
    check(shift.clone(), set("/list/0/name"), Stale);
    check(shift, set("/box/x"), Holds);
    let out = json!([{"op": "move", "from": "/box/x", "path": "/box/z"}]);
    check(out.clone(), set("/box/y"), Holds);
    check(out.clone(), set("/box/x"), Stale);
    check(out, add("/box/z"), Stale);
}

#[test]
fn a_patch_that_shifts_its_own_ground_counts_on_all_behind() {
    use Fate::{Holds, Stale};
    let own = |then: Value| {
        let mut patch = cut("/list/0");
        patch.as_array_mut().expect("a list").push(then);
        patch
    };
    // What it calls 0 now was 1 on its base.
    let renames = own(json!({"op": "replace", "path": "/list/0/name", "value": "z"}));
    check(set("/list/1/name"), renames.clone(), Stale);
    check(add("/list/0/sub/-"), renames.clone(), Stale);
    check(set("/title"), renames, Holds);
    let inserts = own(json!({"op": "add", "path": "/list/1", "value": "z"}));
    check(add("/list/2"), inserts.clone(), Stale);
    check(set("/list/2/name"), inserts, Holds);
    let nested = own(json!({"op": "add", "path": "/list/1/sub/-", "value": "z"}));
    check(set("/list/2/name"), nested, Stale);
}

#[test]
fn the_base_must_be_known() {
    let guard = Guard::Open;
    let mut history = History::new(BASE);
    let mut content = document();
    let step = parse(&json!([{"op": "replace", "path": "/title", "value": "u"}]));
    for _ in 0..=HISTORY_VERSIONS_MAX {
        let made = apply(&content, &step, guard).expect("it applies");
        content = made.document;
        history.push(made.footprint);
    }
    let newest = history.newest();
    assert_eq!(newest.0, BASE.0 + HISTORY_VERSIONS_MAX as u64 + 1);
    let stranger = parse(&set("/box/x"));
    let rebase = |base: Revision| history.rebase(&content, base, &stranger, guard);
    assert!(rebase(Revision(BASE.0 + 1)).is_ok());
    assert_eq!(rebase(BASE), Err(RebaseError::Stale { base: BASE }));
    let base = newest.next();
    assert_eq!(rebase(base), Err(RebaseError::Ahead { base, newest }));
    let base = Revision(u64::MAX);
    assert_eq!(rebase(base), Err(RebaseError::Ahead { base, newest }));
}

#[test]
fn the_changes_that_are_remembered_are_bounded() {
    let guard = Guard::Open;
    let mut history = History::new(BASE);
    let wide = json!({"op": "replace", "path": "/title", "value": "u"});
    let wide = parse(&Value::Array(vec![wide; 100]));
    let versions = HISTORY_CHANGES_MAX / 100 + 5;
    for _ in 0..versions {
        history.push(
            apply(&document(), &wide, guard)
                .expect("it applies")
                .footprint,
        );
    }
    let stranger = parse(&set("/box/x"));
    let stale = history.rebase(&document(), Revision(BASE.0 + 4), &stranger, guard);
    assert!(matches!(stale, Err(RebaseError::Stale { .. })));
    let holds = history.rebase(&document(), Revision(BASE.0 + 5), &stranger, guard);
    assert!(holds.is_ok());
}

#[test]
fn a_fault_is_the_patchs_own_only_on_the_newest_version() {
    let guard = Guard::Open;
    let mut history = History::new(BASE);
    let made = apply(&document(), &parse(&set("/title")), guard).expect("it applies");
    history.push(made.footprint);
    let bad = parse(&cut("/nowhere"));
    let newest = history.newest();
    let error = history.rebase(&made.document, newest, &bad, guard);
    let Err(RebaseError::Patch(error)) = error else {
        panic!("{error:?} is not the patch's own fault");
    };
    assert_eq!(error.kind, PatchErrorKind::NoSuchPlace);
    assert_eq!(
        error.to_string(),
        "operation 0 at /nowhere: there is no such key"
    );
    let late = history.rebase(&made.document, BASE, &bad, guard);
    assert_eq!(late, Err(RebaseError::Stale { base: BASE }));
}

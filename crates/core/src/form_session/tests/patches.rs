//! Patches: order, durability, rebase, repetition, other nodes.

use std::{collections::BTreeSet, sync::Arc};

use guildgate_model::{Form, Grants, Revision, RoleId, form::FieldId};
use guildgate_wire::ErrorCode;
use serde_json::{Value, json};

use super::{
    super::{
        APPEND_TRIES_MAX, Appended, Input, Opened, PublishedForm, Reply, STORE_RETRY, StoreFailed,
        Target, Version,
    },
    stage::{ANN, BOB, GUILD, MANAGER, Said, Stage, client, document, retitle, told, version},
};

fn taken(slot: u32, apv: u64) -> Said {
    Said::Done(slot, json!({"gid": GUILD, "apv": apv}))
}

fn sees(slot: u32, apv: u64, uid: Value, patch: Value) -> Said {
    let data = json!({"gid": GUILD, "uid": uid, "apv": apv, "patch": patch});
    told(slot, "PATCH", data)
}

fn code(said: &[Said]) -> ErrorCode {
    match said {
        [Said::Refused(_, code, _)] => *code,
        other => panic!("not one refusal: {other:?}"),
    }
}

#[test]
fn a_patch_is_answered_once_it_is_kept() {
    let mut stage = Stage::with(&[ANN, BOB, ANN]);
    assert_eq!(stage.patch(0, ANN, 5, retitle(0, "x")), []);
    let (ticket, append) = stage.asked_to_append();
    let mut expected = document();
    expected["sections"][0]["fields"][0]["title"] = json!("x");
    assert_eq!(append.base, Revision(5));
    assert_eq!(append.document, expected);
    assert_eq!(append.author, Some(ANN));
    assert_eq!(append.name, None);
    let said = stage.reply(ticket, Reply::Appended(Appended::Kept(Revision(6))));
    let seen = |slot| sees(slot, 6, json!(ANN), retitle(0, "x"));
    assert_eq!(said, [seen(1), seen(2), taken(0, 6)]);
}

#[test]
fn patches_come_one_after_the_other_and_old_ones_are_rebased_or_refused() {
    let mut stage = Stage::with(&[ANN, BOB, BOB]);
    stage.patch(0, ANN, 5, retitle(0, "ann"));
    stage.patch(1, BOB, 5, retitle(1, "bob"));
    stage.patch(2, BOB, 5, retitle(0, "late"));
    stage.keep();
    let (ticket, append) = stage.asked_to_append();
    assert_eq!(append.base, Revision(6), "rebased");
    let said = stage.reply(ticket, Reply::Appended(Appended::Kept(Revision(7))));
    let mut newest = document();
    newest["sections"][0]["fields"][0]["title"] = json!("ann");
    newest["sections"][0]["fields"][1]["title"] = json!("bob");
    let conflict = json!({"apv": 7, "document": newest});
    let expected = [
        sees(0, 7, json!(BOB), retitle(1, "bob")),
        sees(2, 7, json!(BOB), retitle(1, "bob")),
        taken(1, 7),
        Said::Refused(2, ErrorCode::Conflict, conflict),
    ];
    assert_eq!(said, expected);
    assert_eq!(stage.open_asks(), 0);
}

#[test]
fn what_is_wrong_with_a_patch_is_named_and_the_session_goes_on() {
    let field = "/sections/0/fields/0";
    let cases = [
        (json!({}), ErrorCode::BadRequest, ""),
        (json!([{"op": "no"}]), ErrorCode::BadRequest, ""),
        (
            json!([{"op": "remove", "path": "/nowhere"}]),
            ErrorCode::BadRequest,
            "/nowhere",
        ),
        (
            json!([{"op": "add", "path": "/apv", "value": 9}]),
            ErrorCode::InvalidForm,
            "/apv",
        ),
        (
            json!([{"op": "replace", "path": format!("{field}/id"), "value": "other"}]),
            ErrorCode::InvalidForm,
            "/sections/0/fields/0/id",
        ),
        (
            json!([{"op": "replace", "path": format!("{field}/type"), "value": 7}]),
            ErrorCode::InvalidForm,
            "/sections/0/fields/0/type",
        ),
        (
            json!([{"op": "copy", "from": field, "path": "/sections/0/fields/-"}]),
            ErrorCode::InvalidForm,
            "/sections/0/fields/2/id",
        ),
        (
            json!([{"op": "test", "path": "/status", "value": 2}]),
            ErrorCode::Conflict,
            "/status",
        ),
        (
            json!([{"op": "add", "path": "/x", "value": "x".repeat(70_000)}]),
            ErrorCode::TooLarge,
            "",
        ),
        (
            Value::Array(vec![json!({"op": "remove", "path": "/x"}); 101]),
            ErrorCode::TooLarge,
            "",
        ),
    ];
    let mut stage = Stage::with(&[ANN]);
    stage.input(Input::Submitted(BTreeSet::from(["name"
        .try_into()
        .expect("an id")])));
    for (patch, expected, pointer) in cases {
        let said = stage.patch(0, ANN, 5, patch.clone());
        let [Said::Refused(0, code, details)] = said.as_slice() else {
            panic!("{patch} was not refused: {said:?}");
        };
        assert_eq!(*code, expected, "{patch}");
        let found = match &details["faults"] {
            Value::Array(faults) => &faults[0]["pointer"],
            _ => &details["pointer"],
        };
        assert_eq!(found, pointer, "{patch}");
    }
    assert_eq!(stage.open_asks(), 0);
    stage.patch(0, ANN, 5, retitle(0, "still here"));
    assert_eq!(stage.keep(), [taken(0, 6)]);
}

#[test]
fn a_patch_sent_twice_is_taken_once() {
    let mut stage = Stage::with(&[ANN, BOB, ANN]);
    stage.named_patch(0, ANN, 5, retitle(0, "x"), Some("n1"));
    // Again by the same user's other connection, while the first is under way.
    assert_eq!(
        stage.named_patch(2, ANN, 5, retitle(0, "x"), Some("n1")),
        []
    );
    let said = stage.keep();
    assert_eq!(
        said,
        [
            sees(1, 6, json!(ANN), retitle(0, "x")),
            taken(0, 6),
            taken(2, 6)
        ]
    );
    // And when it is long kept.
    let said = stage.named_patch(2, ANN, 5, retitle(0, "x"), Some("n1"));
    assert_eq!(said, [taken(2, 6)]);
    assert_eq!(stage.open_asks(), 0);
    // The same nonce for another patch, another base or by another user is another patch.
    assert_eq!(
        code(&stage.named_patch(2, ANN, 5, retitle(0, "y"), Some("n1"))),
        ErrorCode::Conflict
    );
    assert_eq!(
        code(&stage.named_patch(1, BOB, 5, retitle(0, "x"), Some("n1"))),
        ErrorCode::Conflict
    );
    assert_eq!(
        stage.named_patch(2, ANN, 6, retitle(0, "x"), Some("n1")),
        []
    );
    assert_eq!(stage.keep().last(), Some(&taken(2, 7)));
}

#[test]
fn a_patch_from_before_the_node_knew_the_document_is_known_again() {
    let mut first = Stage::with(&[ANN]);
    first.named_patch(0, ANN, 5, retitle(0, "x"), Some("n1"));
    let (_, append) = first.asked_to_append();

    let mut stage = Stage::new(Target::Form);
    stage.start(0, ANN, MANAGER);
    stage.verify(0);
    let kept = Version {
        name: append.name.clone(),
        ..version(6, ANN, append.patch.clone())
    };
    let other = version(7, BOB, retitle(1, "y"));
    stage.open(document(), vec![kept, other]);
    let said = stage.named_patch(0, ANN, 5, retitle(0, "x"), Some("n1"));
    assert_eq!(said, [taken(0, 6)]);
    // What came before counts for the rebase, too.
    assert_eq!(
        code(&stage.patch(0, ANN, 5, retitle(1, "z"))),
        ErrorCode::Conflict
    );
    stage.patch(0, ANN, 6, retitle(0, "z"));
    assert_eq!(stage.keep(), [taken(0, 8)]);
}

#[test]
fn the_store_may_know_a_patch_that_this_node_does_not() {
    let mut stage = Stage::with(&[ANN, BOB]);
    stage.named_patch(0, ANN, 5, retitle(0, "x"), Some("n1"));
    let (ticket, append) = stage.asked_to_append();
    let said = stage.reply(ticket, Reply::Appended(Appended::KeptBefore(Revision(7))));
    assert_eq!(said, [], "its turn has not come");
    let own = Version {
        name: append.name,
        ..version(7, ANN, retitle(0, "x"))
    };
    let said = stage.load(5, vec![version(6, BOB, retitle(1, "y")), own]);
    let expected = [
        sees(0, 6, json!(BOB), retitle(1, "y")),
        sees(1, 6, json!(BOB), retitle(1, "y")),
        sees(1, 7, json!(ANN), retitle(0, "x")),
        taken(0, 7),
    ];
    assert_eq!(said, expected);
    // Or one so old that it is behind all that is known.
    stage.named_patch(0, ANN, 7, retitle(0, "z"), Some("n2"));
    let (ticket, _) = stage.asked_to_append();
    let said = stage.reply(ticket, Reply::Appended(Appended::KeptBefore(Revision(3))));
    assert_eq!(said, [taken(0, 3)]);
}

#[test]
fn where_another_node_was_faster_the_patch_is_rebased() {
    let mut stage = Stage::with(&[ANN, BOB]);
    stage.patch(0, ANN, 5, retitle(0, "x"));
    let (ticket, _) = stage.asked_to_append();
    assert_eq!(stage.reply(ticket, Reply::Appended(Appended::Conflict)), []);
    let said = stage.load(5, vec![version(6, BOB, retitle(1, "y"))]);
    let seen = |slot| sees(slot, 6, json!(BOB), retitle(1, "y"));
    assert_eq!(said, [seen(0), seen(1)]);
    let (ticket, append) = stage.asked_to_append();
    assert_eq!(append.base, Revision(6));
    stage.reply(ticket, Reply::Appended(Appended::Conflict));
    let said = stage.load(6, vec![version(7, BOB, retitle(0, "y"))]);
    assert!(matches!(
        said.last(),
        Some(Said::Refused(0, ErrorCode::Conflict, _))
    ));
    assert_eq!(stage.open_asks(), 0);
}

#[test]
fn a_patch_does_not_run_after_the_newest_for_ever() {
    let mut stage = Stage::with(&[ANN]);
    stage.patch(0, ANN, 5, retitle(0, "x"));
    for at in 0..u64::from(APPEND_TRIES_MAX) {
        let (ticket, _) = stage.asked_to_append();
        stage.reply(ticket, Reply::Appended(Appended::Conflict));
        stage.load(5 + at, vec![version(6 + at, BOB, retitle(1, "y"))]);
    }
    let (ticket, _) = stage.asked_to_append();
    let said = stage.reply(ticket, Reply::Appended(Appended::Conflict));
    assert_eq!(code(&said), ErrorCode::Unavailable);
}

#[test]
fn what_other_nodes_keep_is_told_in_order() {
    let mut stage = Stage::with(&[ANN]);
    assert_eq!(stage.input(Input::Changed(Revision(5))), []);
    assert_eq!(stage.open_asks(), 0, "nothing new");
    stage.input(Input::Changed(Revision(7)));
    // News that come while the answer is under way are not lost, nor known ones told again.
    stage.input(Input::Changed(Revision(8)));
    let said = stage.load(
        5,
        vec![
            version(6, BOB, retitle(0, "a")),
            version(7, BOB, retitle(0, "b")),
        ],
    );
    let expected = [
        sees(0, 6, json!(BOB), retitle(0, "a")),
        sees(0, 7, json!(BOB), retitle(0, "b")),
    ];
    assert_eq!(said, expected);
    let said = stage.load(
        7,
        vec![
            version(7, BOB, retitle(0, "b")),
            version(8, BOB, retitle(0, "c")),
        ],
    );
    assert_eq!(said, [sees(0, 8, json!(BOB), retitle(0, "c"))]);
    assert_eq!(stage.open_asks(), 0);
    // A version that is announced but not to be had does not make it ask for ever.
    stage.input(Input::Changed(Revision(20)));
    assert_eq!(stage.load(8, Vec::new()), []);
    assert_eq!(stage.open_asks(), 0);
}

#[test]
fn a_version_that_is_no_patch_is_told_as_a_whole() {
    let mut stage = Stage::with(&[ANN, BOB]);
    stage.patch(0, ANN, 5, retitle(0, "x"));
    let (ticket, _) = stage.asked_to_append();
    stage.reply(ticket, Reply::Appended(Appended::Conflict));
    let restored = Version {
        patch: None,
        ..version(6, BOB, Value::Null)
    };
    stage.load(5, vec![restored]);
    let ticket = stage.asked_to_open();
    let opened = Opened {
        revision: Revision(6),
        document: Form::empty_document(),
        versions: Vec::new(),
        answered_fields: BTreeSet::new(),
        form: None,
    };
    let said = stage.reply(ticket, Reply::Opened(Ok(Box::new(opened))));
    let patch = json!([{"op": "replace", "path": "", "value": Form::empty_document()}]);
    let conflict = json!({"apv": 6, "document": Form::empty_document()});
    let expected = [
        sees(0, 6, Value::Null, patch.clone()),
        sees(1, 6, Value::Null, patch),
        Said::Refused(0, ErrorCode::Conflict, conflict),
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_base_that_this_node_has_not_seen_is_looked_for() {
    let mut stage = Stage::with(&[ANN]);
    assert_eq!(stage.patch(0, ANN, 6, retitle(0, "x")), []);
    stage.load(5, vec![version(6, BOB, retitle(1, "y"))]);
    assert_eq!(stage.keep(), [taken(0, 7)]);
    assert_eq!(stage.patch(0, ANN, u64::MAX, retitle(0, "x")), []);
    assert_eq!(code(&stage.load(7, Vec::new())), ErrorCode::BadRequest);
}

#[test]
fn a_store_that_fails_is_admitted_and_what_it_kept_all_the_same_is_found() {
    let mut stage = Stage::with(&[ANN, BOB]);
    stage.named_patch(0, ANN, 5, retitle(0, "x"), Some("n1"));
    let (ticket, append) = stage.asked_to_append();
    let said = stage.reply(ticket, Reply::Appended(Appended::Failed));
    assert_eq!(code(&said), ErrorCode::Unavailable);
    let (ticket, ()) =
        stage.asked(|ask| matches!(ask, super::super::Ask::Load { .. }).then_some(()));
    // While it is looked for, more patches wait; with a store that fails again they are told.
    assert_eq!(stage.patch(1, BOB, 5, retitle(1, "y")), []);
    let said = stage.reply(ticket, Reply::Loaded(Err(StoreFailed)));
    assert_eq!(code(&said), ErrorCode::Unavailable);
    assert_eq!(stage.open_asks(), 0, "it is not asked without end");
    assert_eq!(stage.pass(STORE_RETRY), []);
    let own = Version {
        name: append.name,
        ..version(6, ANN, retitle(0, "x"))
    };
    // Nobody was told that it was taken, so everybody hears of it, its author too.
    let said = stage.load(5, vec![own]);
    let seen = |slot| sees(slot, 6, json!(ANN), retitle(0, "x"));
    assert_eq!(said, [seen(0), seen(1)]);
    let said = stage.named_patch(0, ANN, 5, retitle(0, "x"), Some("n1"));
    assert_eq!(said, [taken(0, 6)]);
    assert_eq!(stage.open_asks(), 0);
}

#[test]
fn a_draft_is_checked_against_the_form() {
    let published = |document: Value, revision| {
        Arc::new(PublishedForm {
            revision: Revision(revision),
            form: Form::check(&document).expect("without fault"),
            document,
        })
    };
    let mut stage = Stage::new(Target::Answers(ANN));
    stage.start(0, ANN, MANAGER);
    stage.verify(0);
    let ticket = stage.asked_to_open();
    let opened = Opened {
        revision: Revision(5),
        document: json!({}),
        versions: Vec::new(),
        answered_fields: BTreeSet::new(),
        form: Some(published(document(), 3)),
    };
    let said = stage.reply(ticket, Reply::Opened(Ok(Box::new(opened))));
    let [Said::Done(0, data)] = said.as_slice() else {
        panic!("not started: {said:?}");
    };
    assert_eq!(data["document"], json!({}));
    assert_eq!(data["form"], json!({"apv": 3, "document": document()}));

    let set =
        |id: &str, value: Value| json!([{"op": "add", "path": format!("/{id}"), "value": value}]);
    stage.patch(0, ANN, 5, set("name", json!("A")));
    assert_eq!(
        stage.keep(),
        [taken(0, 6)],
        "too short is unfinished, not wrong"
    );
    for (patch, pointer) in [
        (set("name", json!("much too long")), "/name"),
        (set("name", json!(7)), "/name"),
        (set("gone", json!("x")), "/gone"),
    ] {
        let said = stage.patch(0, ANN, 6, patch);
        let [Said::Refused(0, ErrorCode::InvalidAnswers, details)] = said.as_slice() else {
            panic!("not refused: {said:?}");
        };
        assert_eq!(details["faults"][0]["pointer"], pointer);
    }
    // The form loses the field: what stands in the draft may stay, but not be written anew.
    let mut changed = document();
    changed["sections"][0]["fields"] = json!([]);
    stage.input(Input::FormPublished(published(changed, 4)));
    stage.input(Input::FormPublished(published(document(), 2)));
    assert_eq!(
        code(&stage.patch(0, ANN, 6, set("name", json!("Ann")))),
        ErrorCode::InvalidAnswers
    );
    stage.patch(0, ANN, 6, json!([{"op": "remove", "path": "/name"}]));
    assert_eq!(stage.keep(), [taken(0, 7)]);
}

#[test]
fn the_queue_is_bounded() {
    use super::super::QUEUE_PATCHES_MAX;
    let mut stage = Stage::with(&[ANN]);
    for _ in 0..=QUEUE_PATCHES_MAX {
        assert_eq!(stage.patch(0, ANN, 5, retitle(0, "x")), []);
    }
    assert_eq!(
        code(&stage.patch(0, ANN, 5, retitle(0, "x"))),
        ErrorCode::RateLimited
    );
    stage.input(Input::Closed(client(0)));
    assert_eq!(stage.keep(), []);
    assert!(
        stage.session.is_finished(),
        "nobody waits for what was queued"
    );
}

#[test]
fn a_field_of_a_draft_may_be_called_apv() {
    let mut form = document();
    form["sections"][0]["fields"][1]["id"] = json!("apv");
    let published = PublishedForm {
        revision: Revision(2),
        form: Form::check(&form).expect("a form"),
        document: form,
    };
    let mut stage = Stage::new(Target::Answers(ANN));
    stage.start(0, ANN, MANAGER);
    stage.verify(0);
    let ticket = stage.asked_to_open();
    let opened = Opened {
        revision: Revision(5),
        document: json!({}),
        versions: Vec::new(),
        answered_fields: BTreeSet::new(),
        form: Some(Arc::new(published)),
    };
    stage.reply(ticket, Reply::Opened(Ok(Box::new(opened))));
    let answer = json!([{"op": "add", "path": "/apv", "value": "x"}]);
    stage.patch(0, ANN, 5, answer);
    assert_eq!(stage.keep(), [taken(0, 6)]);
}

#[test]
fn a_role_for_accepted_applicants_is_set_by_whoever_may_give_it() {
    let mut stage = Stage::with(&[ANN]);
    let set = |role: &str| json!([{"op": "add", "path": "/role_on_accept", "value": role}]);
    stage.grants = Grants::Roles([RoleId(7)].into());
    let whole = json!([{"op": "replace", "path": "", "value": {
        "status": 1, "sections": [], "role_on_accept": "8",
    }}]);
    for patch in [set("8"), whole] {
        let said = stage.patch(0, ANN, 5, patch);
        let [Said::Refused(0, ErrorCode::Forbidden, details)] = &said[..] else {
            panic!("not refused: {said:?}");
        };
        assert_eq!(details["pointer"], "/role_on_accept");
        assert_eq!(stage.open_asks(), 0);
    }
    stage.patch(0, ANN, 5, set("7"));
    assert_eq!(stage.keep(), [taken(0, 6)]);

    // Whoever may give none leaves it as it is, or takes it out.
    stage.grants = Grants::none();
    stage.patch(0, ANN, 6, retitle(0, "x"));
    assert_eq!(stage.keep(), [taken(0, 7)]);
    stage.patch(
        0,
        ANN,
        7,
        json!([{"op": "remove", "path": "/role_on_accept"}]),
    );
    assert_eq!(stage.keep(), [taken(0, 8)]);
    assert_eq!(
        code(&stage.patch(0, ANN, 8, set("7"))),
        ErrorCode::Forbidden
    );
    stage.grants = Grants::Any;
    stage.patch(0, ANN, 8, set("9"));
    assert_eq!(stage.keep(), [taken(0, 9)]);
}

#[test]
fn a_field_that_is_answered_while_its_renaming_is_kept_stays() {
    let mut stage = Stage::with(&[ANN]);
    let rename = json!([
        {"op": "replace", "path": "/sections/0/fields/0/id", "value": "nick"},
    ]);
    stage.patch(0, ANN, 5, rename);
    let (ticket, append) = stage.asked_to_append();
    let name = FieldId::try_from("name").expect("an id");
    let was: Vec<_> = append.renamed.iter().map(|field| &field.was).collect();
    assert_eq!(was, [&name]);
    let answered = Appended::Answered([name].into());
    let said = stage.reply(ticket, Reply::Appended(answered));
    let [Said::Refused(0, ErrorCode::InvalidForm, details)] = &said[..] else {
        panic!("not refused: {said:?}");
    };
    assert_eq!(details["pointer"], "/sections/0/fields/0/id");
    assert_eq!(stage.open_asks(), 0);
}

//! A form that opens by itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{Appended, Reply},
    stage::{ANN, BOB, GUILD, Said, Stage, document, retitle, told, version},
};

fn opening_in(stage: &Stage, time: Duration) -> Value {
    let mut document = document();
    document["status"] = json!(3);
    document["status_data"] = json!({"opens_at": stage.now.after(time).wall});
    document
}

fn schedule(stage: &Stage, time: Duration) -> Value {
    json!([
        {"op": "replace", "path": "/status", "value": 3},
        {"op": "replace", "path": "/status_data", "value": {"opens_at": stage.now.after(time).wall}},
    ])
}

#[test]
fn it_opens_when_its_time_has_come_and_says_so() {
    let mut stage = Stage::new(super::super::Target::Form);
    stage.start(0, ANN, super::stage::MANAGER);
    stage.verify(0);
    let form = opening_in(&stage, Duration::from_secs(10));
    stage.open(form, Vec::new());
    assert_eq!(stage.pass(Duration::from_millis(9_999)), []);
    assert_eq!(stage.open_asks(), 0);
    assert_eq!(stage.pass(Duration::from_millis(1)), []);
    let (ticket, append) = stage.asked_to_append();
    assert_eq!(append.author, None);
    assert_eq!(append.document["status"], 1);
    let said = stage.reply(ticket, Reply::Appended(Appended::Kept(append.base.next())));
    let [Said::Told(0, name, data)] = said.as_slice() else {
        panic!("it does not say so: {said:?}");
    };
    assert_eq!(name, "APPLICATION_SESSION_PATCH");
    assert_eq!(data["uid"], Value::Null);
    assert_eq!(data["patch"], append.patch);
    stage.pass(Duration::from_secs(20));
    assert_eq!(stage.open_asks(), 0, "once");
}

#[test]
fn a_time_set_in_the_session_counts_too() {
    let mut stage = Stage::with(&[ANN]);
    let patch = schedule(&stage, Duration::from_secs(5));
    stage.patch(0, ANN, 5, patch);
    stage.keep();
    stage.pass(Duration::from_secs(5));
    let (_, append) = stage.asked_to_append();
    assert_eq!(append.document["status"], 1);
}

#[test]
fn a_manager_who_is_faster_wins() {
    let mut stage = Stage::with(&[ANN, BOB]);
    let patch = schedule(&stage, Duration::from_secs(5));
    stage.patch(0, ANN, 5, patch);
    stage.keep();
    stage.pass(Duration::from_secs(5));
    let (ticket, _) = stage.asked_to_append();
    stage.reply(ticket, Reply::Appended(Appended::Conflict));
    let close = json!([{"op": "replace", "path": "/status", "value": 0}]);
    let said = stage.load(6, vec![version(7, BOB, close.clone())]);
    let data = json!({"gid": GUILD, "uid": BOB, "apv": 7, "patch": close});
    assert_eq!(
        said,
        [told(0, "PATCH", data.clone()), told(1, "PATCH", data)]
    );
    stage.pass(Duration::from_secs(20));
    assert_eq!(stage.open_asks(), 0);
}

#[test]
fn a_store_that_fails_does_not_keep_it_shut() {
    let mut stage = Stage::with(&[ANN]);
    let patch = schedule(&stage, Duration::from_secs(5));
    stage.patch(0, ANN, 5, patch);
    stage.keep();
    stage.pass(Duration::from_secs(5));
    let (ticket, _) = stage.asked_to_append();
    assert_eq!(stage.reply(ticket, Reply::Appended(Appended::Failed)), []);
    stage.load(6, Vec::new());
    stage.pass(Duration::from_secs(2));
    let (_, append) = stage.asked_to_append();
    assert_eq!(append.document["status"], 1);
    // It takes its turn with everybody else's.
    assert_eq!(stage.patch(0, ANN, 6, retitle(0, "x")), []);
}

use serde_json::{Value, json};

use super::{Answer, Answers, Misfit};
use crate::form::{Faults, Form};

fn form() -> Form {
    Form::check(&crate::form::tests::example()).expect("the example is without fault")
}

fn whole() -> Value {
    json!({"name": "Ann", "why": "Because.", "zone": "east", "days": ["wed", "mon"]})
}

fn with(id: &str, value: Value) -> Value {
    let mut answers = whole();
    answers[id] = value;
    answers
}

fn pointers(result: Result<impl Sized, Faults>) -> Vec<String> {
    match result {
        Ok(_) => Vec::new(),
        Err(faults) => {
            let list = faults.list().iter();
            list.map(|fault| fault.pointer.to_string()).collect()
        }
    }
}

#[test]
fn whole_answers_are_taken_in_the_forms_order() {
    let answers = Answers::check(&form(), &whole()).expect("they fit");
    let days = answers.0.iter().find(|(id, _)| id.as_str() == "days");
    let expected = Answer::Choices(vec!["mon".into(), "wed".into()]);
    assert_eq!(days.map(|(_, answer)| answer), Some(&expected));
    assert_eq!(
        answers.to_document(),
        json!({"name": "Ann", "why": "Because.", "zone": "east", "days": ["mon", "wed"]})
    );
}

#[test]
fn what_is_empty_is_not_answered() {
    for empty in [json!(null), json!("")] {
        let answers = Answers::check(&form(), &with("why", empty)).expect("it is optional");
        assert_eq!(answers.0.len(), 3);
    }
}

#[test]
fn every_fault_has_its_pointer() {
    let cases: Vec<(Value, &[&str])> = vec![
        (whole(), &[]),
        (with("name", json!("é".repeat(32))), &[]),
        (with("name", json!("A")), &["/name"]),
        (with("name", json!("x".repeat(33))), &["/name"]),
        (with("name", json!("Ann\nBell")), &["/name"]),
        (with("name", json!(7)), &["/name"]),
        (with("name", json!(["Ann"])), &["/name"]),
        (with("name", json!([])), &["/name"]),
        (with("name", json!({"text": "Ann"})), &["/name"]),
        (with("name", json!("")), &["/name"]),
        (with("name", json!(null)), &["/name"]),
        (with("why", json!("line\nline")), &[]),
        (with("why", json!("x".repeat(2001))), &["/why"]),
        (with("zone", json!("north")), &["/zone"]),
        (with("zone", json!(["east"])), &["/zone"]),
        (with("zone", json!(0)), &["/zone"]),
        (with("days", json!("mon")), &["/days"]),
        (with("days", json!("")), &["/days"]),
        (with("days", json!([])), &["/days"]),
        (with("days", json!(["mon", "tue", "wed"])), &["/days"]),
        (with("days", json!(["mon", "mon"])), &["/days/1"]),
        (with("days", json!(["mon", "sun"])), &["/days/1"]),
        (with("days", json!(["mon", 2])), &["/days/1"]),
        (with("gone", json!("x")), &["/gone"]),
        (with("a/b", json!(null)), &["/a~1b"]),
        (json!({}), &["/name", "/zone", "/days"]),
        (
            json!({"x": 1, "name": 2}),
            &["/x", "/name", "/zone", "/days"],
        ),
        (json!([]), &[""]),
        (json!(null), &[""]),
        (with("why", json!("x".repeat(70_000))), &[""]),
    ];
    for (document, expected) in cases {
        let found = pointers(Answers::check(&form(), &document));
        assert_eq!(found, expected, "{document}");
    }
}

#[test]
fn a_draft_may_be_unfinished_but_not_wrong() {
    let form = form();
    let before = json!({"gone": "kept", "name": 7});
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({"gone": "kept", "name": 7, "why": "So."}), &[]),
        (json!({"gone": "kept", "name": "A"}), &[]),
        (json!({"name": ""}), &[]),
        (json!({}), &[]),
        (json!({"gone": "changed", "name": 7}), &["/gone"]),
        (json!({"name": 8}), &["/name"]),
        (json!({"days": []}), &[]),
        (json!({"days": ["mon", "tue", "wed"]}), &["/days"]),
        (json!({"zone": "north", "new": 1}), &["/new", "/zone"]),
        (json!("draft"), &[""]),
    ];
    for (after, expected) in cases {
        let found = pointers(Answers::check_draft(&form, &before, &after));
        assert_eq!(found, expected, "{after}");
    }
}

#[test]
fn answers_for_an_older_form_must_fit_the_newest() {
    let older = form();
    let mut document = older.to_document();
    document["sections"][1]["fields"][0]["options"] = json!(["west"]);
    let newest = Form::check(&document).expect("without fault");

    assert!(Answers::check_for(&newest, Some(&older), &with("zone", json!("west"))).is_ok());
    let misfit = Answers::check_for(&newest, Some(&older), &whole()).expect_err("no east");
    assert!(
        matches!(&misfit, Misfit::FormChanged(faults) if &*faults.list()[0].pointer == "/zone")
    );
    let misfit = Answers::check_for(&newest, Some(&older), &with("zone", json!("north")));
    assert!(matches!(misfit, Err(Misfit::Invalid(_))));
    let misfit = Answers::check_for(&newest, None, &whole());
    assert!(matches!(misfit, Err(Misfit::Invalid(_))));
}

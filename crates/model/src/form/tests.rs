use serde_json::{Value, json};

use super::{Faults, Form, Intake, Length, Status, bounds::FAULTS_MAX};
use crate::{RoleId, UnixMs};

/// A form with one field of every type.
pub(crate) fn example() -> Value {
    json!({
        "status": 1,
        "status_data": null,
        "sections": [
            {
                "title": "You",
                "description": "",
                "fields": [
                    {"id": "name", "title": "Name", "description": "", "type": 0,
                     "length": [2, 32], "required": true},
                    {"id": "why", "title": "Why?", "description": "At length.", "type": 1,
                     "length": [0, 2000], "required": false},
                ],
            },
            {
                "title": "Times",
                "description": "When could you?",
                "fields": [
                    {"id": "zone", "title": "Zone", "description": "", "type": 2,
                     "length": [0, 1], "required": true, "options": ["east", "west"]},
                    {"id": "days", "title": "Days", "description": "", "type": 3,
                     "length": [1, 2], "required": true, "options": ["mon", "tue", "wed"]},
                ],
            },
        ],
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut document = example();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer below the root");
    let parent = document.pointer_mut(parent).expect("the parent exists");
    match parent {
        Value::Object(members) => {
            members.insert(key.to_owned(), value);
        }
        Value::Array(items) => items.push(value),
        other => panic!("{other} has no children"),
    }
    document
}

fn without(pointer: &str) -> Value {
    let mut document = example();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer below the root");
    let parent = document.pointer_mut(parent).expect("the parent exists");
    let members = parent.as_object_mut().expect("an object");
    members.remove(key).expect("the key was there");
    document
}

fn pointers(faults: &Faults) -> Vec<&str> {
    faults.list().iter().map(|fault| &*fault.pointer).collect()
}

fn check(document: Value, expected: &[&str]) {
    match Form::check(&document) {
        Ok(_) => assert!(expected.is_empty(), "no fault in {document}"),
        Err(faults) => assert_eq!(pointers(&faults), expected, "{faults}"),
    }
}

#[test]
fn a_form_without_fault_is_read_and_written_back() {
    let form = Form::check(&example()).expect("the example is without fault");
    assert_eq!(form.to_document(), example());
    assert_eq!(form.fields().count(), 4);
    assert_eq!(form.status, Status::Open);
    let role = with("/role_on_accept", json!("77"));
    let form = Form::check(&role).expect("a role is allowed");
    assert_eq!(form.role_on_accept, Some(RoleId(77)));
    assert_eq!(form.to_document(), role);
    let empty = Form::check(&Form::empty_document()).expect("the empty form is without fault");
    assert_eq!(empty.to_document(), Form::empty_document());
}

#[test]
fn what_may_be_left_out_has_a_default() {
    let document = json!({"status": 0, "sections": [{"title": "", "fields": [
        {"id": "a", "title": "", "type": 0},
        {"id": "b", "title": "", "type": 3, "options": ["x", "y"]},
    ]}]});
    let form = Form::check(&document).expect("only defaults");
    let lengths: Vec<Length> = form.fields().map(|field| field.length).collect();
    let expected = [Length { min: 0, max: 1024 }, Length { min: 0, max: 2 }];
    assert_eq!(lengths, expected);
    assert!(form.fields().all(|field| !field.required));
}

#[test]
fn each_fault_is_named_at_its_place() {
    let field = "/sections/0/fields/0";
    let at = |key: &str| format!("{field}/{key}");
    let cases: Vec<(String, Value)> = vec![
        ("/status".into(), json!(5)),
        ("/status".into(), json!("1")),
        ("/status".into(), json!(1.5)),
        ("/status_data".into(), json!([])),
        ("/status_data/limit".into(), json!(0)),
        ("/sections".into(), json!({})),
        ("/role_on_accept".into(), json!(7)),
        ("/role_on_accept".into(), json!("admin")),
        ("/apv".into(), json!(9)),
        ("/sections/0/title".into(), json!(null)),
        ("/sections/0/title".into(), json!("x".repeat(257))),
        ("/sections/0/description".into(), json!(["x"])),
        ("/sections/0/fields".into(), json!("none")),
        ("/sections/0/colour".into(), json!("red")),
        (at("id"), json!("")),
        (at("id"), json!(7)),
        (at("id"), json!("a b")),
        (at("id"), json!("x".repeat(65))),
        (at("type"), json!(4)),
        (at("type"), json!("0")),
        (at("length"), json!([1])),
        (at("length"), json!([1, 2, 3])),
        (at("length"), json!([-1, 3])),
        (at("length"), json!([3, 2])),
        (at("length"), json!([0, 0])),
        (at("length"), json!([0, 1025])),
        (at("length"), json!({"min": 1, "max": 2})),
        (at("required"), json!("yes")),
        (at("options"), json!(["a"])),
        (at("hint"), json!("")),
        ("/sections/1/fields/0/options".into(), json!([])),
        ("/sections/1/fields/0/options".into(), json!("east")),
        ("/sections/1/fields/0/length".into(), json!([2, 3])),
        ("/sections/1/fields/1/length".into(), json!([4, 5])),
    ];
    for (pointer, value) in cases {
        let document = if pointer.starts_with("/status_data/") {
            with("/status_data", json!({"limit": value}))
        } else {
            with(&pointer, value)
        };
        check(document, &[&pointer]);
    }
}

#[test]
fn a_missing_key_is_named() {
    for pointer in [
        "/status",
        "/sections",
        "/sections/0/title",
        "/sections/0/fields",
        "/sections/0/fields/0/id",
        "/sections/0/fields/0/title",
        "/sections/0/fields/0/type",
        "/sections/1/fields/0/options",
    ] {
        check(without(pointer), &[pointer]);
    }
    check(with("/status", json!(3)), &["/status_data/opens_at"]);
    check(with("/status", json!(4)), &["/status_data/limit"]);
}

#[test]
fn every_fault_is_named_at_once() {
    let document = json!({
        "status": 9,
        "sections": [
            7,
            {"title": 1, "fields": [
                {"id": "a", "title": "", "type": 0},
                {"id": "a", "title": "", "type": 2, "options": ["x", "x", 3]},
                null,
            ]},
        ],
        "we/ird~key": 1,
    });
    check(
        document,
        &[
            "/we~1ird~0key",
            "/status",
            "/sections/0",
            "/sections/1/title",
            "/sections/1/fields/1/id",
            "/sections/1/fields/1/options/2",
            "/sections/1/fields/2",
        ],
    );
    check(
        with("/sections/1/fields/0/options", json!(["x", "y", "x", ""])),
        &["/sections/1/fields/0/options/3"],
    );
    check(
        with("/sections/1/fields/0/options", json!(["x", "y", "x"])),
        &["/sections/1/fields/0/options/2"],
    );
}

#[test]
fn a_form_is_bounded() {
    let field = |id: usize| json!({"id": id.to_string(), "title": "", "type": 0});
    let section = |from: usize, count: usize| {
        let fields: Vec<Value> = (from..from + count).map(field).collect();
        json!({"title": "", "fields": fields})
    };
    let form = |sections: Vec<Value>| json!({"status": 0, "sections": sections});
    check(form((0..25).map(|_| section(0, 0)).collect()), &[]);
    check(
        form((0..26).map(|_| section(0, 0)).collect()),
        &["/sections"],
    );
    check(form(vec![section(0, 51)]), &["/sections/0/fields"]);
    check(form((0..4).map(|at| section(at * 50, 50)).collect()), &[]);
    check(
        form((0..5).map(|at| section(at * 50, 41)).collect()),
        &["/sections/4/fields/36"],
    );
    check(
        form(vec![json!({"title": "x".repeat(70_000), "fields": []})]),
        &[""],
    );
    let mut deep = json!(1);
    for _ in 0..200 {
        deep = json!([deep]);
    }
    check(with("/sections/0/title", deep), &[""]);
    for not_an_object in [json!(null), json!([]), json!("form"), json!(1)] {
        check(not_an_object, &[""]);
    }
}

#[test]
fn a_long_list_of_faults_is_cut_and_counted() {
    let sections: Vec<Value> = (0..500).map(Value::from).collect();
    let faults = Form::check(&json!({"status": 0, "sections": sections}))
        .expect_err("numbers are no sections");
    assert_eq!(faults.list().len(), FAULTS_MAX);
    assert_eq!(faults.unlisted(), 501 - FAULTS_MAX);
    assert!(faults.to_string().ends_with("and 401 more"), "{faults}");
}

#[test]
fn the_status_says_whether_submissions_are_taken() {
    let opens_at = UnixMs(1_000);
    let opening = Status::Opening { opens_at };
    let limited = Status::OpenUpTo { limit: 2 };
    let cases = [
        (Status::Closed, 0, 0, Intake::Closed),
        (Status::Open, 0, 1_000_000, Intake::Open),
        (Status::Full, 0, 0, Intake::Full),
        (opening, 999, 0, Intake::OpensAt(opens_at)),
        (opening, 1_000, 0, Intake::Open),
        (limited, 0, 0, Intake::Open),
        (limited, 0, 1, Intake::Open),
        (limited, 0, 2, Intake::Full),
        (limited, 0, 3, Intake::Full),
    ];
    for (status, now, taken, expected) in cases {
        assert_eq!(
            status.intake(UnixMs(now), taken),
            expected,
            "{status:?} at {now}"
        );
    }
}

#[test]
fn a_form_whose_time_has_come_has_a_patch_that_opens_it() {
    let mut document = with("/status", json!(3));
    document["status_data"] = json!({"opens_at": 1_000});
    let form = Form::check(&document).expect("it opens at a time");
    assert_eq!(form.opening_patch(UnixMs(999)), None);
    let patch = form.opening_patch(UnixMs(1_000)).expect("it is due");
    assert_eq!(
        patch[2],
        json!({"op": "replace", "path": "/status", "value": 1})
    );
    document["status"] = json!(1);
    let opened = Form::check(&document).expect("old data may stand");
    assert_eq!(opened.opening_patch(UnixMs(2_000)), None);
}

#[test]
fn a_form_judges_as_another_that_asks_and_takes_the_same() {
    let field = |id: &str, title: &str, longest: u32| json!({"id": id, "title": title, "type": 0, "length": [0, longest]});
    let form = |status: u32, fields: &[Value]| {
        let document = json!({"status": status, "sections": [{"title": "", "fields": fields}]});
        Form::check(&document).expect("a form")
    };
    let (a, b) = (field("a", "A", 5), field("b", "B", 5));
    let one = form(1, &[a.clone(), b.clone()]);
    assert!(one.judges_as(&form(1, &[b.clone(), field("a", "other", 5)])));
    for other in [
        form(0, &[a.clone(), b.clone()]),
        form(1, &[field("a", "A", 6), b.clone()]),
        form(1, &[field("c", "A", 5), b.clone()]),
        form(1, std::slice::from_ref(&a)),
        form(1, &[a, b, field("c", "C", 5)]),
    ] {
        assert!(
            !one.judges_as(&other) && !other.judges_as(&one),
            "{other:?}"
        );
    }
}

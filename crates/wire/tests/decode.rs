//! What bad frames get, field by field, and that nothing a client sends makes decoding panic.

use guildgate_wire::{BadField, ClientFrame, CloseCode, decode};
use proptest::prelude::*;
use serde_json::{Value, json};

const NONCE_BYTES_MAX: usize = 64;

fn check(text: &str, expected: CloseCode) {
    assert_eq!(decode(text, NONCE_BYTES_MAX), Err(expected), "{text}");
}

#[test]
fn what_is_no_json_object_is_not_decodable() {
    let deep = "[".repeat(1024 * 1024);
    let deep_object = r#"{"op":"#.repeat(4096);
    let within = format!(
        r#"{{"op":4,"d":null,"more":{}{}}}"#,
        "[".repeat(4096),
        "]".repeat(4096)
    );
    for text in [
        "",
        " ",
        "\0",
        "null",
        "1",
        "\"op\"",
        "[]",
        "[{\"op\":4}]",
        "{",
        "{}",
        "{op:4}",
        "{'op':4}",
        "{\"op\":4,}",
        "{\"op\":4}{\"op\":4}",
        "{\"op\":4} x",
        "\u{feff}{\"op\":4}",
        &deep,
        &deep_object,
        &within,
    ] {
        check(text, CloseCode::NotDecodable);
    }
}

#[test]
fn an_opcode_that_is_no_number_is_not_decodable() {
    for op in ["null", "true", "\"4\"", "4.5", "-1", "[4]", "{}", "1e400"] {
        check(&format!("{{\"op\":{op}}}"), CloseCode::NotDecodable);
    }
}

#[test]
fn an_unknown_opcode_and_one_of_the_servers_are_unknown() {
    for op in [
        "0",
        "2",
        "3",
        "5",
        "7",
        "8",
        "255",
        "256",
        "18446744073709551615",
    ] {
        check(
            &format!("{{\"op\":{op},\"d\":null}}"),
            CloseCode::UnknownOpcode,
        );
    }
}

#[test]
fn half_a_frame_is_not_decodable() {
    for text in golden_texts() {
        for (end, _) in text.char_indices() {
            check(&text[..end], CloseCode::NotDecodable);
        }
    }
}

#[test]
fn a_uid_that_is_nobodys_id_fails_authentication() {
    for uid in ["", "x", "-1", "1.0", "18446744073709551616", "1 "] {
        let frame = json!({ "op": 1, "d": { "token": "t", "uid": uid } });
        check(&frame.to_string(), CloseCode::AuthenticationFailed);
    }
}

#[test]
fn a_nonce_is_at_most_64_bytes() {
    let frame = |nonce: String| {
        json!({ "op": 6, "cmd": "NOTIFICATIONS_ACK", "d": {"ids": []}, "nonce": nonce }).to_string()
    };
    assert!(decode(&frame("n".repeat(64)), NONCE_BYTES_MAX).is_ok());
    assert!(decode(&frame("é".repeat(32)), NONCE_BYTES_MAX).is_ok());
    check(&frame("n".repeat(65)), CloseCode::NotDecodable);
    check(&frame("é".repeat(33)), CloseCode::NotDecodable);
}

/// The kinds of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

use Kind::{Array, Null, Number, Object, String as Text};

/// Values of every kind; the texts are no ids, and the numbers no unsigned ones.
fn values() -> Vec<(Kind, Value)> {
    vec![
        (Null, Value::Null),
        (Kind::Bool, json!(true)),
        (Kind::Bool, json!(false)),
        (Number, json!(-1)),
        (Number, json!(1.5)),
        (Text, json!("")),
        (Text, json!("x")),
        (Array, json!([1])),
        (Object, json!({})),
        (Object, json!({ "a": 1 })),
    ]
}

#[test]
fn a_wrong_type_outside_a_commands_d_is_not_decodable() {
    let authenticate = json!({
        "op": 1,
        "d": { "token": "t", "uid": "1",
               "resume": { "session_id": "0".repeat(32), "seq": 1 } },
    });
    let command = json!({ "op": 6, "cmd": "NOTIFICATIONS_ACK", "d": {"ids": []}, "nonce": "n" });
    let reply = json!({ "op": 4, "d": 1 });
    let cases = [
        (&authenticate, "/d", vec![Object]),
        (&authenticate, "/d/token", vec![Null, Text]),
        (&authenticate, "/d/uid", vec![Null, Text]),
        (&authenticate, "/d/resume", vec![Null]),
        (&authenticate, "/d/resume/session_id", vec![Text]),
        (&authenticate, "/d/resume/seq", vec![]),
        (&command, "/cmd", vec![Text]),
        (&command, "/nonce", vec![Null, Text]),
        (&reply, "/d", vec![Null]),
    ];
    for (frame, pointer, right) in cases {
        assert!(
            decode(&frame.to_string(), NONCE_BYTES_MAX).is_ok(),
            "{frame}"
        );
        for (kind, value) in values() {
            let mut frame = frame.clone();
            *frame.pointer_mut(pointer).expect("the field is there") = value;
            if !right.contains(&kind) {
                check(&frame.to_string(), CloseCode::NotDecodable);
            }
        }
    }
    for missing in [json!({ "op": 1 }), json!({ "op": 6 }), json!({ "d": null })] {
        check(&missing.to_string(), CloseCode::NotDecodable);
    }
}

/// A command's fields, each with a good value and the kinds of value that it takes besides.
type Fields = Vec<(&'static str, Value, Vec<Kind>)>;

fn commands() -> Vec<(&'static str, Fields)> {
    let gid = || ("gid", json!("7"), vec![]);
    let token = |field| (field, json!("t"), vec![Text]);
    vec![
        ("CONNECT_GUILD", vec![gid(), token("token")]),
        ("DESCONNECT_GUILD", vec![gid()]),
        ("DISCONNECT_GUILD", vec![gid()]),
        ("NOTIFICATIONS_ACK", vec![("ids", json!(["1"]), vec![])]),
        (
            "APPLICATION_SESSION",
            vec![
                gid(),
                ("uid", json!("1"), vec![]),
                token("utokh"),
                token("uhash"),
                ("target", json!("answers"), vec![Null]),
            ],
        ),
        (
            "APPLICATION_SESSION_PATCH",
            vec![
                gid(),
                ("base", json!(1), vec![]),
                ("patch", json!([]), vec![Array]),
            ],
        ),
        (
            "APPLICATION_SESSION_REAUTH",
            vec![
                ("gid", json!("7"), vec![Null]),
                token("utokh"),
                token("uhash"),
                ("pm", json!("64"), vec![Text]),
            ],
        ),
        (
            "APPLICATION_SESSION_HB_M",
            vec![("gid", json!("7"), vec![Null])],
        ),
        ("APPLICATION_SESSION_END", vec![gid()]),
        (
            "APPLICATION_SUBMIT",
            vec![
                gid(),
                ("answers", json!({}), vec![Object]),
                ("apv", json!(1), vec![]),
            ],
        ),
        (
            "APPLICATION_REVIEW",
            vec![
                gid(),
                ("id", json!("9"), vec![]),
                ("proccessed_type", json!(2), vec![]),
                ("note", json!("why"), vec![Null, Text]),
            ],
        ),
    ]
}

fn command_of(name: &str, data: &Value) -> Result<(), BadField> {
    let frame = json!({ "op": 6, "cmd": name, "d": data });
    match decode(&frame.to_string(), NONCE_BYTES_MAX) {
        Ok(ClientFrame::Command {
            command: Some(command),
            ..
        }) => command.map(drop),
        other => panic!("{name} {data} is {other:?}"),
    }
}

#[test]
fn a_wrong_type_inside_a_commands_d_is_refused_by_its_field() {
    for (name, fields) in commands() {
        let good: Value = fields
            .iter()
            .map(|(field, value, _)| ((*field).to_owned(), value.clone()))
            .collect();
        assert_eq!(command_of(name, &good), Ok(()), "{name}");
        for (field, _, right) in &fields {
            for (kind, value) in values() {
                let mut data = good.clone();
                data[field] = value;
                let refused = command_of(name, &data).err().map(|bad| bad.field);
                let expected = (!right.contains(&kind)).then_some(*field);
                assert_eq!(refused, expected, "{name} {data}");
            }
            let mut data = good.clone();
            data.as_object_mut().expect("d is an object").remove(*field);
            let optional = right.contains(&Null);
            let refused = command_of(name, &data).err().map(|bad| bad.field);
            assert_eq!(refused, (!optional).then_some(*field), "{name} {data}");
        }
    }
}

#[test]
fn a_d_that_is_no_object_lacks_its_fields() {
    for (name, fields) in commands() {
        let required = fields.iter().any(|(_, _, right)| !right.contains(&Null));
        for (kind, value) in values() {
            if kind != Object {
                assert_eq!(
                    command_of(name, &value).is_err(),
                    required,
                    "{name} {value}"
                );
            }
        }
    }
}

#[test]
fn a_review_knows_three_decisions() {
    for number in [3, 256, u64::MAX] {
        let data = json!({ "gid": "7", "id": "9", "proccessed_type": number });
        let bad = command_of("APPLICATION_REVIEW", &data).expect_err("no such decision");
        assert_eq!(bad.field, "proccessed_type");
    }
}

#[test]
fn at_most_256_notifications_are_acknowledged_at_once() {
    let ids =
        |count: u64| json!({ "ids": (0..count).map(|id| id.to_string()).collect::<Vec<_>>() });
    assert_eq!(command_of("NOTIFICATIONS_ACK", &ids(256)), Ok(()));
    let bad = command_of("NOTIFICATIONS_ACK", &ids(257)).expect_err("too many");
    assert_eq!(bad.field, "ids");
}

#[test]
fn a_decoded_frame_never_shows_its_secrets() {
    for text in [
        r#"{"op":1,"d":{"token":"hunter2","uid":"1"}}"#,
        r#"{"op":6,"cmd":"CONNECT_GUILD","d":{"token":"hunter2","gid":"1"}}"#,
        r#"{"op":6,"cmd":"APPLICATION_SESSION_REAUTH","d":{"utokh":"hunter2","uhash":"hunter2","pm":"0"}}"#,
    ] {
        let shown = format!("{:?}", decode(text, NONCE_BYTES_MAX));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

/// The texts of `testdata/frames/client.json`.
fn golden_texts() -> Vec<String> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/frames/client.json"
    );
    let file = std::fs::read_to_string(path).expect("the golden file is there");
    let cases: Vec<Value> = serde_json::from_str(&file).expect("the golden file is JSON");
    cases
        .iter()
        .map(|case| case["text"].as_str().expect("text is a string").to_owned())
        .collect()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9]{0,21}|\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Mostly keys that mean something.
fn key() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "op",
        "t",
        "d",
        "cmd",
        "nonce",
        "token",
        "uid",
        "gid",
        "resume",
        "session_id",
        "seq",
        "ids",
        "utokh",
        "uhash",
        "pm",
        "base",
        "patch",
        "answers",
        "apv",
        "id",
        "note",
        "target",
        "proccessed_type",
    ];
    prop_oneof![
        9 => prop::sample::select(KNOWN).prop_map(str::to_owned),
        1 => "\\PC{0,8}",
    ]
}

proptest! {
    #[test]
    fn no_text_makes_decoding_panic(text in "\\PC*") {
        let _ = decode(&text, NONCE_BYTES_MAX);
    }

    #[test]
    fn no_json_makes_decoding_panic(frame in any_json(), op in 0..9u64, d in any_json()) {
        let _ = decode(&frame.to_string(), NONCE_BYTES_MAX);
        let mut frame = frame;
        if let Some(object) = frame.as_object_mut() {
            object.insert("op".to_owned(), op.into());
            object.insert("d".to_owned(), d);
        }
        let _ = decode(&frame.to_string(), NONCE_BYTES_MAX);
    }

    #[test]
    fn no_damage_to_a_good_frame_makes_decoding_panic(
        index in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        damage in "\\PC{0,3}",
    ) {
        let texts = golden_texts();
        let text = index.get(&texts);
        let at = text.floor_char_boundary(at.index(text.len()));
        let damaged = format!("{}{damage}{}", &text[..at], text[at..].get(1..).unwrap_or(""));
        let _ = decode(&damaged, NONCE_BYTES_MAX);
    }
}

//! The golden frames of `testdata/frames`, which the JavaScript client and the documents share:
//! what the code writes is what they hold, character by character, and nothing is left out.
//!
//! `UPDATE_GOLDEN=1` writes the files anew; read the difference before committing it.

mod golden_frames;

use std::{collections::BTreeSet, fs, path::PathBuf};

use guildgate_wire::{CloseCode, EventName, Opcode, decode};
use serde_json::{Value, json};

use golden_frames::{client, events, server};

const NONCE_BYTES_MAX: usize = 64;

fn check(file: &str, cases: Vec<Value>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/frames")
        .join(file);
    let mut text = serde_json::to_string_pretty(&cases).expect("cases are plain JSON");
    text.push('\n');
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &text).expect("the golden file can be written");
    }
    let golden = fs::read_to_string(&path).expect("the golden file is there");
    assert!(
        golden == text,
        "{file} is not what the code writes; UPDATE_GOLDEN=1 writes it anew"
    );
}

#[test]
fn server_frames_are_golden() {
    let cases = server::frames()
        .into_iter()
        .map(|(name, text)| {
            let frame: Value = serde_json::from_str(&text).expect("a frame is JSON");
            for key in ["op", "t", "d"] {
                assert!(frame.get(key).is_some(), "{name} lacks {key}");
            }
            json!({ "name": name, "text": text })
        })
        .collect();
    check("server.json", cases);
}

#[test]
fn event_frames_are_golden() {
    let mut named = BTreeSet::new();
    let cases = events::frames()
        .into_iter()
        .map(|(name, frame, sequence)| {
            let mut text = Vec::new();
            frame.write_to(sequence, &mut text);
            assert!(text.len() <= frame.len_max());
            let text = String::from_utf8(text).expect("a frame is UTF-8");
            let value: Value = serde_json::from_str(&text).expect("a frame is JSON");
            assert_eq!(value["op"], Opcode::Event.number());
            assert_eq!(
                value["t"], value["ev"],
                "deployed clients read t, others ev"
            );
            assert_eq!(
                value.get("s").and_then(Value::as_u64),
                sequence.map(|s| s.0)
            );
            named.insert(value["ev"].as_str().expect("ev is a string").to_owned());
            json!({ "name": name, "text": text })
        })
        .collect();
    let all: BTreeSet<_> = EventName::ALL
        .iter()
        .map(|name| name.name().to_owned())
        .collect();
    assert_eq!(named, all, "every event has a golden frame");
    check("events.json", cases);
}

#[test]
fn client_frames_are_golden() {
    let mut opcodes = BTreeSet::new();
    let cases = client::accepted()
        .into_iter()
        .map(|(name, text, expected)| {
            assert_eq!(
                decode(text, NONCE_BYTES_MAX),
                Ok(expected),
                "{name}: {text}"
            );
            let value: Value = serde_json::from_str(text).expect("a frame is JSON");
            opcodes.insert(value["op"].as_u64());
            json!({ "name": name, "text": text })
        })
        .collect();
    let all: BTreeSet<_> = [1, 4, 6, 7].map(Some).into();
    assert_eq!(
        opcodes, all,
        "every opcode of the client's has a golden frame"
    );
    check("client.json", cases);
}

#[test]
fn close_codes_are_golden() {
    let cases = CloseCode::ALL
        .iter()
        .map(|code| {
            assert!(code.reason().len() <= 123, "a close frame holds 125 bytes");
            json!({
                "code": code.number(),
                "reason": code.reason(),
                "reconnect": code.invites_reconnect(),
            })
        })
        .collect();
    check("close_codes.json", cases);
}

//! The page's JSON: every line of it is the frame that it shows.

use std::collections::BTreeSet;

use guildgate_model::{ApplicationId, Decision, GuildId, Notification, NotificationId, UnixMs};
use serde_json::Value;

use super::page;
use crate::{
    ClientFrame, CommandName, ErrorCode, ErrorDetail, EventName, Limits, Opcode, Sender, decode,
    notification_json,
};

/// The lines of the page's JSON blocks, ids that it leaves out put in.
fn examples() -> Vec<String> {
    let page = page();
    let mut lines = Vec::new();
    let mut rest = page.as_str();
    while let Some((_, after)) = rest.split_once("```json\n") {
        let (block, behind) = after.split_once("```").expect("a block ends");
        lines.extend(block.lines().map(str::to_owned));
        rest = behind;
    }
    // In answers and events an id may stay away; what a client sends has to be taken.
    lines
        .iter()
        .map(|line| line.replace("\"GUILD\"", "\"7\""))
        .map(|line| {
            ["uid", "gid", "guild_id", "application_id"]
                .iter()
                .fold(line, |line, key| {
                    line.replace(&format!("\"{key}\":\"…\""), &format!("\"{key}\":\"7\""))
                })
        })
        .collect()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    let members = value.as_object().into_iter().flatten();
    members.map(|(key, _)| key.as_str()).collect()
}

/// The names in a description like `{gid, uid, target?}`; those that may be missing are left.
fn described(text: &str) -> Option<BTreeSet<&str>> {
    let inside = text.strip_prefix("`{")?.split_once('}')?.0;
    Some(
        inside
            .split(", ")
            .filter(|field| !field.ends_with('?'))
            .map(|field| field.split_once(':').map_or(field, |(name, _)| name))
            .collect(),
    )
}

fn check_command_response(frame: &Value) {
    let data = &frame["d"];
    let command = data["for"].as_str().and_then(CommandName::of);
    let command = command.unwrap_or_else(|| panic!("no command: {frame}"));
    assert_eq!(frame["nonce"], data["nonce"], "{frame}");
    match data.get("error") {
        None => {
            let expected = described(command.answer()).unwrap_or_default();
            assert!(keys(&data["data"]).is_superset(&expected), "{frame}");
        }
        Some(error) => {
            let code = error["code"].as_str();
            let code = ErrorCode::ALL
                .into_iter()
                .find(|known| Some(known.name()) == code);
            let code = code.unwrap_or_else(|| panic!("no code: {frame}"));
            assert!(error["message"].is_string(), "{frame}");
            for key in keys(error) {
                let detail = ErrorDetail::ALL
                    .into_iter()
                    .find(|detail| detail.name() == key);
                let fits = detail.is_some_and(|detail| detail.codes().contains(&code));
                assert!(["code", "message"].contains(&key) || fits, "{key}: {frame}");
            }
        }
    }
}

fn check_event(frame: &Value) {
    assert_eq!(frame["ev"], frame["t"], "{frame}");
    let name = frame["ev"].as_str();
    let event = EventName::ALL
        .iter()
        .find(|known| Some(known.name()) == name);
    let event = event.unwrap_or_else(|| panic!("no event: {frame}"));
    if let Some(expected) = described(event.data()) {
        assert_eq!(keys(&frame["d"]), expected, "{frame}");
    }
}

#[test]
fn every_example_is_the_frame_that_it_shows() {
    let mut shown = BTreeSet::new();
    for line in examples() {
        let frame: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            panic!("not JSON ({error}): {line}");
        });
        let Some(number) = frame["op"].as_u64() else {
            shown.insert("notification");
            let notification = Notification {
                id: NotificationId(12),
                decision: Decision::Accepted,
                guild: GuildId(7),
                application: Some(ApplicationId(7)),
                note: Some("Welcome!".into()),
                at: UnixMs(1_767_225_600_000),
            };
            let real = serde_json::to_value(notification_json(&notification));
            assert_eq!(frame, real.expect("plain JSON"));
            continue;
        };
        let opcode = Opcode::from_number(number).unwrap_or_else(|| panic!("no opcode: {line}"));
        shown.insert(opcode.name());
        if opcode.sender() == Sender::Client || frame.get("cmd").is_some() {
            let decoded = decode(&line, Limits::default().nonce_bytes_max);
            let decoded = decoded.unwrap_or_else(|code| panic!("{code:?}: {line}"));
            if let ClientFrame::Command { command, .. } = decoded {
                assert!(matches!(command, Some(Ok(_))), "{command:?}: {line}");
            }
            continue;
        }
        assert!(
            frame.get("t").is_some() && frame.get("d").is_some(),
            "{line}"
        );
        match opcode {
            Opcode::Authenticated => {
                assert_eq!(Some(keys(&frame["d"])), described(opcode.data()), "{line}");
            }
            Opcode::Event => check_event(&frame),
            Opcode::CommandResponse => check_command_response(&frame),
            _ => {}
        }
    }
    for name in [
        "AUTHENTICATE",
        "AUTHENTICATED",
        "COMMAND",
        "COMMAND_RESPONSE",
        "EVENT",
    ] {
        assert!(shown.contains(name), "the page shows no {name}");
    }
    assert!(
        shown.contains("notification"),
        "the page shows no notification"
    );
}

#[test]
fn every_command_of_the_table_is_one() {
    for command in CommandName::ALL {
        let text = format!(r#"{{"op":6,"cmd":"{}","d":null}}"#, command.name());
        let Ok(ClientFrame::Command { command: taken, .. }) = decode(&text, 64) else {
            panic!("{text} is a command");
        };
        assert!(taken.is_some(), "{text}");
        assert_eq!(CommandName::of(command.name()), Some(*command));
    }
    assert_eq!(CommandName::of("MAKE_TEA"), None);
}

//! Opcodes 1, 4, 6 and 7 as clients send them, and what they say.

use guildgate_model::{ApplicationId, Decision, GuildId, NotificationId, Secret, UserId};
use guildgate_wire::{
    ApplicationCommand, ClientFrame, Command, ResumeFrom, Sequence, SessionId, decode,
};
use serde_json::json;

const GUILD: GuildId = GuildId(123_467);
const USER: UserId = UserId(1234);

/// Name, text, and what it decodes to.
pub fn accepted() -> Vec<(&'static str, &'static str, ClientFrame)> {
    let mut frames = authentications();
    frames.extend(guild_commands());
    frames.extend(application_commands());
    frames
}

fn authentications() -> Vec<(&'static str, &'static str, ClientFrame)> {
    let frame = |token: Option<&str>, user, resume| ClientFrame::Authenticate {
        token: token.map(Secret::new),
        user,
        resume,
    };
    let session = SessionId {
        edge: 3,
        random: [0xab; 15],
    };
    vec![
        (
            "authenticate, basic",
            r#"{"op":1,"d":{"token":null,"uid":null}}"#,
            frame(None, None, None),
        ),
        (
            "authenticate, basic with the global token",
            r#"{"op":1,"d":{"token":"global","uid":null}}"#,
            frame(Some("global"), None, None),
        ),
        (
            "authenticate, full",
            r#"{"op":1,"d":{"token":"secret","uid":"1234"}}"#,
            frame(Some("secret"), Some(USER), None),
        ),
        (
            "authenticate, keys left out and unknown ones",
            r#"{"op":1,"t":null,"more":[1],"d":{"other":{}}}"#,
            frame(None, None, None),
        ),
        (
            "authenticate, resume",
            r#"{"op":1,"d":{"token":"secret","uid":"1234","resume":{"session_id":"03ababababababababababababababab","seq":7}}}"#,
            frame(
                Some("secret"),
                Some(USER),
                Some(ResumeFrom {
                    session: Some(session),
                    sequence: Sequence(7),
                }),
            ),
        ),
        (
            "authenticate, resume of what is no session",
            r#"{"op":1,"d":{"token":"secret","uid":"1234","resume":{"session_id":"who","seq":0}}}"#,
            frame(
                Some("secret"),
                Some(USER),
                Some(ResumeFrom {
                    session: None,
                    sequence: Sequence(0),
                }),
            ),
        ),
        (
            "heartbeat reply",
            r#"{"op":4,"t":null,"d":null}"#,
            ClientFrame::HeartbeatReply(None),
        ),
        (
            "heartbeat reply without d",
            r#"{"op":4}"#,
            ClientFrame::HeartbeatReply(None),
        ),
        (
            "heartbeat reply, acknowledging",
            r#"{"op":4,"d":18446744073709551615}"#,
            ClientFrame::HeartbeatReply(Some(Sequence(u64::MAX))),
        ),
    ]
}

fn guild_commands() -> Vec<(&'static str, &'static str, ClientFrame)> {
    let connect = Command::ConnectGuild {
        token: Secret::new("q937ue0hw09fyhe.0s98fhs98d0h"),
        guild: GUILD,
    };
    let leave = Command::DisconnectGuild { guild: GUILD };
    let acknowledge = Command::NotificationsAck {
        ids: vec![NotificationId(41), NotificationId(42)],
    };
    let longest = Box::leak(
        json!({ "op": 6, "cmd": "DESCONNECT_GUILD", "d": { "gid": "123467" },
                "nonce": "n".repeat(64) })
        .to_string()
        .into_boxed_str(),
    );
    vec![
        (
            "CONNECT_GUILD, as the source shows it",
            r#"{"op":6,"cmd":"CONNECT_GUILD","d":{"token":"q937ue0hw09fyhe.0s98fhs98d0h","gid":"123467"}}"#,
            command("CONNECT_GUILD", None, connect),
        ),
        (
            "DESCONNECT_GUILD",
            r#"{"op":6,"cmd":"DESCONNECT_GUILD","d":{"gid":"123467"}}"#,
            command("DESCONNECT_GUILD", None, leave.clone()),
        ),
        (
            "DISCONNECT_GUILD, the other spelling, with a nonce",
            r#"{"op":6,"cmd":"DISCONNECT_GUILD","d":{"gid":"123467"},"nonce":"n-1"}"#,
            command("DISCONNECT_GUILD", Some("n-1"), leave.clone()),
        ),
        (
            "a nonce of 64 bytes",
            longest,
            command("DESCONNECT_GUILD", Some(&"n".repeat(64)), leave),
        ),
        (
            "NOTIFICATIONS_ACK",
            r#"{"op":6,"cmd":"NOTIFICATIONS_ACK","d":{"ids":["41","42"]}}"#,
            command("NOTIFICATIONS_ACK", None, acknowledge),
        ),
    ]
}

fn application_commands() -> Vec<(&'static str, &'static str, ClientFrame)> {
    let start = |answers| ApplicationCommand::Start {
        user: USER,
        guild: GUILD,
        user_token: Secret::new("u"),
        gateway_token: Secret::new("g"),
        answers,
    };
    let reauth = ApplicationCommand::Reauth {
        guild: None,
        user_token: Secret::new("u"),
        gateway_token: Secret::new("g"),
        known_permissions: "64".into(),
    };
    let review = ApplicationCommand::Review {
        guild: GUILD,
        application: ApplicationId(9),
        decision: Decision::Denied,
        note: Some("sorry".into()),
        expected: None,
    };
    let patch = ApplicationCommand::Patch {
        guild: GUILD,
        base: 7,
        patch: json!([{ "op": "remove", "path": "/sections/0" }]),
    };
    let submit = ApplicationCommand::Submit {
        guild: GUILD,
        answers: json!({ "1": "text" }),
        revision: 7,
    };
    let app = |name, of| command(name, None, Command::Application(of));
    vec![
        (
            "APPLICATION_SESSION, with opcode 7 as the source writes it",
            r#"{"op":7,"cmd":"APPLICATION_SESSION","d":{"uid":"1234","gid":"123467","utokh":"u","uhash":"g"}}"#,
            app("APPLICATION_SESSION", start(false)),
        ),
        (
            "APPLICATION_SESSION, of the form",
            r#"{"op":6,"cmd":"APPLICATION_SESSION","d":{"uid":"1234","gid":"123467","utokh":"u","uhash":"g","target":"form"}}"#,
            app("APPLICATION_SESSION", start(false)),
        ),
        (
            "APPLICATION_SESSION, of one's own answers",
            r#"{"op":6,"cmd":"APPLICATION_SESSION","d":{"uid":"1234","gid":"123467","utokh":"u","uhash":"g","target":"answers"}}"#,
            app("APPLICATION_SESSION", start(true)),
        ),
        (
            "APPLICATION_SESSION_PATCH",
            r#"{"op":6,"cmd":"APPLICATION_SESSION_PATCH","d":{"gid":"123467","base":7,"patch":[{"op":"remove","path":"/sections/0"}]}}"#,
            app("APPLICATION_SESSION_PATCH", patch),
        ),
        (
            "APPLICATION_SESSION_REAUTH",
            r#"{"op":7,"cmd":"APPLICATION_SESSION_REAUTH","d":{"utokh":"u","uhash":"g","pm":"64"}}"#,
            app("APPLICATION_SESSION_REAUTH", reauth),
        ),
        (
            "APPLICATION_SESSION_HB_M, of a guild",
            r#"{"op":7,"cmd":"APPLICATION_SESSION_HB_M","d":{"gid":"123467"}}"#,
            app(
                "APPLICATION_SESSION_HB_M",
                ApplicationCommand::Heartbeat { guild: Some(GUILD) },
            ),
        ),
        (
            "APPLICATION_SESSION_HB_M, with null",
            r#"{"op":7,"cmd":"APPLICATION_SESSION_HB_M","d":null}"#,
            app(
                "APPLICATION_SESSION_HB_M",
                ApplicationCommand::Heartbeat { guild: None },
            ),
        ),
        (
            "APPLICATION_SESSION_END",
            r#"{"op":7,"cmd":"APPLICATION_SESSION_END","d":{"gid":"123467"}}"#,
            app(
                "APPLICATION_SESSION_END",
                ApplicationCommand::End { guild: GUILD },
            ),
        ),
        (
            "APPLICATION_SUBMIT",
            r#"{"op":6,"cmd":"APPLICATION_SUBMIT","d":{"gid":"123467","answers":{"1":"text"},"apv":7}}"#,
            app("APPLICATION_SUBMIT", submit),
        ),
        (
            "APPLICATION_REVIEW",
            r#"{"op":6,"cmd":"APPLICATION_REVIEW","d":{"gid":"123467","id":"9","proccessed_type":1,"note":"sorry"}}"#,
            app("APPLICATION_REVIEW", review),
        ),
        (
            "an unknown command",
            r#"{"op":6,"cmd":"MAKE_TEA","d":{}}"#,
            ClientFrame::Command {
                name: "MAKE_TEA".into(),
                nonce: None,
                command: None,
            },
        ),
    ]
}

fn command(name: &str, nonce: Option<&str>, command: Command) -> ClientFrame {
    let nonce = nonce.map(|text| {
        let frame = json!({ "op": 6, "cmd": name, "nonce": text }).to_string();
        match decode(&frame, 64) {
            Ok(ClientFrame::Command {
                nonce: Some(nonce), ..
            }) => nonce,
            other => panic!("{other:?} is no command with a nonce"),
        }
    });
    ClientFrame::Command {
        name: name.into(),
        nonce,
        command: Some(Ok(command)),
    }
}

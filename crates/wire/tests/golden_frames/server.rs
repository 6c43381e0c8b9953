//! Opcodes 0, 2, 3 and 7.

use guildgate_model::{
    ApplicationId, Decision, Emoji, EmojiId, Freshness, GuildId, Notification, NotificationId,
    Permissions, UnixMs, UserId,
};
use guildgate_wire::{
    Authenticated, ClientFrame, ErrorCode, GuildView, Nonce, SessionId, UserView, command_answer,
    command_error, decode, heartbeat, request_auth,
};
use serde::Serialize;
use serde_json::{json, value::RawValue};

/// Every kind of server frame that is no event.
pub fn frames() -> Vec<(String, String)> {
    let mut frames = vec![
        ("request authentication", request_auth().to_owned()),
        ("heartbeat", heartbeat().to_owned()),
    ];
    frames.extend(authenticated());
    frames.extend(answers());
    let mut frames: Vec<_> = frames
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect();
    frames.extend(ErrorCode::ALL.iter().map(|code| {
        let text = command_error("CONNECT_GUILD", None, *code, "what to do next", None);
        (format!("refused: {}", code.name()), text)
    }));
    frames
}

/// A guild as its first fields show it.
pub fn guild(emojis: &[Emoji], freshness: Freshness) -> GuildView<'_> {
    GuildView {
        id: GuildId(123_467),
        name: "A \"guild\" for ünïcode 🦀",
        member_count: 100,
        banner: None,
        icon: Some("abcdef"),
        premium_tier: 1,
        verification_level: 3,
        emojis,
        current_invite_valid: false,
        vanity: None,
        owner: UserId(1234),
        description: None,
        mfa_level: 0,
        nsfw: false,
        freshness,
    }
}

/// The user of the source text.
pub fn user() -> UserView {
    UserView {
        id: UserId(1234),
        tag: "name#disc".into(),
        permissions: Permissions(0),
    }
}

/// An encoded guild, as answers and events hold it.
pub fn guild_json() -> Box<RawValue> {
    let emojis = [Emoji {
        id: EmojiId(77),
        name: "wave".into(),
        animated: true,
    }];
    serde_json::value::to_raw_value(&guild(&emojis, Freshness::Live)).expect("a guild is JSON")
}

fn authenticated() -> Vec<(&'static str, String)> {
    let missed = [
        Notification {
            id: NotificationId(41),
            decision: Decision::Accepted,
            guild: GuildId(123_467),
            application: Some(ApplicationId(9)),
            note: Some("welcome".into()),
            at: UnixMs(1_790_000_000_000),
        },
        Notification {
            id: NotificationId(42),
            decision: Decision::OnHold,
            guild: GuildId(123_467),
            application: None,
            note: None,
            at: UnixMs(1_790_000_000_001),
        },
    ];
    let session = SessionId {
        edge: 3,
        random: [0xab; 15],
    };
    let frame = |missed, session, resumed| {
        Authenticated {
            missed,
            session,
            heartbeat_interval_ms: 45_000,
            resumed,
        }
        .to_text()
    };
    vec![
        ("authenticated, basic", frame(&[], None, false)),
        ("authenticated, full", frame(&missed, Some(session), false)),
        ("authenticated, resumed", frame(&[], Some(session), true)),
    ]
}

fn answers() -> Vec<(&'static str, String)> {
    #[derive(Serialize)]
    struct Connected<'a> {
        guild: &'a RawValue,
        user: Option<UserView>,
    }
    let guild_json = guild_json();
    let connected = |user| Connected {
        guild: &guild_json,
        user,
    };
    let stale = guild(&[], Freshness::Stale { since: UnixMs(17) });
    let stale = serde_json::value::to_raw_value(&stale).expect("a guild is JSON");
    let stale = Connected {
        guild: &stale,
        user: None,
    };
    let success = json!({ "success": true });
    let details = json!({ "apv": 7, "document": {} });
    let nonce = nonce("n-1");
    let cmd = "CONNECT_GUILD";
    vec![
        (
            "CONNECT_GUILD, full",
            command_answer(cmd, None, &connected(Some(user()))),
        ),
        (
            "CONNECT_GUILD, basic",
            command_answer(cmd, None, &connected(None)),
        ),
        ("CONNECT_GUILD, stale", command_answer(cmd, None, &stale)),
        (
            "DESCONNECT_GUILD",
            command_answer("DESCONNECT_GUILD", None, &success),
        ),
        (
            "an answer with a nonce",
            command_answer("NOTIFICATIONS_ACK", Some(&nonce), &success),
        ),
        (
            "a refusal with a nonce and details",
            command_error(
                "APPLICATION_SESSION_PATCH",
                Some(&nonce),
                ErrorCode::Conflict,
                "the application has changed; take this document and patch again",
                details.as_object(),
            ),
        ),
    ]
}

/// A nonce can only come from a client's frame.
fn nonce(text: &str) -> Nonce {
    let frame = json!({ "op": 6, "cmd": "NOTIFICATIONS_ACK", "nonce": text }).to_string();
    match decode(&frame, 64) {
        Ok(ClientFrame::Command {
            nonce: Some(nonce), ..
        }) => nonce,
        other => panic!("{other:?} is no command with a nonce"),
    }
}

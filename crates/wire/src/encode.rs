//! Frames that go to one client: opcodes 0, 2, 3 and 7.

use guildgate_model::{ApplicationId, Decision, GuildId, Notification, NotificationId, UnixMs};
use serde::Serialize;

use crate::{ErrorCode, Nonce, SessionId};

/// Opcode 0, byte for byte what the source text shows.
#[must_use]
pub fn request_auth() -> &'static str {
    r#"{"op":0,"t":null,"d":null}"#
}

/// Opcode 3, byte for byte what the source text shows.
#[must_use]
pub fn heartbeat() -> &'static str {
    r#"{"op":3,"t":null,"d":null}"#
}

/// What opcode 2 tells.
#[derive(Debug)]
pub struct Authenticated<'a> {
    /// What is in the user's inbox; empty for a basic connection.
    pub missed: &'a [Notification],
    /// The session's name, if it is one that can be resumed.
    pub session: Option<SessionId>,
    /// Milliseconds between two heartbeats.
    pub heartbeat_interval_ms: u64,
    /// Whether the session goes on where it broke off.
    pub resumed: bool,
}

impl Authenticated<'_> {
    /// Opcode 2.
    #[must_use]
    pub fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Data<'a> {
            missed_notifications: Vec<NotificationJson<'a>>,
            session_id: Option<String>,
            heartbeat_interval: u64,
            resumed: bool,
        }
        frame(
            2,
            &Data {
                missed_notifications: self.missed.iter().map(NotificationJson::from).collect(),
                session_id: self.session.map(|id| id.to_string()),
                heartbeat_interval: self.heartbeat_interval_ms,
                resumed: self.resumed,
            },
            None,
        )
    }
}

/// Opcode 7 for a command that was carried out; `data` is what it brought.
///
/// The nonce stands in `d` and beside it, so that a client may look for it in either place.
#[must_use]
pub fn command_answer(cmd: &str, nonce: Option<&Nonce>, data: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Data<'a, T> {
        r#for: &'a str,
        data: &'a T,
        #[serde(skip_serializing_if = "Option::is_none")]
        nonce: Option<&'a str>,
    }
    let nonce = nonce.map(Nonce::as_str);
    frame(
        7,
        &Data {
            r#for: cmd,
            data,
            nonce,
        },
        nonce,
    )
}

/// Opcode 7 for a command that was refused. `details` (an object, or nothing) is merged into
/// `error` beside `code` and `message`.
#[must_use]
pub fn command_error(
    cmd: &str,
    nonce: Option<&Nonce>,
    code: ErrorCode,
    message: &str,
    details: Option<&serde_json::Map<String, serde_json::Value>>,
) -> String {
    #[derive(Serialize)]
    struct Error<'a> {
        code: &'a str,
        message: &'a str,
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        details: Option<&'a serde_json::Map<String, serde_json::Value>>,
    }
    #[derive(Serialize)]
    struct Data<'a> {
        r#for: &'a str,
        error: Error<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        nonce: Option<&'a str>,
    }
    let nonce = nonce.map(Nonce::as_str);
    let error = Error {
        code: code.name(),
        message,
        details,
    };
    frame(
        7,
        &Data {
            r#for: cmd,
            error,
            nonce,
        },
        nonce,
    )
}

/// A notification as clients are shown it: in opcode 2, and as APPLICATION_REVIWED's `d`.
#[must_use]
pub fn notification_json(notification: &Notification) -> impl Serialize {
    NotificationJson::from(notification)
}

#[derive(Serialize)]
struct NotificationJson<'a> {
    id: NotificationId,
    r#type: &'static str,
    proccessed_type: Decision,
    gid: GuildId,
    application_id: Option<ApplicationId>,
    note: Option<&'a str>,
    at: UnixMs,
}

impl<'a> From<&'a Notification> for NotificationJson<'a> {
    fn from(notification: &'a Notification) -> NotificationJson<'a> {
        NotificationJson {
            id: notification.id,
            r#type: "APPLICATION_REVIWED",
            proccessed_type: notification.decision,
            gid: notification.guild,
            application_id: notification.application,
            note: notification.note.as_deref(),
            at: notification.at,
        }
    }
}

fn frame(op: u8, data: &impl Serialize, nonce: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Frame<'a, T> {
        op: u8,
        t: Option<&'a str>,
        d: &'a T,
        #[serde(skip_serializing_if = "Option::is_none")]
        nonce: Option<&'a str>,
    }
    let frame = Frame {
        op,
        t: None,
        d: data,
        nonce,
    };
    serde_json::to_string(&frame).expect("a frame's data is plain JSON")
}

//! The protocol's tables as Markdown, made from the code, so that documents cannot drift.
//!
//! A document marks where a table goes:
//!
//! ```text
//! <!-- table:close-codes -->
//! <!-- /table -->
//! ```
//!
//! [`fill`] writes the tables between the marks; a test compares the result with the document.

use std::fmt::Write;

use guildgate_model::form::bounds::NOTE_CHARS_MAX;

use crate::{
    APPLICATION_SESSIONS_MAX, CloseCode, CommandName, EndReason, ErrorCode, ErrorDetail, EventName,
    Limits, NOTIFICATION_IDS_MAX, Opcode, PARTICIPANTS_MAX, PRESENCE_USERS_MAX, REAUTH_WITHIN,
    ReauthReason, SESSION_HEARTBEAT_INTERVAL, Sender, UNKNOWN_NAME_BYTES_MAX,
};

/// A mark in a document that cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMark {
    /// There is no table of this name.
    #[error("there is no table {0:?}: expected one of {names}", names = names())]
    Unknown(String),
    /// The mark is not closed.
    #[error("the table {0:?} has no <!-- /table --> behind it")]
    Open(String),
}

/// The name of every table, and its Markdown.
#[must_use]
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("opcodes", opcodes()),
        ("close-codes", close_codes()),
        ("commands", commands()),
        ("error-codes", error_codes()),
        ("error-details", error_details()),
        ("events", events()),
        ("end-reasons", end_reasons()),
        ("reauth-reasons", reauth_reasons()),
        ("limits", limits()),
    ]
}

/// The document with every marked table written anew.
///
/// # Errors
/// [`BadMark`] for a mark that names no table, or is not closed.
pub fn fill(document: &str) -> Result<String, BadMark> {
    let mut filled = String::with_capacity(document.len());
    let mut rest = document;
    while let Some(start) = rest.find(OPEN) {
        let name_start = start + OPEN.len();
        let Some(name_length) = rest[name_start..].find(OPEN_END) else {
            return Err(BadMark::Open(rest[name_start..].trim().to_owned()));
        };
        let name = &rest[name_start..name_start + name_length];
        let body_start = name_start + name_length + OPEN_END.len();
        let Some(body_length) = rest[body_start..].find(CLOSE) else {
            return Err(BadMark::Open(name.to_owned()));
        };
        let (_, table) = all()
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| BadMark::Unknown(name.to_owned()))?;
        filled.push_str(&rest[..body_start]);
        filled.push('\n');
        filled.push_str(&table);
        filled.push_str(CLOSE);
        rest = &rest[body_start + body_length + CLOSE.len()..];
    }
    filled.push_str(rest);
    Ok(filled)
}

fn opcodes() -> String {
    let rows = Opcode::ALL.map(|opcode| {
        let sender = match opcode.sender() {
            Sender::Server => "server",
            Sender::Client => "client",
            Sender::Both => "server (a client's with a `cmd` is taken as 6)",
        };
        let (number, name) = (opcode.number(), opcode.name());
        format!("{number} | {name} | {sender} | {}", opcode.data())
    });
    table("op | name | from | `d`", rows)
}

fn close_codes() -> String {
    let rows = CloseCode::ALL.map(|code| {
        let (number, meaning) = (code.number(), code.meaning());
        format!("{number} | {meaning} | {}", code.advice())
    });
    table("code | meaning | reconnect", rows)
}

fn error_codes() -> String {
    let rows = ErrorCode::ALL.map(|code| format!("`{}` | {}", code.name(), code.meaning()));
    table("code | meaning", rows)
}

fn commands() -> String {
    let rows = CommandName::ALL.iter().map(|command| {
        let name = match command {
            CommandName::DisconnectGuild => "DESCONNECT_GUILD (or DISCONNECT_GUILD)",
            other => other.name(),
        };
        let (who, data, answer) = (command.who(), command.data(), command.answer());
        format!("{name} | {who} | {data} | {answer}")
    });
    table("`cmd` | who | `d` | `data` in the answer", rows)
}

fn error_details() -> String {
    let rows = ErrorDetail::ALL.map(|detail| {
        let codes: Vec<_> = detail
            .codes()
            .iter()
            .map(|code| format!("`{}`", code.name()))
            .collect();
        let (name, meaning) = (detail.name(), detail.meaning());
        format!("`{name}` | {} | {meaning}", codes.join(", "))
    });
    table("key | with | what", rows)
}

fn end_reasons() -> String {
    let rows = EndReason::ALL.map(|reason| format!("`{}` | {}", reason.name(), reason.meaning()));
    table("reason | what happened", rows)
}

fn reauth_reasons() -> String {
    let rows =
        ReauthReason::ALL.map(|reason| format!("`{}` | {}", reason.name(), reason.meaning()));
    table("reason | what happened", rows)
}

fn events() -> String {
    let rows = EventName::ALL.iter().map(|event| {
        let (name, receivers) = (event.name(), event.receivers());
        format!("{name} | {receivers} | {}", event.data())
    });
    table("ev | sent to | `d`", rows)
}

fn limits() -> String {
    let limits = Limits::default();
    let rows = [
        format!("largest frame | {} bytes", limits.frame_bytes_max),
        format!(
            "largest frame inside an application session | {} bytes",
            limits.session_frame_bytes_max
        ),
        format!(
            "frames | {} in {} s",
            limits.frames_max,
            limits.frames_window.as_secs()
        ),
        format!(
            "frames inside an application session | {} in {} s",
            limits.session_frames_max,
            limits.frames_window.as_secs()
        ),
        format!(
            "time to authenticate | {} s",
            limits.authenticate_within.as_secs()
        ),
        format!(
            "between two heartbeats | {} s",
            limits.heartbeat_interval.as_secs()
        ),
        format!(
            "a session outlives its connection by | {} s",
            limits.resume_window.as_secs()
        ),
        format!(
            "events kept for a resume | {}, {} bytes",
            limits.resume_events_max, limits.resume_bytes_max
        ),
        format!(
            "frames that may wait for a slow client | {}, {} bytes",
            limits.queue_frames_max, limits.queue_bytes_max
        ),
        format!("longest nonce | {} bytes", limits.nonce_bytes_max),
        format!(
            "name of an unknown command, as `for` says it back | {UNKNOWN_NAME_BYTES_MAX} bytes"
        ),
        "guild connections of a connection | 1".to_owned(),
        format!("application sessions of a connection | {APPLICATION_SESSIONS_MAX}"),
        format!(
            "session limits hold after the last one's end for | {} s",
            limits.session_grace.as_secs()
        ),
        format!(
            "between two heartbeats of an application session | {} s",
            SESSION_HEARTBEAT_INTERVAL.as_secs()
        ),
        format!(
            "time to answer APPLICATION_SESSION_REAUTH | {} s",
            REAUTH_WITHIN.as_secs()
        ),
        format!("clients in one application session | {PARTICIPANTS_MAX}"),
        format!("users up to whom a session tells who comes and goes | {PRESENCE_USERS_MAX}"),
        format!("ids in one NOTIFICATIONS_ACK | {NOTIFICATION_IDS_MAX}"),
        format!("note of a review | {NOTE_CHARS_MAX} characters"),
    ];
    table("what | how much", rows)
}

fn table(head: &str, rows: impl IntoIterator<Item = String>) -> String {
    let rule = "---|".repeat(head.split('|').count());
    let mut text = format!("| {head} |\n|{rule}\n");
    for row in rows {
        writeln!(text, "| {row} |").expect("a string takes all");
    }
    text
}

fn names() -> String {
    let names: Vec<_> = all().into_iter().map(|(name, _)| name).collect();
    names.join(", ")
}

const OPEN: &str = "<!-- table:";
const OPEN_END: &str = " -->";
const CLOSE: &str = "<!-- /table -->";

#[cfg(test)]
mod tests;

//! The command whose answer is awaited.

use guildgate_model::{GuildId, Mono, NotificationId};
use guildgate_wire::Nonce;

/// A command that went out as a question.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its name as sent.
    pub(super) name: Box<str>,
    pub(super) nonce: Option<Nonce>,
    pub(super) about: About,
    pub(super) since: Mono,
    pub(super) asker: Asker,
}

/// What the answer will change.
#[derive(Debug)]
pub(super) enum About {
    ConnectGuild,
    Acknowledge(Box<[NotificationId]>),
    StartApplicationSession(GuildId),
    EndApplicationSession(GuildId),
    /// Nothing here.
    Application,
}

/// Whether the socket that the command came from is still the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    Here,
    /// The answer still changes the session, and is told to nobody: on another connection it
    /// would be an answer too many.
    Gone,
}

//! Live editing of one document: a guild's form, or a user's draft of answers to it.
//!
//! One [`FormSession`] a document and node. It puts patches into one order, asks the store to
//! keep each before it answers it, and tells everybody who takes part. That the order also
//! holds between nodes is the store's doing: a version is kept only on top of the one that it
//! was made from, and who comes second rebases. Whether somebody may patch is looked at when the
//! patch is taken, in the same thread that learns of lost rights.
//!
//! What it does not do: read tokens, keep versions, know guilds or sockets. [`FormSessions`]
//! finds the session that an input is for.

mod content;
mod crowd;
mod entry;
mod machine;
mod ordered;
mod participant;
mod patches;
mod ports;
mod queue;
mod refusal;
mod sessions;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use guildgate_wire::{
    PARTICIPANTS_MAX, PRESENCE_USERS_MAX, REAUTH_WITHIN,
    SESSION_HEARTBEAT_INTERVAL as HEARTBEAT_INTERVAL,
};
pub use machine::FormSession;
pub use ports::{
    Append, Appended, Ask, Caller, Command, Credentials, Input, NotVerified, Opened, Output,
    PublishedForm, Reply, SessionKey, Standing, StoreFailed, Target, Ticket, Verified, Version,
};
pub use sessions::{FormSessions, SessionsInput};

/// How long a session that could not reach the store waits before it tries again by itself.
pub const STORE_RETRY: Duration = Duration::from_secs(1);
/// Most patches that wait for the store; one more is refused with `rate_limited`.
pub const QUEUE_PATCHES_MAX: usize = 1_024;
/// Most bytes of patches that wait for the store.
pub const QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most clients that wait for the answer to one and the same patch.
pub const WAITERS_MAX: usize = 16;
/// How often a patch is tried where other nodes keep winning, before it is `unavailable`.
pub const APPEND_TRIES_MAX: u32 = 32;
/// Most names of patches by which a repeated one is known again.
pub const PATCH_NAMES_MAX: usize = 512;
/// Most permission sets, the last ones told, of which `pm` may name one.
pub const TOLD_PERMISSIONS_MAX: usize = 8;

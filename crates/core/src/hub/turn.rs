//! What one call of the hub hands down to a guild.

use std::sync::Arc;

use guildgate_model::Now;
use guildgate_wire::EventFrame;

use super::{
    config::Config,
    ports::{MemberEvents, Output},
    timers::Timers,
};
use crate::ClientId;

/// The moment, and the places where a guild's words go.
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) config: &'a Config,
    pub(super) member_events: MemberEvents,
    pub(super) timers: &'a mut Timers,
    pub(super) verdicts: &'a mut Vec<Verdict>,
    pub(super) out: &'a mut Vec<Output>,
}

/// What became of a client that wanted to be on a guild. The guild has told it; the hub has
/// yet to note where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is on the guild now.
    Admitted(ClientId),
    /// It is not, and stays where it was.
    Refused(ClientId),
}

impl Turn<'_> {
    /// One event to all of `clients`.
    pub(super) fn tell(&mut self, clients: &[ClientId], event: &Arc<EventFrame>) {
        self.out
            .extend(clients.iter().map(|&client| Output::ToClient {
                client,
                event: Arc::clone(event),
            }));
    }
}

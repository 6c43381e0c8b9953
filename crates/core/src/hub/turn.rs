//! What one call of the hub hands down to a guild.

use std::sync::Arc;

use guildgate_model::{GuildId, Now, UserId, WantedMark};
use guildgate_wire::EventFrame;

use super::{
    config::Config,
    ports::{MemberEvents, Output, Rights, SessionCommand},
    timers::Timers,
};
use crate::{ClientId, form_session::Standing};

/// The moment, and the places where a guild's words go.
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) config: &'a Config,
    pub(super) member_events: MemberEvents,
    /// Of the event that is being taken in.
    pub(super) mark: WantedMark,
    pub(super) timers: &'a mut Timers,
    pub(super) verdicts: &'a mut Vec<Verdict>,
    pub(super) out: &'a mut Vec<Output>,
}

/// What a guild has settled, and the hub has yet to draw the consequence of.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The client is on the guild now, and has been told.
    Admitted(ClientId),
    /// The client's wish was refused, and it has been told; it stays where it was.
    Refused(ClientId),
    /// What a session's command waited for is known.
    Ready(Box<SessionCommand>, Rights),
    /// A user who takes part in an application session stands otherwise.
    Stands(GuildId, UserId, Standing),
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

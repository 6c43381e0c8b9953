//! What one call of the hub hands down to a guild.

use std::sync::Arc;

use guildgate_model::{GuildId, Mono, Now, UserId, WantedMark};
use guildgate_wire::EventFrame;

use super::{
    config::Config,
    ports::{MemberEvents, Output, Rights, SessionCommand},
    timers::{Timer, Timers},
};
use crate::{ClientId, form_session::Standing};

/// Whether there is a next process to think of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Clients come and go.
    Serving,
    /// They are let go for another process, which goes on with what is known of their users.
    Draining,
}

/// The moment, and the places where a guild's words go.
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) config: &'a Config,
    pub(super) member_events: MemberEvents,
    pub(super) phase: Phase,
    /// Of the event that is being taken in.
    pub(super) mark: WantedMark,
    pub(super) timers: &'a mut Timers,
    /// See [`super::Hub::conflated`].
    pub(super) conflated: &'a mut u64,
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
    /// Holds something back until `at`. `since` is where it is noted since when; what is held
    /// back there already gives way.
    pub(super) fn hold_back(&mut self, since: &mut Option<Mono>, timer: Timer, at: Mono) {
        match since {
            Some(_) => *self.conflated += 1,
            None => *since = Some(self.now.mono),
        }
        self.timers.set_if_clear(timer, at);
    }

    /// One event to all of `clients`.
    pub(super) fn tell(&mut self, clients: &[ClientId], event: &Arc<EventFrame>) {
        self.out
            .extend(clients.iter().map(|&client| Output::ToClient {
                client,
                event: Arc::clone(event),
            }));
    }
}

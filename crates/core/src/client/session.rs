//! What only a full session does: it is resumed, is told what it missed, edits applications.
//!
//! Source: wire protocol, "Resume", "Notifications", "Live application sessions".

use guildgate_model::{GuildId, Notification, TokenId};
use guildgate_wire::{Authenticated, CloseCode, Sequence};

use super::{
    Ask, Client, Output, Turn,
    answer::ids_of,
    asked::Asker,
    stage::{Link, Pulse, Stage},
};

impl Client {
    /// Another socket takes the session over. Opcode 2 and what was missed wait in the outbox
    /// in this order, in front of all that comes later.
    pub(super) fn on_resume(
        &mut self,
        seen: Sequence,
        token: TokenId,
        missed: &[Notification],
        turn: &mut Turn<'_>,
    ) {
        let possible = self.outbox.resumes_from(seen);
        let Stage::Full(session) = &mut self.stage else {
            return;
        };
        if !possible {
            // The driver has not asked first. Rather no session than a silent hole.
            turn.out.push(Output::Close(CloseCode::Unknown));
            self.finish(turn);
            return;
        }
        let interval = turn.limits.heartbeat_interval.as_millis();
        let text = Authenticated {
            missed,
            session: Some(session.id),
            heartbeat_interval_ms: u64::try_from(interval).unwrap_or(u64::MAX),
            resumed: true,
        }
        .to_text();
        session.token = token;
        session.told = ids_of(missed);
        let pulse = Pulse::first(turn.now.mono, session.jitter, turn.limits);
        let before = std::mem::replace(&mut session.link, Link::Attached(pulse));
        if let Some(asked) = &mut self.asked {
            asked.asker = Asker::Gone;
        }
        self.budget.reset();
        self.outbox.resume(seen, text.into(), turn.limits);
        if let Link::Detached { .. } = before {
            turn.out.push(Output::Attached(true));
        }
        turn.out.push(Output::Flush);
        self.probe_delivery(turn);
    }

    /// Asks for a pong: it proves that opcode 2 has arrived, which a frame of the client's that
    /// was under way already would not.
    pub(super) fn probe_delivery(&mut self, turn: &mut Turn<'_>) {
        if self
            .stage
            .session()
            .is_some_and(|session| !session.told.is_empty())
        {
            turn.out.push(Output::Ping);
        }
    }

    /// What opcode 2 told has arrived.
    pub(super) fn tell_delivered(&mut self, turn: &mut Turn<'_>) {
        if let Some(session) = self.stage.session_mut()
            && !session.told.is_empty()
        {
            let ids = std::mem::take(&mut session.told).into_vec();
            let user = session.user;
            turn.out.push(Output::Ask(Ask::Delivered { user, ids }));
        }
    }

    pub(super) fn enter_application_session(&mut self, guild: GuildId) {
        if let Some(session) = self.stage.session_mut()
            && !session.application_sessions.contains(&guild)
        {
            session.application_sessions.push(guild);
        }
    }

    /// Once the last one is over the smaller limits hold again, for frames from here on.
    pub(super) fn leave_application_session(&mut self, guild: GuildId) {
        if let Some(session) = self.stage.session_mut()
            && session.application_sessions.contains(&guild)
        {
            session.application_sessions.retain(|other| *other != guild);
            if session.application_sessions.is_empty() {
                session.application_sessions = Vec::new();
                self.budget.reset();
            }
        }
    }
}

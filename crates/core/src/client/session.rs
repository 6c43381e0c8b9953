//! What only a full session does: it is resumed, is told what it missed, edits applications.
//!
//! Source: wire protocol, "Resume", "Notifications", "Live application sessions".

use std::collections::BTreeSet;

use guildgate_model::{GuildId, Mono, Notification, NotificationId, TokenId};
use guildgate_wire::{Authenticated, CloseCode, EventFrame, Sequence};

use super::{
    Ask, Client, Output, Turn,
    asked::Asker,
    stage::{Link, Pulse, Stage},
};

impl Client {
    /// Another socket takes the session over. Opcode 2 and what was missed wait in the outbox
    /// in this order, in front of all that comes later. Opcode 2 leaves out the notifications
    /// that follow as events, and those that were acknowledged after the inbox was read.
    pub(super) fn on_resume(
        &mut self,
        seen: Sequence,
        token: TokenId,
        mut missed: Vec<Notification>,
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
        let follow: BTreeSet<NotificationId> = self.outbox.notifications_after(seen).collect();
        missed.retain(|one| !follow.contains(&one.id) && !session.notices.is_acknowledged(one.id));
        let interval = turn.limits.heartbeat_interval.as_millis();
        let text = Authenticated {
            missed: &missed,
            session: Some(session.id),
            heartbeat_interval_ms: u64::try_from(interval).unwrap_or(u64::MAX),
            resumed: true,
        }
        .to_text();
        session.token = token;
        session.notices.name(&missed);
        if let Some(grace) = &mut session.grace {
            // The end of the application session may be among what follows.
            *grace = turn.now.mono + turn.limits.session_grace;
        }
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
            .is_some_and(|session| session.notices.is_unproved())
        {
            turn.out.push(Output::Ping);
        }
    }

    /// What opcode 2 told has arrived.
    pub(super) fn tell_delivered(&mut self, turn: &mut Turn<'_>) {
        if let Some(session) = self.stage.session_mut()
            && session.notices.is_unproved()
        {
            let ids = session.notices.prove();
            let user = session.user;
            turn.out.push(Output::Ask(Ask::Delivered { user, ids }));
        }
    }

    /// Another client of the user's has acknowledged these.
    pub(super) fn on_acknowledged(&mut self, ids: &[NotificationId]) {
        if let Some(session) = self.stage.session_mut() {
            session.notices.acknowledge(ids);
            self.outbox.forget_notifications(ids);
        }
    }

    /// Whether the client was told by opcode 2 what this event would tell it, or has
    /// acknowledged it: then the event is not for it.
    #[must_use]
    pub fn was_told(&self, event: &EventFrame) -> bool {
        event.notification().is_some_and(|id| {
            self.stage
                .session()
                .is_some_and(|session| session.notices.knows(id))
        })
    }

    pub(super) fn enter_application_session(&mut self, guild: GuildId) {
        if let Some(session) = self.stage.session_mut()
            && !session.application_sessions.contains(&guild)
        {
            session.application_sessions.push(guild);
            session.grace = None;
        }
    }

    /// Once the last one is over the smaller limits hold again, after a grace: what the client
    /// sends until it has heard of the end is answered with `no_session`, not with a close.
    pub(super) fn leave_application_session(&mut self, guild: GuildId, turn: &Turn<'_>) {
        if let Some(session) = self.stage.session_mut()
            && session.application_sessions.contains(&guild)
        {
            session.application_sessions.retain(|other| *other != guild);
            if session.application_sessions.is_empty() {
                session.application_sessions = Vec::new();
                session.grace = Some(turn.now.mono + turn.limits.session_grace);
            }
        }
    }

    /// Whether the limits of application sessions hold: in one, and for a grace after the last.
    pub(super) fn has_session_limits(&self, now: Mono) -> bool {
        self.stage.session().is_some_and(|session| {
            !session.application_sessions.is_empty()
                || session.grace.is_some_and(|until| now < until)
        })
    }

    /// Ends a grace that has gone by. What was sent in it is not held against the client.
    pub(super) fn end_grace(&mut self, now: Mono) {
        if let Some(session) = self.stage.session_mut()
            && session.grace.take_if(|until| *until <= now).is_some()
        {
            self.budget.reset();
        }
    }
}

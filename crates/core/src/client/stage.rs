//! How far a client has come. Authentication is a chain of states, each made by consuming the
//! one before: there is no other way to a [`Session`] than through a proof.
//!
//! Source: wire protocol, "Authentication", "Heartbeat".

use std::time::Duration;

use guildgate_model::{GuildId, Mono, TokenId, UserId};
use guildgate_wire::{Limits, ResumeFrom, SessionId};

use super::notices::Notices;

/// Where a client stands.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nobody yet.
    Unauthenticated(Unauthenticated),
    /// Its credentials are being looked at.
    Authenticating(Box<Authenticating>),
    /// Let in without a user.
    Basic(Pulse),
    /// A user's session.
    Full(Box<Session>),
    /// Nothing any more.
    Over,
}

impl Stage {
    pub(super) fn session(&self) -> Option<&Session> {
        match self {
            Stage::Full(session) => Some(session),
            Stage::Unauthenticated(_)
            | Stage::Authenticating(_)
            | Stage::Basic(_)
            | Stage::Over => None,
        }
    }

    pub(super) fn session_mut(&mut self) -> Option<&mut Session> {
        match self {
            Stage::Full(session) => Some(session),
            Stage::Unauthenticated(_)
            | Stage::Authenticating(_)
            | Stage::Basic(_)
            | Stage::Over => None,
        }
    }

    /// The heartbeat of a client that is let in and has a socket.
    pub(super) fn pulse_mut(&mut self) -> Option<&mut Pulse> {
        match self {
            Stage::Basic(pulse) => Some(pulse),
            Stage::Full(session) => match &mut session.link {
                Link::Attached(pulse) => Some(pulse),
                Link::Detached { .. } => None,
            },
            Stage::Unauthenticated(_) | Stage::Authenticating(_) | Stage::Over => None,
        }
    }
}

/// A connection that has not said who it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unauthenticated {
    until: Mono,
    jitter: u32,
}

impl Unauthenticated {
    pub(super) fn new(until: Mono, jitter: u32) -> Unauthenticated {
        Unauthenticated { until, jitter }
    }

    /// When it must have authenticated.
    pub(super) fn until(self) -> Mono {
        self.until
    }

    /// It has said so, and is being looked at.
    pub(super) fn ask(self, resume: Option<ResumeFrom>) -> Authenticating {
        Authenticating {
            until: self.until,
            jitter: self.jitter,
            resume,
            revoked: Vec::new(),
        }
    }
}

/// A connection whose credentials are being looked at.
#[derive(Debug)]
pub(super) struct Authenticating {
    until: Mono,
    jitter: u32,
    resume: Option<ResumeFrom>,
    /// What was revoked meanwhile: an answer under way may be older.
    revoked: Vec<TokenId>,
}

/// The token that an answer calls good was revoked before the answer came.
#[derive(Debug)]
pub(super) struct Withdrawn;

impl Authenticating {
    /// When it must have authenticated.
    pub(super) fn until(&self) -> Mono {
        self.until
    }

    pub(super) fn resume_wanted(&self, token: TokenId) -> Option<ResumeFrom> {
        self.resume.filter(|_| !self.revoked.contains(&token))
    }

    /// Remembers a revocation; at most [`REVOKED_MAX`], whether there was room.
    pub(super) fn revoke(&mut self, token: TokenId) -> bool {
        let room = self.revoked.len() < REVOKED_MAX;
        if room {
            self.revoked.push(token);
        }
        room
    }

    /// Let in without a user.
    pub(super) fn into_basic(self, now: Mono, limits: &Limits) -> Pulse {
        Pulse::first(now, self.jitter, limits)
    }

    /// Let in as `user`, whom `token` has proved.
    ///
    /// # Errors
    /// [`Withdrawn`] if the token was revoked while the proof was under way.
    pub(super) fn into_session(
        self,
        user: UserId,
        token: TokenId,
        id: SessionId,
        now: Mono,
        limits: &Limits,
    ) -> Result<Session, Withdrawn> {
        if self.revoked.contains(&token) {
            return Err(Withdrawn);
        }
        Ok(Session {
            user,
            token,
            id,
            jitter: self.jitter,
            link: Link::Attached(Pulse::first(now, self.jitter, limits)),
            notices: Notices::default(),
            application_sessions: Vec::new(),
            grace: None,
        })
    }
}

/// A user's session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) user: UserId,
    pub(super) token: TokenId,
    pub(super) id: SessionId,
    pub(super) jitter: u32,
    pub(super) link: Link,
    pub(super) notices: Notices,
    /// Where the client edits an application.
    pub(super) application_sessions: Vec<GuildId>,
    /// After the last of these ended: until when what fits one is still taken.
    pub(super) grace: Option<Mono>,
}

/// Whether a session has a socket.
#[derive(Debug)]
pub(super) enum Link {
    /// It has.
    Attached(Pulse),
    /// It is kept for another one.
    Detached {
        /// Until then.
        until: Mono,
    },
}

/// The heartbeat of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    next: Mono,
    sign: Sign,
}

/// Whether the client has shown itself alive since the last beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Given,
    Awaited,
}

/// What a beat brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Ask for a sign of life.
    Ask,
    /// None came since the last one.
    Dead,
}

impl Pulse {
    /// A heart whose first beat comes within one interval, at a place that `jitter` draws.
    pub(super) fn first(now: Mono, jitter: u32, limits: &Limits) -> Pulse {
        let interval = limits.heartbeat_interval.as_micros();
        let micros = (interval * u128::from(jitter)) >> u32::BITS;
        let delay = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        Pulse {
            next: now + delay,
            sign: Sign::Given,
        }
    }

    /// When the next beat is due.
    pub(super) fn next(&self) -> Mono {
        self.next
    }

    /// The client is alive.
    pub(super) fn hear(&mut self) {
        self.sign = Sign::Given;
    }

    /// A beat is due.
    pub(super) fn beat(&mut self, now: Mono, limits: &Limits) -> Beat {
        if self.sign == Sign::Awaited {
            return Beat::Dead;
        }
        self.next = now + limits.heartbeat_interval;
        self.sign = Sign::Awaited;
        Beat::Ask
    }
}

/// Most revocations remembered for one connection while it authenticates. Past it the
/// connection is closed (4000) and may dial again: it cannot be told good from withdrawn.
const REVOKED_MAX: usize = 256;

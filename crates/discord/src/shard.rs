//! The machine of one shard: it dials, begins or resumes a session, keeps it alive, and knows
//! what to do when it ends.
//!
//! It owns no socket and no clock: a driver hands in what happened and when, and performs what
//! comes out. It never has two connections: the next is dialled only once the one before is
//! closed or dropped. It does not know the guilds' state.
//!
//! Source: Discord, "Gateway: Connections".

mod config;
mod ending;
mod heart;
mod ladder;
mod opening;
mod outbox;
mod port;
mod receive;
mod session;
#[cfg(test)]
mod tests;

use std::time::Duration;

use guildgate_model::{Mono, Now, ShardId};

pub use self::{
    config::{AfterTimeout, OnReconnect, PrivilegedRefused, ShardConfig, Timeouts, UserOpcodes},
    outbox::COMMANDS_MAX,
    port::{
        Backlog, Command, CommandError, Epoch, Input, Loss, Message, Note, Output, Purpose, Stopped,
    },
    session::{ShardNumber, ShardSession},
};
use self::{
    heart::{Heart, Pulse, Reader},
    ladder::{Fate, Ladder, Reached, Verdict},
    outbox::{Outbox, message},
    session::{KEEP, Progress, Session},
};
use crate::{
    Inflater, Intents, Rng,
    limiter::{Importance, SendLimiter},
    payload::{ClientPayload, Presence},
};

/// How long a judgement waits when the driver has not read all that arrived.
const PATIENCE: Duration = Duration::from_secs(1);

/// One shard.
#[derive(Debug)]
pub struct Shard {
    config: ShardConfig,
    rng: Rng,
    epoch: Epoch,
    state: State,
    link: Option<Link>,
    inflater: Option<Inflater>,
    session: Option<Session>,
    ladder: Ladder,
    outbox: Outbox,
    intents: Intents,
    presence: Option<Presence>,
    told: Told,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Idle,
    Backoff {
        until: Mono,
    },
    /// Discord refused privileged intents, and is asked which of them are switched on.
    AskingPrivileges {
        until: Mono,
    },
    Dialing {
        until: Mono,
    },
    AwaitHello {
        until: Mono,
    },
    AwaitPermit,
    Identifying {
        until: Mono,
    },
    Resuming {
        until: Mono,
        replayed: u64,
    },
    Active {
        since: Mono,
    },
    Closing {
        until: Mono,
        next: Next,
    },
    Stopped,
}

/// What follows once a connection is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    Redial { delay: Duration },
    Stop(Stopped),
}

/// What the rest of the gateway was told of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Up,
    Down,
}

/// What lives as long as a connection that said HELLO.
#[derive(Debug)]
struct Link {
    heart: Heart,
    limiter: SendLimiter,
}

impl Shard {
    /// A shard at rest; [`Input::Start`] begins it. With a `session` it resumes that one, if
    /// it is this shard's and asks for what the configuration asks for.
    #[must_use]
    pub fn new(config: ShardConfig, mut rng: Rng, session: Option<ShardSession>) -> Shard {
        let session = session.filter(|session| session.fits(&config));
        let tag = u32::try_from(rng.below(1 << 32)).unwrap_or_default();
        let mut outbox = Outbox::new(tag);
        if session.is_some() {
            outbox.on_taken_over(config.presence.as_ref());
        }
        Shard {
            epoch: Epoch(0),
            state: State::Idle,
            link: None,
            inflater: None,
            session: session.map(|session| Session {
                id: Some(session.session_id),
                resume_url: session.resume_url,
                progress: Progress::resumed_at(session.seq),
            }),
            ladder: Ladder::default(),
            outbox,
            intents: config.intents,
            presence: config.presence.clone(),
            told: Told::Down,
            config,
            rng,
        }
    }

    /// Which shard this is.
    #[must_use]
    pub fn id(&self) -> ShardId {
        self.config.shard
    }

    /// What the session asks for, without what was refused.
    #[must_use]
    pub fn intents(&self) -> Intents {
        self.intents
    }

    /// The session as another process could go on with it now; none if there is none, or if
    /// none of it is in safe hands.
    #[must_use]
    pub fn export(&self) -> Option<ShardSession> {
        let session = self.session.as_ref()?;
        Some(ShardSession {
            shard: self.config.shard.into(),
            session_id: session.id.clone()?,
            resume_url: session.resume_url.clone(),
            seq: session.progress.safe()?,
            intents: self.intents,
        })
    }

    /// Takes a command, to be sent as soon as connection and limit allow.
    ///
    /// # Errors
    /// [`CommandError`]; the connection is unharmed.
    pub fn command(
        &mut self,
        now: Now,
        command: Command,
        out: &mut Vec<Output>,
    ) -> Result<(), CommandError> {
        if self.state == State::Stopped {
            return Err(CommandError::Stopped);
        }
        let presence = self
            .outbox
            .push(command, self.intents, self.config.user_opcodes)?;
        self.presence = presence.or(self.presence.take());
        self.flush(now.mono, out);
        Ok(())
    }

    /// Takes in what happened. Input of an earlier connection is ignored.
    pub fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Vec<Output>) {
        let now = now.mono;
        match input {
            Input::Start if self.state == State::Idle => self.dial(now, out),
            Input::Start => {}
            Input::Opened { epoch } => {
                if self.is_current(epoch) && matches!(self.state, State::Dialing { .. }) {
                    let until = now + self.config.timeouts.hello;
                    self.state = State::AwaitHello { until };
                }
            }
            Input::DialFailed { epoch } => {
                if self.is_current(epoch) && matches!(self.state, State::Dialing { .. }) {
                    self.gone(now, Loss::DialFailed, Fate::Resume, out);
                }
            }
            Input::Text { epoch, bytes } if self.listens(epoch) => self.receive(now, bytes, out),
            Input::Binary { epoch, bytes } if self.listens(epoch) => self.inflate(now, bytes, out),
            Input::Text { .. } | Input::Binary { .. } => {}
            Input::Closed { epoch, code } => {
                if self.is_current(epoch) {
                    self.on_closed(now, code, out);
                }
            }
            Input::Permit { epoch } => {
                if self.is_current(epoch) && self.state == State::AwaitPermit {
                    self.identify(now, out);
                }
            }
            Input::Handled { seq } => {
                if let Some(session) = &mut self.session {
                    session.progress.on_handled(seq);
                }
            }
            Input::Privileges { epoch, granted } => {
                if self.is_current(epoch) && matches!(self.state, State::AskingPrivileges { .. }) {
                    self.go_on_without(now, granted, out);
                }
            }
            Input::Shutdown => self.stop(now, Stopped::Shutdown, out),
            Input::Suspend => self.stop(now, Stopped::Suspended(None), out),
            Input::Tick {
                backlog: Backlog::Empty,
            } => self.on_time(now, Reader::Done, out),
            Input::Tick {
                backlog: Backlog::Pending,
            } => {
                self.be_patient(now);
                self.on_time(now, Reader::Stalled, out);
            }
        }
        self.on_time(now, Reader::Busy, out);
        self.flush(now, out);
    }

    /// When to come back with [`Input::Tick`], if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let state = match &self.state {
            State::Idle | State::Stopped | State::AwaitPermit => None,
            State::Backoff { until }
            | State::AskingPrivileges { until }
            | State::Dialing { until }
            | State::AwaitHello { until }
            | State::Identifying { until }
            | State::Resuming { until, .. }
            | State::Closing { until, .. } => Some(*until),
            State::Active { .. } => self.work_at(),
        };
        let heart = self.link.as_ref().map(|link| link.heart.deadline());
        [state, heart].into_iter().flatten().min()
    }

    /// When the outbox wants to send, and can; or an answer stalls.
    fn work_at(&self) -> Option<Mono> {
        let link = self.link.as_ref()?;
        let send = self
            .outbox
            .next_at()
            .map(|at| at.max(link.limiter.free_at(Mono::ZERO, Importance::Ordinary)));
        [send, self.outbox.requests.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn is_current(&self, epoch: Epoch) -> bool {
        epoch == self.epoch
    }

    /// Whether what this connection says still counts.
    fn listens(&self, epoch: Epoch) -> bool {
        let open = match self.state {
            State::AwaitHello { .. }
            | State::AwaitPermit
            | State::Identifying { .. }
            | State::Resuming { .. }
            | State::Active { .. } => true,
            State::Idle
            | State::Backoff { .. }
            | State::AskingPrivileges { .. }
            | State::Dialing { .. }
            | State::Closing { .. }
            | State::Stopped => false,
        };
        open && self.is_current(epoch)
    }

    fn heartbeat(&self) -> ClientPayload {
        let session = self.session.as_ref();
        ClientPayload::Heartbeat(session.and_then(|session| session.progress.received()))
    }

    fn on_time(&mut self, now: Mono, reader: Reader, out: &mut Vec<Output>) {
        let all_read = reader == Reader::Done;
        match &self.state {
            State::Backoff { until } if *until <= now => self.dial(now, out),
            State::AskingPrivileges { until } if *until <= now => {
                self.go_on_without(now, None, out);
            }
            State::Dialing { until } if *until <= now => {
                out.push(Output::Drop { epoch: self.epoch });
                self.gone(now, Loss::DialFailed, Fate::Resume, out);
            }
            State::AwaitHello { until } if *until <= now && all_read => {
                self.leave(now, Loss::NoHello, Fate::Resume, out);
            }
            State::Identifying { until } if *until <= now && all_read => {
                self.leave(now, Loss::NoReady, Fate::Resume, out);
            }
            State::Resuming { until, .. } if *until <= now && all_read => {
                self.leave(now, Loss::NoResumed, Fate::Resume, out);
            }
            State::Closing { until, next } if *until <= now => {
                let next = next.clone();
                out.push(Output::Drop { epoch: self.epoch });
                self.proceed(now, next, out);
            }
            State::Active { .. } => {
                for outcome in self.outbox.requests.on_time(now) {
                    out.push(Output::Members(outcome));
                }
            }
            State::Idle
            | State::Backoff { .. }
            | State::AskingPrivileges { .. }
            | State::Dialing { .. }
            | State::AwaitHello { .. }
            | State::AwaitPermit
            | State::Identifying { .. }
            | State::Resuming { .. }
            | State::Closing { .. }
            | State::Stopped => {}
        }
        self.beat(now, reader, out);
    }

    fn beat(&mut self, now: Mono, reader: Reader, out: &mut Vec<Output>) {
        let Some(link) = &self.link else {
            return;
        };
        match link.heart.pulse(now, reader) {
            Pulse::Rest => {}
            Pulse::Dead => self.leave(now, Loss::HeartbeatUnanswered, Fate::Resume, out),
            Pulse::Beat => {
                let payload = self.heartbeat();
                let Some(link) = &mut self.link else {
                    return;
                };
                let free_at = link.limiter.free_at(now, Importance::Vital);
                if free_at > now {
                    link.heart.on_delayed(free_at);
                    out.push(Output::Note(Note::HeartbeatDelayed));
                } else {
                    link.heart.on_beat(now);
                    self.send_vital(now, &payload, out);
                }
            }
        }
    }

    /// Sends what waits, as far as the limit goes.
    fn flush(&mut self, now: Mono, out: &mut Vec<Output>) {
        if !matches!(self.state, State::Active { .. }) {
            return;
        }
        let Some(link) = &mut self.link else {
            return;
        };
        while link.limiter.free_at(now, Importance::Ordinary) <= now {
            let Some(message) = self.outbox.next(now) else {
                return;
            };
            if link.limiter.admit(now, Importance::Ordinary).is_ok() {
                out.push(Output::Send {
                    epoch: self.epoch,
                    message,
                });
            }
        }
    }
}

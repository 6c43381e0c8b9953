//! How a connection ends, and what follows.

use std::time::Duration;

use guildgate_model::{Mono, UpstreamEvent};

use super::{
    AfterTimeout, Fate, KEEP, Loss, Next, Note, Output, PrivilegedRefused, Reached, Shard, State,
    Stopped, Told, Verdict,
};
use crate::{CloseCode, Intents, Refusal, Remedy};

impl Shard {
    /// The peer closed the connection, or it dropped.
    pub(super) fn on_closed(&mut self, now: Mono, code: Option<CloseCode>, out: &mut Vec<Output>) {
        if let State::Closing { next, .. } = &self.state {
            let next = next.clone();
            self.proceed(now, next, out);
            return;
        }
        if matches!(
            self.state,
            State::Idle | State::Stopped | State::Backoff { .. } | State::AskingPrivileges { .. }
        ) {
            return;
        }
        let loss = Loss::Closed { code };
        let fate = match code.map_or(Remedy::Resume, CloseCode::remedy) {
            Remedy::Resume => Fate::Resume,
            Remedy::ResumeLater => Fate::ResumeLater,
            Remedy::ResumeOnce => Fate::ResumeOnce,
            Remedy::NewSession => Fate::NewSession,
            Remedy::SessionTimedOut => match self.config.after_timeout {
                AfterTimeout::Identify => Fate::NewSession,
                AfterTimeout::Resume => Fate::Resume,
            },
            Remedy::Fatal(refusal) => {
                self.end_link(loss, out);
                if self.may_go_on_without(refusal) {
                    self.ask_privileges(now, out);
                } else {
                    self.proceed(now, Next::Stop(Stopped::Refused(refusal)), out);
                }
                return;
            }
        };
        self.gone(now, loss, fate, out);
    }

    /// Whether there are privileged intents to leave out, and the configuration says so.
    fn may_go_on_without(&self, refusal: Refusal) -> bool {
        refusal == Refusal::DisallowedIntents
            && self.config.privileged == PrivilegedRefused::GoOnWithout
            && !(self.intents & Intents::PRIVILEGED).is_empty()
    }

    /// The refusal does not say which intents it is about; the application's settings do.
    fn ask_privileges(&mut self, now: Mono, out: &mut Vec<Output>) {
        self.drop_session(out);
        out.push(Output::AskPrivileges { epoch: self.epoch });
        let until = now + self.config.timeouts.privileges;
        self.state = State::AskingPrivileges { until };
    }

    /// Begins anew without the privileged intents that are not granted; without all of them if
    /// that is not known, or explains no refusal.
    pub(super) fn go_on_without(
        &mut self,
        now: Mono,
        granted: Option<Intents>,
        out: &mut Vec<Output>,
    ) {
        let asked = self.intents & Intents::PRIVILEGED;
        let refused = granted
            .map(|granted| asked.without(granted))
            .filter(|refused| !refused.is_empty())
            .unwrap_or(asked);
        self.intents = self.intents.without(refused);
        out.push(Output::Note(Note::IntentsDropped(refused)));
        let delay = self.settle(now, Fate::NewSession, out);
        self.proceed(now, Next::Redial { delay }, out);
    }

    /// Closes the connection, and dials again after that.
    pub(super) fn leave(&mut self, now: Mono, loss: Loss, fate: Fate, out: &mut Vec<Output>) {
        let delay = self.settle(now, fate, out);
        self.end_link(loss, out);
        out.push(Output::Close {
            epoch: self.epoch,
            code: KEEP,
        });
        let until = now + self.config.timeouts.close;
        let next = Next::Redial { delay };
        self.state = State::Closing { until, next };
    }

    /// The connection is over already; dials again.
    pub(super) fn gone(&mut self, now: Mono, loss: Loss, fate: Fate, out: &mut Vec<Output>) {
        let delay = self.settle(now, fate, out);
        self.end_link(loss, out);
        self.proceed(now, Next::Redial { delay }, out);
    }

    /// Decides what becomes of the session, and how long to wait.
    pub(super) fn settle(&mut self, now: Mono, fate: Fate, out: &mut Vec<Output>) -> Duration {
        let reached = match &self.state {
            State::Active { since } => Reached::Active {
                lasted: now.since(*since),
            },
            State::Idle
            | State::Backoff { .. }
            | State::AskingPrivileges { .. }
            | State::Dialing { .. }
            | State::AwaitHello { .. }
            | State::AwaitPermit
            | State::Identifying { .. }
            | State::Resuming { .. }
            | State::Closing { .. }
            | State::Stopped => Reached::Nothing,
        };
        if self.session.is_some() {
            let given_up = reached == Reached::Nothing
                && fate.keeps_session()
                && self.ladder.on_resume_failed() == Verdict::GiveUp;
            if given_up || !fate.keeps_session() {
                self.drop_session(out);
            } else if fate == Fate::ResumeOnce {
                self.ladder.on_last_chance();
            }
        }
        self.ladder.delay(reached, fate, &mut self.rng)
    }

    pub(super) fn drop_session(&mut self, out: &mut Vec<Output>) {
        if self.session.take().is_some() {
            out.push(Output::Note(Note::SessionDropped));
        }
        self.ladder.forget_session();
    }

    pub(super) fn end_link(&mut self, loss: Loss, out: &mut Vec<Output>) {
        out.push(Output::Note(Note::Lost(loss)));
        self.cut(out);
    }

    /// Takes leave of a connection: gives back its permit and says that the link is down.
    pub(super) fn cut(&mut self, out: &mut Vec<Output>) {
        if self.state == State::AwaitPermit {
            out.push(Output::ReleasePermit { epoch: self.epoch });
        }
        self.link = None;
        self.inflater = None;
        if self.told == Told::Up {
            self.told = Told::Down;
            out.push(Output::Event {
                seq: None,
                event: UpstreamEvent::LinkLost,
            });
        }
    }

    pub(super) fn stop(&mut self, now: Mono, stopped: Stopped, out: &mut Vec<Output>) {
        let code = match stopped {
            Stopped::Suspended(_) => KEEP,
            Stopped::Shutdown | Stopped::Refused(_) => CloseCode::NORMAL,
        };
        match self.state {
            State::Stopped => return,
            State::Idle | State::Backoff { .. } | State::AskingPrivileges { .. } => {
                self.proceed(now, Next::Stop(stopped), out);
                return;
            }
            State::Dialing { .. } => {
                out.push(Output::Drop { epoch: self.epoch });
                self.proceed(now, Next::Stop(stopped), out);
                return;
            }
            State::Closing { until, .. } => {
                let next = Next::Stop(stopped);
                self.state = State::Closing { until, next };
                return;
            }
            State::AwaitHello { .. }
            | State::AwaitPermit
            | State::Identifying { .. }
            | State::Resuming { .. }
            | State::Active { .. } => {}
        }
        self.cut(out);
        out.push(Output::Close {
            epoch: self.epoch,
            code,
        });
        let until = now + self.config.timeouts.close;
        let next = Next::Stop(stopped);
        self.state = State::Closing { until, next };
    }

    pub(super) fn proceed(&mut self, now: Mono, next: Next, out: &mut Vec<Output>) {
        match next {
            Next::Redial { delay } if delay.is_zero() => self.dial(now, out),
            Next::Redial { delay } => {
                out.push(Output::Note(Note::BackingOff { delay }));
                let until = now + delay;
                self.state = State::Backoff { until };
            }
            Next::Stop(stopped) => {
                let stopped = match stopped {
                    Stopped::Suspended(_) => Stopped::Suspended(self.export()),
                    Stopped::Shutdown | Stopped::Refused(_) => {
                        self.session = None;
                        stopped
                    }
                };
                self.state = State::Stopped;
                out.push(Output::Stopped(stopped));
            }
        }
    }
}

//! What Discord says, and what follows from it.

use std::time::Duration;

use guildgate_model::{Mono, UpstreamEvent};

use super::{
    Fate, Importance, Loss, Note, OnReconnect, Output, PATIENCE, Progress, Session, Shard, State,
};
use crate::{
    DecodeError, Dispatch, Envelope, InflateError, MembersChunk, MembersOutcome, Opcode, Ready,
    decode_wanted,
    json::{Cursor, Malformed},
};

impl Shard {
    pub(super) fn inflate(&mut self, now: Mono, message: &[u8], out: &mut Vec<Output>) {
        // Taken out, so that the payload can be read while the machine changes.
        let Some(mut inflater) = self.inflater.take() else {
            self.leave(
                now,
                Loss::NotInflated(InflateError::Memory),
                Fate::Resume,
                out,
            );
            return;
        };
        let epoch = self.epoch;
        match inflater.push(message) {
            Ok(Some(payload)) => self.receive(now, payload, out),
            Ok(None) => {}
            Err(error) => self.leave(now, Loss::NotInflated(error), Fate::Resume, out),
        }
        if self.listens(epoch) {
            self.inflater = Some(inflater);
        }
    }

    pub(super) fn receive(&mut self, now: Mono, payload: &[u8], out: &mut Vec<Output>) {
        let envelope = match Envelope::peek(payload) {
            Ok(envelope) => envelope,
            Err(error) => {
                self.leave(now, Loss::Unreadable(error), Fate::Resume, out);
                return;
            }
        };
        match envelope.op {
            Opcode::Dispatch => self.on_dispatch(now, &envelope, out),
            Opcode::Heartbeat => self.on_heartbeat_wanted(now, out),
            Opcode::Reconnect => self.on_reconnect(now, out),
            Opcode::InvalidateSession => self.on_invalid(now, &envelope, out),
            Opcode::Hello => {
                if matches!(self.state, State::AwaitHello { .. }) {
                    self.on_hello(now, interval(&envelope), out);
                }
            }
            Opcode::HeartbeatAck => {
                let latency = self.link.as_mut().and_then(|link| link.heart.on_ack(now));
                if let Some(latency) = latency {
                    out.push(Output::Note(Note::HeartbeatAcked { latency }));
                }
            }
            Opcode::Identify
            | Opcode::Presence
            | Opcode::VoiceState
            | Opcode::VoicePing
            | Opcode::Resume
            | Opcode::RequestMembers
            | Opcode::GuildSync
            | Opcode::RequestSoundboardSounds
            | Opcode::RequestChannelInfo
            | Opcode::Unknown(_) => out.push(Output::Note(Note::UnknownOpcode(envelope.op))),
        }
    }

    /// Answered at once, outside the schedule, unless the send limit is used up: a server that
    /// asks so often is owed nothing.
    fn on_heartbeat_wanted(&mut self, now: Mono, out: &mut Vec<Output>) {
        let payload = self.heartbeat();
        let Some(link) = &self.link else {
            return;
        };
        if link.limiter.free_at(now, Importance::Vital) <= now {
            self.send_vital(now, &payload, out);
        } else {
            out.push(Output::Note(Note::HeartbeatDelayed));
        }
    }

    fn on_reconnect(&mut self, now: Mono, out: &mut Vec<Output>) {
        let fate = match self.config.on_reconnect {
            OnReconnect::Resume => Fate::Resume,
            OnReconnect::Identify => Fate::NewSession,
        };
        self.leave(now, Loss::AskedToReconnect, fate, out);
    }

    fn on_invalid(&mut self, now: Mono, envelope: &Envelope<'_>, out: &mut Vec<Output>) {
        let resumable = matches!(envelope.data().boolean(), Ok(Some(true)));
        let fate = if resumable {
            Fate::ResumeInvalid
        } else {
            Fate::NewSessionInvalid
        };
        self.leave(now, Loss::SessionInvalid { resumable }, fate, out);
    }

    fn on_dispatch(&mut self, now: Mono, envelope: &Envelope<'_>, out: &mut Vec<Output>) {
        let wanted = self.config.wanted.as_deref();
        let is_wanted = |user| wanted.is_none_or(|wanted| wanted.contains(user));
        let dispatch = match decode_wanted(envelope, is_wanted) {
            Ok(dispatch) => dispatch,
            Err(error @ DecodeError::Malformed(_)) => {
                self.leave(now, Loss::UnreadableEvent(error), Fate::Resume, out);
                return;
            }
            Err(error @ DecodeError::Missing { .. }) => {
                out.push(Output::Note(Note::EventSkipped { error }));
                Dispatch::Unneeded
            }
        };
        if let Dispatch::Ready(ready) = dispatch {
            if !matches!(self.state, State::AwaitHello { .. } | State::AwaitPermit) {
                self.on_ready(now, ready, envelope.seq, out);
            }
            return;
        }
        let timeout = self.config.timeouts.ready;
        match &mut self.state {
            State::Resuming { until, replayed } => {
                let known = self
                    .session
                    .as_ref()
                    .and_then(|session| session.progress.received());
                if dispatch != Dispatch::Resumed && envelope.seq.is_some() && envelope.seq <= known
                {
                    return;
                }
                *until = now + timeout;
                *replayed += 1;
            }
            State::Active { .. } => {}
            State::Idle
            | State::Backoff { .. }
            | State::AskingPrivileges { .. }
            | State::Dialing { .. }
            | State::AwaitHello { .. }
            | State::AwaitPermit
            | State::Identifying { .. }
            | State::Closing { .. }
            | State::Stopped => return,
        }
        self.on_event(now, dispatch, envelope.seq, out);
    }

    fn on_ready(&mut self, now: Mono, ready: Ready, seq: Option<u64>, out: &mut Vec<Output>) {
        let mut progress = Progress::default();
        if let Some(seq) = seq {
            progress.on_forwarded(seq);
        }
        self.session = Some(Session {
            id: ready.session_id,
            resume_url: ready.resume_url,
            progress,
        });
        self.outbox.requests.on_new_session();
        self.activate(now);
        out.push(Output::Note(Note::Ready {
            guilds: ready.guilds.len(),
        }));
        out.push(Output::Event {
            seq,
            event: UpstreamEvent::SessionStarted {
                bot: ready.bot,
                guilds: ready.guilds,
            },
        });
    }

    fn on_event(&mut self, now: Mono, dispatch: Dispatch, seq: Option<u64>, out: &mut Vec<Output>) {
        match dispatch {
            Dispatch::Event(event) => self.forward(seq, event, out),
            Dispatch::Resumed => self.on_resumed(now, seq, out),
            Dispatch::Members(chunk) => self.on_members(now, chunk, seq, out),
            Dispatch::RateLimited(limited) => {
                let held = self.outbox.requests.on_rate_limited(now, &limited);
                out.extend(held.map(Output::Members));
                self.pass(seq);
            }
            Dispatch::Unneeded | Dispatch::Ready(_) => self.pass(seq),
        }
    }

    fn on_resumed(&mut self, now: Mono, seq: Option<u64>, out: &mut Vec<Output>) {
        let State::Resuming { replayed, .. } = self.state else {
            self.pass(seq);
            return;
        };
        self.activate(now);
        // RESUMED itself was counted.
        out.push(Output::Note(Note::Resumed {
            replayed: replayed.saturating_sub(1),
        }));
        self.forward(seq, UpstreamEvent::SessionResumed, out);
    }

    fn on_members(
        &mut self,
        now: Mono,
        chunk: MembersChunk,
        seq: Option<u64>,
        out: &mut Vec<Output>,
    ) {
        let outcome = self.outbox.requests.on_chunk(now, &chunk);
        let mut not_found = chunk.not_found;
        if let Some(MembersOutcome::Complete { unmentioned, .. }) = &outcome {
            not_found.extend(unmentioned);
        }
        out.extend(outcome.map(Output::Members));
        let event = UpstreamEvent::Members {
            guild: chunk.guild,
            members: chunk.members,
            not_found,
        };
        self.forward(seq, event, out);
    }

    fn forward(&mut self, seq: Option<u64>, event: UpstreamEvent, out: &mut Vec<Output>) {
        if let (Some(session), Some(seq)) = (&mut self.session, seq) {
            session.progress.on_forwarded(seq);
        }
        out.push(Output::Event { seq, event });
    }

    fn pass(&mut self, seq: Option<u64>) {
        if let (Some(session), Some(seq)) = (&mut self.session, seq) {
            session.progress.on_unneeded(seq);
        }
    }

    /// The driver does not read just now: whoever seems silent may have spoken.
    pub(super) fn be_patient(&mut self, now: Mono) {
        let later = now + PATIENCE;
        match &mut self.state {
            State::AwaitHello { until }
            | State::Identifying { until }
            | State::Resuming { until, .. } => *until = (*until).max(later),
            State::Idle
            | State::Backoff { .. }
            | State::AskingPrivileges { .. }
            | State::Dialing { .. }
            | State::AwaitPermit
            | State::Active { .. }
            | State::Closing { .. }
            | State::Stopped => {}
        }
    }
}

fn interval(envelope: &Envelope<'_>) -> Option<Duration> {
    let mut interval = None;
    let read = envelope.data().fields(|key, value: &mut Cursor<'_>| {
        if key == b"heartbeat_interval" {
            interval = value.fraction()?;
        }
        Ok::<(), Malformed>(())
    });
    read.ok()?;
    Duration::try_from_secs_f64(interval? / 1000.0).ok()
}

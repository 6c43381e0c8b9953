//! One client: who it is, where it is connected, what it may do next.
//!
//! [`Client`] holds every decision of the clients' protocol that concerns one connection or
//! one session; a driver feeds it [`Input`]s and carries out its [`Output`]s in order. It
//! knows no socket, no guild and no store: what only they can tell is an [`Ask`], and while
//! one is open ([`Client::accepts_text`]) no further text is taken, so that answers keep the
//! order of their commands without a queue.
//!
//! Events do not pass through [`Client::handle`]: they are admitted to [`Client::outbox_mut`]
//! directly, unless [`Client::was_told`] what they tell, and those that end something are told with [`Input::Ended`].

mod answer;
mod asked;
mod command;
mod ending;
mod notices;
mod ports;
mod saved;
mod session;
mod stage;

use guildgate_model::{GuildId, Mono, Now, TokenId, UserId};
use guildgate_wire::{
    ClientFrame, CloseCode, Ends, HeartbeatRequire, Limits, ResumeFrom, Sequence, SessionId,
    decode, request_auth,
};

pub use guildgate_wire::APPLICATION_SESSIONS_MAX;
pub use ports::{Answer, Ask, Input, Output, Refusal};
pub use saved::SavedSession;

use crate::{outbox::Outbox, rate::FrameBudget};
use asked::Asked;
use stage::{Beat, Link, Stage, Unauthenticated};

/// The machine of one client, from its upgraded socket to the end of its session.
///
/// A basic client lives as long as its socket. A full one is a session: it outlives its socket
/// by [`Limits::resume_window`], in which another socket may take it over.
#[derive(Debug)]
pub struct Client {
    stage: Stage,
    guild: Option<GuildId>,
    /// The command whose answer is awaited.
    asked: Option<Box<Asked>>,
    budget: FrameBudget,
    outbox: Outbox,
}

/// What every step is given, and where its outputs go.
struct Turn<'a> {
    now: Now,
    limits: &'a Limits,
    out: &'a mut Vec<Output>,
}

impl Client {
    /// A client whose socket has just been upgraded: it is asked to authenticate.
    ///
    /// `jitter` is drawn at random, evenly over all values: it spreads first heartbeats over
    /// [`Limits::heartbeat_interval`].
    #[must_use]
    pub fn open(now: Now, jitter: u32, limits: &Limits, out: &mut Vec<Output>) -> Client {
        out.push(Output::Send(request_auth().into()));
        Client {
            stage: Stage::Unauthenticated(Unauthenticated::new(
                now.mono + limits.authenticate_within,
                jitter,
            )),
            guild: None,
            asked: None,
            budget: FrameBudget::default(),
            outbox: Outbox::new(),
        }
    }

    /// Takes one input and appends what is to be done, in order.
    ///
    /// Inputs that come when they mean nothing any more are ignored: text after a close, an
    /// answer that nobody awaits, a deadline that has moved.
    pub fn handle(&mut self, now: Now, limits: &Limits, input: Input<'_>, out: &mut Vec<Output>) {
        let mut turn = Turn { now, limits, out };
        match input {
            Input::Text(text) => self.on_text(text, &mut turn),
            Input::Undecodable => self.on_undecodable(&mut turn),
            Input::Pong => self.on_pong(&mut turn),
            Input::Fragment => self.on_fragment(&mut turn),
            Input::Answer(answer) => self.on_answer(answer, &mut turn),
            Input::Deadline => self.on_deadline(&mut turn),
            Input::SocketLost => self.on_socket_lost(&mut turn),
            Input::ClosedByClient(code) => self.on_closed_by_client(code, &mut turn),
            Input::Fault(code) => self.on_fault(code, &mut turn),
            Input::Ended(ends) => self.on_ended(ends, &mut turn),
            Input::Resume {
                seen,
                token,
                missed,
            } => self.on_resume(seen, token, missed, &mut turn),
            Input::Acknowledged(ids) => self.on_acknowledged(ids),
            Input::Revoked(token) => self.on_revoked(token, &mut turn),
            Input::Drain => self.on_drain(&mut turn),
        }
    }

    /// When [`Input::Deadline`] is due; it may change with every input.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        match &self.stage {
            Stage::Unauthenticated(state) => Some(state.until()),
            Stage::Authenticating(state) => Some(state.until()),
            Stage::Basic(pulse) => Some(pulse.next()),
            Stage::Full(session) => Some(match &session.link {
                Link::Attached(pulse) => pulse.next(),
                Link::Detached { until } => *until,
            }),
            Stage::Over => None,
        }
    }

    /// Whether text is taken: there is a socket and no question is open. While there is none,
    /// the driver leaves what the client sends in the kernel.
    #[must_use]
    pub fn accepts_text(&self) -> bool {
        self.asked.is_none()
            && match &self.stage {
                Stage::Unauthenticated(_) | Stage::Basic(_) => true,
                Stage::Full(session) => matches!(session.link, Link::Attached(_)),
                Stage::Authenticating(_) | Stage::Over => false,
            }
    }

    /// The user, if the connection is a full one.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.stage.session().map(|session| session.user)
    }

    /// The session's name, if it is one that can be resumed.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.stage.session().map(|session| session.id)
    }

    /// The token that a full connection authenticated with.
    #[must_use]
    pub fn token(&self) -> Option<TokenId> {
        self.stage.session().map(|session| session.token)
    }

    /// The guild that the client is on.
    #[must_use]
    pub fn guild(&self) -> Option<GuildId> {
        self.guild
    }

    /// Whether the client lives on without a socket.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        self.stage
            .session()
            .is_some_and(|session| matches!(session.link, Link::Detached { .. }))
    }

    /// Whether the client edits an application.
    #[must_use]
    pub fn in_application_session(&self) -> bool {
        self.stage
            .session()
            .is_some_and(|session| !session.application_sessions.is_empty())
    }

    /// The largest message that the client may send at present, bytes.
    #[must_use]
    pub fn frame_bytes_max(&self, now: Mono, limits: &Limits) -> usize {
        if self.has_session_limits(now) {
            limits.session_frame_bytes_max
        } else {
            limits.frame_bytes_max
        }
    }

    /// What waits and what is kept. Overruns are told with [`Input::Fault`].
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Where events are admitted, and what waits is taken from.
    pub fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Which session this connection, still authenticating, wants to go on with; none if
    /// `token`, with which it proved itself, was revoked since.
    #[must_use]
    pub fn resume_wanted(&self, token: TokenId) -> Option<ResumeFrom> {
        match &self.stage {
            Stage::Authenticating(state) => state.resume_wanted(token),
            Stage::Unauthenticated(_) | Stage::Basic(_) | Stage::Full(_) | Stage::Over => None,
        }
    }

    /// Whether this session is `user`'s and can go on for a client that has seen everything up
    /// to `seen`.
    #[must_use]
    pub fn resumes(&self, user: UserId, seen: Sequence) -> bool {
        self.user() == Some(user) && self.outbox.resumes_from(seen)
    }

    fn on_text(&mut self, text: &str, turn: &mut Turn<'_>) {
        if !self.has_socket() || !self.admit_frame(turn) {
            return;
        }
        if !self.accepts_text() {
            // The driver's mistake, not the client's; carrying on would mix up the answers.
            self.close(CloseCode::Unknown, turn);
            return;
        }
        let frame = match decode(text, turn.limits.nonce_bytes_max) {
            Ok(frame) => frame,
            Err(code) => return self.close(code, turn),
        };
        match frame {
            ClientFrame::Authenticate {
                token,
                user,
                resume,
            } => self.on_authenticate(token, user, resume, turn),
            ClientFrame::HeartbeatReply(seen) => self.on_heartbeat_reply(seen, turn),
            ClientFrame::Command {
                name,
                nonce,
                command,
            } => match self.stage {
                Stage::Basic(_) | Stage::Full(_) => self.on_command(name, nonce, command, turn),
                Stage::Unauthenticated(_) | Stage::Authenticating(_) | Stage::Over => {
                    self.close(CloseCode::NotAuthenticated, turn);
                }
            },
        }
    }

    fn on_undecodable(&mut self, turn: &mut Turn<'_>) {
        if self.has_socket() && self.admit_frame(turn) {
            self.close(CloseCode::NotDecodable, turn);
        }
    }

    fn on_fragment(&mut self, turn: &mut Turn<'_>) {
        if self.has_socket() {
            self.admit_frame(turn);
        }
    }

    fn on_pong(&mut self, turn: &mut Turn<'_>) {
        if self.has_socket() && self.admit_frame(turn) {
            self.tell_delivered(turn);
        }
    }

    fn on_heartbeat_reply(&mut self, seen: Option<Sequence>, turn: &mut Turn<'_>) {
        if let Some(pulse) = self.stage.pulse_mut() {
            pulse.hear();
        }
        if let Some(seen) = seen {
            self.outbox.acknowledge(seen);
        }
        self.tell_delivered(turn);
    }

    /// Counts a frame and takes it for a sign of life; whether it may be looked at.
    fn admit_frame(&mut self, turn: &mut Turn<'_>) -> bool {
        self.end_grace(turn.now.mono);
        let frames_max = self.frames_max(turn.now.mono, turn.limits);
        let admitted = self
            .budget
            .admit(turn.now.mono, turn.limits.frames_window, frames_max);
        if admitted.is_err() {
            self.close(CloseCode::RateLimited, turn);
            return false;
        }
        if let Some(pulse) = self.stage.pulse_mut() {
            match turn.limits.heartbeat_require {
                HeartbeatRequire::AnySign => pulse.hear(),
                HeartbeatRequire::Reply => {}
            }
        }
        true
    }

    fn frames_max(&self, now: Mono, limits: &Limits) -> u32 {
        if self.has_session_limits(now) {
            limits.session_frames_max
        } else {
            limits.frames_max
        }
    }

    fn on_deadline(&mut self, turn: &mut Turn<'_>) {
        if self.deadline().is_none_or(|due| due > turn.now.mono) {
            return;
        }
        if let Stage::Full(session) = &self.stage
            && let Link::Detached { .. } = session.link
        {
            return self.finish(turn);
        }
        let deaf = self.asked.is_some();
        let Some(pulse) = self.stage.pulse_mut() else {
            return self.close(CloseCode::TimedOut, turn);
        };
        if deaf {
            // While an answer is awaited nothing is read, so silence proves nothing.
            pulse.hear();
        }
        match pulse.beat(turn.now.mono, turn.limits) {
            Beat::Ask => turn.out.push(Output::Heartbeat),
            Beat::Dead => self.close(CloseCode::TimedOut, turn),
        }
    }

    /// State follows an event that said that something is over.
    ///
    /// A bot that was removed from the guild ends the guild connection: nothing more comes
    /// from there, and when the bot is back its tokens may not be what they were. The client
    /// connects again.
    fn on_ended(&mut self, ends: Ends, turn: &mut Turn<'_>) {
        match ends {
            Ends::Nothing => {}
            Ends::GuildConnection(guild) => {
                if self.guild == Some(guild) {
                    self.guild = None;
                    turn.out.push(Output::Unsubscribe(guild));
                }
            }
            Ends::ApplicationSession(guild) => self.leave_application_session(guild, turn),
        }
    }

    fn has_socket(&self) -> bool {
        match &self.stage {
            Stage::Unauthenticated(_) | Stage::Authenticating(_) | Stage::Basic(_) => true,
            Stage::Full(session) => matches!(session.link, Link::Attached(_)),
            Stage::Over => false,
        }
    }
}

#[cfg(test)]
mod tests;

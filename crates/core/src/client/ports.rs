//! What goes into a [`super::Client`] and what comes out: plain data.

use guildgate_model::{
    GuildId, Notification, NotificationId, Secret, TokenId, UserId, form::Faults,
};
use guildgate_wire::{
    ApplicationCommand, CloseCode, Ends, ErrorCode, ErrorDetail, Nonce, ResumeFrom, Sequence,
    SessionId, UserView,
};

/// What happens to a client.
#[derive(Debug)]
pub enum Input<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A message that is no text frame the protocol knows: binary, bad UTF-8, too large.
    Undecodable,
    /// A WebSocket pong: a sign of life, and proof that what was written before the last ping
    /// has arrived.
    Pong,
    /// A WebSocket ping, or a fragment of a message that is not whole yet: a sign of life that
    /// counts against the frame budget, and nothing else.
    Fragment,
    /// The answer to the one question that is open.
    Answer(Answer),
    /// The deadline has come; harmless if it has not.
    Deadline,
    /// The socket is gone, by whatever end. A session that can be resumed outlives it.
    SocketLost,
    /// The client sent a close frame, with this code if it had one. 1000 ends its session for
    /// good; any other code (a browser sends 1001 when its page is left or loaded again) is a
    /// lost socket.
    ClosedByClient(Option<u16>),
    /// The driver found a reason to close: the outbox overran (4010), a frame broke RFC 6455
    /// (1002), something went wrong inside (4000).
    Fault(CloseCode),
    /// An event that was just admitted said that something is over; fed for every event whose
    /// [`guildgate_wire::EventFrame::ends`] is not [`Ends::Nothing`].
    Ended(Ends),
    /// Another socket, already authenticated as the same user, takes this session over from
    /// `seen` on. Only where [`super::Client::resumes`] said yes.
    Resume {
        /// The last sequence that its client has seen.
        seen: Sequence,
        /// The token that it authenticated with.
        token: TokenId,
        /// What is in the inbox.
        missed: Vec<Notification>,
    },
    /// A client of the same user's has acknowledged these notifications.
    Acknowledged(&'a [NotificationId]),
    /// A token was revoked; closes the client if it is the one it authenticated with. Clients
    /// that are still authenticating need to hear of it too: the answer that is under way may
    /// be older than the revocation.
    Revoked(TokenId),
    /// The node is going away: sockets are closed. A session waits for the next process, which
    /// it comes to through [`super::Client::save`].
    Drain,
}

/// What a client wants done.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Write this text frame, after everything that waits.
    Send(Box<str>),
    /// Write what waits in the outbox: a resumed session's opcode 2 and what it missed.
    Flush,
    /// Write a WebSocket ping, and opcode 3.
    Heartbeat,
    /// Write a WebSocket ping alone.
    Ping,
    /// Write a close frame with this code and let the socket go.
    Close(CloseCode),
    /// Find this out; until the answer is in, feed no further text to the client.
    Ask(Ask),
    /// The guild connection begins: from here on events of `guild` are the client's.
    Subscribe(GuildId),
    /// It ends. The hub is told.
    Unsubscribe(GuildId),
    /// Tell the hub that the client's socket is gone, or back; for application sessions.
    Attached(bool),
    /// The client is finished: forget it. Comes last.
    Drop,
}

/// A question that only the world outside can answer. One at a time a client.
#[derive(Debug, PartialEq)]
pub enum Ask {
    /// Is this token good for this user?
    Authenticate {
        /// The token; none for basic access.
        token: Option<Secret>,
        /// The user that the client says it is.
        user: Option<UserId>,
        /// The session to go on with, looked for once the token proved good.
        resume: Option<ResumeFrom>,
    },
    /// Is the token good for the guild? If so, connect there.
    ConnectGuild {
        /// Of kind gatewayGuild.
        token: Secret,
        /// The guild.
        guild: GuildId,
        /// The authenticated user, if there is one.
        user: Option<UserId>,
    },
    /// These were seen.
    Acknowledge {
        /// Whose.
        user: UserId,
        /// Which.
        ids: Vec<NotificationId>,
    },
    /// Everything about applications; answered with the whole answer.
    Application {
        /// Who.
        user: UserId,
        /// The token that the connection authenticated with.
        token: TokenId,
        /// The command's nonce, by which a patch that is sent again is known.
        nonce: Option<Nonce>,
        /// What.
        command: ApplicationCommand,
    },
    /// Not a question: the client has shown itself alive after these were told in opcode 2.
    /// No answer comes, and text goes on.
    Delivered {
        /// Whose.
        user: UserId,
        /// Which.
        ids: Vec<NotificationId>,
    },
}

/// The answer to an [`Ask`].
#[derive(Debug)]
pub enum Answer {
    /// Basic access.
    Basic,
    /// Full access: a new session with this name.
    Full {
        /// Who.
        user: UserId,
        /// The token that proved it.
        token: TokenId,
        /// The new session's name, drawn at random.
        session: SessionId,
        /// What is in the inbox.
        missed: Vec<Notification>,
    },
    /// The token is not good; why is in the log.
    NotAuthentic,
    /// The store does not answer: closed with 4000, which invites a reconnect.
    Failed,
    /// The Discord side has not come up yet: closed with 4012, which invites a reconnect later.
    NotReady,
    /// The client is on the guild.
    Connected {
        /// The guild.
        guild: GuildId,
        /// `guild` of the answer: an encoded [`guildgate_wire::GuildView`].
        guild_json: std::sync::Arc<serde_json::value::RawValue>,
        /// `user` of the answer.
        user: Option<UserView>,
    },
    /// The command was carried out; `data` of the answer.
    Done(Box<serde_json::value::RawValue>),
    /// The command was refused.
    Refused(Refusal),
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// What was attempted, what went wrong, what to do next.
    pub message: Box<str>,
    /// More fields of `error`: the newest document, the pointers at fault.
    pub details: Option<Box<serde_json::Map<String, serde_json::Value>>>,
}

impl Refusal {
    /// A refusal without details.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<Box<str>>) -> Refusal {
        Refusal {
            code,
            message: message.into(),
            details: None,
        }
    }

    /// With one more field of `error`.
    #[must_use]
    pub fn with(mut self, detail: ErrorDetail, value: impl Into<serde_json::Value>) -> Refusal {
        let details = self.details.get_or_insert_default();
        details.insert(detail.name().to_owned(), value.into());
        self
    }

    /// With what is wrong where.
    #[must_use]
    pub fn with_faults(self, faults: &Faults) -> Refusal {
        let refusal = self.with(ErrorDetail::Faults, serde_json::json!(faults.list()));
        match faults.unlisted() {
            0 => refusal,
            unlisted => refusal.with(ErrorDetail::FaultsUnlisted, unlisted),
        }
    }
}

//! What goes into the machine and what comes out.

use std::{fmt, time::Duration};

use guildgate_model::{GuildId, UpstreamEvent, UserId};

use crate::{
    CloseCode, DecodeError, EnvelopeError, InflateError, Intents, MembersOutcome, Opcode, Refusal,
    RequestError, ShardSession,
    payload::{
        EncodeError, Presence, RequestChannelInfo, RequestMembers, RequestSoundboardSounds,
        VoiceState,
    },
};

/// Which of a shard's connections, counted from 1: what belongs to an earlier one is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// Begin.
    Start,
    /// The WebSocket is open.
    Opened {
        /// Of which connection.
        epoch: Epoch,
    },
    /// The WebSocket could not be opened.
    DialFailed {
        /// Of which connection.
        epoch: Epoch,
    },
    /// A text message.
    Text {
        /// Of which connection.
        epoch: Epoch,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// A binary message.
    Binary {
        /// Of which connection.
        epoch: Epoch,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// The connection is over: closed by either side, or dropped.
    Closed {
        /// Of which connection.
        epoch: Epoch,
        /// The peer's close code, if there was one.
        code: Option<CloseCode>,
    },
    /// The queue lets this connection identify.
    Permit {
        /// Of which connection.
        epoch: Epoch,
    },
    /// What the application's settings say of privileged intents.
    Privileges {
        /// On which connection they were refused.
        epoch: Epoch,
        /// Those that are switched on; none if that cannot be found out.
        granted: Option<Intents>,
    },
    /// The event with this sequence, and all before it, are in safe hands.
    Handled {
        /// Which.
        seq: u64,
    },
    /// End the session and stop.
    Shutdown,
    /// Stop, but keep the session for [`ShardSession`].
    Suspend,
    /// The deadline has come.
    Tick {
        /// Whether everything that arrived has been read.
        backlog: Backlog,
    },
}

/// Whether a driver has read all that arrived. A peer is not judged silent before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backlog {
    /// Nothing waits to be read.
    Empty,
    /// Something may wait.
    Pending,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Open a WebSocket.
    Dial {
        /// Its number.
        epoch: Epoch,
        /// Where to.
        url: String,
    },
    /// Send a text message.
    Send {
        /// On which connection.
        epoch: Epoch,
        /// What.
        message: Message,
    },
    /// Send a close frame, then wait for [`Input::Closed`].
    Close {
        /// Which connection.
        epoch: Epoch,
        /// With which code.
        code: CloseCode,
    },
    /// Drop the connection or the attempt to make it; no [`Input::Closed`] is needed.
    Drop {
        /// Which.
        epoch: Epoch,
    },
    /// Ask the queue for a permit to identify.
    AskPermit {
        /// For which connection.
        epoch: Epoch,
    },
    /// Give back what was asked for, granted or not.
    ReleasePermit {
        /// For which connection.
        epoch: Epoch,
    },
    /// Find out which privileged intents are switched on, for [`Input::Privileges`].
    AskPrivileges {
        /// On which connection some were refused.
        epoch: Epoch,
    },
    /// Hand this on, then say [`Input::Handled`] if it has a sequence.
    Event {
        /// Its place in the session; none for what is not Discord's own, and for all but the
        /// last event of one message.
        seq: Option<u64>,
        /// What happened.
        event: UpstreamEvent,
    },
    /// A request for members ended, or waits.
    Members(MembersOutcome),
    /// Something for the log and the metrics.
    Note(Note),
    /// The machine has stopped and takes no more input.
    Stopped(Stopped),
}

/// A text message to Discord. Its text may hold the token, so that `Debug` shows only its kind.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub op: Opcode,
    /// The text itself.
    pub text: String,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({}, {} bytes)", self.op, self.text.len())
    }
}

/// Why the machine stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// As asked; the session is over.
    Shutdown,
    /// As asked; the session can be resumed within minutes, if there was one.
    Suspended(Option<ShardSession>),
    /// Discord refuses us for good.
    Refused(Refusal),
}

/// Something for the log and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Dials.
    Dialling {
        /// To go on with a session, or to begin one.
        purpose: Purpose,
        /// Where to.
        url: Box<str>,
    },
    /// Waits before dialling.
    BackingOff {
        /// How long.
        delay: Duration,
    },
    /// A session began.
    Ready {
        /// How many guilds it has.
        guilds: usize,
    },
    /// A session goes on.
    Resumed {
        /// How many events were replayed.
        replayed: u64,
    },
    /// A connection is over.
    Lost(Loss),
    /// The session cannot be resumed any more.
    SessionDropped,
    /// A heartbeat was answered.
    HeartbeatAcked {
        /// After how long.
        latency: Duration,
    },
    /// A heartbeat had to wait for the send limit.
    HeartbeatDelayed,
    /// An event that was needed could not be used.
    EventSkipped {
        /// Why.
        error: DecodeError,
    },
    /// An opcode that is not known.
    UnknownOpcode(Opcode),
    /// Privileged intents were refused, and the session goes on without them.
    IntentsDropped(Intents),
}

/// What a dial is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new session.
    Identify,
    /// The session that was.
    Resume,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// It could not be made, or not in time.
    DialFailed,
    /// HELLO did not come in time.
    NoHello,
    /// READY did not come in time.
    NoReady,
    /// RESUMED did not come in time.
    NoResumed,
    /// A heartbeat was not answered.
    HeartbeatUnanswered,
    /// RECONNECT.
    AskedToReconnect,
    /// INVALIDATE_SESSION.
    SessionInvalid {
        /// Whether it may be resumed.
        resumable: bool,
    },
    /// A payload that could not be read.
    Unreadable(EnvelopeError),
    /// An event that could not be read.
    UnreadableEvent(DecodeError),
    /// A compressed message that could not be read.
    NotInflated(InflateError),
    /// The peer closed it, or it dropped.
    Closed {
        /// The code, if there was one.
        code: Option<CloseCode>,
    },
}

/// What can be sent through a shard.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Shows the bot otherwise; only the latest is sent.
    Presence(Presence),
    /// Joins, moves in or leaves a voice channel.
    VoiceState(VoiceState),
    /// Asks for members, as it stands.
    RequestMembers(RequestMembers),
    /// Asks for these members together with others of the guild.
    WantMembers {
        /// Where.
        guild: GuildId,
        /// Who.
        users: Vec<UserId>,
    },
    /// Asks for guilds' soundboards.
    RequestSoundboardSounds(RequestSoundboardSounds),
    /// Asks for the voice channels' status of a guild.
    RequestChannelInfo(RequestChannelInfo),
    /// Pings a voice server; see [`crate::UserOpcodes`].
    VoicePing,
    /// Asks for whole guilds; see [`crate::UserOpcodes`].
    GuildSync(Vec<GuildId>),
}

/// Why a command was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It does not fit into one payload.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It is not a request that Discord would answer.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It is not for bots.
    #[error(
        "{0} is for user accounts; Discord closes a bot's connection for it. Against a server \
         that serves it, set discord.user_opcodes = \"allow\""
    )]
    UserOnly(Opcode),
    /// Too much waits already.
    #[error("{0} commands wait for Discord already: try again later")]
    Full(usize),
    /// The shard has stopped.
    #[error("the shard has stopped and sends nothing more")]
    Stopped,
}

//! What a client sends to Discord: typed, encoded within Discord's size limit, and decoded
//! again by a server of the same protocol.

use guildgate_model::{GuildId, Secret, UserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Intents, Opcode};

/// The most bytes that one payload to Discord may have; a longer one is closed with 4002.
///
/// Source: Discord, "Gateway: Sending Events".
pub const PAYLOAD_BYTES_MAX: usize = 4096;
/// The most user ids that one request for members may name.
pub const REQUEST_USERS_MAX: usize = 100;
/// The most members that REQUEST_MEMBERS may ask for by how their names begin.
pub const REQUEST_PREFIX_MAX: u32 = 100;
/// The most bytes of a request's nonce; Discord drops a longer one without a word.
pub const NONCE_BYTES_MAX: usize = 32;
/// Bounds of `large_threshold`.
pub const LARGE_THRESHOLD: std::ops::RangeInclusive<u16> = 50..=250;

/// One payload from a client.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientPayload {
    /// 1: the last sequence received, if any.
    Heartbeat(Option<u64>),
    /// 2.
    Identify(Box<Identify>),
    /// 3.
    Presence(Presence),
    /// 4.
    VoiceState(VoiceState),
    /// 5: `d` is null.
    VoicePing,
    /// 6.
    Resume(Resume),
    /// 8.
    RequestMembers(RequestMembers),
    /// 12: the guilds.
    GuildSync(Vec<GuildId>),
    /// 31.
    RequestSoundboardSounds(RequestSoundboardSounds),
    /// 43.
    RequestChannelInfo(RequestChannelInfo),
}

/// `d` of IDENTIFY.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identify {
    /// The bot's token.
    pub token: Secret,
    /// What the client is.
    #[serde(default)]
    pub properties: Properties,
    /// Whether single payloads may come compressed; ignored under a compressed transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compress: Option<bool>,
    /// Above so many members, a guild comes without those that are offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub large_threshold: Option<u16>,
    /// The shard's number and how many there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<[i64; 2]>,
    /// The presence to begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<Presence>,
    /// The events asked for.
    pub intents: Intents,
}

/// What the client is, for Discord's statistics.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Properties {
    /// The operating system.
    pub os: Box<str>,
    /// The client's name.
    pub browser: Box<str>,
    /// The client's name again.
    pub device: Box<str>,
}

/// `d` of PRESENCE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    /// Since when idle, in ms since 1970; null if not.
    #[serde(default)]
    pub since: Option<i64>,
    /// What the bot is shown doing.
    #[serde(default)]
    pub activities: Vec<Activity>,
    /// How the bot is shown.
    pub status: Status,
    /// Whether it is away.
    #[serde(default)]
    pub afk: bool,
}

/// One thing that the bot is shown doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Its text; for kind 4 the text is in `state`.
    pub name: Box<str>,
    /// 0 playing, 1 streaming, 2 listening, 3 watching, 4 custom, 5 competing.
    #[serde(rename = "type", default)]
    pub kind: u8,
    /// The second line, or the custom status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<str>>,
    /// Where it is streamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Box<str>>,
}

/// How a user is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Online.
    Online,
    /// Do not disturb.
    Dnd,
    /// Away.
    Idle,
    /// Online, but shown offline.
    Invisible,
    /// Offline.
    Offline,
}

/// `d` of VOICE_STATE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoiceState {
    /// Where.
    pub guild_id: GuildId,
    /// The channel to be in; none leaves.
    pub channel_id: Option<ChannelId>,
    /// Whether the bot does not speak.
    #[serde(default)]
    pub self_mute: bool,
    /// Whether the bot does not listen.
    #[serde(default)]
    pub self_deaf: bool,
}

/// A channel of a guild: an id like the others, of which the rest of the project knows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelId(pub GuildId);

/// `d` of RESUME.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The bot's token.
    pub token: Secret,
    /// The session to go on with.
    pub session_id: Box<str>,
    /// The last sequence received.
    pub seq: u64,
}

/// `d` of REQUEST_MEMBERS: either `query` with `limit`, or `user_ids`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestMembers {
    /// Where; one guild a request.
    pub guild_id: GuildId,
    /// How the names of the members sought begin; empty for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Box<str>>,
    /// The most members to answer with; 0 for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Whether their presences are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presences: Option<bool>,
    /// Who is sought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_ids: Option<Vec<UserId>>,
    /// Comes back with every chunk of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Box<str>>,
}

impl RequestMembers {
    /// Asks for these users, of whom there may be up to [`REQUEST_USERS_MAX`].
    #[must_use]
    pub fn users(guild: GuildId, users: Vec<UserId>) -> RequestMembers {
        RequestMembers {
            guild_id: guild,
            query: None,
            limit: None,
            presences: None,
            user_ids: Some(users),
            nonce: None,
        }
    }

    /// Asks for every member.
    #[must_use]
    pub fn everyone(guild: GuildId) -> RequestMembers {
        RequestMembers {
            guild_id: guild,
            query: Some("".into()),
            limit: Some(0),
            presences: None,
            user_ids: None,
            nonce: None,
        }
    }

    /// Whether this asks for all members of the guild, which Discord answers once in 30 s.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.user_ids.is_none() && self.query.as_deref() == Some("") && self.limit.unwrap_or(0) == 0
    }
}

/// `d` of REQUEST_SOUNDBOARD_SOUNDS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSoundboardSounds {
    /// Whose soundboards.
    pub guild_ids: Vec<GuildId>,
}

/// `d` of REQUEST_CHANNEL_INFO.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestChannelInfo {
    /// Where.
    pub guild_id: GuildId,
    /// What is asked of its voice channels.
    pub fields: Vec<ChannelInfoField>,
}

/// Something to ask of a voice channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelInfoField {
    /// Its status line.
    Status,
    /// When somebody first joined it.
    VoiceStartTime,
}

/// Why a payload was not encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// Discord would close the connection.
    #[error("{op} takes {bytes} bytes, and Discord takes {PAYLOAD_BYTES_MAX} at most: send less")]
    TooLarge {
        /// Of what kind it is.
        op: Opcode,
        /// How long it came out.
        bytes: usize,
    },
    /// A value that JSON cannot hold.
    #[error("{op} cannot be written as JSON")]
    Json {
        /// Of what kind it is.
        op: Opcode,
        /// Why.
        #[source]
        cause: serde_json::Error,
    },
}

/// Why a client's payload was not decoded, and so with which code a server closes.
#[derive(Debug, thiserror::Error)]
pub enum ClientDecodeError {
    /// Not JSON, or no `op` in it: 4002.
    #[error("not a gateway payload: expected a JSON object with an `op`")]
    NotAPayload(#[source] serde_json::Error),
    /// An opcode that clients do not send: 4001.
    #[error("{0} is not for clients to send")]
    WrongOpcode(Opcode),
    /// A `d` that does not fit the opcode: 4002.
    #[error("the `d` of {op} does not fit it")]
    WrongData {
        /// Of what kind it claims to be.
        op: Opcode,
        /// What did not fit.
        #[source]
        cause: serde_json::Error,
    },
}

#[derive(Serialize)]
struct Out<'a, T: ?Sized> {
    op: u8,
    d: &'a T,
}

#[derive(Deserialize)]
struct In<'a> {
    op: u8,
    #[serde(borrow, default)]
    d: Option<&'a RawValue>,
}

impl ClientPayload {
    /// Its opcode.
    #[must_use]
    pub fn op(&self) -> Opcode {
        match self {
            ClientPayload::Heartbeat(_) => Opcode::Heartbeat,
            ClientPayload::Identify(_) => Opcode::Identify,
            ClientPayload::Presence(_) => Opcode::Presence,
            ClientPayload::VoiceState(_) => Opcode::VoiceState,
            ClientPayload::VoicePing => Opcode::VoicePing,
            ClientPayload::Resume(_) => Opcode::Resume,
            ClientPayload::RequestMembers(_) => Opcode::RequestMembers,
            ClientPayload::GuildSync(_) => Opcode::GuildSync,
            ClientPayload::RequestSoundboardSounds(_) => Opcode::RequestSoundboardSounds,
            ClientPayload::RequestChannelInfo(_) => Opcode::RequestChannelInfo,
        }
    }

    /// The text to send.
    ///
    /// # Errors
    /// [`EncodeError::TooLarge`] past [`PAYLOAD_BYTES_MAX`].
    pub fn encode(&self) -> Result<String, EncodeError> {
        let op = self.op();
        let text = match self {
            ClientPayload::Heartbeat(seq) => to_text(op, seq),
            ClientPayload::Identify(d) => to_text(op, d.as_ref()),
            ClientPayload::Presence(d) => to_text(op, d),
            ClientPayload::VoiceState(d) => to_text(op, d),
            ClientPayload::VoicePing => to_text(op, &()),
            ClientPayload::Resume(d) => to_text(op, d),
            ClientPayload::RequestMembers(d) => to_text(op, d),
            ClientPayload::GuildSync(d) => to_text(op, d),
            ClientPayload::RequestSoundboardSounds(d) => to_text(op, d),
            ClientPayload::RequestChannelInfo(d) => to_text(op, d),
        }
        .map_err(|cause| EncodeError::Json { op, cause })?;
        if text.len() > PAYLOAD_BYTES_MAX {
            return Err(EncodeError::TooLarge {
                op,
                bytes: text.len(),
            });
        }
        Ok(text)
    }

    /// Reads what a client sent.
    ///
    /// # Errors
    /// See [`ClientDecodeError`], which says the close code of each.
    pub fn decode(text: &str) -> Result<ClientPayload, ClientDecodeError> {
        let frame: In<'_> = serde_json::from_str(text).map_err(ClientDecodeError::NotAPayload)?;
        let op = Opcode::from_number(frame.op);
        let d = frame.d.map_or("null", RawValue::get);
        match op {
            Opcode::Heartbeat => from_text(op, d).map(ClientPayload::Heartbeat),
            Opcode::Identify => from_text(op, d).map(ClientPayload::Identify),
            Opcode::Presence => from_text(op, d).map(ClientPayload::Presence),
            Opcode::VoiceState => from_text(op, d).map(ClientPayload::VoiceState),
            Opcode::VoicePing => Ok(ClientPayload::VoicePing),
            Opcode::Resume => from_text(op, d).map(ClientPayload::Resume),
            Opcode::RequestMembers => from_text(op, d).map(ClientPayload::RequestMembers),
            Opcode::GuildSync => from_text(op, d).map(ClientPayload::GuildSync),
            Opcode::RequestSoundboardSounds => {
                from_text(op, d).map(ClientPayload::RequestSoundboardSounds)
            }
            Opcode::RequestChannelInfo => from_text(op, d).map(ClientPayload::RequestChannelInfo),
            Opcode::Dispatch
            | Opcode::Reconnect
            | Opcode::InvalidateSession
            | Opcode::Hello
            | Opcode::HeartbeatAck
            | Opcode::Unknown(_) => Err(ClientDecodeError::WrongOpcode(op)),
        }
    }
}

fn to_text<T: Serialize + ?Sized>(op: Opcode, d: &T) -> serde_json::Result<String> {
    serde_json::to_string(&Out { op: op.number(), d })
}

fn from_text<'a, T: Deserialize<'a>>(op: Opcode, d: &'a str) -> Result<T, ClientDecodeError> {
    serde_json::from_str(d).map_err(|cause| ClientDecodeError::WrongData { op, cause })
}

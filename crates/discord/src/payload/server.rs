//! What Discord sends, as a server of its protocol writes it.
//!
//! The client does not read with these types: `decode` takes only what is needed. They are
//! the other end's half, and the typed form of answers that only operators ask for.

use guildgate_model::{GuildId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{ChannelId, Opcode};

/// One payload from Discord.
#[derive(Debug, Clone)]
pub enum ServerPayload {
    /// 0.
    Dispatch {
        /// Its place in the session.
        seq: u64,
        /// The event's name.
        name: Box<str>,
        /// The event's data.
        data: Box<RawValue>,
    },
    /// 1: the client is to send a heartbeat at once.
    Heartbeat,
    /// 7.
    Reconnect,
    /// 9.
    InvalidateSession {
        /// Whether the session may be resumed.
        resumable: bool,
    },
    /// 10.
    Hello(Hello),
    /// 11.
    HeartbeatAck,
}

/// `d` of HELLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// How often the client is to send a heartbeat, in ms.
    pub heartbeat_interval: u64,
}

/// `d` of RATE_LIMITED: a request over the gateway was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateLimited {
    /// Of what kind the request was.
    pub opcode: u8,
    /// After how many seconds it may be repeated.
    pub retry_after: f64,
    /// Which request it was.
    #[serde(default)]
    pub meta: RateLimitedMeta,
}

/// Which request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateLimitedMeta {
    /// Where.
    #[serde(default)]
    pub guild_id: Option<GuildId>,
    /// The request's nonce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Box<str>>,
}

/// `d` of VOICE_SERVER_UPDATE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoiceServerUpdate {
    /// For the voice server.
    pub token: guildgate_model::Secret,
    /// Where.
    pub guild_id: GuildId,
    /// Its address; none while there is none.
    pub endpoint: Option<Box<str>>,
}

/// `d` of VOICE_STATE_UPDATE, as far as a join or a leave goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoiceStateUpdate {
    /// Where.
    pub guild_id: Option<GuildId>,
    /// The channel; none after a leave.
    pub channel_id: Option<ChannelId>,
    /// Who.
    pub user_id: UserId,
    /// The voice session.
    pub session_id: Box<str>,
    /// Silenced by the guild.
    #[serde(default)]
    pub mute: bool,
    /// Deafened by the guild.
    #[serde(default)]
    pub deaf: bool,
    /// Silent by choice.
    #[serde(default)]
    pub self_mute: bool,
    /// Deaf by choice.
    #[serde(default)]
    pub self_deaf: bool,
}

/// `d` of SOUNDBOARD_SOUNDS: one guild's answer to opcode 31.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SoundboardSounds {
    /// Where.
    pub guild_id: GuildId,
    /// The sounds, as Discord describes them.
    pub soundboard_sounds: Vec<Box<RawValue>>,
}

/// `d` of CHANNEL_INFO: the answer to opcode 43.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelInfo {
    /// Where.
    pub guild_id: GuildId,
    /// Its voice channels with what was asked of them.
    pub channels: Vec<ChannelInfoEntry>,
}

/// One voice channel of a [`ChannelInfo`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelInfoEntry {
    /// Which.
    pub id: ChannelId,
    /// Its status line, if asked for and set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<str>>,
    /// When somebody first joined it, in s since 1970, if asked for and somebody is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice_start_time: Option<i64>,
}

/// `d` of GUILD_SYNC: the answer to opcode 12, one a guild; user accounts only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GuildSync {
    /// Where.
    pub id: GuildId,
    /// Its members, as GUILD_CREATE has them.
    #[serde(default)]
    pub members: Vec<Box<RawValue>>,
    /// Their presences, as GUILD_CREATE has them.
    #[serde(default)]
    pub presences: Vec<Box<RawValue>>,
}

#[derive(Serialize)]
struct Frame<'a, T: ?Sized> {
    t: Option<&'a str>,
    s: Option<u64>,
    op: u8,
    d: &'a T,
}

impl ServerPayload {
    /// Its opcode.
    #[must_use]
    pub fn op(&self) -> Opcode {
        match self {
            ServerPayload::Dispatch { .. } => Opcode::Dispatch,
            ServerPayload::Heartbeat => Opcode::Heartbeat,
            ServerPayload::Reconnect => Opcode::Reconnect,
            ServerPayload::InvalidateSession { .. } => Opcode::InvalidateSession,
            ServerPayload::Hello(_) => Opcode::Hello,
            ServerPayload::HeartbeatAck => Opcode::HeartbeatAck,
        }
    }

    /// The text to send, keys in Discord's order: `t`, `s`, `op`, `d`.
    #[must_use]
    pub fn encode(&self) -> String {
        let op = self.op().number();
        match self {
            ServerPayload::Dispatch { seq, name, data } => {
                frame(op, Some(*seq), Some(name), data.as_ref())
            }
            ServerPayload::Heartbeat | ServerPayload::Reconnect | ServerPayload::HeartbeatAck => {
                frame(op, None, None, &())
            }
            ServerPayload::InvalidateSession { resumable } => frame(op, None, None, resumable),
            ServerPayload::Hello(hello) => frame(op, None, None, hello),
        }
    }
}

fn frame<T: Serialize + ?Sized>(op: u8, s: Option<u64>, t: Option<&str>, d: &T) -> String {
    serde_json::to_string(&Frame { t, s, op, d })
        .expect("numbers, texts and JSON that was parsed always serialize")
}

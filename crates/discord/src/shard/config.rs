//! What a shard is told before it starts.

use std::{sync::Arc, time::Duration};

use guildgate_model::{Secret, ShardId, WantedUsers};
use serde::{Deserialize, Serialize};

use crate::{
    Compression, Intents,
    payload::{Presence, Properties},
};

/// What a shard is to be.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// Which shard.
    pub shard: ShardId,
    /// The bot's token.
    pub token: Secret,
    /// Whose GUILD_MEMBER_UPDATE is wanted; everybody's without it. It must be written to before
    /// members are asked for, and what comes out be marked by it.
    pub wanted: Option<Arc<WantedUsers>>,
    /// The gateway's URL, as `GET /gateway/bot` says it.
    pub gateway_url: Box<str>,
    /// The events to ask for.
    pub intents: Intents,
    /// What to do when privileged intents are refused.
    pub privileged: PrivilegedRefused,
    /// How Discord is to compress.
    pub compression: Compression,
    /// The presence to begin with.
    pub presence: Option<Presence>,
    /// Above so many members, a guild comes without those that are offline; 50 to 250.
    pub large_threshold: u16,
    /// What the client says it is.
    pub properties: Properties,
    /// What RECONNECT asks for.
    pub on_reconnect: OnReconnect,
    /// What a session that timed out asks for.
    pub after_timeout: AfterTimeout,
    /// Whether opcodes that are not for bots may be sent.
    pub user_opcodes: UserOpcodes,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

impl ShardConfig {
    /// A shard with the usual settings.
    #[must_use]
    pub fn new(shard: ShardId, token: Secret, gateway_url: impl Into<Box<str>>) -> ShardConfig {
        ShardConfig {
            shard,
            token,
            wanted: None,
            gateway_url: gateway_url.into(),
            intents: Intents::GATEWAY,
            privileged: PrivilegedRefused::Fail,
            compression: Compression::default(),
            presence: None,
            large_threshold: 50,
            properties: Properties {
                os: std::env::consts::OS.into(),
                browser: "guildgate".into(),
                device: "guildgate".into(),
            },
            on_reconnect: OnReconnect::default(),
            after_timeout: AfterTimeout::default(),
            user_opcodes: UserOpcodes::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// What to do when Discord refuses the privileged intents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrivilegedRefused {
    /// Stop, and say so.
    #[default]
    Fail,
    /// Say so, and go on without them.
    GoOnWithout,
}

/// What RECONNECT (op 7) asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnReconnect {
    /// Go on with the session, as Discord has it.
    #[default]
    Resume,
    /// Begin a new session, as the project's protocol text has it.
    Identify,
}

/// What close code 4009 asks for: the documents say a new session, other clients resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AfterTimeout {
    /// Begin a new session.
    #[default]
    Identify,
    /// Try to resume.
    Resume,
}

/// Whether VOICE_PING (5) and GUILD_SYNC (12), which are for user accounts, may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserOpcodes {
    /// No: Discord closes a bot's connection with 4001.
    #[default]
    Refuse,
    /// Yes: the server on the other side serves them.
    Allow,
}

/// How long to wait for what. Discord names none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the WebSocket to open.
    pub dial: Duration,
    /// For HELLO.
    pub hello: Duration,
    /// For READY, or for the next replayed event and RESUMED.
    pub ready: Duration,
    /// For the answer to a close frame.
    pub close: Duration,
    /// For what the application's settings say of privileged intents.
    pub privileges: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            dial: Duration::from_secs(10),
            hello: Duration::from_secs(20),
            ready: Duration::from_secs(60),
            close: Duration::from_secs(5),
            privileges: Duration::from_secs(30),
        }
    }
}

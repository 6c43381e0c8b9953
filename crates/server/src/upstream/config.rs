//! What the driver is told before it starts.

use std::{num::NonZeroU32, sync::Arc};

use guildgate_discord::{
    AfterTimeout, Compression, Intents, OnReconnect, PrivilegedRefused, ShardConfig, Timeouts,
    UserOpcodes, payload::Presence,
};
use guildgate_model::{Secret, ShardId, WantedUsers};

/// How to reach Discord, and as what.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// Discord's REST, without a slash at the end: `https://discord.com/api/v10`, a simulator or
    /// any compatible server, over http or https.
    pub api_url: String,
    /// The bot's token.
    pub token: Secret,
    /// The events to ask for.
    pub intents: Intents,
    /// How many shards.
    pub shards: ShardCount,
    /// How Discord is to compress.
    pub compression: Compression,
    /// The presence to begin with.
    pub presence: Option<Presence>,
    /// What RECONNECT (op 7) asks for.
    pub on_reconnect: OnReconnect,
    /// What close 4009 asks for.
    pub after_timeout: AfterTimeout,
    /// Whether opcodes 5 and 12 may be sent.
    pub user_opcodes: UserOpcodes,
    /// Whose GUILD_MEMBER_UPDATE is wanted; everybody's without it.
    pub wanted: Option<Arc<WantedUsers>>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

/// How many shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardCount {
    /// As many as Discord recommends.
    Auto,
    /// So many.
    Fixed(NonZeroU32),
}

impl UpstreamConfig {
    /// The usual settings.
    #[must_use]
    pub fn new(api_url: impl Into<String>, token: Secret) -> UpstreamConfig {
        UpstreamConfig {
            api_url: api_url.into(),
            token,
            intents: Intents::GATEWAY,
            shards: ShardCount::Auto,
            compression: Compression::default(),
            presence: None,
            on_reconnect: OnReconnect::default(),
            after_timeout: AfterTimeout::default(),
            user_opcodes: UserOpcodes::default(),
            wanted: None,
            timeouts: Timeouts::default(),
        }
    }

    pub(super) fn of_shard(&self, shard: ShardId, gateway_url: &str) -> ShardConfig {
        let mut config = ShardConfig::new(shard, self.token.clone(), gateway_url);
        config.intents = self.intents;
        config.privileged = PrivilegedRefused::GoOnWithout;
        config.compression = self.compression;
        config.presence = self.presence.clone();
        config.on_reconnect = self.on_reconnect;
        config.after_timeout = self.after_timeout;
        config.user_opcodes = self.user_opcodes;
        config.wanted = self.wanted.clone();
        config.timeouts = self.timeouts;
        config
    }
}

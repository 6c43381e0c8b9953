//! Why Discord's side cannot go on, what a person can do about it, and the process's exit code.

use guildgate_discord::{CommandError, Refusal};

/// Discord refuses us for good. Dialling again would fail the same way, so nobody does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// 4004, or 401 over REST.
    #[error(
        "Discord refuses the bot's token: copy it anew from the application's Bot page \
         (https://discord.com/developers/applications) into discord.token or DISCORD_TOKEN"
    )]
    TokenRefused,
    /// It is no value for a header of HTTP. A configuration that was loaded has none such.
    #[error(
        "the bot's token cannot be sent to Discord, for it holds line breaks or letters that are \
         not ASCII: copy it anew from the application's Bot page \
         (https://discord.com/developers/applications) into discord.token or DISCORD_TOKEN"
    )]
    TokenUnsendable,
    /// 4014, after what could be done without was left out.
    #[error(
        "Discord refuses the privileged intents asked for: switch them on under \"Privileged \
         Gateway Intents\" on the application's Bot page, or take them out of discord.intents"
    )]
    IntentsDisallowed,
    /// 4013.
    #[error("Discord does not know some of the intents in discord.intents: take them out")]
    IntentsInvalid,
    /// 4010.
    #[error(
        "Discord refuses this number of shards: set discord.shards = \"auto\", or to a multiple \
         of what Discord recommends"
    )]
    ShardsRefused,
    /// 4011.
    #[error(
        "the bot is in too many guilds for so few shards: set discord.shards = \"auto\", or to a \
         higher number"
    )]
    ShardingRequired,
    /// 4012.
    #[error("Discord no longer serves version 10 of its gateway: update guildgate")]
    ApiVersion,
    /// The API's address cannot be used.
    #[error(
        "discord.api_url is {url:?}, which is no address to send requests to: expected something \
         like https://discord.com/api/v10"
    )]
    ApiUrl {
        /// What it is.
        url: String,
    },
    /// What we needed to start is not there.
    #[error("TLS cannot be set up for Discord: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
}

impl UpstreamError {
    /// The process's exit code, one for each kind.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            UpstreamError::TokenRefused | UpstreamError::TokenUnsendable => 64,
            UpstreamError::IntentsDisallowed => 65,
            UpstreamError::IntentsInvalid => 66,
            UpstreamError::ShardsRefused => 67,
            UpstreamError::ShardingRequired => 68,
            UpstreamError::ApiVersion => 69,
            UpstreamError::ApiUrl { .. } => 70,
            UpstreamError::Tls { .. } => 71,
        }
    }
}

impl From<Refusal> for UpstreamError {
    fn from(refusal: Refusal) -> UpstreamError {
        match refusal {
            Refusal::Token => UpstreamError::TokenRefused,
            Refusal::Shard => UpstreamError::ShardsRefused,
            Refusal::ShardingRequired => UpstreamError::ShardingRequired,
            Refusal::ApiVersion => UpstreamError::ApiVersion,
            Refusal::InvalidIntents => UpstreamError::IntentsInvalid,
            Refusal::DisallowedIntents => UpstreamError::IntentsDisallowed,
        }
    }
}

/// Why a command did not reach a shard.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The shards are not known yet.
    #[error("Discord's side has not come up yet: try again in a moment")]
    NotReady,
    /// The shard has much to do.
    #[error("the shard has too much to do: try again in a moment")]
    Busy,
    /// There is no such shard.
    #[error("there is no shard {0}: `guildgate_discord_shards` says how many there are")]
    NoSuchShard(u32),
    /// The shard refused it.
    #[error(transparent)]
    Refused(#[from] CommandError),
    /// The shard has stopped.
    #[error("Discord's side has stopped")]
    Stopped,
}

//! `/api/v1/discord/…`: what an operator has the bot's shards send.

use async_trait::async_trait;
use axum::extract::State;
use guildgate_discord::payload::{
    Presence, RequestChannelInfo, RequestMembers, RequestSoundboardSounds, VoiceState,
};
use guildgate_model::GuildId;
use http::StatusCode;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    extract::{Admin, Json},
};
use crate::{
    problem::{Problem, ProblemKind},
    upstream::{SendError, UpstreamHandle},
};

/// Something to be sent to Discord.
#[derive(Debug, Clone, PartialEq)]
pub enum OperatorCommand {
    /// Opcode 3, on every shard.
    Presence(Presence),
    /// Opcode 4.
    VoiceState(VoiceState),
    /// Opcode 8.
    RequestMembers(RequestMembers),
    /// Opcode 31.
    SoundboardSounds(RequestSoundboardSounds),
    /// Opcode 43.
    ChannelInfo(RequestChannelInfo),
    /// Opcode 5, on this shard.
    VoicePing(u32),
    /// Opcode 12.
    GuildSync(Vec<GuildId>),
}

/// Discord's side, as far as an operator may command it.
#[async_trait]
pub trait DiscordPort: Send + Sync {
    /// Has a command sent; answers once it waits for its turn.
    ///
    /// # Errors
    /// [`SendError`] says why it was not taken.
    async fn send(&self, command: OperatorCommand) -> Result<(), SendError>;
}

#[async_trait]
impl DiscordPort for UpstreamHandle {
    async fn send(&self, command: OperatorCommand) -> Result<(), SendError> {
        match command {
            OperatorCommand::Presence(presence) => self.presence(presence).await,
            OperatorCommand::VoiceState(voice) => self.voice_state(voice).await,
            OperatorCommand::RequestMembers(request) => self.request_members(request).await,
            OperatorCommand::SoundboardSounds(request) => {
                self.request_soundboard_sounds(request).await
            }
            OperatorCommand::ChannelInfo(request) => self.request_channel_info(request).await,
            OperatorCommand::VoicePing(shard) => self.voice_ping(shard).await,
            OperatorCommand::GuildSync(guilds) => self.guild_sync(guilds).await,
        }
    }
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Problem {
        let kind = match &error {
            SendError::NotReady | SendError::Busy | SendError::Stopped => ProblemKind::Unavailable,
            SendError::NoSuchShard(_) => ProblemKind::NotFound,
            SendError::Refused(_) => ProblemKind::Unprocessable,
        };
        Problem::new(kind, error.to_string())
    }
}

/// Every route here.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(presence))
        .routes(routes!(voice_state))
        .routes(routes!(request_members))
        .routes(routes!(soundboard_sounds))
        .routes(routes!(channel_info))
        .routes(routes!(voice_ping))
        .routes(routes!(guild_sync))
}

async fn send(api: &Api, command: OperatorCommand) -> Result<StatusCode, Problem> {
    api.discord.send(command).await?;
    Ok(StatusCode::ACCEPTED)
}

macro_rules! operator_command {
    ($(#[doc = $doc:literal])+ $name:ident, $path:literal, $body:ty, $about:literal, $command:expr
        $(, missing: $missing:literal)?) => {
        $(#[doc = $doc])+
        #[utoipa::path(
            post,
            path = $path,
            tag = "discord",
            security(("admin_key" = [])),
            request_body(content = Object, description = $about),
            responses(
                (status = 202, description = "It waits for its turn"),
                (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
                (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
                $((status = 404, description = $missing, body = Problem, content_type = "application/problem+json"),)?
                (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
                (status = 415, description = "Not said to be JSON", body = Problem, content_type = "application/problem+json"),
                (status = 422, description = "Not what Discord would take", body = Problem, content_type = "application/problem+json"),
                (status = 503, description = "Discord's side is not up, or has too much to do", body = Problem, content_type = "application/problem+json"),
            )
        )]
        async fn $name(
            _: Admin,
            State(api): State<Api>,
            Json(body): Json<$body>,
        ) -> Result<StatusCode, Problem> {
            let command: fn($body) -> OperatorCommand = $command;
            send(&api, command(body)).await
        }
    };
}

operator_command!(
    /// Show the bot otherwise (op 3)
    presence, "/api/v1/discord/presence", Presence,
    "`status` (`online`, `idle`, `dnd`, `invisible`), `activities` (`[{name, type}]`), `since` (ms or null), `afk`",
    OperatorCommand::Presence
);

operator_command!(
    /// Join, move in or leave a voice channel (op 4)
    voice_state, "/api/v1/discord/voice-state", VoiceState,
    "`guild_id`, `channel_id` (null leaves), `self_mute`, `self_deaf`",
    OperatorCommand::VoiceState
);

operator_command!(
    /// Ask for members of a guild (op 8)
    request_members, "/api/v1/discord/request-members", RequestMembers,
    "`guild_id`, and `query` with `limit`, or `user_ids`; `presences`, `nonce`",
    OperatorCommand::RequestMembers
);

operator_command!(
    /// Ask for soundboards (op 31)
    soundboard_sounds, "/api/v1/discord/soundboard-sounds", RequestSoundboardSounds,
    "`guild_ids`",
    OperatorCommand::SoundboardSounds
);

operator_command!(
    /// Ask for the voice channels of a guild (op 43)
    channel_info, "/api/v1/discord/channel-info", RequestChannelInfo,
    "`guild_id`, `fields` (`status`, `voice_start_time`)",
    OperatorCommand::ChannelInfo
);

operator_command!(
    /// Ping a voice server (op 5)
    ///
    /// For user accounts alone; refused unless `discord.user_opcodes` is `allow`.
    voice_ping, "/api/v1/discord/voice-ping", VoicePing,
    "`shard`, the number of the shard to send it on",
    |ping| OperatorCommand::VoicePing(ping.shard),
    missing: "No such shard"
);

operator_command!(
    /// Ask for whole guilds (op 12)
    ///
    /// For user accounts alone; refused unless `discord.user_opcodes` is `allow`.
    guild_sync, "/api/v1/discord/guild-sync", GuildSync,
    "`guild_ids`",
    |sync| OperatorCommand::GuildSync(sync.guild_ids)
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VoicePing {
    shard: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GuildSync {
    guild_ids: Vec<GuildId>,
}

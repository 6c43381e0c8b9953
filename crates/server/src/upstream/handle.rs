//! How the rest of the gateway talks to Discord.

use std::sync::{Arc, OnceLock};

use guildgate_discord::{
    Command, CommandError,
    payload::{Presence, RequestChannelInfo, RequestMembers, RequestSoundboardSounds, VoiceState},
};
use guildgate_model::{GuildId, ShardId, UserId};
use tokio::sync::{mpsc, oneshot};

use super::SendError;

/// The most commands that may wait for one shard's task.
pub(super) const COMMANDS_MAX: usize = 4096;

/// What a shard's task is asked for.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) command: Command,
    /// Told how it went, if anybody waits.
    pub(super) reply: Option<oneshot::Sender<Result<(), CommandError>>>,
}

/// Sends commands to the shards. Cheap to clone; usable from any thread.
#[derive(Debug, Clone, Default)]
pub struct UpstreamHandle {
    shards: Arc<OnceLock<Vec<mpsc::Sender<Request>>>>,
}

impl UpstreamHandle {
    pub(super) fn set(&self, shards: Vec<mpsc::Sender<Request>>) {
        // Only the supervisor sets them, once.
        let _ = self.shards.set(shards);
    }

    /// How many shards there are, once that is known.
    #[must_use]
    pub fn shard_count(&self) -> Option<u32> {
        let shards = self.shards.get()?;
        Some(u32::try_from(shards.len()).unwrap_or(u32::MAX))
    }

    /// Which shard serves a guild, once that is known.
    #[must_use]
    pub fn shard_of(&self, guild: GuildId) -> Option<ShardId> {
        let count = self.shard_count()?.max(1);
        let id = u32::try_from((guild.0 >> 22) % u64::from(count)).unwrap_or(0);
        Some(ShardId { id, count })
    }

    /// Wants these members, together with others of the guild; the answer comes as an event.
    /// Does not wait.
    ///
    /// # Errors
    /// [`SendError`]; the members are not asked for then.
    pub fn want_members(&self, guild: GuildId, users: Vec<UserId>) -> Result<(), SendError> {
        self.want(guild, Command::WantMembers { guild, users })
    }

    /// Wants all members of a guild; the answer comes as events. Does not wait.
    ///
    /// # Errors
    /// [`SendError`]; they are not asked for then.
    pub fn want_everybody(&self, guild: GuildId) -> Result<(), SendError> {
        self.want(
            guild,
            Command::RequestMembers(RequestMembers::everyone(guild)),
        )
    }

    fn want(&self, guild: GuildId, command: Command) -> Result<(), SendError> {
        let request = Request {
            command,
            reply: None,
        };
        self.shard_for(guild)?
            .try_send(request)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => SendError::Busy,
                mpsc::error::TrySendError::Closed(_) => SendError::Stopped,
            })
    }

    /// Shows the bot otherwise, on every shard.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn presence(&self, presence: Presence) -> Result<(), SendError> {
        for shard in self.shards.get().ok_or(SendError::NotReady)? {
            ask(shard, Command::Presence(presence.clone())).await?;
        }
        Ok(())
    }

    /// Joins, moves in or leaves a voice channel.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn voice_state(&self, voice: VoiceState) -> Result<(), SendError> {
        let shard = self.shard_for(voice.guild_id)?;
        ask(shard, Command::VoiceState(voice)).await
    }

    /// Asks for members as the request stands; the answer comes as events.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn request_members(&self, request: RequestMembers) -> Result<(), SendError> {
        let shard = self.shard_for(request.guild_id)?;
        ask(shard, Command::RequestMembers(request)).await
    }

    /// Asks for soundboards (op 31), each guild's on its own shard.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn request_soundboard_sounds(
        &self,
        request: RequestSoundboardSounds,
    ) -> Result<(), SendError> {
        for guild in request.guild_ids {
            let request = RequestSoundboardSounds {
                guild_ids: vec![guild],
            };
            ask(
                self.shard_for(guild)?,
                Command::RequestSoundboardSounds(request),
            )
            .await?;
        }
        Ok(())
    }

    /// Asks for the voice channels' status of a guild (op 43).
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn request_channel_info(&self, request: RequestChannelInfo) -> Result<(), SendError> {
        let shard = self.shard_for(request.guild_id)?;
        ask(shard, Command::RequestChannelInfo(request)).await
    }

    /// Pings a voice server (op 5) through one shard.
    ///
    /// # Errors
    /// [`SendError::Refused`] unless the configuration allows it.
    pub async fn voice_ping(&self, shard: u32) -> Result<(), SendError> {
        ask(self.numbered(shard)?, Command::VoicePing).await
    }

    /// Asks for whole guilds (op 12), each on its own shard.
    ///
    /// # Errors
    /// [`SendError::Refused`] unless the configuration allows it.
    pub async fn guild_sync(&self, guilds: Vec<GuildId>) -> Result<(), SendError> {
        for guild in guilds {
            ask(self.shard_for(guild)?, Command::GuildSync(vec![guild])).await?;
        }
        Ok(())
    }

    fn shard_for(&self, guild: GuildId) -> Result<&mpsc::Sender<Request>, SendError> {
        let shard = self.shard_of(guild).ok_or(SendError::NotReady)?;
        self.numbered(shard.id)
    }

    fn numbered(&self, id: u32) -> Result<&mpsc::Sender<Request>, SendError> {
        let shards = self.shards.get().ok_or(SendError::NotReady)?;
        usize::try_from(id)
            .ok()
            .and_then(|index| shards.get(index))
            .ok_or(SendError::NoSuchShard(id))
    }
}

async fn ask(shard: &mpsc::Sender<Request>, command: Command) -> Result<(), SendError> {
    let (reply, answer) = oneshot::channel();
    let request = Request {
        command,
        reply: Some(reply),
    };
    shard.send(request).await.map_err(|_| SendError::Stopped)?;
    answer.await.map_err(|_| SendError::Stopped)??;
    Ok(())
}

//! What Discord's side needs to come back after a restart, and its budget.

use std::time::Duration;

use async_trait::async_trait;
use guildgate_model::{ShardId, TokenHash, UnixMs};

use crate::StoreError;

/// A shard's session, as it was when it was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardSession {
    /// Which shard.
    pub shard: ShardId,
    /// Opaque to the store.
    pub data: Vec<u8>,
    /// When.
    pub saved_at: UnixMs,
}

/// What was known of a shard's guilds, as it was when it was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Opaque to the store; in the order in which they were given.
    pub chunks: Vec<Vec<u8>>,
    /// When.
    pub saved_at: UnixMs,
}

/// How many identifies a bot may make.
///
/// Source: Discord, "Gateway: Identifying" (1,000 in 24 hours; past it the token is reset).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentifyLimit {
    /// At most so many...
    pub max: u32,
    /// ...in any stretch of this length.
    pub window: Duration,
}

/// An identify may be sent, and has been counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentifyPermit {
    /// How many more are left just now.
    pub remaining: u32,
}

/// The budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bot's identifies are used up until {} (Unix ms)", retry_at.0)]
pub struct IdentifyRefused {
    /// When the next one will be free.
    pub retry_at: UnixMs,
}

/// What Discord's side needs to come back after a restart, and its budget.
#[async_trait]
pub trait DiscordState: Send + Sync {
    /// Keeps a shard's session in place of the one before.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn save_shard_session(&self, session: ShardSession) -> Result<(), StoreError>;

    /// Every session that is kept, by shard.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn load_shard_sessions(&self) -> Result<Vec<ShardSession>, StoreError>;

    /// Forgets a shard's session: it was invalidated.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn forget_shard_session(&self, shard: ShardId) -> Result<(), StoreError>;

    /// Keeps what is known of a shard's guilds, in place of what was kept before; all or nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn save_snapshot(&self, shard: ShardId, snapshot: Snapshot) -> Result<(), StoreError>;

    /// What was kept of a shard's guilds.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn load_snapshot(&self, shard: ShardId) -> Result<Option<Snapshot>, StoreError>;

    /// Takes one identify out of a bot's budget, before it is sent. Counted for good, so that
    /// neither a crash loop nor two processes can send more than `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed: then none may be sent. A spent budget is
    /// `Ok(Err(_))`.
    async fn reserve_identify(
        &self,
        bot: TokenHash,
        limit: IdentifyLimit,
        now: UnixMs,
    ) -> Result<Result<IdentifyPermit, IdentifyRefused>, StoreError>;
}

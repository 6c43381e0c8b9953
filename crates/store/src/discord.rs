//! What Discord's side needs to come back after a restart, and its budget.

use std::time::Duration;

use async_trait::async_trait;
use guildgate_model::{ShardId, TokenHash, UnixMs};

use crate::StoreError;

/// A shard as one process leaves it to the next: its session, and what was known of its guilds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptShard {
    /// Which shard.
    pub shard: ShardId,
    /// What the session is resumed by; opaque to the store.
    pub session: Vec<u8>,
    /// Its guilds; opaque to the store, in the order in which they were given.
    pub guilds: Vec<Vec<u8>>,
    /// When it was left.
    pub saved_at: UnixMs,
}

/// How many identifies a bot may make, and how fast.
///
/// Source: Discord, "Gateway: Identifying" (1,000 in 24 hours; past it the token is reset) and
/// "Gateway: Rate Limiting", `max_concurrency` (one a bucket and 5 s).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentifyLimit {
    /// At most so many...
    pub max: u32,
    /// ...in any stretch of this length.
    pub window: Duration,
    /// How long a bucket is closed after each.
    pub spacing: Duration,
}

impl IdentifyLimit {
    /// How far apart any two identifies of the bot must be once `used` were made in the window.
    ///
    /// The first half may be used as fast as the buckets allow, so that a large bot starts at
    /// once. After that what is left is spread over a whole window: a process that crashes and
    /// starts again all day takes less than nine tenths of the budget, and whoever mends it
    /// can still start it.
    #[must_use]
    pub fn slowed(&self, used: u32) -> Duration {
        let left = self.max.saturating_sub(used);
        if used < self.max / 2 || left == 0 {
            Duration::ZERO
        } else {
            self.window / left
        }
    }
}

/// An identify may be sent, and has been counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentifyPermit {
    /// How many more are left just now.
    pub remaining: u32,
}

/// No identify may be sent now; none was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bot may not identify before {} (Unix ms): {why}", retry_at.0)]
pub struct IdentifyRefused {
    /// When to ask again.
    pub retry_at: UnixMs,
    /// Why not.
    pub why: WhyNotIdentify,
}

/// Why no identify may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyNotIdentify {
    /// Its bucket was used a moment ago, perhaps by another process.
    #[error("another identify was sent a moment ago")]
    Spacing,
    /// So many were made that the rest is spread out.
    #[error("more than half of the day's identifies are used, and the rest is spread out")]
    Slowed,
    /// The budget is spent.
    #[error("the day's identifies are used up")]
    Spent,
}

/// What Discord's side needs to come back after a restart, and its budget.
#[async_trait]
pub trait DiscordState: Send + Sync {
    /// Keeps a shard of the bot whose token has this hash, in place of what was kept of it
    /// before; all or nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn keep_shard(&self, bot: TokenHash, kept: KeptShard) -> Result<(), StoreError>;

    /// Hands out, by shard, what was kept of this bot at `since` or later, and forgets it: of
    /// two processes that ask at once, one gets it. What is older is forgotten too, whichever
    /// bot's it is.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn take_shards(
        &self,
        bot: TokenHash,
        since: UnixMs,
    ) -> Result<Vec<KeptShard>, StoreError>;

    /// Takes one identify of a bucket out of a bot's budget, before it is sent. Counted for
    /// good, so that neither a crash loop nor two processes can send more or faster than
    /// `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed: then none may be sent. That it is not its time
    /// is `Ok(Err(_))`.
    async fn reserve_identify(
        &self,
        bot: TokenHash,
        bucket: u32,
        limit: IdentifyLimit,
        now: UnixMs,
    ) -> Result<Result<IdentifyPermit, IdentifyRefused>, StoreError>;
}

//! What one process leaves to the next: Discord's sessions, and the guilds as they were.
//!
//! What is found is forgotten at once: a process that is killed leaves nothing behind, and the
//! next begins anew rather than from a state of long ago.

use guildgate_discord::ShardSession;
use guildgate_model::{ShardId, TokenHash, UnixMs};
use guildgate_store::{KeptShard, Store, StoreError};

use crate::hub_thread::{HubHandle, Snapshot};

/// How old a session may be. Discord keeps them for some minutes, and says so if it does not.
const KEPT_FOR_MS: i64 = 5 * 60 * 1000;

/// What an earlier process left.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) sessions: Vec<ShardSession>,
    pub(super) snapshots: Vec<Snapshot>,
}

/// Takes what an earlier process of the same bot left, if it is not too old. Another token is
/// another bot: Discord ended its sessions when it gave out the new one.
///
/// # Errors
/// [`StoreError`] if the database failed.
pub(super) async fn take(
    store: &dyn Store,
    bot: TokenHash,
    now: UnixMs,
) -> Result<Left, StoreError> {
    let mut left = Left::default();
    let since = UnixMs(now.0.saturating_sub(KEPT_FOR_MS));
    for kept in store.take_shards(bot, since).await? {
        let Ok(session) = serde_json::from_slice(&kept.session) else {
            tracing::warn!(shard = %kept.shard, "the last process's session cannot be read");
            continue;
        };
        left.sessions.push(session);
        left.snapshots.push(Snapshot {
            chunks: kept.guilds,
            saved_at: kept.saved_at,
        });
    }
    if !left.sessions.is_empty() {
        let shards = left.sessions.len();
        tracing::info!(shards, "going on with the last process's sessions");
    }
    Ok(left)
}

/// Leaves the sessions and their guilds to the next process.
///
/// # Errors
/// [`StoreError`] if the database failed: the next process begins anew then.
pub(super) async fn leave(
    store: &dyn Store,
    bot: TokenHash,
    hub: &HubHandle,
    sessions: Vec<ShardSession>,
    now: UnixMs,
) -> Result<(), StoreError> {
    for session in sessions {
        let shard = ShardId::from(session.shard);
        // A session may be older than the guilds it is resumed into, for events that come twice
        // do no harm, but never newer: it was taken before they are.
        let Ok(guilds) = hub.export(shard).await else {
            return Ok(());
        };
        let kept = KeptShard {
            shard,
            session: serde_json::to_vec(&session).expect("a session is plain JSON"),
            guilds,
            saved_at: now,
        };
        store.keep_shard(bot, kept).await?;
    }
    Ok(())
}

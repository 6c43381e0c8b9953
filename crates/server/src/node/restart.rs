//! What one process leaves to the next: Discord's sessions, and the guilds as they were.
//!
//! What is found is forgotten at once: a process that is killed leaves nothing behind, and the
//! next begins anew rather than from a state of long ago.

use std::time::Duration;

use guildgate_discord::ShardSession;
use guildgate_model::{ShardId, UnixMs};
use guildgate_store::{ShardSession as Kept, Snapshot, Store, StoreError};

use crate::hub_thread::HubHandle;

/// How old a session may be. Discord keeps them for some minutes, and says so if it does not.
const KEPT_FOR: Duration = Duration::from_secs(5 * 60);

/// What an earlier process left.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) sessions: Vec<ShardSession>,
    pub(super) snapshots: Vec<Snapshot>,
}

/// Takes what an earlier process left, if it is not too old.
///
/// # Errors
/// [`StoreError`] if the database failed.
pub(super) async fn take(store: &dyn Store, now: UnixMs) -> Result<Left, StoreError> {
    let mut left = Left::default();
    for kept in store.load_shard_sessions().await? {
        store.forget_shard_session(kept.shard).await?;
        if now.since(kept.saved_at) > KEPT_FOR {
            continue;
        }
        let Ok(session) = serde_json::from_slice(&kept.data) else {
            tracing::warn!(shard = %kept.shard, "the last process's session cannot be read");
            continue;
        };
        // A session without its guilds would be resumed into a hub that knows none.
        if let Some(snapshot) = store.load_snapshot(kept.shard).await? {
            left.sessions.push(session);
            left.snapshots.push(snapshot);
        }
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
    hub: &HubHandle,
    sessions: Vec<ShardSession>,
    now: UnixMs,
) -> Result<(), StoreError> {
    for session in sessions {
        let shard = ShardId::from(session.shard);
        let Ok(chunks) = hub.export(shard).await else {
            return Ok(());
        };
        // The guilds first: a session may be older than what it is resumed into, for events that
        // come twice do no harm, but never newer.
        let saved_at = now;
        store
            .save_snapshot(shard, Snapshot { chunks, saved_at })
            .await?;
        let data = serde_json::to_vec(&session).expect("a session is plain JSON");
        store
            .save_shard_session(Kept {
                shard,
                data,
                saved_at,
            })
            .await?;
    }
    Ok(())
}

//! What one process leaves to the next: Discord's sessions, the guilds as they were, and the
//! sessions of clients.
//!
//! What is found is forgotten at once: a process that is killed leaves nothing behind, and the
//! next begins anew rather than from a state of long ago.

use std::time::Duration;

use guildgate_core::client::SavedSession;
use guildgate_discord::ShardSession;
use guildgate_model::{ShardId, TokenHash, UnixMs};
use guildgate_store::{KeptShard, Store, StoreError};

use crate::hub_thread::{HubHandle, Snapshot};

/// How old a session may be. Discord keeps them for some minutes, and says so if it does not.
const KEPT_FOR_MS: i64 = 5 * 60 * 1000;

/// How many clients' sessions go into one chunk.
const CLIENTS_PER_CHUNK: usize = 256;

/// How much is written down of all clients' sessions. 100,000 that have nothing to be told again
/// take 20 MB.
const CLIENTS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What an earlier process left.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) sessions: Vec<ShardSession>,
    pub(super) snapshots: Vec<Snapshot>,
    pub(super) clients: Vec<SavedSession>,
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
    resume_window: Duration,
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
    let window = i64::try_from(resume_window.as_millis()).unwrap_or(i64::MAX);
    let since = UnixMs(now.0.saturating_sub(window));
    // Taken in any case, for nobody may find them later.
    let chunks = store.take_sessions(since).await?;
    if !left.sessions.is_empty() {
        // Without the guilds nobody can tell the clients what they missed there.
        left.clients = read_clients(&chunks);
        let (shards, clients) = (left.sessions.len(), left.clients.len());
        tracing::info!(shards, clients, "going on with the last process's sessions");
    }
    Ok(left)
}

fn read_clients(chunks: &[Vec<u8>]) -> Vec<SavedSession> {
    let mut clients: Vec<SavedSession> = Vec::new();
    for chunk in chunks {
        match serde_json::from_slice::<Vec<SavedSession>>(chunk) {
            Ok(sessions) => clients.extend(sessions),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "some of the last process's clients' sessions cannot be read; they begin anew"
            ),
        }
    }
    clients
}

/// Leaves the clients' sessions to the next process, as many as [`CLIENTS_BYTES_MAX`] allows.
///
/// # Errors
/// [`StoreError`] if the database failed: clients begin new sessions then.
pub(super) async fn leave_clients(
    store: &dyn Store,
    clients: &[SavedSession],
    now: UnixMs,
) -> Result<(), StoreError> {
    let (chunks, kept) = write_clients(clients, CLIENTS_BYTES_MAX);
    if kept < clients.len() {
        let left_out = clients.len() - kept;
        tracing::warn!(
            left_out,
            "too much is kept for some clients; they begin anew"
        );
    }
    if chunks.is_empty() {
        return Ok(());
    }
    store.keep_sessions(chunks, now).await
}

/// Chunks of moderate size, and how many sessions are in them.
fn write_clients(clients: &[SavedSession], bytes_max: usize) -> (Vec<Vec<u8>>, usize) {
    let (mut chunks, mut kept, mut bytes) = (Vec::new(), 0, 0);
    for sessions in clients.chunks(CLIENTS_PER_CHUNK) {
        let chunk = serde_json::to_vec(sessions).expect("sessions are plain JSON");
        bytes += chunk.len();
        if bytes > bytes_max {
            break;
        }
        kept += sessions.len();
        chunks.push(chunk);
    }
    (chunks, kept)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sessions(number: usize) -> Vec<SavedSession> {
        let session = json!({
            "edge": 0,
            "random": vec![7; 15],
            "user": "5",
            "token": "6",
            "guild": null,
            "notices": { "unproved": [], "named": [], "acknowledged": [] },
            "outbox": { "floor": 0, "last": 1, "events": [[1, "text", null]] },
        });
        let session: SavedSession = serde_json::from_value(session).expect("a session");
        vec![session; number]
    }

    #[test]
    fn sessions_go_in_chunks_and_come_back() {
        let all = sessions(2 * CLIENTS_PER_CHUNK + 1);
        let (mut chunks, kept) = write_clients(&all, CLIENTS_BYTES_MAX);
        assert_eq!((chunks.len(), kept), (3, all.len()));
        assert_eq!(read_clients(&chunks), all);
        chunks[1] = b"not what was written".to_vec();
        assert_eq!(
            read_clients(&chunks).len(),
            CLIENTS_PER_CHUNK + 1,
            "the others are good"
        );
    }

    #[test]
    fn what_is_written_down_is_bounded() {
        let all = sessions(3 * CLIENTS_PER_CHUNK);
        let (chunks, _) = write_clients(&all, CLIENTS_BYTES_MAX);
        let room = chunks[0].len() * 2;
        let (chunks, kept) = write_clients(&all, room);
        assert_eq!((chunks.len(), kept), (2, 2 * CLIENTS_PER_CHUNK));
        assert_eq!(write_clients(&[], room), (vec![], 0));
    }
}

//! What one process leaves to the next: Discord's sessions, the guilds as they were, and the
//! sessions of clients, with the place in the store's feed up to which they have heard it.
//!
//! What is found is forgotten at once: a process that is killed leaves nothing behind, and the
//! next begins anew rather than from a state of long ago.

use std::time::Duration;

use guildgate_core::client::SavedSession;
use guildgate_discord::ShardSession;
use guildgate_model::{ShardId, TokenHash, UnixMs};
use guildgate_store::{Cursor, KeptShard, Store, StoreError};
use serde::{Deserialize, Serialize};

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
    /// Up to where the clients have heard the feed; none without clients, and none of an earlier
    /// version, which did not write it down.
    pub(super) feed: Option<Cursor>,
}

/// A chunk beside those of the sessions, which are arrays: up to where they have heard the feed.
#[derive(Debug, Serialize, Deserialize)]
struct Heard {
    feed: u64,
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
        (left.clients, left.feed) = read_clients(&chunks);
        if left.clients.is_empty() {
            left.feed = None;
        }
        if let Some(cursor) = left.feed
            && is_purged_after(store, cursor).await?
        {
            // A submission that nobody can tell of any more is in no snapshot of a guild.
            tracing::warn!(
                "the feed does not reach back to where the last process read it; \
                 its clients' sessions begin anew"
            );
            (left.clients, left.feed) = (Vec::new(), None);
        }
        let (shards, clients) = (left.sessions.len(), left.clients.len());
        tracing::info!(shards, clients, "going on with the last process's sessions");
    }
    Ok(left)
}

/// Whether some of what comes after `cursor` is in the feed no more.
async fn is_purged_after(store: &dyn Store, cursor: Cursor) -> Result<bool, StoreError> {
    match store.changes_after(cursor, 1).await {
        Ok(_) => Ok(false),
        Err(StoreError::FeedBehind { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// The sessions, and up to where they have heard the feed. Of several processes' the lowest
/// place: some may hear a thing twice then, but nobody misses one.
fn read_clients(chunks: &[Vec<u8>]) -> (Vec<SavedSession>, Option<Cursor>) {
    let mut clients: Vec<SavedSession> = Vec::new();
    let mut heard: Option<Cursor> = None;
    for chunk in chunks {
        if let Ok(Heard { feed }) = serde_json::from_slice(chunk) {
            heard = Some(heard.map_or(Cursor(feed), |lowest| lowest.min(Cursor(feed))));
            continue;
        }
        match serde_json::from_slice::<Vec<SavedSession>>(chunk) {
            Ok(sessions) => clients.extend(sessions),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "some of the last process's clients' sessions cannot be read; they begin anew"
            ),
        }
    }
    (clients, heard)
}

/// Leaves the clients' sessions to the next process, as many as [`CLIENTS_BYTES_MAX`] allows, and
/// `heard`, up to where they have heard the feed.
///
/// # Errors
/// [`StoreError`] if the database failed: clients begin new sessions then.
pub(super) async fn leave_clients(
    store: &dyn Store,
    clients: &[SavedSession],
    heard: Cursor,
    now: UnixMs,
) -> Result<(), StoreError> {
    let (mut chunks, kept) = write_clients(clients, CLIENTS_BYTES_MAX);
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
    let heard = Heard { feed: heard.0 };
    chunks.push(serde_json::to_vec(&heard).expect("a number is plain JSON"));
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
    use guildgate_model::{Decision, GuildId, UserId};
    use guildgate_store::{Feed, KeptSessions, NewNotification, SqliteStore};
    use serde_json::json;

    use super::*;

    const BOT: TokenHash = TokenHash([7; 32]);
    const NOW: UnixMs = UnixMs(1_767_225_600_000);
    const WINDOW: Duration = Duration::from_secs(120);

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
        assert_eq!(read_clients(&chunks), (all, None));
        chunks[1] = b"not what was written".to_vec();
        assert_eq!(
            read_clients(&chunks).0.len(),
            CLIENTS_PER_CHUNK + 1,
            "the others are good"
        );
    }

    async fn store() -> SqliteStore {
        SqliteStore::open_temporary().await.expect("a database")
    }

    /// Puts something in the feed.
    async fn change(store: &dyn Store) -> Cursor {
        let new = NewNotification {
            user: UserId(5),
            decision: Decision::Accepted,
            guild: GuildId(6),
            application: None,
            note: None,
        };
        let added = store.add_notification(new, NOW).await;
        added.expect("a database");
        store.head().await.expect("a database")
    }

    /// What a process finds for `clients`, of which Discord's session was kept.
    async fn left(store: &dyn Store) -> Left {
        let session = json!({
            "shard": {"id": 0, "count": 1},
            "session_id": "discord's",
            "resume_url": null,
            "seq": 1,
            "intents": 1,
        });
        let kept = KeptShard {
            shard: ShardId { id: 0, count: 1 },
            session: session.to_string().into_bytes(),
            guilds: Vec::new(),
            saved_at: NOW,
        };
        store.keep_shard(BOT, kept).await.expect("a database");
        take(store, BOT, NOW, WINDOW).await.expect("a database")
    }

    #[tokio::test]
    async fn with_the_sessions_goes_up_to_where_they_have_heard_the_feed() {
        let store = store().await;
        let heard = change(&store).await;
        let missed = change(&store).await;
        for heard in [missed, heard] {
            let left = leave_clients(&store, &sessions(1), heard, NOW).await;
            left.expect("a database");
        }
        let found = left(&store).await;
        assert_eq!((found.clients.len(), found.feed), (2, Some(heard)));
        let again = left(&store).await;
        assert_eq!((again.clients.len(), again.feed), (0, None), "taken once");
    }

    #[tokio::test]
    async fn sessions_begin_anew_where_the_feed_does_not_reach_back() {
        let store = store().await;
        let heard = change(&store).await;
        change(&store).await;
        let leave = leave_clients(&store, &sessions(1), heard, NOW).await;
        leave.expect("a database");
        let purged = store.purge_changes(UnixMs(NOW.0 + 1)).await;
        assert_eq!(purged.expect("a database"), 2);
        let found = left(&store).await;
        assert_eq!((found.clients.len(), found.feed), (0, None));
        assert_eq!(found.sessions.len(), 1, "Discord's does not depend on it");
    }

    #[tokio::test]
    async fn without_sessions_there_is_nothing_to_go_on_from() {
        let store = store().await;
        let heard = change(&store).await;
        let leave = leave_clients(&store, &[], heard, NOW).await;
        leave.expect("a database");
        assert_eq!(left(&store).await.feed, None);
    }

    #[tokio::test]
    async fn sessions_of_a_version_that_did_not_write_the_place_down_go_on() {
        let store = store().await;
        change(&store).await;
        let (chunks, _) = write_clients(&sessions(1), CLIENTS_BYTES_MAX);
        let kept = store.keep_sessions(chunks, NOW).await;
        kept.expect("a database");
        let found = left(&store).await;
        assert_eq!((found.clients.len(), found.feed), (1, None));
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

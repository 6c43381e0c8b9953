//! Hearing of another node's changes, on PostgreSQL, without asking for them.

use std::time::Duration;

use guildgate_model::{Decision, UserId};
use guildgate_store::{NewNotification, testing::Database};

use crate::support::{GUILD, NOW};

/// How long a test waits for what must come before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_nodes_change_is_heard_without_a_poll() {
    let database = Database::postgres().await;
    let (writer, reader) = (database.open().await, database.open().await);
    let mut cursor = reader.head().await.expect("read");
    for user in [1, 2] {
        // Nothing here asks the database before the signal says so.
        let mut heard = reader.feed_signal();
        let new = NewNotification {
            user: UserId(user),
            decision: Decision::Denied,
            guild: GUILD,
            application: None,
            note: None,
        };
        writer.add_notification(new, NOW).await.expect("added");
        let told = tokio::time::timeout(PATIENCE, heard.changed()).await;
        told.expect("it is told").expect("it listens");
        let changes = reader.changes_after(cursor, 9).await.expect("read");
        assert_eq!(changes.len(), 1, "{changes:?}");
        cursor = changes[0].cursor;
    }
}

//! Hearing of another node's changes, on PostgreSQL, without asking for them.

use std::time::Duration;

use guildgate_model::{Decision, UserId};
use guildgate_store::{NewNotification, Store, testing::Database};
use tokio::sync::watch;
use tokio_postgres::NoTls;

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
        add_notification(&*writer, user).await;
        told(&mut heard).await;
        let changes = reader.changes_after(cursor, 9).await.expect("read");
        assert_eq!(changes.len(), 1, "{changes:?}");
        cursor = changes[0].cursor;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_listening_connection_was_cut_listens_again() {
    let database = Database::postgres().await;
    let (writer, reader) = (database.open().await, database.open().await);
    let cursor = reader.head().await.expect("read");
    let mut heard = reader.feed_signal();
    assert_eq!(cut_listeners(&database).await, 2, "one of each node");

    // What was said meanwhile was not heard: so it says that there may be something.
    told(&mut heard).await;

    add_notification(&*writer, 1).await;
    told(&mut heard).await;
    let changes = reader.changes_after(cursor, 9).await.expect("read");
    assert_eq!(changes.len(), 1, "{changes:?}");
}

async fn add_notification(store: &dyn Store, user: u64) {
    let new = NewNotification {
        user: UserId(user),
        decision: Decision::Denied,
        guild: GUILD,
        application: None,
        note: None,
    };
    store.add_notification(new, NOW).await.expect("added");
}

async fn told(heard: &mut watch::Receiver<u64>) {
    let told = tokio::time::timeout(PATIENCE, heard.changed()).await;
    told.expect("it is told").expect("it listens");
}

/// Ends the connections on which nodes listen; how many those were.
async fn cut_listeners(database: &Database) -> i64 {
    let connected = tokio_postgres::connect(database.location(), NoTls).await;
    let (client, connection) = connected.expect("the test server takes connections");
    let connection = tokio::spawn(connection);
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    let row = client.query_one(cut, &[]).await.expect("an answer");
    drop(client);
    connection.await.expect("a task").expect("a connection");
    row.get(0)
}

//! The change feed.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use guildgate_model::{ApplicationId, Decision, TokenKind, UserId};
use guildgate_store::{
    Change, ChangeKind, Cursor, NewNotification, NewToken, Store, StoreError, Uses,
    testing::Database,
};
use serde_json::json;
use tokio_postgres::NoTls;

use crate::opening::tamper;
use crate::support::{GUILD, NOW, contract, later, race, soon};

async fn add(store: &dyn Store, number: u64, at: i64) {
    let new = NewNotification {
        // A user each: adding to one inbox takes turns, which would hide a feed that does not.
        user: UserId(1_000 + number),
        decision: Decision::Denied,
        guild: GUILD,
        application: Some(ApplicationId(number)),
        note: None,
    };
    store.add_notification(new, later(at)).await.expect("added");
}

fn number(change: &Change) -> u64 {
    match &change.kind {
        ChangeKind::NotificationAdded { notification, .. } => {
            notification.application.expect("numbered").0
        }
        other => panic!("unexpected {other:?}"),
    }
}

/// Reads on until the writers have ended and nothing is left.
async fn read_all(store: Arc<dyn Store>, ended: Arc<AtomicBool>) -> Vec<Change> {
    let mut cursor = Cursor(0);
    let mut seen = Vec::new();
    loop {
        // Looked at before reading: what was committed before it was set must be found.
        let last_round = ended.load(Ordering::SeqCst);
        let changes = store.changes_after(cursor, 7).await.expect("read");
        match changes.last() {
            Some(last) => cursor = last.cursor,
            None if last_round => return seen,
            None => tokio::task::yield_now().await,
        }
        seen.extend(changes);
    }
}

contract! {
    async fn changes_come_in_order_and_in_pages(database) {
        let store = database.open().await;
        assert_eq!(store.head().await.expect("read"), Cursor(0));
        assert!(
            store
                .changes_after(Cursor(0), 10)
                .await
                .expect("read")
                .is_empty()
        );
        for number in 0..5 {
            add(&*store, number, 10).await;
        }
        let head = store.head().await.expect("read");
        let all = store.changes_after(Cursor(0), 100).await.expect("read");
        assert_eq!(all.iter().map(number).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(
            all.last().map(|change| (change.cursor, change.at)),
            Some((head, later(10)))
        );
        let some = store.changes_after(all[1].cursor, 2).await.expect("read");
        assert_eq!(some, all[2..4]);
        assert!(
            store
                .changes_after(head, 10)
                .await
                .expect("read")
                .is_empty()
        );
    }

    async fn no_reader_ever_skips_a_change_that_is_committed_late(database) {
        let nodes = [database.open().await, database.open().await];
        let count = 200;
        let ended = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = nodes
            .iter()
            .map(|node| tokio::spawn(read_all(Arc::clone(node), Arc::clone(&ended))))
            .collect();
        race(&nodes, count, |node, number| async move {
            add(&*node, number as u64, 0).await;
        })
        .await;
        ended.store(true, Ordering::SeqCst);
        for reader in readers {
            let seen = reader.await.expect("the reader ends");
            let numbers: BTreeSet<u64> = seen.iter().map(number).collect();
            assert_eq!((numbers.len(), seen.len()), (count, count), "each once");
            assert!(seen.is_sorted_by(|one, next| one.cursor < next.cursor));
        }
    }

    async fn a_purge_takes_the_old_end_only_and_tells_who_is_behind(database) {
        let store = database.open().await;
        // A node whose clock is ahead, one that is behind: the order is that of the commits.
        for (number, at) in [(0, 10), (1, 30), (2, 10), (3, 40)] {
            add(&*store, number, at).await;
        }
        let all = store.changes_after(Cursor(0), 10).await.expect("read");
        assert_eq!(store.purge_changes(later(20)).await.expect("purged"), 1);
        match store.changes_after(Cursor(0), 10).await {
            Err(StoreError::FeedBehind { cursor: 0, floor }) => assert_eq!(floor, all[0].cursor.0),
            other => panic!("a reader from before must be told: {other:?}"),
        }
        let rest = store.changes_after(all[0].cursor, 10).await.expect("read");
        assert_eq!(rest, all[1..], "without a hole");
        assert_eq!(store.purge_changes(later(1000)).await.expect("purged"), 3);
        let head = store.head().await.expect("read");
        assert_eq!(head, all[3].cursor, "places are not given again");
        assert!(
            store
                .changes_after(head, 10)
                .await
                .expect("read")
                .is_empty()
        );
        add(&*store, 4, 50).await;
        let next = store.changes_after(head, 10).await.expect("read");
        assert_eq!(next.iter().map(number).collect::<Vec<_>>(), [4]);
    }

    async fn what_a_later_version_alone_knows_stops_no_reader(database) {
        let store = database.open().await;
        add(&*store, 0, 0).await;
        add(&*store, 1, 0).await;
        let later = r#"{"t": "moon_landed", "where": {"crater": 1}, "ids": [1, 2]}"#;
        let statement = format!("UPDATE feed SET body = '{later}' WHERE place = 1");
        tamper(&database, &statement).await;
        let changes = store.changes_after(Cursor(0), 10).await.expect("read");
        assert_eq!(changes[0].kind, ChangeKind::Unknown);
        assert_eq!(changes[0].cursor, Cursor(1));
        assert_eq!(number(&changes[1]), 1);
    }

    async fn only_what_was_committed_is_told_and_wakes(database) {
        let store = database.open().await;
        let mut signal = store.feed_signal();
        let new = NewToken {
            kind: TokenKind::User,
            owner: None,
            uses: Uses::OfKind,
            expires_at: None,
        };
        let (token, _) = store.issue_token(new, NOW).await.expect("issued");
        assert!(
            !signal.has_changed().expect("alive"),
            "issuing is no change for anybody"
        );
        let waiting = tokio::spawn(async move { signal.changed().await });
        store.revoke_token(token.id, NOW).await.expect("revoked");
        let woken = soon("a signal", waiting).await;
        woken.expect("no panic").expect("woken");
        let document = guildgate_store::DocumentKey::Form(GUILD);
        store
            .open_document(document, json!({}), NOW)
            .await
            .expect("begun");
        let kinds: Vec<_> = store
            .changes_after(Cursor(0), 10)
            .await
            .expect("read")
            .into_iter()
            .map(|change| change.kind)
            .collect();
        assert!(
            matches!(
                kinds.as_slice(),
                [
                    ChangeKind::TokenRevoked { .. },
                    ChangeKind::DocumentChanged { .. }
                ]
            ),
            "{kinds:?}"
        );
    }
}

/// The gap that a sequence would leave, held open: a node has taken its place and not yet
/// committed, while another adds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_nobody_adds_past_a_place_that_is_not_committed() {
    let database = Database::postgres().await;
    let store = database.open().await;
    let (mut slow, connection) = tokio_postgres::connect(database.location(), NoTls)
        .await
        .expect("connected");
    tokio::spawn(connection);
    let (watcher, connection) = tokio_postgres::connect(database.location(), NoTls)
        .await
        .expect("connected");
    tokio::spawn(connection);

    let transaction = slow.transaction().await.expect("begun");
    let body = r#"{"t":"submitted","guild":"1","id":"1","user":"1"}"#;
    transaction
        .batch_execute(&format!(
            "UPDATE feed_state SET head = head + 1;
            INSERT INTO feed (place, at, body) SELECT head, 0, '{body}' FROM feed_state"
        ))
        .await
        .expect("added");
    let adding = tokio::spawn({
        let store = Arc::clone(&store);
        async move { add(&*store, 7, 0).await }
    });
    let waiting = async || {
        let rows = watcher
            .query(
                "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE NOT granted AND datname = current_database()",
                &[],
            )
            .await;
        !rows.expect("answered").is_empty()
    };
    soon("the other's wait", async {
        while !adding.is_finished() && !waiting().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let seen = store.changes_after(Cursor(0), 10).await.expect("read");
    assert!(seen.is_empty(), "nothing may be seen yet: {seen:?}");
    transaction.commit().await.expect("committed");
    adding.await.expect("added");
    let seen = store.changes_after(Cursor(0), 10).await.expect("read");
    assert_eq!(seen.len(), 2);
    assert!(matches!(seen[0].kind, ChangeKind::Submitted { .. }));
    assert_eq!(number(&seen[1]), 7);
}

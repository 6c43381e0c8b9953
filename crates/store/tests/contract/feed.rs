//! The change feed.

use std::{collections::BTreeSet, sync::Arc};

use guildgate_model::{ApplicationId, Decision, TokenKind};
use guildgate_store::{
    Change, ChangeKind, Cursor, NewNotification, NewToken, Store, StoreError, Uses,
};
use serde_json::json;

use crate::support::{GUILD, NOW, USER, contract, later, race};

async fn add(store: &dyn Store, number: u64, at: i64) {
    let new = NewNotification {
        user: USER,
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

/// Reads on from `cursor` until a change numbered `last` has been seen.
async fn read_until(store: Arc<dyn Store>, count: usize) -> Vec<Change> {
    let mut cursor = Cursor(0);
    let mut seen = Vec::new();
    while seen.len() < count {
        let changes = store.changes_after(cursor, 7).await.expect("read");
        if let Some(last) = changes.last() {
            cursor = last.cursor;
        } else {
            tokio::task::yield_now().await;
        }
        seen.extend(changes);
    }
    seen
}

contract! {
    async fn changes_come_in_order_and_in_pages(database) {
        let store = database.open().await;
        assert_eq!(store.head().await.expect("read"), Cursor(0));
        assert!(store.changes_after(Cursor(0), 10).await.expect("read").is_empty());
        for number in 0..5 {
            add(&*store, number, 10).await;
        }
        let head = store.head().await.expect("read");
        let all = store.changes_after(Cursor(0), 100).await.expect("read");
        assert_eq!(all.iter().map(number).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(all.last().map(|change| (change.cursor, change.at)), Some((head, later(10))));
        let some = store.changes_after(all[1].cursor, 2).await.expect("read");
        assert_eq!(some, all[2..4]);
        assert!(store.changes_after(head, 10).await.expect("read").is_empty());
    }

    async fn no_reader_ever_skips_a_change_that_is_committed_late(database) {
        let nodes = [database.open().await, database.open().await];
        let count = 200;
        let readers: Vec<_> = nodes
            .iter()
            .map(|node| tokio::spawn(read_until(Arc::clone(node), count)))
            .collect();
        race(&nodes, count, |node, number| async move {
            add(&*node, number as u64, 0).await;
        })
        .await;
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
        assert!(store.changes_after(head, 10).await.expect("read").is_empty());
        add(&*store, 4, 50).await;
        let next = store.changes_after(head, 10).await.expect("read");
        assert_eq!(next.iter().map(number).collect::<Vec<_>>(), [4]);
    }

    async fn only_what_was_committed_is_told_and_wakes(database) {
        let store = database.open().await;
        let mut signal = store.feed_signal();
        let new = NewToken { kind: TokenKind::User, owner: None, uses: Uses::OfKind, expires_at: None };
        let (token, _) = store.issue_token(new, NOW).await.expect("issued");
        assert!(!signal.has_changed().expect("alive"), "issuing is no change for anybody");
        let waiting = tokio::spawn(async move { signal.changed().await });
        store.revoke_token(token.id, NOW).await.expect("revoked");
        waiting.await.expect("no panic").expect("woken");
        let document = guildgate_store::DocumentKey::Form(GUILD);
        store.open_document(document, json!({}), NOW).await.expect("begun");
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
                [ChangeKind::TokenRevoked { .. }, ChangeKind::DocumentChanged { .. }]
            ),
            "{kinds:?}"
        );
    }
}

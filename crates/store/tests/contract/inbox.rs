//! Inboxes.

use guildgate_model::{ApplicationId, Decision, NotificationId, UserId};
use guildgate_store::{ChangeKind, Cursor, INBOX_MAX, NewNotification, Store};

use crate::support::{GUILD, NOW, OTHER, USER, contract, later, race};

fn to(user: UserId) -> NewNotification {
    NewNotification {
        user,
        decision: Decision::Accepted,
        guild: GUILD,
        application: Some(ApplicationId(4)),
        note: Some("willkommen, ünser \u{1f44b}".into()),
    }
}

async fn pending(store: &dyn Store, user: UserId) -> Vec<NotificationId> {
    let pending = store.pending_notifications(user).await.expect("read");
    pending.iter().map(|notification| notification.id).collect()
}

async fn add(store: &dyn Store, user: UserId) -> NotificationId {
    store
        .add_notification(to(user), NOW)
        .await
        .expect("added")
        .id
}

contract! {
    async fn a_notification_comes_back_as_it_was_put_in(database) {
        let store = database.open().await;
        for decision in [Decision::Accepted, Decision::Denied, Decision::OnHold] {
            for (application, note) in [
                (None, None),
                (Some(ApplicationId(u64::MAX)), Some("".into())),
            ] {
                let new = NewNotification {
                    decision,
                    application,
                    note,
                    ..to(USER)
                };
                let added = store
                    .add_notification(new.clone(), later(2))
                    .await
                    .expect("added");
                assert_eq!(
                    (added.decision, added.guild, added.at),
                    (decision, GUILD, later(2))
                );
                assert_eq!(
                    (added.application, added.note.clone()),
                    (new.application, new.note)
                );
                let pending = store.pending_notifications(USER).await.expect("read");
                assert_eq!(pending.last(), Some(&added));
            }
        }
        assert!(pending(&*store, OTHER).await.is_empty());
    }

    async fn a_note_with_a_null_in_it_is_kept(database) {
        let store = database.open().await;
        let new = NewNotification {
            note: Some("a\0b".into()),
            ..to(USER)
        };
        let added = store.add_notification(new, NOW).await.expect("added");
        assert_eq!(added.note.as_deref(), Some("a\u{fffd}b"));
    }

    async fn for_who_never_acknowledges_delivery_is_the_end(database) {
        let nodes = [database.open().await, database.open().await];
        let first = add(&*nodes[0], USER).await;
        let second = add(&*nodes[0], USER).await;
        assert_eq!(pending(&*nodes[1], USER).await, [first, second]);
        assert_eq!(
            nodes[1]
                .mark_delivered(USER, &[first])
                .await
                .expect("marked"),
            1
        );
        assert_eq!(
            pending(&*nodes[0], USER).await,
            [second],
            "what was not delivered waits"
        );
    }

    async fn for_who_acknowledges_only_that_is_the_end(database) {
        let nodes = [database.open().await, database.open().await];
        let first = add(&*nodes[0], USER).await;
        assert_eq!(
            nodes[0]
                .acknowledge(USER, &[first], NOW)
                .await
                .expect("acknowledged"),
            1
        );
        let second = add(&*nodes[0], USER).await;
        let third = add(&*nodes[0], USER).await;
        assert_eq!(
            nodes[1]
                .mark_delivered(USER, &[second, third])
                .await
                .expect("marked"),
            2
        );
        assert_eq!(
            pending(&*nodes[0], USER).await,
            [second, third],
            "shown until acknowledged"
        );
        assert_eq!(
            nodes[1]
                .acknowledge(USER, &[second], NOW)
                .await
                .expect("acknowledged"),
            1
        );
        assert_eq!(pending(&*nodes[0], USER).await, [third]);
        assert_eq!(
            nodes[1]
                .acknowledge(USER, &[second], NOW)
                .await
                .expect("acknowledged"),
            0,
            "once"
        );
    }

    async fn an_acknowledgement_that_comes_after_delivery_still_counts(database) {
        let store = database.open().await;
        let first = add(&*store, USER).await;
        let second = add(&*store, USER).await;
        store.mark_delivered(USER, &[first, second]).await.expect("marked");
        assert_eq!(pending(&*store, USER).await, []);
        assert_eq!(
            store
                .acknowledge(USER, &[first], NOW)
                .await
                .expect("acknowledged"),
            1
        );
        assert_eq!(pending(&*store, USER).await, [second], "waits again");
    }

    async fn acknowledging_nothing_says_that_the_user_will(database) {
        let store = database.open().await;
        let first = add(&*store, USER).await;
        store.mark_delivered(USER, &[first]).await.expect("marked");
        assert_eq!(store.acknowledge(USER, &[], NOW).await.expect("answered"), 0);
        assert_eq!(pending(&*store, USER).await, [first], "waits again");
    }

    async fn an_earlier_delivery_is_gone_with_the_next(database) {
        let store = database.open().await;
        let first = add(&*store, USER).await;
        store.mark_delivered(USER, &[first]).await.expect("marked");
        let second = add(&*store, USER).await;
        store.mark_delivered(USER, &[second]).await.expect("marked");
        assert_eq!(store.acknowledge(USER, &[], NOW).await.expect("answered"), 0);
        assert_eq!(pending(&*store, USER).await, [second]);
    }

    async fn nobody_touches_the_notifications_of_another(database) {
        let store = database.open().await;
        let mine = add(&*store, USER).await;
        assert_eq!(
            store.acknowledge(OTHER, &[mine], NOW).await.expect("answered"),
            0
        );
        assert_eq!(
            store
                .mark_delivered(OTHER, &[mine])
                .await
                .expect("answered"),
            0
        );
        assert_eq!(store.acknowledge(USER, &[], NOW).await.expect("answered"), 0);
        assert_eq!(
            store
                .mark_delivered(USER, &[NotificationId(12345)])
                .await
                .expect("answered"),
            0
        );
        assert_eq!(pending(&*store, USER).await, [mine]);
    }

    async fn an_inbox_is_bounded_and_the_oldest_give_way(database) {
        let store = database.open().await;
        let over = 20;
        let nodes = [store];
        let mut ids = race(&nodes, INBOX_MAX as usize + over, |node, _| async move {
            add(&*node, USER).await
        })
        .await;
        let other = add(&*nodes[0], OTHER).await;
        ids.sort_unstable();
        let left = pending(&*nodes[0], USER).await;
        assert_eq!(left.len(), INBOX_MAX as usize);
        assert!(left == ids.split_off(over), "the newest are left, in order");
        assert_eq!(pending(&*nodes[0], OTHER).await, [other]);
    }

    async fn a_notification_is_told_whole_in_the_feed(database) {
        let store = database.open().await;
        let added = store.add_notification(to(USER), NOW).await.expect("added");
        store
            .acknowledge(USER, &[added.id], NOW)
            .await
            .expect("acknowledged");
        let changes = store.changes_after(Cursor(0), 1).await.expect("read");
        assert_eq!(changes.len(), 1);
        let expected = ChangeKind::NotificationAdded {
            user: USER,
            notification: added,
        };
        assert_eq!(changes[0].kind, expected);
    }

    async fn the_feed_tells_which_were_acknowledged_and_of_no_others(database) {
        let store = database.open().await;
        let [first, second] = [add(&*store, USER).await, add(&*store, USER).await];
        let foreign = add(&*store, OTHER).await;
        let before = store.head().await.expect("read");
        for ids in [&[first, foreign, second][..], &[first, foreign], &[]] {
            store.acknowledge(USER, ids, later(3)).await.expect("acknowledged");
        }
        let changes = store.changes_after(before, 10).await.expect("read");
        assert_eq!(changes.len(), 1, "{changes:?}");
        let expected = ChangeKind::NotificationsAcknowledged {
            user: USER,
            ids: vec![first, second],
        };
        assert_eq!((&changes[0].kind, changes[0].at), (&expected, later(3)));
    }
}

//! Tasks to be done elsewhere, and the audit trail.

use std::{collections::BTreeSet, time::Duration};

use guildgate_model::{ApplicationId, GuildId, RoleId};
use guildgate_store::{
    Attempt, AuditAction, AuditEntry, OutboxItem, OutboxState, Page, Room, Settlement, Store, Task,
    Topic,
};
use serde_json::json;

use crate::support::{GUILD, NOW, OTHER, USER, contract, later, race};

const LEASE: Duration = Duration::from_millis(100);

fn role(number: u64) -> Task {
    Task::GrantRole {
        guild: GUILD,
        user: USER,
        role: RoleId(number),
        application: ApplicationId(number),
    }
}

fn hook(event: &str, endpoint: &str) -> Task {
    Task::Webhook {
        guild: GUILD,
        endpoint: endpoint.into(),
        event: event.into(),
        body: json!({ "event": event, "nested": [1, null] }),
    }
}

async fn take(store: &dyn Store, topic: Topic, at: i64) -> Vec<OutboxItem> {
    store
        .take_due(topic, Room::new(100, 100), LEASE, later(at))
        .await
        .expect("taken")
}

fn tasks(items: &[OutboxItem]) -> Vec<Task> {
    items.iter().map(|item| item.task.clone()).collect()
}

contract! {
    async fn a_task_is_taken_by_its_topic_done_and_gone(database) {
        let store = database.open().await;
        store.enqueue(role(1), NOW).await.expect("queued");
        store
            .enqueue(hook("e1", "site"), NOW)
            .await
            .expect("queued");
        let taken = take(&*store, Topic::GrantRole, 0).await;
        assert_eq!(tasks(&taken), [role(1)]);
        assert_eq!((taken[0].attempts, taken[0].created_at), (1, NOW));
        assert!(
            store
                .settle(taken[0].attempt(), Settlement::Done, NOW)
                .await
                .expect("settled")
        );
        assert!(
            !store
                .settle(taken[0].attempt(), Settlement::Done, NOW)
                .await
                .expect("answered"),
            "once"
        );
        assert!(take(&*store, Topic::GrantRole, 1_000_000).await.is_empty());
        assert_eq!(
            tasks(&take(&*store, Topic::Webhook, 0).await),
            [hook("e1", "site")]
        );
        assert_eq!(
            store.purge_outbox(later(1)).await.expect("purged"),
            1,
            "only what is done"
        );
    }

    async fn an_event_is_queued_once_an_endpoint(database) {
        let nodes = [database.open().await, database.open().await];
        let ids = race(&nodes, 10, |node, _| async move {
            node.enqueue(hook("same", "site"), NOW)
                .await
                .expect("queued")
        })
        .await;
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1);
        nodes[0]
            .enqueue(hook("same", "elsewhere"), NOW)
            .await
            .expect("queued");
        // A role has no event, and may be asked for twice.
        nodes[0].enqueue(role(1), NOW).await.expect("queued");
        nodes[0].enqueue(role(1), NOW).await.expect("queued");
        assert_eq!(take(&*nodes[0], Topic::Webhook, 0).await.len(), 2);
        assert_eq!(take(&*nodes[0], Topic::GrantRole, 0).await.len(), 2);
    }

    async fn of_many_workers_each_task_is_taken_by_one(database) {
        let nodes = [database.open().await, database.open().await];
        for number in 0..30 {
            nodes[0]
                .enqueue(role(number), later(number as i64))
                .await
                .expect("queued");
        }
        let taken = race(&nodes, 10, |node, _| async move {
            node.take_due(Topic::GrantRole, Room::new(4, 4), LEASE, later(50))
                .await
                .expect("taken")
        })
        .await;
        let ids: Vec<u64> = taken.iter().flatten().map(|item| item.id).collect();
        assert_eq!(
            ids.len(),
            ids.iter().collect::<BTreeSet<_>>().len(),
            "none twice"
        );
        assert_eq!(ids.len(), 30);
        assert!(taken.iter().all(|some| some.len() <= 4));
    }

    async fn a_task_whose_taker_dies_is_taken_again_and_the_dead_has_no_say(database) {
        let store = database.open().await;
        store.enqueue(role(1), NOW).await.expect("queued");
        let first = take(&*store, Topic::GrantRole, 0).await.remove(0);
        assert!(
            take(&*store, Topic::GrantRole, 99).await.is_empty(),
            "it is leased"
        );
        let second = take(&*store, Topic::GrantRole, 100).await.remove(0);
        assert_eq!((second.id, second.attempts), (first.id, 2));
        let late = Settlement::Failed {
            error: "too late".into(),
        };
        assert!(!store.settle(first.attempt(), late, NOW).await.expect("answered"));
        assert!(
            store
                .settle(second.attempt(), Settlement::Done, NOW)
                .await
                .expect("settled")
        );
        let nothing = Attempt {
            item: 12345,
            number: 1,
        };
        assert!(
            !store
                .settle(nothing, Settlement::Done, NOW)
                .await
                .expect("answered")
        );
    }

    async fn what_failed_waits_or_is_shown_and_can_be_retried(database) {
        let store = database.open().await;
        store.enqueue(role(1), NOW).await.expect("queued");
        let taken = take(&*store, Topic::GrantRole, 0).await.remove(0);
        let wait = Settlement::RetryAt {
            at: later(5_000),
            error: "429".into(),
        };
        assert!(store.settle(taken.attempt(), wait, NOW).await.expect("settled"));
        assert!(take(&*store, Topic::GrantRole, 4_999).await.is_empty());
        let taken = take(&*store, Topic::GrantRole, 5_000).await.remove(0);
        assert_eq!((taken.attempts, taken.error.as_deref()), (2, Some("429")));
        let failed = Settlement::Failed {
            error: "the bot's role is too low".into(),
        };
        assert!(
            store
                .settle(taken.attempt(), failed, NOW)
                .await
                .expect("settled")
        );
        assert!(take(&*store, Topic::GrantRole, 1_000_000).await.is_empty());

        let of = async |state| {
            store
                .list_outbox(GUILD, Topic::GrantRole, state, Page::first(9))
                .await
                .expect("listed")
                .items
        };
        let shown = of(Some(OutboxState::Failed)).await;
        assert_eq!(tasks(&shown), [role(1)]);
        assert_eq!(shown[0].error.as_deref(), Some("the bot's role is too low"));
        assert!(of(Some(OutboxState::Done)).await.is_empty());
        assert!(
            !store
                .retry(GuildId(1), shown[0].id, NOW)
                .await
                .expect("answered"),
            "not theirs"
        );
        assert!(
            store
                .retry(GUILD, shown[0].id, later(9))
                .await
                .expect("answered")
        );
        assert!(
            !store
                .retry(GUILD, shown[0].id, later(9))
                .await
                .expect("answered"),
            "it is no more failed"
        );
        let taken = take(&*store, Topic::GrantRole, 9).await.remove(0);
        assert!(
            store
                .settle(taken.attempt(), Settlement::Done, NOW)
                .await
                .expect("settled")
        );
        assert_eq!(of(None).await[0].state, OutboxState::Done);
    }

    async fn an_endpoint_that_is_busy_leaves_room_for_others(database) {
        let store = database.open().await;
        for number in 0..20 {
            let event = format!("e{number}");
            store.enqueue(hook(&event, "dead"), NOW).await.expect("queued");
        }
        store.enqueue(hook("late", "site"), later(1)).await.expect("queued");
        let mut room = Room::new(5, 2);
        assert!(room.enter("dead"));
        let due = store.take_due(Topic::Webhook, room, LEASE, later(9)).await;
        let taken = tasks(&due.expect("taken"));
        assert_eq!(taken, [hook("e0", "dead"), hook("late", "site")]);
    }

    async fn what_became_of_a_role_is_in_the_trail_with_its_settlement(database) {
        let store = database.open().await;
        store.enqueue(role(1), NOW).await.expect("queued");
        let taken = take(&*store, Topic::GrantRole, 0).await.remove(0);
        let failed = Settlement::Failed {
            error: "no".into(),
        };
        for is_first in [true, false] {
            let settled = store.settle(taken.attempt(), failed.clone(), later(7)).await;
            assert_eq!(settled.expect("answered"), is_first);
        }
        let trail = store.list_audit(GUILD, Page::first(9)).await.expect("listed").items;
        let [entry] = &trail[..] else {
            panic!("told once: {trail:?}");
        };
        assert_eq!((entry.action, entry.at), (AuditAction::RoleGrantFailed, later(7)));
        assert_eq!(entry.detail["error"], "no");
    }

    async fn the_audit_trail_is_a_guilds_own_newest_first_in_pages(database) {
        let store = database.open().await;
        let entry = |guild, number: i64| AuditEntry {
            id: 0,
            guild,
            at: later(number),
            actor: (number % 2 == 0).then_some(OTHER),
            action: AuditAction::ALL
                [usize::try_from(number).expect("small") % AuditAction::ALL.len()],
            detail: json!({ "number": number }),
        };
        for number in 0..8 {
            store
                .append_audit(entry(GUILD, number))
                .await
                .expect("added");
        }
        store
            .append_audit(entry(GuildId(3), 9))
            .await
            .expect("added");
        let first = store
            .list_audit(GUILD, Page::first(5))
            .await
            .expect("listed");
        let rest = store
            .list_audit(
                GUILD,
                Page {
                    before: first.next,
                    limit: 5,
                },
            )
            .await
            .expect("listed");
        assert_eq!(rest.next, None);
        let all: Vec<AuditEntry> = first
            .items
            .into_iter()
            .chain(rest.items)
            .map(|one| AuditEntry { id: 0, ..one })
            .collect();
        assert_eq!(
            all,
            (0..8)
                .rev()
                .map(|number| entry(GUILD, number))
                .collect::<Vec<_>>()
        );
    }
}

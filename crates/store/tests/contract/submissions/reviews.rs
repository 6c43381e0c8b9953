//! Reviews.

use super::*;

contract! {
    async fn of_managers_who_review_at_once_one_wins(database) {
        let nodes = [database.open().await, database.open().await];
        for expected in [None, Some(SubmissionStatus::Pending)] {
            let id = submit(&*nodes[0], by(USER)).await.expect("submitted").id;
            let results = race(&nodes, 12, |node, number| async move {
                let decision = if number % 3 == 0 {
                    Decision::Accepted
                } else {
                    Decision::Denied
                };
                let review = Review {
                    expected,
                    reviewer: UserId(number as u64),
                    ..review(id, decision)
                };
                node.review(review, NOW).await.expect("answered")
            })
            .await;
            let winners: Vec<_> = results.iter().flatten().collect();
            assert_eq!(winners.len(), 1);
            let now = read(&*nodes[1], id).await;
            assert_eq!(winners[0].submission, now);
            for lost in results.iter().filter_map(|one| one.as_ref().err()) {
                assert_eq!(
                    *lost,
                    ReviewRefusal::Conflict {
                        current: Box::new(now.clone())
                    }
                );
            }
            let inbox = nodes[0].pending_notifications(USER).await.expect("read");
            assert_eq!(inbox.last(), Some(&winners[0].notification));
        }
        let inbox = nodes[0].pending_notifications(USER).await.expect("read");
        assert_eq!(inbox.len(), 2, "one each, of the winners");
    }

    async fn of_a_hold_and_any_other_review_at_once_one_wins(database) {
        let nodes = [database.open().await, database.open().await];
        for expected in [None, Some(SubmissionStatus::Pending)] {
            for others in [Decision::OnHold, Decision::Accepted, Decision::Denied] {
                let id = submit(&*nodes[0], by(USER)).await.expect("submitted").id;
                let results = race(&nodes, 4, |node, number| async move {
                    let decision = if number % 2 == 0 { Decision::OnHold } else { others };
                    let review = Review {
                        expected,
                        reviewer: UserId(number as u64 + 1),
                        ..review(id, decision)
                    };
                    node.review(review, NOW).await.expect("answered")
                })
                .await;
                assert_eq!(results.iter().flatten().count(), 1, "{others:?}");
                let last = read(&*nodes[0], id).await;
                let decide = Review {
                    reviewer: UserId(99),
                    ..review(id, Decision::Accepted)
                };
                let later = nodes[0].review(decide, later(2_000)).await.expect("answered");
                let is_held = last.status == SubmissionStatus::OnHold;
                assert_eq!(later.is_ok(), is_held, "a hold is decided on later");
            }
        }
    }

    async fn on_hold_is_reviewed_again_by_who_saw_it_so(database) {
        let store = database.open().await;
        let id = submit(&*store, by(USER)).await.expect("submitted").id;
        store
            .review(review(id, Decision::OnHold), later(1))
            .await
            .expect("answered")
            .expect("held");
        let stale = Review {
            expected: Some(SubmissionStatus::Pending),
            ..review(id, Decision::Denied)
        };
        let tried = store.review(stale, NOW).await.expect("answered");
        assert!(
            matches!(tried, Err(ReviewRefusal::Conflict { .. })),
            "{tried:?}"
        );
        let seen = Review {
            expected: Some(SubmissionStatus::OnHold),
            ..review(id, Decision::Accepted)
        };
        let done = store
            .review(seen, later(2))
            .await
            .expect("answered")
            .expect("reviewed");
        let submission = done.submission;
        assert_eq!(
            (submission.status, submission.decided_at),
            (SubmissionStatus::Accepted, Some(later(2)))
        );
        assert_eq!(
            (submission.reviewer, submission.note.as_deref()),
            (Some(OTHER), Some("a note"))
        );
        let unknown = Review {
            guild: GuildId(1),
            ..review(id, Decision::Denied)
        };
        assert_eq!(
            store.review(unknown, NOW).await.expect("answered"),
            Err(ReviewRefusal::Unknown)
        );
    }

    async fn a_review_brings_all_that_follows_from_it_or_nothing(database) {
        let store = database.open().await;
        let hook = |event: &str| Task::Webhook {
            guild: GUILD,
            endpoint: "site".into(),
            event: event.into(),
            body: json!({ "note": "$id" }),
        };
        let new = NewSubmission {
            tasks: vec![hook("submitted:$id")],
            ..by(USER)
        };
        let id = submit(&*store, new).await.expect("submitted").id;
        let role = Task::GrantRole {
            guild: GUILD,
            user: USER,
            role: RoleId(9),
            application: id,
        };
        let accept = Review {
            tasks: vec![role.clone(), hook("reviewed:$id")],
            ..review(id, Decision::Accepted)
        };
        let done = store
            .review(accept.clone(), later(5))
            .await
            .expect("answered")
            .expect("reviewed");
        let lost = store.review(accept, later(6)).await.expect("answered");
        assert!(
            matches!(lost, Err(ReviewRefusal::Conflict { .. })),
            "{lost:?}"
        );

        assert_eq!(done.notification.application, Some(id));
        assert_eq!(
            (done.notification.guild, done.notification.at),
            (GUILD, later(5))
        );
        let inbox = store.pending_notifications(USER).await.expect("read");
        assert_eq!(inbox, std::slice::from_ref(&done.notification));
        let trail = store
            .list_audit(GUILD, Page::first(9))
            .await
            .expect("listed")
            .items;
        let told: Vec<_> = trail
            .iter()
            .map(|entry| (entry.action, entry.actor))
            .collect();
        assert_eq!(
            told,
            [
                (AuditAction::Reviewed, Some(OTHER)),
                (AuditAction::Submitted, Some(USER))
            ]
        );
        assert_eq!(trail[0].detail["decision"], json!("accepted"));
        let grants = store
            .take_due(Topic::GrantRole, Room::new(9, 9), LEASE, later(9))
            .await
            .expect("taken");
        assert_eq!(
            grants.into_iter().map(|item| item.task).collect::<Vec<_>>(),
            [role]
        );
        let filled = |event: String| Task::Webhook {
            guild: GUILD,
            endpoint: "site".into(),
            event: event.as_str().into(),
            body: json!({ "note": "$id", "application_id": id, "id": event }),
        };
        let hooks = store
            .take_due(Topic::Webhook, Room::new(9, 9), LEASE, later(9))
            .await
            .expect("taken");
        let hooks: Vec<Task> = hooks.into_iter().map(|item| item.task).collect();
        let expected = [
            filled(format!("submitted:{id}")),
            filled(format!("reviewed:{}", done.notification.id)),
        ];
        assert_eq!(hooks, expected);
        let kinds: Vec<_> = store
            .changes_after(Cursor(0), 9)
            .await
            .expect("read")
            .into_iter()
            .map(|change| change.kind)
            .collect();
        let expected = [
            ChangeKind::Submitted {
                guild: GUILD,
                id,
                user: USER,
            },
            ChangeKind::SubmissionChanged {
                guild: GUILD,
                id,
                user: USER,
                status: SubmissionStatus::Accepted,
            },
            ChangeKind::NotificationAdded {
                user: USER,
                notification: done.notification,
            },
        ];
        assert_eq!(kinds, expected);
    }
}

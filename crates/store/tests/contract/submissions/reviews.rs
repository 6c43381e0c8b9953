//! Reviews.

use super::*;

use guildgate_model::form::{FieldId, Renamed};

const FORM: DocumentKey = DocumentKey::Form(GUILD);

/// A form of one field.
fn form(id: &str) -> serde_json::Value {
    json!({ "sections": [{ "fields": [{ "id": id }] }] })
}

fn rename(base: u64, from: &str, to: &str) -> AppendPatch {
    AppendPatch {
        key: FORM,
        base: Revision(base),
        patch: json!([{ "op": "replace", "path": "", "value": form(to) }]),
        content: form(to),
        actor: OTHER,
        patch_id: None,
        renamed: vec![Renamed {
            pointer: "/sections/0/fields/0/id".into(),
            was: FieldId::try_from(from).expect("an id"),
        }],
    }
}

contract! {
    async fn a_field_that_is_answered_is_not_renamed_even_under_a_race(database) {
        let nodes = [database.open().await, database.open().await];
        let begun = nodes[0].open_document(FORM, form("why"), NOW).await;
        begun.expect("begun");
        // A longer id, and an answer that only speaks of it, are something else.
        let first = rename(1, "w_y", "why");
        nodes[0].append_patch(first, NOW).await.expect("answered").expect("taken");
        let new = NewSubmission {
            judged_by: Some(Revision(2)),
            answers: json!({ "why": "\"w_y\":" }),
            ..by(OTHER)
        };
        submit(&*nodes[0], new).await.expect("submitted");
        let other = rename(2, "w_y", "why");
        nodes[0].append_patch(other, NOW).await.expect("answered").expect("taken");
        let refused = nodes[1].append_patch(rename(3, "why", "x"), NOW).await.expect("answered");
        assert!(matches!(refused, Err(PatchRefusal::Answered(_))), "{refused:?}");

        // Of an answer and a renaming at once one comes too late.
        for round in 0..8_u64 {
            let apv = Revision(3 + round);
            let results = race(&nodes, 2, |node, number| async move {
                let id = format!("f{round}");
                if number == 0 {
                    let next = format!("f{}", round + 1);
                    let rename = rename(apv.0, &id, &next);
                    node.append_patch(rename, NOW).await.expect("answered").is_ok()
                } else {
                    let new = NewSubmission {
                        judged_by: Some(apv),
                        answers: json!({ id: "x" }),
                        ..by(UserId(1_000 + round))
                    };
                    submit(&*node, new).await.is_ok()
                }
            })
            .await;
            assert_eq!(results.iter().filter(|done| **done).count(), 1, "round {round}");
            if !results[0] {
                let mut bump = rename(apv.0, "none", "why");
                bump.renamed.clear();
                nodes[0].append_patch(bump, NOW).await.expect("answered").expect("taken");
            }
        }
    }

    async fn a_form_is_not_restored_over_an_answered_field(database) {
        let store = database.open().await;
        let key = FORM;
        store.open_document(key, form("old"), NOW).await.expect("begun");
        let patch = AppendPatch {
            key,
            base: Revision(1),
            patch: json!([]),
            content: form("why"),
            actor: OTHER,
            patch_id: None,
            renamed: Vec::new(),
        };
        store.append_patch(patch, NOW).await.expect("answered").expect("taken");
        let restore = guildgate_store::RestoreVersion {
            key,
            wanted: Revision(1),
            base: Revision(2),
            actor: OTHER,
        };
        let new = NewSubmission {
            judged_by: Some(Revision(2)),
            ..by(USER)
        };
        submit(&*store, new).await.expect("submitted");
        let refused = store.restore_version(restore, NOW).await.expect("answered");
        let Err(PatchRefusal::Answered(field)) = refused else {
            panic!("not refused: {refused:?}");
        };
        assert_eq!(field.was.as_str(), "why");
    }

    async fn a_season_counts_its_own_by_whatever_clock(database) {
        let store = database.open().await;
        submit(&*store, by(USER)).await.expect("submitted");
        // The node's clock is behind that of the one which set the limit.
        for (user, is_taken) in [(1, true), (2, true), (3, false)] {
            let new = NewSubmission {
                counted_since: Some(later(5_000)),
                ..limited(UserId(user), 2)
            };
            assert_eq!(submit(&*store, new).await.is_ok(), is_taken);
        }
    }

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

//! Submissions and reviews.

use std::time::Duration;

use guildgate_model::{ApplicationId, Decision, GuildId, Revision, RoleId, UserId};
use guildgate_store::{
    AuditAction, ChangeKind, Cursor, NewSubmission, Page, Review, ReviewRefusal, Store, Submission,
    SubmissionFilter, SubmissionStatus, SubmitRefusal, Submitted, Task, Topic, WithdrawRefusal,
};
use serde_json::json;

use crate::support::{GUILD, NOW, OTHER, USER, contract, later, race};

const LEASE: Duration = Duration::from_secs(1);

fn by(user: UserId) -> NewSubmission {
    NewSubmission {
        guild: GUILD,
        user,
        revision: Revision(3),
        answers: json!({ "why": "because" }),
        limit: None,
        counted_since: None,
        tasks: Vec::new(),
    }
}

fn limited(user: UserId, limit: u32) -> NewSubmission {
    NewSubmission {
        limit: Some(limit),
        ..by(user)
    }
}

fn review(id: ApplicationId, decision: Decision) -> Review {
    Review {
        guild: GUILD,
        id,
        decision,
        note: Some("a note".into()),
        reviewer: OTHER,
        expected: None,
        tasks: Vec::new(),
    }
}

async fn submit(store: &dyn Store, new: NewSubmission) -> Result<Submitted, SubmitRefusal> {
    store.submit(new, NOW).await.expect("answered")
}

async fn read(store: &dyn Store, id: ApplicationId) -> Submission {
    store
        .read_submission(GUILD, id)
        .await
        .expect("read")
        .expect("there")
}

contract! {
    async fn a_submission_comes_back_as_it_was(database) {
        let store = database.open().await;
        let submitted = submit(&*store, by(USER)).await.expect("submitted");
        assert_eq!(submitted.taken, 0);
        let expected = Submission {
            id: submitted.id,
            guild: GUILD,
            user: USER,
            revision: Revision(3),
            answers: json!({ "why": "because" }),
            status: SubmissionStatus::Pending,
            submitted_at: NOW,
            decided_at: None,
            reviewer: None,
            note: None,
        };
        assert_eq!(read(&*store, submitted.id).await, expected);
        let elsewhere = store.read_submission(GuildId(1), submitted.id).await.expect("read");
        assert_eq!(elsewhere, None, "another guild's managers don't see it");
    }

    async fn a_user_has_one_waiting_in_a_guild(database) {
        let nodes = [database.open().await, database.open().await];
        let results = race(&nodes, 20, |node, _| async move { submit(&*node, by(USER)).await }).await;
        let ids: Vec<_> = results.iter().flatten().map(|submitted| submitted.id).collect();
        assert_eq!(ids.len(), 1);
        let refused = results.iter().filter(|one| **one == Err(SubmitRefusal::Duplicate(ids[0])));
        assert_eq!(refused.count(), 19);
        submit(&*nodes[0], by(OTHER)).await.expect("others may");
        let elsewhere = NewSubmission { guild: GuildId(5), ..by(USER) };
        submit(&*nodes[0], elsewhere).await.expect("elsewhere they may");

        let on_hold = nodes[0].review(review(ids[0], Decision::OnHold), NOW).await;
        on_hold.expect("answered").expect("reviewed");
        let again = submit(&*nodes[0], by(USER)).await;
        assert_eq!(again, Err(SubmitRefusal::Duplicate(ids[0])), "on hold is waiting");
        let denied = nodes[0].review(review(ids[0], Decision::Denied), NOW).await;
        denied.expect("answered").expect("reviewed");
        submit(&*nodes[0], by(USER)).await.expect("once decided they may again");
    }

    async fn a_limit_is_met_exactly_under_a_race(database) {
        let nodes = [database.open().await, database.open().await];
        let limit = 7;
        let results = race(&nodes, 30, |node, number| async move {
            submit(&*node, limited(UserId(number as u64 + 100), limit)).await
        })
        .await;
        let mut taken: Vec<u32> = results.iter().flatten().map(|submitted| submitted.taken).collect();
        taken.sort_unstable();
        assert_eq!(taken, (1..=limit).collect::<Vec<_>>());
        let full = results.iter().filter(|one| **one == Err(SubmitRefusal::Full)).count();
        assert_eq!(full, 30 - limit as usize);
        assert_eq!(nodes[1].count_submissions(GUILD, None).await.expect("counted"), limit);
    }

    async fn withdrawing_frees_a_place_and_deciding_does_not(database) {
        let store = database.open().await;
        let first = submit(&*store, limited(USER, 1)).await.expect("submitted").id;
        assert_eq!(submit(&*store, limited(OTHER, 1)).await, Err(SubmitRefusal::Full));
        let withdrawn = store.withdraw(GUILD, first, USER, later(3)).await.expect("answered");
        let withdrawn = withdrawn.expect("withdrawn");
        assert_eq!((withdrawn.status, withdrawn.decided_at), (SubmissionStatus::Withdrawn, Some(later(3))));
        let second = submit(&*store, limited(OTHER, 1)).await.expect("there is room").id;
        store.review(review(second, Decision::Accepted), NOW).await.expect("answered").expect("reviewed");
        assert_eq!(submit(&*store, limited(USER, 1)).await, Err(SubmitRefusal::Full));
        // A new round counts anew.
        let round = NewSubmission { counted_since: Some(later(1)), ..limited(USER, 1) };
        let submitted = store.submit(round, later(1)).await.expect("answered");
        assert_eq!(submitted.expect("submitted").taken, 1);
        assert_eq!(store.count_submissions(GUILD, Some(later(1))).await.expect("counted"), 1);
        assert_eq!(submit(&*store, limited(UserId(77), 0)).await, Err(SubmitRefusal::Full));
    }

    async fn only_its_applicant_withdraws_and_only_while_it_waits(database) {
        let store = database.open().await;
        let id = submit(&*store, by(USER)).await.expect("submitted").id;
        for (guild, user) in [(GUILD, OTHER), (GuildId(1), USER)] {
            let tried = store.withdraw(guild, id, user, NOW).await.expect("answered");
            assert_eq!(tried, Err(WithdrawRefusal::Unknown));
        }
        store.withdraw(GUILD, id, USER, NOW).await.expect("answered").expect("withdrawn");
        let again = store.withdraw(GUILD, id, USER, NOW).await.expect("answered");
        assert_eq!(again, Err(WithdrawRefusal::Final(SubmissionStatus::Withdrawn)));
        let reviewed = store.review(review(id, Decision::Accepted), NOW).await.expect("answered");
        assert!(matches!(reviewed, Err(ReviewRefusal::Conflict { .. })), "{reviewed:?}");
    }

    async fn of_managers_who_review_at_once_one_wins(database) {
        let nodes = [database.open().await, database.open().await];
        for expected in [None, Some(SubmissionStatus::Pending)] {
            let id = submit(&*nodes[0], by(USER)).await.expect("submitted").id;
            let results = race(&nodes, 12, |node, number| async move {
                let decision = if number % 3 == 0 { Decision::Accepted } else { Decision::Denied };
                let review = Review { expected, reviewer: UserId(number as u64), ..review(id, decision) };
                node.review(review, NOW).await.expect("answered")
            })
            .await;
            let winners: Vec<_> = results.iter().flatten().collect();
            assert_eq!(winners.len(), 1);
            let now = read(&*nodes[1], id).await;
            assert_eq!(winners[0].submission, now);
            for lost in results.iter().filter_map(|one| one.as_ref().err()) {
                assert_eq!(*lost, ReviewRefusal::Conflict { current: Box::new(now.clone()) });
            }
            let inbox = nodes[0].pending_notifications(USER).await.expect("read");
            assert_eq!(inbox.last(), Some(&winners[0].notification));
        }
        let inbox = nodes[0].pending_notifications(USER).await.expect("read");
        assert_eq!(inbox.len(), 2, "one each, of the winners");
    }

    async fn on_hold_is_reviewed_again_by_who_saw_it_so(database) {
        let store = database.open().await;
        let id = submit(&*store, by(USER)).await.expect("submitted").id;
        store.review(review(id, Decision::OnHold), later(1)).await.expect("answered").expect("held");
        let stale = Review { expected: Some(SubmissionStatus::Pending), ..review(id, Decision::Denied) };
        let tried = store.review(stale, NOW).await.expect("answered");
        assert!(matches!(tried, Err(ReviewRefusal::Conflict { .. })), "{tried:?}");
        let seen = Review { expected: Some(SubmissionStatus::OnHold), ..review(id, Decision::Accepted) };
        let done = store.review(seen, later(2)).await.expect("answered").expect("reviewed");
        let submission = done.submission;
        assert_eq!((submission.status, submission.decided_at), (SubmissionStatus::Accepted, Some(later(2))));
        assert_eq!((submission.reviewer, submission.note.as_deref()), (Some(OTHER), Some("a note")));
        let unknown = Review { guild: GuildId(1), ..review(id, Decision::Denied) };
        assert_eq!(store.review(unknown, NOW).await.expect("answered"), Err(ReviewRefusal::Unknown));
    }

    async fn a_review_brings_all_that_follows_from_it_or_nothing(database) {
        let store = database.open().await;
        let hook = |event: &str| Task::Webhook {
            guild: GUILD,
            endpoint: "site".into(),
            event: event.into(),
            body: json!({ "id": "$id", "list": ["$id", "$idx"] }),
        };
        let new = NewSubmission { tasks: vec![hook("submitted:$id")], ..by(USER) };
        let id = submit(&*store, new).await.expect("submitted").id;
        let role = Task::GrantRole { guild: GUILD, user: USER, role: RoleId(9), application: id };
        let accept = Review { tasks: vec![role.clone(), hook("reviewed:$id:accepted")], ..review(id, Decision::Accepted) };
        let done = store.review(accept.clone(), later(5)).await.expect("answered").expect("reviewed");
        let lost = store.review(accept, later(6)).await.expect("answered");
        assert!(matches!(lost, Err(ReviewRefusal::Conflict { .. })), "{lost:?}");

        assert_eq!(done.notification.application, Some(id));
        assert_eq!((done.notification.guild, done.notification.at), (GUILD, later(5)));
        let inbox = store.pending_notifications(USER).await.expect("read");
        assert_eq!(inbox, std::slice::from_ref(&done.notification));
        let trail = store.list_audit(GUILD, Page::first(9)).await.expect("listed").items;
        let told: Vec<_> = trail.iter().map(|entry| (entry.action, entry.actor)).collect();
        assert_eq!(told, [(AuditAction::Reviewed, Some(OTHER)), (AuditAction::Submitted, Some(USER))]);
        assert_eq!(trail[0].detail["decision"], json!("accepted"));
        let grants = store.take_due(Topic::GrantRole, 9, LEASE, later(9)).await.expect("taken");
        assert_eq!(grants.into_iter().map(|item| item.task).collect::<Vec<_>>(), [role]);
        let text = id.to_string();
        let filled = |event: &str| Task::Webhook {
            guild: GUILD,
            endpoint: "site".into(),
            event: format!("{event}:{text}").into(),
            body: json!({ "id": text, "list": [text, "$idx"] }),
        };
        let hooks = store.take_due(Topic::Webhook, 9, LEASE, later(9)).await.expect("taken");
        let hooks: Vec<Task> = hooks.into_iter().map(|item| item.task).collect();
        assert_eq!(hooks[0], filled("submitted"));
        assert!(matches!(&hooks[1], Task::Webhook { event, .. } if **event == *format!("reviewed:{text}:accepted")), "{hooks:?}");
        assert_eq!(hooks.len(), 2);
        let kinds: Vec<_> = store
            .changes_after(Cursor(0), 9)
            .await
            .expect("read")
            .into_iter()
            .map(|change| change.kind)
            .collect();
        let expected = [
            ChangeKind::Submitted { guild: GUILD, id, user: USER },
            ChangeKind::SubmissionChanged { guild: GUILD, id, user: USER, status: SubmissionStatus::Accepted },
            ChangeKind::NotificationAdded { user: USER, notification: done.notification },
        ];
        assert_eq!(kinds, expected);
    }

    async fn submissions_are_listed_by_status_and_user_in_pages(database) {
        let store = database.open().await;
        let mut ids = Vec::new();
        for number in 0..6 {
            ids.push(submit(&*store, by(UserId(number))).await.expect("submitted").id);
        }
        for &id in &ids[..2] {
            store.review(review(id, Decision::Denied), NOW).await.expect("answered").expect("reviewed");
        }
        let list = async |filter, page| {
            let listed = store.list_submissions(GUILD, filter, page).await.expect("listed");
            let ids: Vec<_> = listed.items.into_iter().map(|one| one.id).collect();
            (ids, listed.next)
        };
        let all = SubmissionFilter::default();
        let (first, next) = list(all, Page::first(4)).await;
        assert_eq!(first, [ids[5], ids[4], ids[3], ids[2]]);
        assert_eq!(list(all, Page { before: next, limit: 4 }).await, (vec![ids[1], ids[0]], None));
        let denied = SubmissionFilter { status: Some(SubmissionStatus::Denied), user: None };
        assert_eq!(list(denied, Page::first(9)).await, (vec![ids[1], ids[0]], None));
        let one = SubmissionFilter { status: Some(SubmissionStatus::Denied), user: Some(UserId(1)) };
        assert_eq!(list(one, Page::first(9)).await.0, [ids[1]]);
        let none = store.list_submissions(GuildId(1), all, Page::first(9)).await.expect("listed");
        assert!(none.items.is_empty());
    }
}

//! Submissions and reviews.

mod forms;
mod reviews;

use std::time::Duration;

use guildgate_model::{
    ApplicationId, Decision, GuildId, Revision, RoleId, SubmissionStatus, UserId,
};
use guildgate_store::{
    AppendPatch, AuditAction, ChangeKind, Cursor, DocumentKey, NewSubmission, Page, PatchRefusal,
    Review, ReviewRefusal, Room, Store, Submission, SubmissionFilter, SubmitRefusal, Submitted,
    Task, Topic, WithdrawRefusal,
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
        judged_by: None,
        form: None,
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

const DRAFT: DocumentKey = DocumentKey::Draft(GUILD, USER);

/// Takes the next version of [`DRAFT`], made on `base`.
async fn write_draft(store: &dyn Store, base: u64, answers: serde_json::Value) {
    let patch = AppendPatch {
        key: DRAFT,
        base: Revision(base),
        patch: json!([{ "op": "replace", "path": "", "value": answers }]),
        content: answers,
        actor: USER,
        patch_id: None,
        renamed: Vec::new(),
    };
    let taken = store.append_patch(patch, NOW).await.expect("answered");
    taken.expect("taken");
}

contract! {
    async fn a_draft_that_was_submitted_begins_anew_and_no_other_does(database) {
        let store = database.open().await;
        let others = DocumentKey::Draft(GUILD, OTHER);
        for key in [DRAFT, others] {
            store.open_document(key, json!({}), NOW).await.expect("begun");
        }
        write_draft(&*store, 1, json!({ "why": "beca" })).await;
        write_draft(&*store, 2, json!({ "why": "because" })).await;
        let before = store.head().await.expect("read");
        let submitted = submit(&*store, by(USER)).await.expect("submitted");
        let draft = store.read_document(DRAFT).await.expect("read").expect("there");
        assert_eq!((draft.revision, draft.content), (Revision(4), json!({})));
        // Whoever has it open follows by the patch; what was written before is gone.
        let history = store.versions_after(DRAFT, Revision(0), 9).await.expect("read");
        assert_eq!(history.len(), 1);
        assert_eq!(
            history[0].patch,
            Some(json!([{ "op": "replace", "path": "", "value": {} }]))
        );
        let changes = store.changes_after(before, 9).await.expect("read");
        let told: Vec<_> = changes.into_iter().map(|change| change.kind).collect();
        let expected = [
            ChangeKind::DocumentChanged {
                key: DRAFT,
                revision: Revision(4),
            },
            ChangeKind::Submitted {
                guild: GUILD,
                id: submitted.id,
                user: USER,
            },
        ];
        assert_eq!(told, expected);

        write_draft(&*store, 4, json!({ "why": "for later" })).await;
        submit(&*store, by(USER)).await.expect_err("one waits already");
        let kept = store.read_document(DRAFT).await.expect("read").expect("there");
        assert_eq!(kept.revision, Revision(5), "a refusal leaves the draft alone");
        let other = store.read_document(others).await.expect("read").expect("there");
        assert_eq!(other.revision, Revision(1));
    }

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
        let elsewhere = store
            .read_submission(GuildId(1), submitted.id)
            .await
            .expect("read");
        assert_eq!(elsewhere, None, "another guild's managers don't see it");
    }

    async fn a_user_has_one_waiting_in_a_guild(database) {
        let nodes = [database.open().await, database.open().await];
        let results = race(&nodes, 20, |node, _| async move {
            submit(&*node, by(USER)).await
        })
        .await;
        let ids: Vec<_> = results
            .iter()
            .flatten()
            .map(|submitted| submitted.id)
            .collect();
        assert_eq!(ids.len(), 1);
        let refused = results
            .iter()
            .filter(|one| **one == Err(SubmitRefusal::Duplicate(ids[0])));
        assert_eq!(refused.count(), 19);
        submit(&*nodes[0], by(OTHER)).await.expect("others may");
        let elsewhere = NewSubmission {
            guild: GuildId(5),
            ..by(USER)
        };
        submit(&*nodes[0], elsewhere)
            .await
            .expect("elsewhere they may");

        let on_hold = nodes[0].review(review(ids[0], Decision::OnHold), NOW).await;
        on_hold.expect("answered").expect("reviewed");
        let again = submit(&*nodes[0], by(USER)).await;
        assert_eq!(
            again,
            Err(SubmitRefusal::Duplicate(ids[0])),
            "on hold is waiting"
        );
        let denied = nodes[0].review(review(ids[0], Decision::Denied), NOW).await;
        denied.expect("answered").expect("reviewed");
        submit(&*nodes[0], by(USER))
            .await
            .expect("once decided they may again");
    }

    async fn a_limit_is_met_exactly_under_a_race(database) {
        let nodes = [database.open().await, database.open().await];
        let limit = 7;
        let results = race(&nodes, 30, |node, number| async move {
            submit(&*node, limited(UserId(number as u64 + 100), limit)).await
        })
        .await;
        let mut taken: Vec<u32> = results
            .iter()
            .flatten()
            .map(|submitted| submitted.taken)
            .collect();
        taken.sort_unstable();
        assert_eq!(taken, (1..=limit).collect::<Vec<_>>());
        let full = results
            .iter()
            .filter(|one| **one == Err(SubmitRefusal::Full))
            .count();
        assert_eq!(full, 30 - limit as usize);
        assert_eq!(
            nodes[1]
                .count_submissions(GUILD, None)
                .await
                .expect("counted"),
            limit
        );
    }

    async fn withdrawing_frees_a_place_and_deciding_does_not(database) {
        let store = database.open().await;
        let first = submit(&*store, limited(USER, 1))
            .await
            .expect("submitted")
            .id;
        assert_eq!(
            submit(&*store, limited(OTHER, 1)).await,
            Err(SubmitRefusal::Full)
        );
        let withdrawn = store
            .withdraw(GUILD, first, USER, later(3))
            .await
            .expect("answered");
        let withdrawn = withdrawn.expect("withdrawn");
        assert_eq!(
            (withdrawn.status, withdrawn.decided_at),
            (SubmissionStatus::Withdrawn, Some(later(3)))
        );
        let second = submit(&*store, limited(OTHER, 1))
            .await
            .expect("there is room")
            .id;
        store
            .review(review(second, Decision::Accepted), NOW)
            .await
            .expect("answered")
            .expect("reviewed");
        assert_eq!(
            submit(&*store, limited(USER, 1)).await,
            Err(SubmitRefusal::Full)
        );
        // A new round counts anew.
        let round = NewSubmission {
            counted_since: Some(later(1)),
            ..limited(USER, 1)
        };
        let submitted = store.submit(round, later(1)).await.expect("answered");
        assert_eq!(submitted.expect("submitted").taken, 1);
        assert_eq!(
            store
                .count_submissions(GUILD, Some(later(1)))
                .await
                .expect("counted"),
            1
        );
        assert_eq!(
            submit(&*store, limited(UserId(77), 0)).await,
            Err(SubmitRefusal::Full)
        );
    }

    async fn only_its_applicant_withdraws_and_only_while_it_waits(database) {
        let store = database.open().await;
        let id = submit(&*store, by(USER)).await.expect("submitted").id;
        for (guild, user) in [(GUILD, OTHER), (GuildId(1), USER)] {
            let tried = store
                .withdraw(guild, id, user, NOW)
                .await
                .expect("answered");
            assert_eq!(tried, Err(WithdrawRefusal::Unknown));
        }
        store
            .withdraw(GUILD, id, USER, NOW)
            .await
            .expect("answered")
            .expect("withdrawn");
        let again = store
            .withdraw(GUILD, id, USER, NOW)
            .await
            .expect("answered");
        assert_eq!(
            again,
            Err(WithdrawRefusal::Final(SubmissionStatus::Withdrawn))
        );
        let reviewed = store
            .review(review(id, Decision::Accepted), NOW)
            .await
            .expect("answered");
        assert!(
            matches!(reviewed, Err(ReviewRefusal::Conflict { .. })),
            "{reviewed:?}"
        );
    }

    async fn submissions_are_listed_by_status_and_user_in_pages(database) {
        let store = database.open().await;
        let mut ids = Vec::new();
        for number in 0..6 {
            ids.push(
                submit(&*store, by(UserId(number)))
                    .await
                    .expect("submitted")
                    .id,
            );
        }
        for &id in &ids[..2] {
            store
                .review(review(id, Decision::Denied), NOW)
                .await
                .expect("answered")
                .expect("reviewed");
        }
        let list = async |filter, page| {
            let listed = store
                .list_submissions(GUILD, filter, page)
                .await
                .expect("listed");
            let ids: Vec<_> = listed.items.into_iter().map(|one| one.id).collect();
            (ids, listed.next)
        };
        let all = SubmissionFilter::default();
        let (first, next) = list(all, Page::first(4)).await;
        assert_eq!(first, [ids[5], ids[4], ids[3], ids[2]]);
        assert_eq!(
            list(
                all,
                Page {
                    before: next,
                    limit: 4
                }
            )
            .await,
            (vec![ids[1], ids[0]], None)
        );
        let denied = SubmissionFilter {
            status: Some(SubmissionStatus::Denied),
            user: None,
        };
        assert_eq!(
            list(denied, Page::first(9)).await,
            (vec![ids[1], ids[0]], None)
        );
        let one = SubmissionFilter {
            status: Some(SubmissionStatus::Denied),
            user: Some(UserId(1)),
        };
        assert_eq!(list(one, Page::first(9)).await.0, [ids[1]]);
        let none = store
            .list_submissions(GuildId(1), all, Page::first(9))
            .await
            .expect("listed");
        assert!(none.items.is_empty());
    }
}

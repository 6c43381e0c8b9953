//! Submissions, and the form that changes meanwhile.

use guildgate_model::{
    Form,
    form::{FieldId, Renamed},
};

use super::*;

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

    async fn an_application_is_judged_again_by_a_form_that_judges_otherwise(database) {
        let nodes = [database.open().await, database.open().await];
        let (closed, open) = (json!({ "status": 0, "sections": [] }), json!({ "status": 1, "sections": [] }));
        let retitled = json!({ "status": 1, "sections": [{ "title": "New", "fields": [] }] });
        nodes[0].open_document(FORM, open.clone(), NOW).await.expect("begun");
        let judged = Form::check(&open).expect("a form");
        let change = async |base: u64, content: &serde_json::Value| {
            let patch = AppendPatch {
                content: content.clone(),
                renamed: Vec::new(),
                ..rename(base, "a", "b")
            };
            nodes[0].append_patch(patch, NOW).await.expect("answered").expect("taken");
        };
        let apply = async |user: u64, form: Option<Form>| {
            let new = NewSubmission {
                judged_by: Some(Revision(1)),
                form,
                ..by(UserId(user))
            };
            submit(&*nodes[1], new).await.map(|_| ())
        };
        change(1, &retitled).await;
        assert_eq!(apply(1, None).await, Err(SubmitRefusal::FormChanged));
        assert_eq!(apply(1, Some(judged.clone())).await, Ok(()));
        change(2, &closed).await;
        assert_eq!(apply(2, Some(judged.clone())).await, Err(SubmitRefusal::FormChanged));

        // Of applications and the closing of the form at once none comes after the closing.
        change(3, &open).await;
        let results = race(&nodes, 12, |node, number| {
            let (judged, closed) = (judged.clone(), closed.clone());
            async move {
                if number == 5 {
                    let patch = AppendPatch {
                        content: closed,
                        renamed: Vec::new(),
                        ..rename(4, "a", "b")
                    };
                    node.append_patch(patch, NOW).await.expect("answered").expect("taken");
                    return None;
                }
                let new = NewSubmission {
                    judged_by: Some(Revision(4)),
                    form: Some(judged),
                    ..by(UserId(100 + number as u64))
                };
                Some(submit(&*node, new).await)
            }
        })
        .await;
        let changes = nodes[0].changes_after(Cursor(0), 99).await.expect("read");
        let closing = changes.iter().rposition(|change| {
            matches!(change.kind, ChangeKind::DocumentChanged { key: FORM, revision: Revision(5) })
        });
        let closing = closing.expect("it was closed");
        let is_submission = |change: &guildgate_store::Change| {
            matches!(change.kind, ChangeKind::Submitted { .. })
        };
        assert!(!changes[closing..].iter().any(is_submission), "{results:?}");
        for late in results.iter().flatten().filter_map(|one| one.as_ref().err()) {
            assert_eq!(*late, SubmitRefusal::FormChanged);
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
}

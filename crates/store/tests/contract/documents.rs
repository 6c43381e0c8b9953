//! Documents and their versions.

mod model;

use std::sync::Arc;

use guildgate_model::{Revision, UserId};
use guildgate_store::{
    AppendPatch, Appended, AuditAction, ChangeKind, Cursor, Document, DocumentKey, Page, PatchId,
    PatchRefusal, RestoreVersion, Store,
};
use serde_json::{Value, json};

use crate::support::{GUILD, NOW, OTHER, USER, contract, later, race};

const FORM: DocumentKey = DocumentKey::Form(GUILD);
const DRAFT: DocumentKey = DocumentKey::Draft(GUILD, USER);

fn patch(key: DocumentKey, base: u64, content: Value) -> AppendPatch {
    AppendPatch {
        key,
        base: Revision(base),
        patch: json!([{ "op": "replace", "path": "", "value": content.clone() }]),
        content,
        actor: USER,
        patch_id: None,
        renamed: Vec::new(),
    }
}

fn named(patch: AppendPatch, actor: UserId, id: &str) -> AppendPatch {
    AppendPatch {
        actor,
        patch_id: Some(PatchId(id.into())),
        renamed: Vec::new(),
        ..patch
    }
}

fn document(revision: u64, content: Value) -> Document {
    Document {
        revision: Revision(revision),
        content,
    }
}

/// Appends until a patch is taken, each time on what is the newest by now; how often it lost.
async fn append_stubbornly(store: Arc<dyn Store>, key: DocumentKey, number: usize) -> usize {
    let mut newest = store
        .read_document(key)
        .await
        .expect("read")
        .expect("begun");
    for lost in 0.. {
        let mut content = newest.content.clone();
        content.as_array_mut().expect("a list").push(json!(number));
        let patch = AppendPatch {
            base: newest.revision,
            ..named(patch(key, 0, content), USER, &number.to_string())
        };
        match store.append_patch(patch, NOW).await.expect("answered") {
            Ok(_) => return lost,
            Err(PatchRefusal::Conflict { newest: by_now }) => newest = by_now,
            Err(other) => panic!("{other}"),
        }
    }
    unreachable!("the loop ends by return")
}

contract! {
    async fn a_document_begins_once(database) {
        let nodes = [database.open().await, database.open().await];
        for key in [FORM, DRAFT] {
            assert_eq!(nodes[0].read_document(key).await.expect("read"), None);
            let begun = race(&nodes, 12, |node, number| async move {
                node.open_document(key, json!({ "by": number }), NOW)
                    .await
                    .expect("opened")
            })
            .await;
            assert!(
                begun.iter().all(|one| *one == begun[0]),
                "all see the same: {begun:?}"
            );
            assert_eq!(begun[0].revision, Revision::FIRST);
            let read = nodes[1].read_document(key).await.expect("read");
            assert_eq!(read.as_ref(), Some(&begun[0]));
        }
        let changes = nodes[0].changes_after(Cursor(0), 10).await.expect("read");
        assert_eq!(changes.len(), 2, "one beginning each: {changes:?}");
    }

    async fn a_patch_on_the_newest_is_taken_and_on_an_older_one_refused(database) {
        let store = database.open().await;
        store
            .open_document(FORM, json!({}), NOW)
            .await
            .expect("opened");
        let first = store
            .append_patch(patch(FORM, 1, json!({ "a": 1 })), NOW)
            .await;
        assert_eq!(first.expect("answered"), Ok(Appended::New(Revision(2))));
        for base in [0, 1, 3] {
            let late = store
                .append_patch(patch(FORM, base, json!("late")), NOW)
                .await;
            let newest = document(2, json!({ "a": 1 }));
            assert_eq!(
                late.expect("answered"),
                Err(PatchRefusal::Conflict { newest })
            );
        }
        let nowhere = store.append_patch(patch(DRAFT, 1, json!({})), NOW).await;
        assert_eq!(nowhere.expect("answered"), Err(PatchRefusal::Unknown));
        let read = store.read_document(FORM).await.expect("read");
        assert_eq!(read, Some(document(2, json!({ "a": 1 }))));
    }

    async fn a_patch_that_is_sent_again_is_taken_once(database) {
        let nodes = [database.open().await, database.open().await];
        nodes[0]
            .open_document(FORM, json!([]), NOW)
            .await
            .expect("opened");
        let sent = named(patch(FORM, 1, json!(["x"])), USER, "p\u{1f600}1");
        let results = race(&nodes, 10, |node, _| {
            let sent = sent.clone();
            async move {
                node.append_patch(sent, NOW)
                    .await
                    .expect("answered")
                    .expect("taken")
            }
        })
        .await;
        let new = results
            .iter()
            .filter(|one| matches!(one, Appended::New(_)))
            .count();
        assert_eq!(new, 1);
        assert!(results.iter().all(|one| one.revision() == Revision(2)));
        // The same name by another hand is another patch; on a document of its own, too.
        let theirs = named(patch(FORM, 2, json!(["y"])), OTHER, "p\u{1f600}1");
        let taken = nodes[1].append_patch(theirs, NOW).await.expect("answered");
        assert_eq!(taken, Ok(Appended::New(Revision(3))));
        let again = nodes[1].append_patch(sent, NOW).await.expect("answered");
        assert_eq!(
            again,
            Ok(Appended::Before(Revision(2))),
            "also when it is long past"
        );
    }

    async fn many_editors_on_two_nodes_end_on_one_document_with_every_patch_once(database) {
        let nodes = [database.open().await, database.open().await];
        for key in [FORM, DRAFT] {
            nodes[0]
                .open_document(key, json!([]), NOW)
                .await
                .expect("opened");
            let count = 40;
            race(&nodes, count, |node, number| {
                append_stubbornly(node, key, number)
            })
            .await;
            let end = nodes[1]
                .read_document(key)
                .await
                .expect("read")
                .expect("there");
            assert_eq!(end.revision, Revision(count as u64 + 1));
            let mut numbers: Vec<u64> = serde_json::from_value(end.content).expect("numbers");
            numbers.sort_unstable();
            assert_eq!(numbers, (0..count as u64).collect::<Vec<_>>());
            let history = nodes[0]
                .versions_after(key, Revision(1), 100)
                .await
                .expect("read");
            let revisions: Vec<u64> = history.iter().map(|version| version.revision.0).collect();
            assert_eq!(
                revisions,
                (2..=count as u64 + 1).collect::<Vec<_>>(),
                "without a hole"
            );
        }
    }

    async fn every_version_of_a_form_can_be_read_listed_and_restored(database) {
        let store = database.open().await;
        store
            .open_document(FORM, json!(1), NOW)
            .await
            .expect("opened");
        for number in 2..=6 {
            let sent = patch(FORM, number - 1, json!(number));
            store
                .append_patch(sent, later(number as i64))
                .await
                .expect("answered")
                .expect("taken");
        }
        for number in 1..=6 {
            let read = store
                .read_version(FORM, Revision(number))
                .await
                .expect("read");
            assert_eq!(read, Some(document(number, json!(number))));
        }
        assert_eq!(
            store.read_version(FORM, Revision(7)).await.expect("read"),
            None
        );

        let restore = |wanted, base| RestoreVersion {
            key: FORM,
            wanted: Revision(wanted),
            base: Revision(base),
            actor: OTHER,
        };
        let stale = store
            .restore_version(restore(2, 5), NOW)
            .await
            .expect("answered");
        assert_eq!(
            stale,
            Err(PatchRefusal::Conflict {
                newest: document(6, json!(6))
            })
        );
        let unknown = store
            .restore_version(restore(9, 6), NOW)
            .await
            .expect("answered");
        assert_eq!(unknown, Err(PatchRefusal::Unknown));
        let restored = store
            .restore_version(restore(2, 6), later(9))
            .await
            .expect("answered");
        assert_eq!(restored, Ok(document(7, json!(2))));
        assert_eq!(
            store.read_document(FORM).await.expect("read"),
            Some(document(7, json!(2)))
        );

        let page = store
            .list_versions(FORM, Page::first(3))
            .await
            .expect("listed");
        let numbers: Vec<u64> = page
            .items
            .iter()
            .map(|version| version.revision.0)
            .collect();
        assert_eq!((numbers, page.next), (vec![7, 6, 5], Some(5)));
        assert_eq!(
            (page.items[0].actor, page.items[0].at),
            (Some(OTHER), later(9))
        );
        let whole = json!([{ "op": "replace", "path": "", "value": 2 }]);
        assert_eq!(
            page.items[0].patch,
            Some(whole),
            "others can follow by the patch"
        );
        let rest = Page {
            before: page.next,
            limit: 10,
        };
        let page = store.list_versions(FORM, rest).await.expect("listed");
        assert_eq!((page.items.len(), page.next), (4, None));
        assert_eq!(
            (page.items[3].actor, page.items[3].patch.clone()),
            (None, None)
        );
    }

    async fn changes_to_forms_are_audited_and_told_and_drafts_are_told(database) {
        let store = database.open().await;
        for key in [FORM, DRAFT] {
            store
                .open_document(key, json!({}), NOW)
                .await
                .expect("opened");
            store
                .append_patch(patch(key, 1, json!(7)), NOW)
                .await
                .expect("answered")
                .expect("taken");
        }
        let restore = RestoreVersion {
            key: FORM,
            wanted: Revision(1),
            base: Revision(2),
            actor: OTHER,
        };
        store
            .restore_version(restore, later(4))
            .await
            .expect("answered")
            .expect("restored");

        let trail = store
            .list_audit(GUILD, Page::first(10))
            .await
            .expect("listed")
            .items;
        let told: Vec<_> = trail
            .iter()
            .map(|entry| (entry.action, entry.actor))
            .collect();
        let restored = (AuditAction::FormRestored, Some(OTHER));
        assert_eq!(told, [restored, (AuditAction::FormChanged, Some(USER))]);
        assert_eq!(trail[0].detail, json!({ "apv": 3, "restored": 1 }));
        assert_eq!(trail[1].detail, json!({ "apv": 2 }));

        let changes = store.changes_after(Cursor(0), 10).await.expect("read");
        let told: Vec<_> = changes
            .into_iter()
            .map(|change| match change.kind {
                ChangeKind::DocumentChanged { key, revision } => (key, revision.0),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            told,
            [(FORM, 1), (FORM, 2), (DRAFT, 1), (DRAFT, 2), (FORM, 3)]
        );
    }

    async fn a_draft_keeps_a_bounded_history_and_can_be_discarded(database) {
        let store = database.open().await;
        store
            .open_document(DRAFT, json!(0), NOW)
            .await
            .expect("opened");
        store
            .open_document(FORM, json!("form"), NOW)
            .await
            .expect("opened");
        for base in 1..=70 {
            store
                .append_patch(patch(DRAFT, base, json!(base)), NOW)
                .await
                .expect("answered")
                .expect("taken");
        }
        assert_eq!(
            store.read_document(DRAFT).await.expect("read"),
            Some(document(71, json!(70)))
        );
        let history = store
            .list_versions(DRAFT, Page::first(1000))
            .await
            .expect("listed")
            .items;
        assert_eq!(history.len(), 64);
        assert_eq!(
            history.last().map(|version| version.revision),
            Some(Revision(8))
        );

        store.discard_document(DRAFT).await.expect("discarded");
        assert_eq!(store.read_document(DRAFT).await.expect("read"), None);
        let again = store
            .open_document(DRAFT, json!("anew"), NOW)
            .await
            .expect("opened");
        assert_eq!(again, document(1, json!("anew")));
        assert_eq!(
            store.read_document(FORM).await.expect("read"),
            Some(document(1, json!("form")))
        );
    }

    async fn content_comes_back_as_it_was(database) {
        let store = database.open().await;
        let content = json!({
            "\u{0}null\u{0}": "a\0b",
            "emoji": "\u{1f469}\u{200d}\u{1f680}",
            "": [null, true, -1, 1.5, u64::MAX],
            "deep": [[[[[[[[{}]]]]]]]], "quote": "\"'\\$1?1%", "long": "x".repeat(100_000),
        });
        store
            .open_document(FORM, content.clone(), NOW)
            .await
            .expect("opened");
        let read = store
            .read_document(FORM)
            .await
            .expect("read")
            .expect("there");
        assert_eq!(read.content, content);
    }
}

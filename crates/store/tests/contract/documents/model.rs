//! Random editors against a naive model of versions.

use std::collections::BTreeMap;

use proptest::{prelude::*, test_runner::Config};

use super::*;

/// One step of the model's: who does what.
#[derive(Debug, Clone)]
enum Step {
    /// A patch on what this editor believes to be the newest.
    Append { editor: usize, name: u8 },
    /// This editor looks.
    Look { editor: usize },
    /// A version is restored by this editor.
    Restore { editor: usize, wanted: u64 },
}

/// The naive model: a list of contents, and which name made which version.
#[derive(Default)]
struct Model {
    contents: Vec<Value>,
    names: BTreeMap<(usize, u8), u64>,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize, 0..12_u8).prop_map(|(editor, name)| Step::Append { editor, name }),
        2 => (0..3_usize).prop_map(|editor| Step::Look { editor }),
        1 => (0..3_usize, 0..9_u64)
            .prop_map(|(editor, wanted)| Step::Restore { editor, wanted }),
    ]
}

async fn check(store: &dyn Store, key: DocumentKey, steps: &[Step]) {
    store
        .open_document(key, json!("start"), NOW)
        .await
        .expect("opened");
    let mut model = Model {
        contents: vec![json!("start")],
        ..Model::default()
    };
    let mut believed = [1_u64; 3];
    for (number, step) in steps.iter().enumerate() {
        let newest = model.contents.len() as u64;
        match *step {
            Step::Look { editor } => {
                let read = store
                    .read_document(key)
                    .await
                    .expect("read")
                    .expect("there");
                assert_eq!(
                    read,
                    document(newest, model.contents[newest as usize - 1].clone())
                );
                believed[editor] = newest;
            }
            Step::Append { editor, name } => {
                let content = json!(number);
                let sent = patch(key, believed[editor], content.clone());
                let sent = named(sent, UserId(editor as u64 + 1), &name.to_string());
                let answer = store.append_patch(sent, NOW).await.expect("answered");
                if let Some(&before) = model.names.get(&(editor, name)) {
                    assert_eq!(answer, Ok(Appended::Before(Revision(before))));
                } else if believed[editor] == newest {
                    model.contents.push(content);
                    model.names.insert((editor, name), newest + 1);
                    assert_eq!(answer, Ok(Appended::New(Revision(newest + 1))));
                    believed[editor] = newest + 1;
                } else {
                    let newest = document(newest, model.contents[newest as usize - 1].clone());
                    assert_eq!(answer, Err(PatchRefusal::Conflict { newest }));
                }
            }
            Step::Restore { editor, wanted } => {
                let restore = RestoreVersion {
                    key,
                    wanted: Revision(wanted),
                    base: Revision(believed[editor]),
                    actor: USER,
                };
                let answer = store.restore_version(restore, NOW).await.expect("answered");
                let content = wanted
                    .checked_sub(1)
                    .and_then(|index| model.contents.get(index as usize))
                    .cloned();
                match (believed[editor] == newest, content) {
                    (false, _) => assert!(
                        matches!(answer, Err(PatchRefusal::Conflict { .. })),
                        "{answer:?}"
                    ),
                    (true, None) => assert_eq!(answer, Err(PatchRefusal::Unknown)),
                    (true, Some(content)) => {
                        assert_eq!(answer, Ok(document(newest + 1, content.clone())));
                        model.contents.push(content);
                        believed[editor] = newest + 1;
                    }
                }
            }
        }
    }
    for (index, content) in model.contents.iter().enumerate() {
        let revision = index as u64 + 1;
        let read = store
            .read_version(key, Revision(revision))
            .await
            .expect("read");
        assert_eq!(read, Some(document(revision, content.clone())));
    }
}

contract! {
    async fn versions_are_as_in_a_naive_model(database) {
        let store = database.open().await;
        let runtime = tokio::runtime::Handle::current();
        let checked = tokio::task::spawn_blocking(move || {
            let guild = std::cell::Cell::new(0);
            let mut runner = proptest::test_runner::TestRunner::new(Config::with_cases(40));
            runner.run(&proptest::collection::vec(step(), 1..40), |steps| {
                // A document of its own each time.
                guild.set(guild.get() + 1);
                let key = DocumentKey::Form(guildgate_model::GuildId(guild.get()));
                runtime.block_on(check(&*store, key, &steps));
                Ok(())
            })
        });
        checked.await.expect("no panic").expect("the model holds");
    }
}

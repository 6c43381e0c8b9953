//! What was answered survives `kill -9`: a process that writes under load is killed again and
//! again, and all that it had said to be done must be there.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use guildgate_model::{
    ApplicationId, GuildId, NotificationId, Revision, Secret, SubmissionStatus, TokenId, TokenKind,
    UnixMs, UserId,
};
use guildgate_store::{
    AppendPatch, Appended, DocumentKey, NewToken, OutboxItem, OutboxState, PAGE_MAX, Page, PatchId,
    Store, Task, Topic, Uses, testing::Database,
};
use serde_json::json;
use tokio_postgres::NoTls;

/// Longest wait for anything; a test that gets there has failed.
const PATIENCE: Duration = Duration::from_secs(60);

const NOW: UnixMs = UnixMs(1_700_000_000_000);
const GUILD: GuildId = GuildId(1);
const FORM: DocumentKey = DocumentKey::Form(GUILD);

/// One thing that a killed process had said to be done.
#[derive(Debug, Clone, Copy)]
enum Done {
    Used { left: u32 },
    Notified { user: u64, id: u64 },
    Acknowledged { user: u64 },
    Patched { number: u64, revision: u64 },
    Submitted { user: u64, id: u64 },
    Reviewed { user: u64, id: u64, told: u64 },
    Drafted { user: u64, revision: u64 },
    Settled { item: u64 },
}

fn read(line: &str) -> Done {
    let mut words = line.split(' ');
    let verb = words.next().expect("a verb");
    let mut number = || {
        words
            .next()
            .expect("a number")
            .parse::<u64>()
            .expect("a number")
    };
    match verb {
        "used" => Done::Used {
            left: u32::try_from(number()).expect("small"),
        },
        "notified" => Done::Notified {
            user: number(),
            id: number(),
        },
        "acknowledged" => Done::Acknowledged { user: number() },
        "patched" => Done::Patched {
            number: number(),
            revision: number(),
        },
        "submitted" => Done::Submitted {
            user: number(),
            id: number(),
        },
        "reviewed" => Done::Reviewed {
            user: number(),
            id: number(),
            told: number(),
        },
        "drafted" => Done::Drafted {
            user: number(),
            revision: number(),
        },
        "settled" => Done::Settled { item: number() },
        other => panic!("{other:?} is no verb"),
    }
}

/// Runs a writer and kills it once it has said so much; all that it said.
fn run_and_kill(location: &str, round: u64, secret: &Secret, lines_before: usize) -> Vec<Done> {
    let mut writer = Command::new(env!("CARGO_BIN_EXE_store-crash-writer"))
        .args([
            location,
            &round.to_string(),
            secret.expose(),
            &NOW.0.to_string(),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the writer starts");
    let output = BufReader::new(writer.stdout.take().expect("piped"));
    let (said, heard) = mpsc::channel();
    let reader = std::thread::spawn(move || listen(output, &said));
    let mut done = Vec::new();
    loop {
        match heard.recv_timeout(PATIENCE) {
            Ok(line) => done.push(read(&line)),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                writer.kill().expect("killed");
                panic!("it says nothing after {done:?}");
            }
        }
        if done.len() == lines_before {
            writer.kill().expect("killed");
        }
    }
    reader.join().expect("its output is text");
    let status = writer.wait().expect("it ends");
    assert_eq!(status.code(), None, "killed, not ended by itself: {status}");
    assert!(done.len() >= lines_before);
    done
}

/// Passes on what is said, a line each, until it ends.
fn listen(mut output: impl BufRead, said: &mpsc::Sender<String>) {
    let mut line = String::new();
    while output.read_line(&mut line).expect("read") > 0 {
        // A last line without its end was not said.
        let Some(whole) = line.strip_suffix('\n') else {
            return;
        };
        if said.send(whole.to_owned()).is_err() {
            return;
        }
        line.clear();
    }
}

/// Waits until PostgreSQL has noticed that the killed process is gone: what it had asked for
/// before may still be done.
async fn until_nobody_writes(database: &Database) {
    if !database.location().starts_with("postgres:") {
        return;
    }
    let (watcher, connection) = tokio_postgres::connect(database.location(), NoTls)
        .await
        .expect("connected");
    let driver = tokio::spawn(connection);
    let others = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let alone = async {
        loop {
            let row = watcher.query_one(others, &[]).await.expect("read");
            if row.get::<_, i64>(0) == 0 {
                return;
            }
        }
    };
    let alone = tokio::time::timeout(PATIENCE, alone).await;
    alone.expect("the killed process's connections end");
    drop(watcher);
    driver.await.expect("no panic").expect("it ends well");
}

async fn verify(store: &dyn Store, token: TokenId, done: Done) {
    match done {
        Done::Used { left } => {
            let record = store.read_token(token).await.expect("read").expect("there");
            let now = record.uses_left.expect("counted");
            assert!(
                now <= left,
                "a use that was granted is not given back: {now} > {left}"
            );
        }
        Done::Notified { user, id } => {
            let pending = store
                .pending_notifications(UserId(user))
                .await
                .expect("read");
            let ids: Vec<_> = pending.iter().map(|one| one.id).collect();
            assert_eq!(ids, [NotificationId(id)], "not lost: {done:?}");
        }
        Done::Acknowledged { user } => {
            let pending = store
                .pending_notifications(UserId(user))
                .await
                .expect("read");
            assert!(pending.is_empty(), "not shown again: {done:?}");
        }
        Done::Patched { number, revision } => {
            let version = store
                .read_version(FORM, Revision(revision))
                .await
                .expect("read");
            let content = version.expect("in the history").content;
            assert_eq!(content, json!({ "by": number }), "{done:?}");
            verify_once(store, FORM, UserId(1), number, Revision(revision)).await;
        }
        Done::Drafted { user, revision } => {
            let key = DocumentKey::Draft(GUILD, UserId(user));
            let draft = store.read_document(key).await.expect("read");
            let draft = draft.expect("not lost");
            assert_eq!(draft.content, json!({ "by": user }), "{done:?}");
            verify_once(store, key, UserId(user), user, Revision(revision)).await;
        }
        // See verify_outbox.
        Done::Settled { .. } => {}
        Done::Submitted { user, id } => {
            let found = store
                .read_submission(GUILD, ApplicationId(id))
                .await
                .expect("read");
            let found = found.expect("not lost");
            assert_eq!(
                (found.user, found.status),
                (UserId(user), SubmissionStatus::Pending)
            );
        }
        Done::Reviewed { user, id, told } => {
            let found = store
                .read_submission(GUILD, ApplicationId(id))
                .await
                .expect("read");
            let found = found.expect("not lost");
            assert_eq!(
                (found.user, found.status),
                (UserId(user), SubmissionStatus::Accepted)
            );
            let pending = store
                .pending_notifications(UserId(user))
                .await
                .expect("read");
            let ids: Vec<_> = pending.iter().map(|one| one.id).collect();
            assert_eq!(ids, [NotificationId(told)], "{done:?}");
        }
    }
}

/// The patch of this number is known again, whoever sends it a second time.
async fn verify_once(
    store: &dyn Store,
    key: DocumentKey,
    actor: UserId,
    number: u64,
    revision: Revision,
) {
    let again = AppendPatch {
        key,
        base: revision,
        patch: json!([]),
        content: json!("twice"),
        actor,
        patch_id: Some(PatchId(number.to_string().into())),
        renamed: Vec::new(),
    };
    let again = store.append_patch(again, NOW).await.expect("answered");
    assert_eq!(again, Ok(Appended::Before(revision)), "not twice");
}

/// What a review has left to do is there once, and what was done is not to be done again.
async fn verify_outbox(store: &dyn Store, done: &[Done]) {
    let roles = outbox(store, Topic::GrantRole).await;
    let hooks = outbox(store, Topic::Webhook).await;
    for one in done {
        match *one {
            Done::Reviewed { user, id, told } => {
                let granted = roles.iter().filter(|item| match &item.task {
                    Task::GrantRole {
                        user: to,
                        application,
                        ..
                    } => (*to, *application) == (UserId(user), ApplicationId(id)),
                    Task::Webhook { .. } => false,
                });
                assert_eq!(granted.count(), 1, "{one:?}");
                let named = format!("review:{told}");
                let called = hooks.iter().filter(|item| match &item.task {
                    Task::Webhook { event, .. } => **event == *named,
                    Task::GrantRole { .. } => false,
                });
                assert_eq!(called.count(), 1, "{one:?}");
            }
            Done::Settled { item } => {
                let found = roles.iter().find(|found| found.id == item);
                let found = found.expect("not lost");
                assert_eq!(found.state, OutboxState::Done, "{one:?}");
            }
            _ => {}
        }
    }
}

/// All tasks of a topic.
async fn outbox(store: &dyn Store, topic: Topic) -> Vec<OutboxItem> {
    let mut all = Vec::new();
    let mut page = Page::first(PAGE_MAX);
    loop {
        let listed = store.list_outbox(GUILD, topic, None, page).await;
        let listed = listed.expect("read");
        all.extend(listed.items);
        if listed.next.is_none() {
            return all;
        }
        page.before = listed.next;
    }
}

/// The history must be whole: what was not answered happened or not, but never by halves.
async fn verify_history(store: &dyn Store) {
    let Some(newest) = store.read_document(FORM).await.expect("read") else {
        return;
    };
    let mut base = Revision::FIRST;
    loop {
        let versions = store.versions_after(FORM, base, 1_000).await.expect("read");
        let Some(last) = versions.last() else { break };
        for (version, expected) in versions.iter().zip(base.0 + 1..) {
            assert_eq!(version.revision, Revision(expected), "no hole");
        }
        base = last.revision;
    }
    assert_eq!(base, newest.revision);
}

async fn what_was_answered_survives(database: Database, rounds: u64) {
    let store = database.open().await;
    let new = NewToken {
        kind: TokenKind::GatewayGuild,
        owner: None,
        uses: Uses::Limited(1_000_000),
        expires_at: None,
    };
    let (token, secret) = store.issue_token(new, NOW).await.expect("issued");
    drop(store);
    let mut all = Vec::new();
    for round in 1..=rounds {
        // Early and late, so that it dies in its first commits as well as under way.
        let lines_before = 1 + (round as usize * 67) % 301;
        let location = database.location().to_owned();
        let secret = secret.clone();
        let killed = tokio::task::spawn_blocking(move || {
            run_and_kill(&location, round, &secret, lines_before)
        });
        let done = killed.await.expect("no panic");
        until_nobody_writes(&database).await;
        let store = database.open().await;
        for &one in &done {
            verify(&*store, token.id, one).await;
        }
        verify_outbox(&*store, &done).await;
        verify_history(&*store).await;
        all.extend(done);
    }
    let store = database.open().await;
    verify_outbox(&*store, &all).await;
    for one in all {
        verify(&*store, token.id, one).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    what_was_answered_survives(Database::sqlite(), 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    what_was_answered_survives(Database::postgres().await, 8).await;
}

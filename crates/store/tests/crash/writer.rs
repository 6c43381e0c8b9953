//! What the crash test kills: writes to a store as fast as it can, and says on its standard
//! output what was answered, a line each.
//!
//! Arguments: the database's address, the round, a token's secret, an instant.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use guildgate_model::{Decision, GuildId, Revision, RoleId, Secret, TokenKind, UnixMs, UserId};
use guildgate_store::{
    AppendPatch, DocumentKey, NewNotification, NewSubmission, Owner, PatchId, PatchRefusal, Review,
    Room, Settlement, Store, SubmitRefusal, Task, Topic, open,
};
use serde_json::json;

/// How many tasks write at once, so that commits are grouped.
const TASKS: u64 = 12;

const GUILD: GuildId = GuildId(1);

struct Writer {
    store: Arc<dyn Store>,
    secret: Secret,
    now: UnixMs,
    /// Numbers that no other round gives.
    numbers: AtomicU64,
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("four arguments");
    let location = next();
    let round: u64 = next().parse().expect("a round");
    let secret = Secret::new(next());
    let now = UnixMs(next().parse().expect("an instant"));
    let writer = Arc::new(Writer {
        store: open(&location).await.expect("opened"),
        secret,
        now,
        numbers: AtomicU64::new(round * 1_000_000_000),
    });
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(write_on(Arc::clone(&writer), task)))
        .collect();
    for task in tasks {
        task.await.expect("the writer writes until it is killed");
    }
}

async fn write_on(writer: Arc<Writer>, task: u64) {
    for turn in task.. {
        let number = writer.numbers.fetch_add(1, Ordering::Relaxed);
        let line = match turn % 6 {
            0 => use_token(&writer).await,
            1 => notify(&writer, number).await,
            2 => patch(&writer, number).await,
            3 => apply(&writer, number).await,
            4 => draft(&writer, number).await,
            _ => match settle(&writer).await {
                Some(line) => line,
                None => continue,
            },
        };
        // In one call, so that a killed process leaves whole lines but for the last.
        let mut out = std::io::stdout().lock();
        out.write_all(format!("{line}\n").as_bytes())
            .and_then(|()| out.flush())
            .expect("the test listens");
    }
}

async fn use_token(writer: &Writer) -> String {
    let used = writer
        .store
        .authenticate(
            &writer.secret,
            TokenKind::GatewayGuild,
            Owner::Any,
            writer.now,
        )
        .await
        .expect("answered")
        .expect("uses are left");
    format!("used {}", used.uses_left.expect("counted"))
}

/// Every other one is acknowledged too.
async fn notify(writer: &Writer, number: u64) -> String {
    let user = UserId(number);
    let new = NewNotification {
        user,
        decision: Decision::Denied,
        guild: GUILD,
        application: None,
        note: None,
    };
    let added = writer
        .store
        .add_notification(new, writer.now)
        .await
        .expect("added");
    if number.is_multiple_of(2) {
        return format!("notified {user} {}", added.id);
    }
    writer
        .store
        .acknowledge(user, &[added.id], writer.now)
        .await
        .expect("acknowledged");
    format!("acknowledged {user}")
}

async fn patch(writer: &Writer, number: u64) -> String {
    let mut base = Revision::FIRST;
    loop {
        let patch = AppendPatch {
            key: DocumentKey::Form(GUILD),
            base,
            patch: json!([number]),
            content: json!({ "by": number }),
            actor: UserId(1),
            patch_id: Some(PatchId(number.to_string().into())),
            renamed: Vec::new(),
        };
        let answer = writer.store.append_patch(patch, writer.now).await;
        match answer.expect("answered") {
            Ok(appended) => return format!("patched {number} {}", appended.revision()),
            Err(PatchRefusal::Conflict { newest }) => base = newest.revision,
            Err(PatchRefusal::Unknown | PatchRefusal::Answered(_)) => {
                let key = DocumentKey::Form(GUILD);
                let opened = writer.store.open_document(key, json!({}), writer.now).await;
                base = opened.expect("opened").revision;
            }
        }
    }
}

async fn apply(writer: &Writer, number: u64) -> String {
    let id = loop {
        let form = writer.store.read_document(DocumentKey::Form(GUILD)).await;
        let new = NewSubmission {
            guild: GUILD,
            user: UserId(number),
            revision: Revision::FIRST,
            answers: json!([number]),
            judged_by: form.expect("read").map(|form| form.revision),
            form: None,
            limit: None,
            counted_since: None,
            tasks: Vec::new(),
        };
        let submitted = writer.store.submit(new, writer.now).await;
        match submitted.expect("answered") {
            Ok(submitted) => break submitted.id,
            Err(SubmitRefusal::FormChanged) => {}
            Err(refusal) => panic!("{refusal}"),
        }
    };
    if number.is_multiple_of(2) {
        return format!("submitted {number} {id}");
    }
    let review = Review {
        guild: GUILD,
        id,
        decision: Decision::Accepted,
        note: None,
        reviewer: UserId(1),
        expected: None,
        tasks: vec![
            Task::GrantRole {
                guild: GUILD,
                user: UserId(number),
                role: RoleId(1),
                application: id,
            },
            Task::Webhook {
                guild: GUILD,
                endpoint: "hook".into(),
                event: "review:$id".into(),
                body: json!({}),
            },
        ],
    };
    let reviewed = writer.store.review(review, writer.now).await;
    let reviewed = reviewed.expect("answered").expect("reviewed");
    format!("reviewed {number} {id} {}", reviewed.notification.id)
}

/// A draft of its own for each number.
async fn draft(writer: &Writer, number: u64) -> String {
    let key = DocumentKey::Draft(GUILD, UserId(number));
    let opened = writer.store.open_document(key, json!({}), writer.now).await;
    let patch = AppendPatch {
        key,
        base: opened.expect("opened").revision,
        patch: json!([number]),
        content: json!({ "by": number }),
        actor: UserId(number),
        patch_id: Some(PatchId(number.to_string().into())),
        renamed: Vec::new(),
    };
    let answer = writer.store.append_patch(patch, writer.now).await;
    let appended = answer.expect("answered").expect("nobody else edits it");
    format!("drafted {number} {}", appended.revision())
}

/// Does something that a review has left to do, if there is any.
async fn settle(writer: &Writer) -> Option<String> {
    let taken = writer
        .store
        .take_due(Topic::GrantRole, Room::new(1, 1), LEASE, writer.now)
        .await;
    let attempt = taken.expect("taken").first()?.attempt();
    let settled = writer
        .store
        .settle(attempt, Settlement::Done, writer.now)
        .await;
    assert!(settled.expect("settled"), "the lease is not over");
    Some(format!("settled {}", attempt.item))
}

/// Longer than the test runs: what a killed writer had taken stays taken.
const LEASE: Duration = Duration::from_secs(24 * 60 * 60);

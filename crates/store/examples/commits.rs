//! How many operations a store answers in a second: one at a time, and many at once, which
//! lets commits be grouped.
//!
//! `cargo run --release -p guildgate-store --example commits [ADDRESS]`; without an address, an
//! SQLite file in the working directory's `target` folder, which is on the disk that one works
//! on (a folder for temporary files may be in memory, where a flush costs nothing).

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock; nothing here is a machine"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use guildgate_model::{GuildId, Revision, Secret, TokenKind, UnixMs, UserId};
use guildgate_store::{AppendPatch, DocumentKey, NewToken, Owner, Store, StoreError, Uses, open};
use serde_json::{Value, json};

const NOW: UnixMs = UnixMs(1_700_000_000_000);
/// How long each row is measured.
const MEASURED: Duration = Duration::from_secs(3);
/// How many ask at once, in the rows that group.
const MANY: u64 = 256;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given = std::env::args().nth(1);
    let file = format!("target/commits-{}.db", std::process::id());
    let store = open(given.as_deref().unwrap_or(&file)).await?;
    println!("{}", store.version().await?);
    println!("{:<44} {:>10} {:>12}", "operation", "at once", "ops/s");

    let bounded = issue(&store, Uses::Limited(u32::MAX)).await?;
    let unbounded = issue(&store, Uses::Unlimited).await?;
    for (name, secret) in [
        ("authenticate, a token without a bound", unbounded),
        ("authenticate, a use taken", bounded),
    ] {
        for at_once in [1, MANY] {
            measure(name, at_once, |_| {
                let (store, secret) = (Arc::clone(&store), secret.clone());
                move || authenticate(Arc::clone(&store), secret.clone())
            })
            .await;
        }
    }
    let mut revisions = Vec::new();
    for guild in 0..MANY {
        let key = DocumentKey::Form(GuildId(guild));
        let opened = store.open_document(key, form(0), NOW).await?;
        revisions.push(Arc::new(AtomicU64::new(opened.revision.0)));
    }
    for at_once in [1, 50, MANY] {
        measure("append_patch, forms of 4 KB", at_once, |task| {
            let (store, revision) = (Arc::clone(&store), Arc::clone(&revisions[task as usize]));
            move || append(Arc::clone(&store), task, Arc::clone(&revision))
        })
        .await;
    }
    let head = store.head().await?;
    measure("changes_after, nothing new", 1, |_| {
        let store = Arc::clone(&store);
        move || {
            let store = Arc::clone(&store);
            async move {
                let changes = store.changes_after(head, 100).await;
                assert!(changes.expect("read").is_empty());
            }
        }
    })
    .await;
    drop(store);
    if given.is_none() {
        for suffix in ["", "-wal", "-shm", ".lock"] {
            // SQLite removes two of them itself when it closes.
            let _ = std::fs::remove_file(format!("{file}{suffix}"));
        }
    }
    Ok(())
}

/// Runs an operation over and over in so many tasks, and prints how often it was answered.
/// `operation` makes a task's own.
async fn measure<O, F>(name: &str, at_once: u64, operation: impl Fn(u64) -> O)
where
    O: Fn() -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let begin = Instant::now();
    let tasks: Vec<_> = (0..at_once)
        .map(|task| {
            let operation = operation(task);
            tokio::spawn(async move {
                let mut answered = 0_u64;
                while begin.elapsed() < MEASURED {
                    operation().await;
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    let mut answered = 0;
    for task in tasks {
        answered += task.await.expect("an operation does not panic");
    }
    let rate = answered as f64 / begin.elapsed().as_secs_f64();
    println!("{name:<44} {at_once:>10} {rate:>12.0}");
}

async fn issue(store: &Arc<dyn Store>, uses: Uses) -> Result<Secret, StoreError> {
    let new = NewToken {
        kind: TokenKind::GatewayGuild,
        owner: Some(1),
        uses,
        expires_at: None,
    };
    Ok(store.issue_token(new, NOW).await?.1)
}

async fn authenticate(store: Arc<dyn Store>, secret: Secret) {
    store
        .authenticate(&secret, TokenKind::GatewayGuild, Owner::Id(1), NOW)
        .await
        .expect("answered")
        .expect("accepted");
}

async fn append(store: Arc<dyn Store>, guild: u64, revision: Arc<AtomicU64>) {
    let base = Revision(revision.load(Ordering::Relaxed));
    let patch = AppendPatch {
        key: DocumentKey::Form(GuildId(guild)),
        base,
        patch: json!([{ "op": "replace", "path": "/sections/0/title", "value": base }]),
        content: form(base.0),
        actor: UserId(1),
        patch_id: None,
        renamed: Vec::new(),
    };
    let appended = store.append_patch(patch, NOW).await;
    let appended = appended
        .expect("answered")
        .expect("nobody else writes to this form");
    revision.store(appended.revision().0, Ordering::Relaxed);
}

/// A form of about 4 KB.
fn form(title: u64) -> Value {
    let field = json!({ "id": "f", "title": "x".repeat(160), "type": 0, "length": [0, 100] });
    json!({ "sections": [{ "title": title, "fields": vec![field; 18] }] })
}

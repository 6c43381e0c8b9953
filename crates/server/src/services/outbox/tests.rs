use std::sync::Mutex;

use guildgate_model::{ApplicationId, Secret, UnixMs};
use guildgate_store::{AuditAction, AuditEntry, OutboxState, Page, SqliteStore};
use serde_json::json;

use tokio::sync::Notify;

use super::*;

const GUILD: GuildId = GuildId(7);

/// A world that answers as told, and writes down what reached it.
#[derive(Default)]
struct Script {
    answers: Mutex<Vec<Called>>,
    posted: Mutex<Vec<Posted>>,
    granted: Mutex<Vec<(GuildId, UserId, RoleId)>>,
    called: Notify,
}

/// A web hook that never answers.
const DEAD: &str = "https://example.org/dead";

type Posted = (String, Vec<(&'static str, String)>, Vec<u8>);

impl Script {
    fn answer(&self) -> Called {
        self.answers
            .lock()
            .expect("a lock")
            .pop()
            .unwrap_or(Called::Done)
    }
}

#[async_trait]
impl Outside for Script {
    async fn post(&self, url: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> Called {
        let posted = (url.to_owned(), headers.to_vec(), body);
        self.posted.lock().expect("a lock").push(posted);
        self.called.notify_waiters();
        if url == DEAD {
            std::future::pending::<()>().await;
        }
        self.answer()
    }

    async fn grant_role(&self, guild: GuildId, user: UserId, role: RoleId) -> Called {
        self.granted
            .lock()
            .expect("a lock")
            .push((guild, user, role));
        self.answer()
    }
}

struct Harness {
    worker: OutboxWorker,
    store: Arc<dyn Store>,
    world: Arc<Script>,
}

impl Harness {
    async fn new(answers: Vec<Called>) -> Harness {
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open_temporary().await.expect("a database"));
        let world = Arc::new(Script {
            answers: Mutex::new(answers),
            ..Script::default()
        });
        let hook = WebhookConfig {
            url: "https://example.org/hook".into(),
            secret: Some(Secret::new("sesame")),
        };
        let worker = OutboxWorker {
            store: Arc::clone(&store),
            outside: Arc::clone(&world) as Arc<dyn Outside>,
            webhooks: BTreeMap::from([
                ("staff".to_owned(), hook.clone()),
                (
                    "dead".to_owned(),
                    WebhookConfig {
                        url: DEAD.into(),
                        ..hook
                    },
                ),
            ]),
            clock: Clock::start(),
        };
        Harness {
            worker,
            store,
            world,
        }
    }

    async fn enqueue(&self, task: Task) {
        self.store
            .enqueue(task, UnixMs(0))
            .await
            .expect("a database");
    }

    async fn only_item(&self, topic: Topic) -> OutboxItem {
        let listed = self.store.list_outbox(GUILD, topic, None, Page::first(10));
        let mut items = listed.await.expect("a database").items;
        assert_eq!(items.len(), 1);
        items.remove(0)
    }

    async fn trail(&self) -> Vec<AuditEntry> {
        let trail = self.store.list_audit(GUILD, Page::first(10)).await;
        trail.expect("a database").items
    }
}

fn webhook(endpoint: &str) -> Task {
    Task::Webhook {
        guild: GUILD,
        endpoint: endpoint.into(),
        event: "submitted:1".into(),
        body: json!({"event": "submitted"}),
    }
}

fn role() -> Task {
    Task::GrantRole {
        guild: GUILD,
        user: UserId(42),
        role: RoleId(9),
        application: ApplicationId(1),
    }
}

#[tokio::test]
async fn a_web_hook_is_called_signed_and_once() {
    let harness = Harness::new(vec![]).await;
    harness.enqueue(webhook("staff")).await;
    for _ in 0..2 {
        harness
            .worker
            .work(Topic::Webhook, &CancellationToken::new(), Idle::Ends)
            .await
            .expect("a database");
    }
    let posted = harness.world.posted.lock().expect("a lock").clone();
    let [(url, headers, body)] = &posted[..] else {
        panic!("called {} times", posted.len());
    };
    assert_eq!(url, "https://example.org/hook");
    assert_eq!(body, br#"{"event":"submitted"}"#);
    let header = |name: &str| {
        let found = headers.iter().find(|(found, _)| *found == name);
        found.map(|(_, value)| value.clone()).expect(name)
    };
    assert_eq!(header("guildgate-event"), "submitted:1");
    assert_eq!(
        header("guildgate-signature"),
        signature(b"sesame", &header("guildgate-timestamp"), body)
    );
    assert_eq!(
        harness.only_item(Topic::Webhook).await.state,
        OutboxState::Done
    );
}

#[test]
fn a_signature_is_what_another_program_makes_of_it() {
    // printf '%s' '1700000000000.{}' | openssl dgst -sha256 -hmac sesame
    assert_eq!(
        signature(b"sesame", "1700000000000", b"{}"),
        "v1=6dec9ae7eb5a57f95e8f4a6cc5c9b1197d50ef6ad003d1a2ed52355eb67c4f9b"
    );
}

#[tokio::test]
async fn what_fails_for_now_is_tried_again_later() {
    let failure = Called::Later {
        error: "the web hook answered 500".into(),
        after: Some(Duration::from_secs(30)),
    };
    let harness = Harness::new(vec![failure]).await;
    harness.enqueue(webhook("staff")).await;
    harness
        .worker
        .work(Topic::Webhook, &CancellationToken::new(), Idle::Ends)
        .await
        .expect("a database");
    let item = harness.only_item(Topic::Webhook).await;
    assert_eq!(item.state, OutboxState::Pending);
    assert_eq!(item.attempts, 1);
    assert_eq!(item.error.as_deref(), Some("the web hook answered 500"));
    let now = harness.worker.clock.now().wall;
    assert!(
        item.next_at > now + Duration::from_secs(20),
        "as long as it asked for"
    );
}

#[tokio::test]
async fn what_can_never_be_done_is_given_up() {
    let harness = Harness::new(vec![]).await;
    harness.enqueue(webhook("gone")).await;
    harness
        .worker
        .work(Topic::Webhook, &CancellationToken::new(), Idle::Ends)
        .await
        .expect("a database");
    let item = harness.only_item(Topic::Webhook).await;
    assert_eq!(item.state, OutboxState::Failed);
    assert!(item.error.expect("why").contains("no web hook `gone`"));
    assert!(harness.world.posted.lock().expect("a lock").is_empty());
}

#[tokio::test]
async fn a_role_is_given_and_its_fate_is_in_the_trail() {
    let forbidden = Called::Never {
        error: "Missing Permissions".into(),
    };
    let harness = Harness::new(vec![forbidden]).await;
    harness.enqueue(role()).await;
    harness
        .worker
        .work(Topic::GrantRole, &CancellationToken::new(), Idle::Ends)
        .await
        .expect("a database");
    assert_eq!(
        *harness.world.granted.lock().expect("a lock"),
        [(GUILD, UserId(42), RoleId(9))]
    );
    let trail = harness.trail().await;
    assert_eq!(trail[0].action, AuditAction::RoleGrantFailed);
    assert_eq!(trail[0].detail["error"], "Missing Permissions");

    let item = harness.only_item(Topic::GrantRole).await;
    let retried = harness.store.retry(GUILD, item.id, UnixMs(0)).await;
    assert!(retried.expect("a database"));
    harness
        .worker
        .work(Topic::GrantRole, &CancellationToken::new(), Idle::Ends)
        .await
        .expect("a database");
    let trail = harness.trail().await;
    assert_eq!(trail[0].action, AuditAction::RoleGranted);
    assert_eq!(trail[0].detail["role"], "9");
    assert_eq!(
        harness.only_item(Topic::GrantRole).await.state,
        OutboxState::Done
    );
}

#[test]
fn pauses_grow_to_an_hour() {
    assert_eq!(pause(1), Duration::from_secs(2));
    assert_eq!(pause(2), Duration::from_secs(4));
    assert_eq!(pause(11), Duration::from_secs(2048));
    assert_eq!(pause(12), Duration::from_secs(3600));
    assert_eq!(pause(ATTEMPTS_MAX), Duration::from_secs(3600));
    let all: Duration = (1..ATTEMPTS_MAX).map(pause).sum();
    assert!(all > Duration::from_secs(20 * 3600), "{all:?}: about a day");
}

#[tokio::test]
async fn a_web_hook_that_does_not_answer_holds_up_no_other() {
    let harness = Harness::new(vec![]).await;
    for endpoint in ["dead", "staff"] {
        for number in 0..40 {
            harness
                .enqueue(Task::Webhook {
                    guild: GUILD,
                    endpoint: endpoint.into(),
                    event: number.to_string().into(),
                    body: json!({}),
                })
                .await;
        }
    }
    let posted = |url: &str| {
        let posted = harness.world.posted.lock().expect("a lock");
        posted.iter().filter(|(called, ..)| called == url).count()
    };
    let stop = CancellationToken::new();
    let all_called = async {
        loop {
            let called = harness.world.called.notified();
            if posted("https://example.org/hook") == 40 {
                return;
            }
            called.await;
        }
    };
    tokio::select! {
        ended = harness.worker.work(Topic::Webhook, &stop, Idle::Waits) => {
            panic!("it does not end: {ended:?}");
        }
        () = all_called => {}
    }
    assert_eq!(posted(DEAD), ENDPOINT_MAX as usize);
}

//! Who counts identifies, and when: the queue over a store, and over a budget played by hand.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use guildgate_discord::{Epoch, IDENTIFY_SPACING, Permit, SessionStartLimit};
use guildgate_model::{TokenHash, UnixMs};
use guildgate_store::{IdentifyRefused, WhyNotIdentify, testing::Database};

use tokio::sync::mpsc;

use super::*;
use crate::upstream::{
    queue::{Queue, QueueParts, ToQueue},
    rest::Rest,
};

/// Refuses the first time, and notes what it is asked for.
#[derive(Default)]
struct Strict {
    asked: AtomicU64,
    last: Mutex<Option<(u32, u32)>>,
}

#[async_trait]
impl IdentifyBudget for Strict {
    async fn reserve(
        &self,
        bucket: u32,
        total: u32,
        now: UnixMs,
    ) -> Result<Reservation, Box<dyn Error + Send + Sync>> {
        *self.last.lock().expect("no panic") = Some((bucket, total));
        if self.asked.fetch_add(1, Ordering::Relaxed) == 0 {
            return Ok(Reservation::Refused(IdentifyRefused {
                retry_at: now + Duration::from_millis(20),
                why: WhyNotIdentify::Slowed,
            }));
        }
        Ok(Reservation::Counted)
    }
}

/// A queue of shards 0 to 2, whose permits come out at the other end.
fn queue(
    budget: Arc<dyn IdentifyBudget>,
    rest: &FakeRest,
    fresh_for: Duration,
) -> (Queue, mpsc::UnboundedReceiver<Epoch>) {
    let clock = Clock::start();
    let (permits, given) = mpsc::unbounded_channel();
    let shards: BTreeMap<_, _> = (0..3).map(|id| (shard(id), permits.clone())).collect();
    let parts = QueueParts {
        clock,
        budget,
        rest: Rest::new(&rest.url(), Secret::new("sesame"), clock).expect("a usable URL"),
        fresh_for,
        shards,
    };
    (Queue::start(parts, SessionStartLimit::default()), given)
}

fn shard(id: u32) -> ShardId {
    ShardId { id, count: 3 }
}

fn request(queue: &Queue, id: u32) {
    queue.tell(ToQueue::Request(Permit {
        shard: shard(id),
        epoch: Epoch(u64::from(id) + 1),
    }));
}

#[tokio::test]
async fn what_the_budget_refuses_waits_and_is_asked_for_again() {
    let rest = FakeRest::start(|_| reply(500, &json!({}))).await;
    let budget = Arc::new(Strict::default());
    let (queue, mut given) = queue(budget.clone(), &rest, Duration::MAX);
    request(&queue, 2);
    assert_eq!(soon("a permit", given.recv()).await, Some(Epoch(3)));
    assert_eq!(budget.asked.load(Ordering::Relaxed), 2);
    let last = *budget.last.lock().expect("no panic");
    assert_eq!(
        last,
        Some((0, 1000)),
        "one bucket, as long as nothing is said"
    );
    assert_eq!(rest.requests().len(), 0, "what was said is fresh");
}

#[tokio::test]
async fn an_old_limit_is_asked_for_again_before_an_identify() {
    let rest = FakeRest::start(|_| {
        let limit = json!({
            "total": 2000, "remaining": 1500, "reset_after": 60_000, "max_concurrency": 16,
        });
        reply(200, &json!({"url": "ws://x", "session_start_limit": limit}))
    })
    .await;
    let budget = Arc::new(Strict::default());
    let (queue, mut given) = queue(budget.clone(), &rest, Duration::ZERO);
    request(&queue, 2);
    assert_eq!(soon("a permit", given.recv()).await, Some(Epoch(3)));
    let last = *budget.last.lock().expect("no panic");
    assert_eq!(last, Some((2, 2000)));
    assert!(rest.requests()[0].starts_with("GET /some/base/v10/gateway/bot"));
}

#[tokio::test]
async fn e12_the_spacing_holds_for_a_process_that_crashes_and_starts_again() {
    let database = Database::sqlite();
    let bot = TokenHash([1; 32]);
    let now = UnixMs(1_800_000_000_000);
    let mut answers = Vec::new();
    for crash in 0..20_u32 {
        let budget = StoreBudget::new(database.open().await, bot);
        let at = now + Duration::from_secs(1) * crash;
        answers.push(budget.reserve(0, 1000, at).await.expect("answered"));
    }
    let counted = answers.iter().filter(|&&one| one == Reservation::Counted);
    assert_eq!(counted.count(), 4, "one in 5.25 s over 20 s");
    let refused = IdentifyRefused {
        retry_at: now + IDENTIFY_SPACING,
        why: WhyNotIdentify::Spacing,
    };
    assert_eq!(answers[1], Reservation::Refused(refused));
}

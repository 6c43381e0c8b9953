//! The task that owns the identify queue of all shards.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use guildgate_discord::{Epoch, IdentifyQueue, Permit, SessionStartLimit};
use guildgate_model::{Mono, ShardId};
use tokio::sync::mpsc;

use super::budget::{IdentifyBudget, Reservation};
use crate::clock::Clock;

/// How long to wait when the budget could not be counted.
const COUNT_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What shards say to the queue. At most one request of each shard waits, so that the channel
/// needs no bound of its own.
#[derive(Debug)]
pub(super) enum ToQueue {
    Request(Permit),
    Release(Permit),
}

/// The shards' end of the queue.
#[derive(Debug, Clone)]
pub(super) struct Queue(mpsc::UnboundedSender<ToQueue>);

impl Queue {
    /// Starts the task. It ends once every shard is gone.
    pub(super) fn start(
        clock: Clock,
        limit: SessionStartLimit,
        budget: Arc<dyn IdentifyBudget>,
        shards: BTreeMap<ShardId, mpsc::UnboundedSender<Epoch>>,
    ) -> Queue {
        let (tx, rx) = mpsc::unbounded_channel();
        let queue = IdentifyQueue::new(clock.now(), limit, None);
        tokio::spawn(run(clock, queue, budget, shards, rx));
        Queue(tx)
    }

    pub(super) fn tell(&self, message: ToQueue) {
        // It is gone only with the last shard.
        let _ = self.0.send(message);
    }
}

async fn run(
    clock: Clock,
    mut queue: IdentifyQueue,
    budget: Arc<dyn IdentifyBudget>,
    shards: BTreeMap<ShardId, mpsc::UnboundedSender<Epoch>>,
    mut messages: mpsc::UnboundedReceiver<ToQueue>,
) {
    loop {
        for permit in queue.grant(clock.now().mono) {
            match reserved(&clock, budget.as_ref(), queue.total()).await {
                Ok(()) => {
                    if let Some(shard) = shards.get(&permit.shard) {
                        let _ = shard.send(permit.epoch);
                    }
                }
                Err(until) => queue.put_back(permit, until),
            }
        }
        let wait = queue
            .deadline()
            .map(|at| at.since(clock.now().mono))
            .unwrap_or(Duration::MAX);
        tokio::select! {
            message = messages.recv() => match message {
                Some(ToQueue::Request(permit)) => queue.request(permit),
                Some(ToQueue::Release(permit)) => queue.release(permit),
                None => return,
            },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn reserved(clock: &Clock, budget: &dyn IdentifyBudget, total: u32) -> Result<(), Mono> {
    let now = clock.now();
    match budget.reserve(total, now.wall).await {
        Ok(Reservation::Counted) => Ok(()),
        Ok(Reservation::SpentUntil(at)) => {
            tracing::warn!(
                wait_s = at.since(now.wall).as_secs(),
                "the bot's identifies are used up for today; waiting for the next one"
            );
            Err(now.mono_at(at))
        }
        Err(error) => {
            tracing::error!(error, "an identify could not be counted; trying again");
            Err(now.mono + COUNT_AGAIN_AFTER)
        }
    }
}

//! The task that owns the identify queue of all shards.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use guildgate_discord::{Epoch, IdentifyQueue, Permit, SessionStartLimit};
use guildgate_model::{Mono, ShardId};
use guildgate_store::WhyNotIdentify;
use tokio::sync::mpsc;

use super::{
    budget::{IdentifyBudget, Reservation},
    rest::{Rest, chain},
};
use crate::clock::Clock;

/// How long to wait when the budget could not be counted.
const COUNT_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How old Discord's own count may be when a session is to begin. It says not to keep the
/// answer for long: other processes of the bot identify too, and its limits grow with it.
///
/// Source: Discord, "Gateway: Get Gateway Bot".
pub(super) const LIMIT_FRESH_FOR: Duration = Duration::from_mins(5);

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

/// What the queue's task is made of.
pub(super) struct QueueParts {
    pub(super) clock: Clock,
    pub(super) budget: Arc<dyn IdentifyBudget>,
    /// To ask for the limit again.
    pub(super) rest: Rest,
    /// How old its answer may be.
    pub(super) fresh_for: Duration,
    /// Where permits go.
    pub(super) shards: BTreeMap<ShardId, mpsc::UnboundedSender<Epoch>>,
}

impl Queue {
    /// Starts the task, with the limit as Discord said it just now. It ends once every shard is
    /// gone.
    pub(super) fn start(parts: QueueParts, limit: SessionStartLimit) -> Queue {
        let (tx, rx) = mpsc::unbounded_channel();
        let now = parts.clock.now().mono;
        let running = Running {
            parts,
            queue: IdentifyQueue::new(now, limit),
            asked_at: now,
        };
        tokio::spawn(running.run(rx));
        Queue(tx)
    }

    pub(super) fn tell(&self, message: ToQueue) {
        // It is gone only with the last shard.
        let _ = self.0.send(message);
    }
}

struct Running {
    parts: QueueParts,
    queue: IdentifyQueue,
    /// When Discord was last asked for its limit.
    asked_at: Mono,
}

impl Running {
    async fn run(mut self, mut messages: mpsc::UnboundedReceiver<ToQueue>) {
        loop {
            if !self.queue.is_idle() {
                self.look_at_limit().await;
                self.grant().await;
            }
            let wait = self
                .queue
                .deadline()
                .map(|at| at.since(self.parts.clock.now().mono))
                .unwrap_or(Duration::MAX);
            tokio::select! {
                message = messages.recv() => match message {
                    Some(ToQueue::Request(permit)) => self.queue.request(permit),
                    Some(ToQueue::Release(permit)) => self.queue.release(permit),
                    None => return,
                },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Asks for Discord's limit again if what it said is old. Without an answer the old one
    /// holds: what is counted in the store is safe.
    async fn look_at_limit(&mut self) {
        let now = self.parts.clock.now().mono;
        if now.since(self.asked_at) < self.parts.fresh_for {
            return;
        }
        self.asked_at = now;
        match self.parts.rest.gateway_bot().await {
            Ok(gateway) => {
                let now = self.parts.clock.now().mono;
                self.queue.update(now, gateway.limit);
            }
            Err(error) => tracing::warn!(
                error = %chain(&error),
                "how many identifies are left could not be asked; going by what was said before"
            ),
        }
    }

    async fn grant(&mut self) {
        for permit in self.queue.grant(self.parts.clock.now().mono) {
            match self.reserve(permit.shard).await {
                Ok(()) => {
                    if let Some(shard) = self.parts.shards.get(&permit.shard) {
                        let _ = shard.send(permit.epoch);
                    }
                }
                Err(until) => self.queue.put_back(permit, until),
            }
        }
    }

    async fn reserve(&self, shard: ShardId) -> Result<(), Mono> {
        let now = self.parts.clock.now();
        let bucket = self.queue.bucket(shard);
        let total = self.queue.total();
        match self.parts.budget.reserve(bucket, total, now.wall).await {
            Ok(Reservation::Counted) => Ok(()),
            Ok(Reservation::Refused(refused)) => {
                let wait_s = refused.retry_at.since(now.wall).as_secs();
                match refused.why {
                    WhyNotIdentify::Spacing => {
                        tracing::debug!(%shard, wait_s, "another process has just identified");
                    }
                    WhyNotIdentify::Slowed => tracing::warn!(
                        %shard,
                        wait_s,
                        "the bot has begun many sessions today; the identifies that are left are \
                         spread out. Does something make it start again and again?"
                    ),
                    WhyNotIdentify::Spent => tracing::warn!(
                        %shard,
                        wait_s,
                        "the bot's identifies are used up for today; waiting for the next one"
                    ),
                }
                Err(now.mono_at(refused.retry_at))
            }
            Err(error) => {
                tracing::error!(error, "an identify could not be counted; trying again");
                Err(now.mono + COUNT_AGAIN_AFTER)
            }
        }
    }
}

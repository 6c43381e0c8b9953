//! Who may identify, and when.
//!
//! Shared by all shards of one process: one IDENTIFY a bucket and 5 s, so many a day in all.
//! What other processes of the same bot do is not known here: the driver has every permit
//! counted where all of them count, and puts back what was not granted there.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use guildgate_model::{Mono, ShardId};

use crate::Epoch;

/// How long a bucket is closed after an IDENTIFY: 5 s, and some for the way to Discord.
///
/// Source: Discord, "Gateway: Rate Limiting", `max_concurrency`.
pub const IDENTIFY_SPACING: Duration = Duration::from_millis(5_250);
/// How long a budget lasts once it began.
const BUDGET_WINDOW: Duration = Duration::from_hours(24);

/// `session_start_limit` of `GET /gateway/bot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionStartLimit {
    /// How many identifies a window has.
    pub total: u32,
    /// How many are left.
    pub remaining: u32,
    /// When the window ends, from now.
    pub reset_after: Duration,
    /// How many shards may identify within 5 s; at least one.
    pub max_concurrency: u32,
}

impl Default for SessionStartLimit {
    /// What a bot has that Discord said nothing about.
    fn default() -> SessionStartLimit {
        SessionStartLimit {
            total: 1000,
            remaining: 1000,
            reset_after: BUDGET_WINDOW,
            max_concurrency: 1,
        }
    }
}

/// One shard's permit to identify on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    /// Whose.
    pub shard: ShardId,
    /// On which of its connections.
    pub epoch: Epoch,
}

/// The queue of all shards that want to identify.
#[derive(Debug, Clone)]
pub struct IdentifyQueue {
    total: u32,
    remaining: u32,
    reset_at: Mono,
    max_concurrency: u32,
    closed_until: BTreeMap<u32, Mono>,
    waiting: VecDeque<Permit>,
    granted: BTreeMap<ShardId, Epoch>,
}

impl IdentifyQueue {
    /// A queue under Discord's limit.
    #[must_use]
    pub fn new(now: Mono, limit: SessionStartLimit) -> IdentifyQueue {
        IdentifyQueue {
            total: limit.total,
            remaining: limit.remaining,
            reset_at: now + limit.reset_after.min(BUDGET_WINDOW),
            max_concurrency: limit.max_concurrency.max(1),
            closed_until: BTreeMap::new(),
            waiting: VecDeque::new(),
            granted: BTreeMap::new(),
        }
    }

    /// Takes over a fresh answer of Discord's; the lower of the two counts is right, since
    /// permits may be on their way.
    pub fn update(&mut self, now: Mono, limit: SessionStartLimit) {
        let same_window = self.reset_at > now;
        self.total = limit.total;
        self.remaining = if same_window {
            self.remaining.min(limit.remaining)
        } else {
            limit.remaining
        };
        self.reset_at = now + limit.reset_after.min(BUDGET_WINDOW);
        let max_concurrency = limit.max_concurrency.max(1);
        if max_concurrency != self.max_concurrency {
            self.max_concurrency = max_concurrency;
            // Other buckets: which of them were used is no longer told apart.
            if let Some(&until) = self.closed_until.values().max() {
                self.closed_until = (0..max_concurrency).map(|key| (key, until)).collect();
            }
        }
    }

    /// Whether any shard waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The bucket of a shard: its number modulo `max_concurrency`.
    #[must_use]
    pub fn bucket(&self, shard: ShardId) -> u32 {
        shard.id % self.max_concurrency
    }

    /// How many identifies a window has.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.total
    }

    /// How many identifies are left.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.remaining
    }

    /// Puts a shard's connection into the queue, in place of an earlier one of that shard.
    pub fn request(&mut self, permit: Permit) {
        self.waiting.retain(|waiting| waiting.shard != permit.shard);
        self.granted.remove(&permit.shard);
        self.waiting.push_back(permit);
    }

    /// Takes back a request, or a permit that was given and not used.
    pub fn release(&mut self, permit: Permit) {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| *waiting != permit);
        if self.waiting.len() == before && self.granted.get(&permit.shard) == Some(&permit.epoch) {
            self.granted.remove(&permit.shard);
            self.remaining = self.remaining.saturating_add(1).min(self.total);
        }
    }

    /// Takes back a permit that must not be used before `until`, to the head of the queue.
    pub fn put_back(&mut self, permit: Permit, until: Mono) {
        if self.granted.remove(&permit.shard).is_some() {
            self.remaining = self.remaining.saturating_add(1).min(self.total);
        }
        // In place of the closing that the permit brought: nothing was sent.
        let bucket = self.bucket(permit.shard);
        self.closed_until.insert(bucket, until);
        self.waiting.push_front(permit);
    }

    /// The permits that can be given now, in the order of their requests.
    pub fn grant(&mut self, now: Mono) -> Vec<Permit> {
        if self.reset_at <= now {
            self.remaining = self.total;
            self.reset_at = now + BUDGET_WINDOW;
        }
        let mut granted = Vec::new();
        let mut still_waiting = VecDeque::new();
        for permit in std::mem::take(&mut self.waiting) {
            let bucket = self.bucket(permit.shard);
            let open = self
                .closed_until
                .get(&bucket)
                .is_none_or(|&until| until <= now);
            if open && self.remaining > 0 {
                self.remaining -= 1;
                self.closed_until.insert(bucket, now + IDENTIFY_SPACING);
                self.granted.insert(permit.shard, permit.epoch);
                granted.push(permit);
            } else {
                still_waiting.push_back(permit);
            }
        }
        self.waiting = still_waiting;
        granted
    }

    /// When the next permit can be given, if anyone waits.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let next = self
            .waiting
            .iter()
            .map(|permit| {
                let bucket = self.bucket(permit.shard);
                self.closed_until
                    .get(&bucket)
                    .copied()
                    .unwrap_or(Mono::ZERO)
            })
            .min()?;
        Some(if self.remaining == 0 {
            next.max(self.reset_at)
        } else {
            next
        })
    }
}

#[cfg(test)]
mod tests;

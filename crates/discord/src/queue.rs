//! Who may identify, and when.
//!
//! Shared by all shards of a bot: one IDENTIFY a bucket and 5 s, so many a day in all. Past
//! the day's budget Discord resets the token, so the budget outlives the process: a
//! [`BudgetSnapshot`] is stored before any permit is given out.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use guildgate_model::{Mono, Now, ShardId, UnixMs};
use serde::{Deserialize, Serialize};

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

/// What is stored of the budget.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BudgetSnapshot {
    /// How many identifies are left in the window.
    pub remaining: u32,
    /// When the window ends.
    pub reset_at: UnixMs,
    /// Until when each bucket is closed.
    pub closed_until: BTreeMap<u32, UnixMs>,
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
    /// A queue under Discord's limit and under what was stored by an earlier process.
    #[must_use]
    pub fn new(
        now: Now,
        limit: SessionStartLimit,
        stored: Option<&BudgetSnapshot>,
    ) -> IdentifyQueue {
        let mut queue = IdentifyQueue {
            total: limit.total,
            remaining: limit.remaining,
            reset_at: now.mono + limit.reset_after.min(BUDGET_WINDOW),
            max_concurrency: limit.max_concurrency.max(1),
            closed_until: BTreeMap::new(),
            waiting: VecDeque::new(),
            granted: BTreeMap::new(),
        };
        if let Some(stored) = stored {
            queue.import(now, stored);
        }
        queue
    }

    /// Takes over a fresh answer of Discord's; the lower of the two counts is right, since
    /// permits may be on their way.
    pub fn update(&mut self, now: Now, limit: SessionStartLimit) {
        let same_window = self.reset_at > now.mono;
        self.total = limit.total;
        self.max_concurrency = limit.max_concurrency.max(1);
        self.remaining = if same_window {
            self.remaining.min(limit.remaining)
        } else {
            limit.remaining
        };
        self.reset_at = now.mono + limit.reset_after.min(BUDGET_WINDOW);
    }

    /// A snapshot of a window that is over says nothing; one with a longer window than Discord
    /// has comes from a wrong clock.
    fn import(&mut self, now: Now, stored: &BudgetSnapshot) {
        let left = stored.reset_at.since(now.wall);
        if !left.is_zero() && left <= BUDGET_WINDOW {
            self.remaining = self.remaining.min(stored.remaining);
        }
        for (&bucket, &until) in &stored.closed_until {
            let left = until.since(now.wall).min(IDENTIFY_SPACING);
            self.closed_until.insert(bucket, now.mono + left);
        }
    }

    /// What to store.
    #[must_use]
    pub fn snapshot(&self, now: Now) -> BudgetSnapshot {
        BudgetSnapshot {
            remaining: self.remaining,
            reset_at: now.wall + self.reset_at.since(now.mono),
            closed_until: self
                .closed_until
                .iter()
                .filter(|&(_, &until)| until > now.mono)
                .map(|(&bucket, &until)| (bucket, now.wall + until.since(now.mono)))
                .collect(),
        }
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
        let bucket = permit.shard.id % self.max_concurrency;
        self.closed_until.insert(bucket, until);
        self.waiting.push_front(permit);
    }

    /// The permits that can be given now, in the order of their requests. Store a snapshot
    /// before handing them on.
    pub fn grant(&mut self, now: Mono) -> Vec<Permit> {
        if self.reset_at <= now {
            self.remaining = self.total;
            self.reset_at = now + BUDGET_WINDOW;
        }
        let mut granted = Vec::new();
        let mut still_waiting = VecDeque::new();
        for permit in std::mem::take(&mut self.waiting) {
            let bucket = permit.shard.id % self.max_concurrency;
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
                let bucket = permit.shard.id % self.max_concurrency;
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

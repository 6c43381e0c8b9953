//! What is counted, for `/metrics`.
//!
//! [`table`] is the one table of every figure: its name, its type, its labels and how it is
//! read. Whatever does the work counts in plain atomics; they are read when somebody asks.

mod process;
mod table;

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use guildgate_store::TokenRefusal;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text},
    metrics::MetricType,
    registry::Registry,
};
use tokio::sync::watch;

use crate::{
    edge::{Edges, Histogram as EdgeHistogram},
    upstream::{UpstreamStats, UpstreamStatus},
};

pub use table::{Row, TABLE, markdown};

/// Everything that is counted on a node.
#[derive(Debug, Default)]
pub struct Metrics {
    /// The edge's shards, once they run.
    edges: OnceLock<Edges>,
    /// Discord's side, once it runs.
    upstream: OnceLock<UpstreamFigures>,
    /// Authentications by outcome, [`Authentication::ALL`]'s order.
    authentications: [Counter; Authentication::ALL.len()],
    /// Refused tokens by reason, [`TokenRefusal::ALL`]'s order.
    token_refusals: [Counter; TokenRefusal::ALL.len()],
    /// CONNECT_GUILD commands let through to the hub.
    pub guild_connects: Counter,
    /// Questions that were answered "unavailable".
    pub store_failures: Counter,
    /// Clients' questions that are being answered or wait for their turn.
    pub questions: Level,
    /// How long the database took for a client's question.
    pub store_latency: Durations,
    /// Changes read from the store's feed.
    pub feed_changes: Counter,
    /// Tokens whose revocation was read from the feed.
    pub tokens_revoked: Counter,
    /// Discord events taken in, by kind.
    pub discord_events: Named,
    /// Guilds that Discord has sent.
    pub guilds: Level,
    /// Counts and snapshots that the hub held back and that gave way to newer ones.
    pub held_back: Level,
    /// Messages that wait for the hub.
    pub hub_queue: Level,
    /// Messages from the edge that wait to be dealt with.
    pub services_queue: Level,
    /// Requests over plain HTTP by status.
    pub http_responses: Named,
}

/// Discord's side, as far as it counts.
#[derive(Debug)]
pub struct UpstreamFigures {
    /// What it has counted.
    pub stats: Arc<UpstreamStats>,
    /// How its shards are.
    pub status: watch::Receiver<UpstreamStatus>,
}

/// How an authentication ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// Basic access without a token.
    Anonymous,
    /// Basic access by the global token.
    Global,
    /// A user's own.
    Full,
    /// Refused; why is counted by token.
    Refused,
    /// The database did not answer.
    Failed,
    /// Discord's side has not come up yet.
    NotReady,
}

impl Authentication {
    /// Every outcome.
    pub const ALL: [Authentication; 6] = [
        Authentication::Anonymous,
        Authentication::Global,
        Authentication::Full,
        Authentication::Refused,
        Authentication::Failed,
        Authentication::NotReady,
    ];

    /// Its label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Authentication::Anonymous => "anonymous",
            Authentication::Global => "global",
            Authentication::Full => "full",
            Authentication::Refused => "refused",
            Authentication::Failed => "failed",
            Authentication::NotReady => "not_ready",
        }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number now.
    #[must_use]
    pub fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that grows and shrinks.
#[derive(Debug, Default)]
pub struct Level(AtomicU64);

impl Level {
    /// It is this from now on.
    pub fn set(&self, level: u64) {
        self.0.store(level, Ordering::Relaxed);
    }

    /// One more, until the guard is dropped.
    #[must_use]
    pub fn hold(&self) -> Held<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(self)
    }

    /// The number now.
    #[must_use]
    pub fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of a [`Level`], given back when dropped.
#[derive(Debug)]
pub struct Held<'a>(&'a Level);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Numbers under names that are known when they come; the names are ours, so they are few.
#[derive(Debug, Default)]
pub struct Named(std::sync::Mutex<std::collections::BTreeMap<&'static str, u64>>);

impl Named {
    /// One more under `name`.
    pub fn increment(&self, name: &'static str) {
        *self.lock().entry(name).or_default() += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, std::collections::BTreeMap<&'static str, u64>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Durations by size, counted by many threads; the edge's buckets.
#[derive(Debug, Default)]
pub struct Durations {
    buckets: [Counter; EdgeHistogram::BOUNDS_MS.len() + 1],
    sum_micros: AtomicU64,
}

impl Durations {
    /// Counts one.
    pub fn record(&self, duration: Duration) {
        let bucket = EdgeHistogram::BOUNDS_MS
            .iter()
            .position(|&bound| duration <= Duration::from_millis(bound))
            .unwrap_or(EdgeHistogram::BOUNDS_MS.len());
        self.buckets[bucket].increment();
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Reads the edge's own figures from now on.
    pub fn watch_edges(&self, edges: Edges) {
        // The first to come is the node's own.
        let _ = self.edges.set(edges);
    }

    /// Reads the figures of Discord's side from now on.
    pub fn watch_upstream(&self, upstream: UpstreamFigures) {
        let _ = self.upstream.set(upstream);
    }

    /// Counts the end of an authentication.
    pub fn count_authentication(&self, outcome: Authentication) {
        self.authentications[outcome as usize].increment();
    }

    /// Counts a token that was not accepted.
    pub fn count_refusal(&self, refusal: TokenRefusal) {
        self.token_refusals[refusal as usize].increment();
    }

    /// Everything, as text for Prometheus.
    #[must_use]
    pub fn encode(self: &Arc<Metrics>) -> String {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(Reader(Arc::clone(self))));
        let mut text = String::new();
        text::encode(&mut text, &registry).expect("a string takes all that is written");
        text
    }
}

/// What every figure's name begins with.
const PREFIX: &str = "guildgate";

/// Reads every row of the table.
#[derive(Debug)]
struct Reader(Arc<Metrics>);

impl Collector for Reader {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        use prometheus_client::encoding::NoLabelSet;
        for row in TABLE {
            let kind = match row.read {
                table::Read::Counter(_) => MetricType::Counter,
                table::Read::Gauge(_) => MetricType::Gauge,
                table::Read::Histogram(_) => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(row.name, row.help, None, kind)?;
            match row.read {
                table::Read::Counter(read) => {
                    for (label, value) in read(&self.0) {
                        match row.label {
                            Some(name) => metric
                                .encode_family(&[(name, label)])?
                                .encode_counter::<NoLabelSet, _, f64>(&value, None)?,
                            None => metric.encode_counter::<NoLabelSet, _, f64>(&value, None)?,
                        }
                    }
                }
                table::Read::Gauge(read) => {
                    for (label, value) in read(&self.0) {
                        let value = i64::try_from(value).unwrap_or(i64::MAX);
                        match row.label {
                            Some(name) => {
                                metric
                                    .encode_family(&[(name, label)])?
                                    .encode_gauge(&value)?;
                            }
                            None => metric.encode_gauge(&value)?,
                        }
                    }
                }
                table::Read::Histogram(read) => {
                    let (sum, buckets) = read(&self.0);
                    let bounds = EdgeHistogram::BOUNDS_MS
                        .iter()
                        .map(|&bound| bound as f64 / 1000.0)
                        .chain([f64::MAX]);
                    let counts: Vec<(f64, u64)> = bounds.zip(buckets).collect();
                    let count = buckets.iter().sum();
                    metric.encode_histogram::<NoLabelSet>(
                        sum.as_secs_f64(),
                        count,
                        &counts,
                        None,
                    )?;
                }
            }
        }
        Ok(())
    }
}

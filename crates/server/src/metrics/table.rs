//! The table of every figure.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use guildgate_store::TokenRefusal;
use guildgate_wire::CloseCode;

use super::{Authentication, Durations, Metrics, Named, process};
use crate::{
    edge::{EdgeStats, Figure, Histogram},
    upstream::UpstreamStats,
};

/// One figure.
pub struct Row {
    /// Its name, without `guildgate_` and without what Prometheus adds (`_total`, `_bucket`).
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Its label, if it is a family.
    pub label: Option<&'static str>,
    /// How it is read.
    pub(super) read: Read,
}

/// Numbers by label; the label is empty where there is none.
type Numbers = Vec<(&'static str, u64)>;

/// How a figure is read.
#[derive(Clone, Copy)]
pub(super) enum Read {
    /// Only grows.
    Counter(fn(&Metrics) -> Numbers),
    /// Grows and shrinks.
    Gauge(fn(&Metrics) -> Numbers),
    /// Durations by size.
    Histogram(fn(&Metrics) -> (Duration, [u64; Histogram::BOUNDS_MS.len() + 1])),
}

impl Row {
    fn kind(&self) -> &'static str {
        match self.read {
            Read::Counter(_) => "counter",
            Read::Gauge(_) => "gauge",
            Read::Histogram(_) => "histogram",
        }
    }
}

macro_rules! rows {
    ($($name:literal, $kind:ident, $label:expr, $help:literal, |$metrics:ident| $read:expr;)+) => {
        /// Every figure, in the order of the documents.
        pub const TABLE: &[Row] = &[$(Row {
            name: $name,
            help: $help,
            label: $label,
            read: Read::$kind(|$metrics| $read),
        }),+];
    };
}

rows! {
    "connections", Gauge, None, "Sockets open now",
        |m| one(edge(m, |stats| &stats.sockets));
    "clients", Gauge, Some("state"), "Clients now: let in, or waiting to be resumed",
        |m| vec![
            ("authenticated", edge(m, |stats| &stats.authenticated)),
            ("detached", edge(m, |stats| &stats.detached)),
        ];
    "connections_accepted", Counter, None, "Sockets taken in",
        |m| one(edge(m, |stats| &stats.accepted));
    "closes", Counter, Some("code"), "Connections closed by the server, by close code",
        |m| closes(m);
    "resumes", Counter, None, "Sessions that were resumed",
        |m| one(edge(m, |stats| &stats.resumed));
    "authentications", Counter, Some("outcome"), "Authentications by how they ended",
        |m| Authentication::ALL
            .iter()
            .map(|&outcome| (outcome.name(), m.authentications[outcome as usize].load()))
            .collect();
    "token_refusals", Counter, Some("reason"), "Tokens that were not accepted, by reason",
        |m| TokenRefusal::ALL
            .iter()
            .map(|&reason| (reason.name(), m.token_refusals[reason as usize].load()))
            .collect();
    "tokens_revoked", Counter, None, "Tokens whose revocation this node has heard of",
        |m| one(m.tokens_revoked.load());
    "guild_connects", Counter, None, "CONNECT_GUILD commands whose token was good",
        |m| one(m.guild_connects.load());
    "frames", Counter, Some("direction"), "WebSocket messages from and to clients",
        |m| vec![
            ("in", edge(m, |stats| &stats.frames_in)),
            ("out", edge(m, |stats| &stats.frames_out)),
        ];
    "bytes", Counter, Some("direction"), "Bytes on clients' sockets, TLS not counted",
        |m| vec![
            ("in", edge(m, |stats| &stats.bytes_in)),
            ("out", edge(m, |stats| &stats.bytes_out)),
        ];
    "writes", Counter, None, "Writes to clients' sockets: how far frames are gathered",
        |m| one(edge(m, |stats| &stats.writes));
    "broadcasts", Counter, None, "Guild events that reached a shard of the edge",
        |m| one(edge(m, |stats| &stats.broadcasts));
    "conflated", Counter, Some("by"),
        "Events replaced by newer ones: held back by the hub, or waiting for a client's socket",
        |m| vec![
            ("hub", m.held_back.load()),
            ("socket", edge(m, |stats| &stats.conflated)),
        ];
    "dropped", Counter, Some("from"),
        "Frames that waited for a client's socket and went with it for good, and events that had no room among those kept for a resume",
        |m| vec![
            ("socket", edge(m, |stats| &stats.dropped)),
            ("resume", edge(m, |stats| &stats.outgrown)),
        ];
    "client_queue", Gauge, Some("state"),
        "Frames that wait for clients' sockets, and events kept until sessions acknowledge them",
        |m| vec![
            ("waiting", edge(m, |stats| &stats.waiting)),
            ("kept", edge(m, |stats| &stats.kept)),
        ];
    "blocked", Counter, None, "Times that a socket would not take more at once",
        |m| one(edge(m, |stats| &stats.blocked));
    "panics", Counter, None, "Clients lost to a fault of the gateway's own",
        |m| one(edge(m, |stats| &stats.panics));
    "edge_queue", Gauge, None, "Messages that wait for a shard of the edge",
        |m| one(m.edges.get().map_or(0, |edges| edges.stats().map(|(_, depth)| depth).sum()));
    "hub_queue", Gauge, None, "Messages that wait for the owner of the guilds",
        |m| one(m.hub_queue.load());
    "services_queue", Gauge, None, "Questions and news from the edge that wait to be dealt with",
        |m| one(m.services_queue.load());
    "lag_seconds", Histogram, None,
        "From Discord's event to the last socket that took it; what was held back counts from the \
         first change, and sockets that would not take it are in `blocked` and `client_queue`",
        |m| lag(m);
    "guilds", Gauge, None, "Guilds that Discord has sent",
        |m| one(m.guilds.load());
    "discord_events", Counter, Some("event"), "Events from Discord, by kind",
        |m| named(&m.discord_events);
    "discord_shards", Gauge, Some("state"), "The bot's shards: connected, or on the way there",
        |m| shards(m);
    "discord_identifies", Counter, None, "Sessions begun with Discord",
        |m| upstream(m, |stats| &stats.identifies);
    "discord_resumes", Counter, None, "Sessions with Discord gone on with",
        |m| upstream(m, |stats| &stats.resumes);
    "discord_losses", Counter, None, "Connections to Discord lost",
        |m| upstream(m, |stats| &stats.losses);
    "discord_payloads", Counter, None, "Payloads sent to Discord",
        |m| upstream(m, |stats| &stats.payloads_sent);
    "discord_received_bytes", Counter, None, "Bytes received from Discord, as they came",
        |m| upstream(m, |stats| &stats.bytes_received);
    "discord_events_skipped", Counter, None, "Needed events of Discord's that could not be used",
        |m| upstream(m, |stats| &stats.events_skipped);
    "discord_queue", Gauge, None, "Events from Discord that wait for room in the hub's queue",
        |m| upstream(m, |stats| &stats.events_waiting);
    "discord_heartbeat_microseconds", Gauge, None, "The last heartbeat's way to Discord and back",
        |m| upstream(m, |stats| &stats.heartbeat_latency_us);
    "questions", Gauge, None, "Clients' questions to the database that are open",
        |m| one(m.questions.load());
    "store_failures", Counter, None, "Clients' questions that the database did not answer",
        |m| one(m.store_failures.load());
    "store_seconds", Histogram, None, "How long the database took for a client's question",
        |m| durations(&m.store_latency);
    "feed_changes", Counter, None, "Changes read from the database's feed",
        |m| one(m.feed_changes.load());
    "http_responses", Counter, Some("status"), "Answers over plain HTTP, by class of status",
        |m| named(&m.http_responses);
    "process_resident_bytes", Gauge, None, "Memory in use",
        |_m| one(process::resident_bytes());
    "process_open_files", Gauge, None, "Open files, sockets among them",
        |_m| one(process::open_files());
    "process_threads", Gauge, None, "Threads",
        |_m| one(process::threads());
}

fn one(number: u64) -> Numbers {
    vec![("", number)]
}

/// A figure of the edge, all shards together.
fn edge(metrics: &Metrics, figure: fn(&EdgeStats) -> &Figure) -> u64 {
    metrics.edges.get().map_or(0, |edges| {
        edges.stats().map(|(stats, _)| figure(stats).load()).sum()
    })
}

/// A figure of Discord's side.
fn upstream(metrics: &Metrics, figure: fn(&UpstreamStats) -> &AtomicU64) -> Numbers {
    one(metrics.upstream.get().map_or(0, |upstream| {
        figure(&upstream.stats).load(Ordering::Relaxed)
    }))
}

fn shards(metrics: &Metrics) -> Numbers {
    let status = metrics
        .upstream
        .get()
        .map(|upstream| *upstream.status.borrow());
    let (all, active) = status.map_or((0, 0), |status| (status.shards.unwrap_or(0), status.active));
    vec![
        ("active", active.into()),
        ("connecting", all.saturating_sub(active).into()),
    ]
}

fn closes(metrics: &Metrics) -> Numbers {
    CloseCode::ALL
        .iter()
        .map(|&code| {
            let closed = metrics.edges.get().map_or(0, |edges| {
                edges.stats().map(|(stats, _)| stats.closed(code)).sum()
            });
            (close_label(code), closed)
        })
        .collect()
}

fn close_label(code: CloseCode) -> &'static str {
    match code {
        CloseCode::Normal => "1000",
        CloseCode::GoingAway => "1001",
        CloseCode::ProtocolError => "1002",
        CloseCode::Unknown => "4000",
        CloseCode::UnknownOpcode => "4001",
        CloseCode::NotDecodable => "4002",
        CloseCode::NotAuthenticated => "4003",
        CloseCode::AuthenticationFailed => "4004",
        CloseCode::AlreadyAuthenticated => "4005",
        CloseCode::RateLimited => "4008",
        CloseCode::TimedOut => "4009",
        CloseCode::SlowConsumer => "4010",
        CloseCode::OriginNotAllowed => "4011",
        CloseCode::NotReady => "4012",
    }
}

fn lag(metrics: &Metrics) -> (Duration, [u64; Histogram::BOUNDS_MS.len() + 1]) {
    let mut sum = Duration::ZERO;
    let mut buckets = [0; Histogram::BOUNDS_MS.len() + 1];
    for (stats, _) in metrics
        .edges
        .get()
        .into_iter()
        .flat_map(|edges| edges.stats())
    {
        sum += stats.lag.sum();
        for (bucket, count) in buckets.iter_mut().zip(stats.lag.buckets()) {
            *bucket += count;
        }
    }
    (sum, buckets)
}

fn durations(durations: &Durations) -> (Duration, [u64; Histogram::BOUNDS_MS.len() + 1]) {
    let sum = durations.sum_micros.load(Ordering::Relaxed);
    let buckets = std::array::from_fn(|index| durations.buckets[index].load());
    (Duration::from_micros(sum), buckets)
}

fn named(named: &Named) -> Numbers {
    named
        .lock()
        .iter()
        .map(|(&name, &number)| (name, number))
        .collect()
}

/// `docs/metrics.md`, made from the table.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    for row in TABLE {
        let suffix = match row.read {
            Read::Counter(_) => "_total",
            Read::Gauge(_) | Read::Histogram(_) => "",
        };
        let label = row
            .label
            .map(|label| format!("`{label}`"))
            .unwrap_or_default();
        writeln!(
            text,
            "| `{}_{}{suffix}` | {} | {label} | {} |",
            super::PREFIX,
            row.name,
            row.kind(),
            row.help
        )
        .expect("a string takes all that is written");
    }
    text
}

const HEAD: &str = "\
# Metrics

`GET /metrics` answers in the text format of Prometheus (OpenMetrics 1.0). This page is made
from the table in `crates/server/src/metrics/table.rs`, and a test holds it to that: change it
there, then run `UPDATE_DOCS=1 cargo test -p guildgate-server docs`.

Figures are this node's, since it started.

| name | type | label | |
|---|---|---|---|
";

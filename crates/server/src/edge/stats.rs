//! What a shard counts, for the metrics to read at any time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use guildgate_wire::CloseCode;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// One shard's figures. Written by the shard alone, read by anyone.
        #[derive(Debug, Default)]
        pub struct EdgeStats {
            $($(#[$doc])* pub $name: Figure,)+
            /// Connections closed by the server, by [`CloseCode::ALL`]'s order.
            closed: [Figure; CloseCode::ALL.len()],
            /// How long from Discord's event to the last socket it went to.
            pub lag: Histogram,
        }
    };
}

counters! {
    /// Sockets open now, closing ones among them.
    sockets,
    /// Clients now, with a socket or waiting to be resumed.
    clients,
    /// Clients let in and not yet gone.
    authenticated,
    /// Sessions without a socket, waiting to be resumed.
    detached,
    /// Sessions that were resumed.
    resumed,
    /// Sockets taken in, ever.
    accepted,
    /// Messages from clients, ever.
    frames_in,
    /// Bytes from clients, ever.
    bytes_in,
    /// Frames to clients, ever.
    frames_out,
    /// Bytes to clients, ever.
    bytes_out,
    /// Writes to sockets, ever: how far frames are gathered.
    writes,
    /// Events replaced by newer ones while they waited, ever.
    conflated,
    /// Frames that waited for a socket and went with it for good, ever.
    dropped,
    /// Events that had no room among those kept for a session's resume, ever.
    outgrown,
    /// Frames that wait for their sockets now.
    waiting,
    /// Events kept for sessions until they are acknowledged, now.
    kept,
    /// Sockets that would not take more at once, ever.
    blocked,
    /// Clients lost to a panic, ever.
    panics,
    /// Guild events taken from the inbox, ever.
    broadcasts,
}

impl EdgeStats {
    /// Connections closed by the server with `code`, ever.
    #[must_use]
    pub fn closed(&self, code: CloseCode) -> u64 {
        self.closed_figure(code).load()
    }

    pub(super) fn count_close(&self, code: CloseCode) {
        self.closed_figure(code).add(1);
    }

    fn closed_figure(&self, code: CloseCode) -> &Figure {
        let index = CloseCode::ALL
            .iter()
            .position(|other| *other == code)
            .expect("ALL has every code");
        &self.closed[index]
    }
}

/// One number that goes up, or up and down.
#[derive(Debug, Default)]
pub struct Figure(AtomicU64);

impl Figure {
    /// The number now.
    #[must_use]
    pub fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    // One thread writes, so a load and a store do, and cost no locked instruction.
    pub(super) fn add(&self, more: u64) {
        self.0
            .store(self.load().wrapping_add(more), Ordering::Relaxed);
    }

    pub(super) fn sub(&self, less: u64) {
        self.0
            .store(self.load().wrapping_sub(less), Ordering::Relaxed);
    }
}

/// Counts of durations by size.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Figure; Histogram::BOUNDS_MS.len() + 1],
    sum_micros: Figure,
}

impl Histogram {
    /// Upper bounds of the buckets, milliseconds; one more bucket has none.
    pub const BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

    /// How many durations fell into each bucket.
    #[must_use]
    pub fn buckets(&self) -> [u64; Histogram::BOUNDS_MS.len() + 1] {
        std::array::from_fn(|index| self.buckets[index].load())
    }

    /// All durations together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_micros.load())
    }

    pub(super) fn record(&self, duration: Duration) {
        let bucket = Histogram::BOUNDS_MS
            .iter()
            .position(|bound| duration <= Duration::from_millis(*bound))
            .unwrap_or(Histogram::BOUNDS_MS.len());
        self.buckets[bucket].add(1);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros.add(micros);
    }
}

//! The clients' side of a node: sockets, frames, and who they belong to.
//!
//! N plain threads, the shards, each with its own poll loop, slab of clients, timer wheel and
//! inbox. A socket is handed over after its HTTP upgrade and stays with its shard until it ends,
//! or until a resume moves it to the shard where its session lives. Nothing is locked on the
//! way of a frame, and a socket that waits owns no buffer, no channel and no timer.
//!
//! What a frame means is decided in `guildgate-core`; this moves bytes.

pub mod codec;
mod handover;
mod inbox;
mod ports;
mod shard;
mod slab;
mod stats;
mod tls;
mod transport;
mod wheel;

use std::{
    io,
    num::NonZeroU8,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use guildgate_core::client::SavedSession;
use guildgate_wire::Limits;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use handover::{Handover, Peer};
pub use ports::{FromEdge, ToEdge};
pub use stats::{EdgeStats, Figure, Histogram};
pub use tls::TlsSession;
pub use transport::MemorySink;

#[cfg(test)]
pub(crate) use shard::tests::fail_shard;

use crate::clock::Clock;
use inbox::Inbox;

/// Most shards: guilds keep a bit for each.
pub const SHARDS_MAX: u8 = 64;

/// How the edge is laid out.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// How many threads; more than [`SHARDS_MAX`] are not started.
    pub shards: NonZeroU8,
    /// What a client may do.
    pub limits: Limits,
    /// The smallest frame that is deflated for those clients that agreed to it, bytes.
    pub deflate_bytes_min: usize,
    /// How long a client may take to close its socket once it was told to.
    pub close_within: Duration,
}

impl Default for EdgeConfig {
    fn default() -> EdgeConfig {
        EdgeConfig {
            shards: NonZeroU8::MIN,
            limits: Limits::default(),
            deflate_bytes_min: 1024,
            close_within: Duration::from_secs(5),
        }
    }
}

/// The running shards. Cheap to clone and to share; every clone speaks to the same threads.
#[derive(Debug, Clone)]
pub struct Edges {
    shards: Arc<[Shard]>,
    next: Arc<AtomicU64>,
}

/// One shard, seen from outside.
#[derive(Debug)]
struct Shard {
    inbox: Inbox,
    stats: Arc<EdgeStats>,
}

/// The shards' threads, to be waited for after [`Edges::drain`].
#[derive(Debug)]
#[must_use = "the threads outlive this, but nobody can wait for them then"]
pub struct EdgeThreads {
    threads: Vec<JoinHandle<()>>,
    ended: UnboundedReceiver<u8>,
}

/// Says that a shard's thread has ended, however that comes about: it goes with the thread.
struct Ending {
    number: u8,
    ended: UnboundedSender<u8>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Nobody waits any more once the node has gone.
        let _ = self.ended.send(self.number);
    }
}

impl Edges {
    /// Starts the threads. What they have to say goes to `out`.
    ///
    /// # Errors
    /// If a poll or a thread cannot be had from the system.
    pub fn start(
        config: &EdgeConfig,
        out: &UnboundedSender<FromEdge>,
        clock: Clock,
    ) -> io::Result<(Edges, EdgeThreads)> {
        let count = config.shards.get().min(SHARDS_MAX);
        let mut shards = Vec::new();
        let mut loops = Vec::new();
        for _ in 0..count {
            let (poll, inbox, mail) = shard::open()?;
            let stats = Arc::new(EdgeStats::default());
            loops.push((poll, mail, Arc::clone(&stats)));
            shards.push(Shard { inbox, stats });
        }
        let edges = Edges {
            shards: shards.into(),
            next: Arc::default(),
        };
        let mut threads = Vec::new();
        // One message a shard at most.
        let (ending, ended) = unbounded_channel();
        for (number, (poll, mail, stats)) in (0..).zip(loops) {
            let machine = shard::Shard::new(shard::Parts {
                number,
                config: config.clone(),
                poll,
                mail,
                stats,
                edges: edges.clone(),
                out: out.clone(),
                clock,
            });
            let ending = Ending {
                number,
                ended: ending.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("edge-{number}"))
                .spawn(move || {
                    let _ending = ending;
                    machine.run();
                })?;
            threads.push(thread);
        }
        Ok((edges, EdgeThreads { threads, ended }))
    }

    /// Gives a socket to one of the shards, in turn.
    pub fn handover(&self, socket: Handover) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let shard = usize::try_from(turn % self.shards.len() as u64).unwrap_or(0);
        self.shards[shard]
            .inbox
            .push(ToEdge::Socket(Box::new(socket)));
        self.shards[shard].inbox.ring();
    }

    /// Sends one message to one shard. A shard that is not there has no clients to miss it.
    pub fn send(&self, edge: u8, message: ToEdge) {
        self.push(edge, message);
        self.ring(edge);
    }

    /// Puts a message in a shard's inbox without waking it; [`Edges::ring`] must follow.
    /// Several pushed before one ring are written together.
    pub fn push(&self, edge: u8, message: ToEdge) {
        if let Some(shard) = self.shards.get(usize::from(edge)) {
            shard.inbox.push(message);
        }
    }

    /// Wakes a shard for what was pushed.
    pub fn ring(&self, edge: u8) {
        if let Some(shard) = self.shards.get(usize::from(edge)) {
            shard.inbox.ring();
        }
    }

    /// Sends a message made by `message` to every shard.
    pub fn send_all(&self, message: impl Fn() -> ToEdge) {
        for shard in self.shards.iter() {
            shard.inbox.push(message());
            shard.inbox.ring();
        }
    }

    /// Closes every client, spread over `window`, and takes no new ones. What is returned ends
    /// once every socket is gone; sessions live on, and hear what is said.
    pub fn drain(&self, window: Duration) -> UnboundedReceiver<()> {
        let (closed, all_closed) = unbounded_channel();
        self.send_all(|| ToEdge::Drain {
            window,
            closed: closed.clone(),
        });
        all_closed
    }

    /// Ends the threads after [`Edges::drain`]. Each shard gives the sessions that another
    /// process may go on with, with all that they were told.
    pub fn finish(&self) -> UnboundedReceiver<Vec<SavedSession>> {
        let (saved, all_saved) = unbounded_channel();
        self.send_all(|| ToEdge::Finish(saved.clone()));
        all_saved
    }

    /// Lets the sessions of an earlier process live again, before any client dials. Those of
    /// shards that are no more are forgotten. What is returned ends once whoever hears the shards
    /// has been told which of them are on a guild, and has passed it on.
    pub fn restore(&self, sessions: Vec<SavedSession>) -> UnboundedReceiver<()> {
        for session in sessions {
            self.push(session.edge(), ToEdge::Restore(Box::new(session)));
        }
        let (told, all_told) = unbounded_channel();
        self.send_all(|| ToEdge::RestoredAll(told.clone()));
        all_told
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u8 {
        u8::try_from(self.shards.len()).unwrap_or(SHARDS_MAX)
    }

    /// Each shard's figures, and how many messages wait in its inbox.
    pub fn stats(&self) -> impl Iterator<Item = (&Arc<EdgeStats>, u64)> {
        self.shards
            .iter()
            .map(|shard| (&shard.stats, shard.inbox.depth()))
    }
}

impl EdgeThreads {
    /// Waits until a shard's thread has ended, and says which: after [`Edges::drain`], or by a
    /// fault of its own, and then whoever is handed to it is handed to nobody. Each is said
    /// once.
    pub async fn ended(&mut self) -> u8 {
        match self.ended.recv().await {
            Some(number) => number,
            // All have been said.
            None => std::future::pending().await,
        }
    }

    /// Waits for every thread to end; blocks.
    pub fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("an edge shard ended by a panic; its clients are gone");
            }
        }
    }
}

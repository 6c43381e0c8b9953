//! The thread that owns the hub: it feeds the machine, and carries out what it says.
//!
//! One thread, so that guild state needs no lock. It takes Discord's events from a bounded
//! channel and everything else from an unbounded one, which holds one open command a client at
//! most. What waits in both is one turn: each edge shard is woken once for all of it.
//!
//! It does no I/O. What needs some leaves as a [`HubRequest`], which [`serve`] sees to.

mod handle;
mod outside;
mod route;
mod run;
#[cfg(test)]
mod tests;

use std::{io, sync::Arc, thread::JoinHandle};

use guildgate_core::{
    form_session::{Ask, SessionKey, Ticket},
    hub::{self, Hub},
};
use guildgate_model::{GuildId, UnixMs, UserId};
use tokio::sync::{
    mpsc::{UnboundedReceiver, unbounded_channel},
    oneshot,
};

pub use handle::{HubGone, HubHandle};
pub use outside::{Outside, serve};

use crate::{
    api::Readiness,
    clock::Clock,
    edge::{Edges, ToEdge},
    metrics::Metrics,
    upstream::Arrivals,
};
use route::Router;
use run::Running;

/// Where the hub's words for clients go.
pub trait ShardsPort: Send {
    /// Puts a message in a shard's inbox without waking it.
    fn push(&self, edge: u8, message: ToEdge);
    /// Wakes a shard for what was pushed.
    fn ring(&self, edge: u8);
}

impl ShardsPort for Edges {
    fn push(&self, edge: u8, message: ToEdge) {
        Edges::push(self, edge, message);
    }

    fn ring(&self, edge: u8) {
        Edges::ring(self, edge);
    }
}

/// What an earlier process knew of a shard's guilds.
#[derive(Debug)]
pub struct Snapshot {
    /// From [`HubHandle::export`].
    pub chunks: Vec<Vec<u8>>,
    /// When that was.
    pub saved_at: UnixMs,
}

/// What the hub's thread is made of.
pub struct HubParts {
    /// How the hub behaves.
    pub config: hub::Config,
    /// What an earlier process knew, by shard; stale until the sessions are resumed.
    pub snapshots: Vec<Snapshot>,
    /// What Discord's side says.
    pub events: Arrivals,
    /// The edge's shards.
    pub edges: Box<dyn ShardsPort>,
    /// The clock.
    pub clock: Clock,
    /// Told how far Discord's guilds have come.
    pub readiness: Arc<Readiness>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Something that the hub wants done outside.
#[derive(Debug)]
pub enum HubRequest {
    /// Ask Discord for these members; the answer comes as an event.
    Members {
        /// Where.
        guild: GuildId,
        /// Whom.
        users: Vec<UserId>,
    },
    /// Ask Discord for all of a guild's members; the answer comes as events.
    Everybody {
        /// Where.
        guild: GuildId,
    },
    /// Ask Discord for the invite; the answer goes to [`HubHandle`] as `Invite`.
    Invite {
        /// Where.
        guild: GuildId,
        /// Its code.
        code: Box<str>,
    },
    /// An application session's question.
    Session {
        /// Which session asks.
        key: SessionKey,
        /// By which the reply finds its question.
        ticket: Ticket,
        /// What.
        ask: Ask,
    },
}

/// The running thread.
#[derive(Debug)]
pub struct HubThread {
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

/// Takes in what an earlier process knew, and starts the thread. Its requests are for [`serve`].
///
/// # Errors
/// If the system gives no thread or no timer.
pub fn start(parts: HubParts) -> io::Result<(HubHandle, UnboundedReceiver<HubRequest>, HubThread)> {
    let (to_hub, messages) = unbounded_channel();
    let (to_outside, requests) = unbounded_channel();
    let (ending, ended) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let mut running = Running {
        hub: Hub::new(parts.config),
        clock: parts.clock,
        events: parts.events,
        messages,
        router: Router::new(parts.edges, to_outside),
        readiness: parts.readiness,
        metrics: parts.metrics,
    };
    // Here, so that it is over when this returns: Discord's side may drop what nobody wants, and
    // some of it is about those whom the snapshots bring.
    running.import(&parts.snapshots);
    let thread = std::thread::Builder::new()
        .name("hub".into())
        .spawn(move || {
            let _ending = ending;
            runtime.block_on(running.run());
        })?;
    let handle = HubHandle::new(to_hub);
    Ok((handle, requests, HubThread { thread, ended }))
}

impl HubThread {
    /// Waits until the thread has ended: after [`HubHandle::stop`], or by a fault of its own,
    /// without which no node can go on.
    pub async fn ended(&mut self) {
        // Nothing is ever sent: the sender goes with the thread, however that ends.
        let _ = (&mut self.ended).await;
    }

    /// Waits for the thread; blocks.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the hub's thread ended by a panic");
        }
    }
}

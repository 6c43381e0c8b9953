//! A node: every part of the gateway, started in the right order and stopped in the right one.

mod outside;
mod restart;
mod settings;
mod upkeep;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use guildgate_discord::ShardSession;
use guildgate_store::{Store, StoreError, hash_secret};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::{self, Api, ApiParts, Assets, NotReady, Readiness},
    clock::Clock,
    config::Config,
    edge::{EdgeThreads, Edges},
    front::{self, Front, Tls, TlsError},
    hub_thread::{self, HubHandle, HubParts, HubThread},
    metrics::{Metrics, UpstreamFigures},
    services::{OutboxWorker, ServiceParts, Services},
    upstream::{StoreBudget, Upstream, UpstreamError, UpstreamParts},
};
use outside::World;

/// Events from Discord that may wait for the hub; past it nothing is read from Discord.
const EVENTS_MAX: usize = 1024;

/// What a node is made of.
pub struct NodeParts {
    /// The configuration; `discord.token` is set.
    pub config: Config,
    /// The database.
    pub store: Arc<dyn Store>,
    /// The page's files.
    pub assets: Assets,
    /// What the demo's page offers, as JSON; none outside the demo.
    pub demo: Option<String>,
}

/// Why a node does not start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The address cannot be had.
    #[error(
        "cannot listen at {address}: another process may have it; stop that, or set `listen` \
         to another address"
    )]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificate or key is not usable.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The database does not answer.
    #[error("the database does not answer")]
    Store(#[from] StoreError),
    /// The system gave no threads.
    #[error("the node's threads cannot be started")]
    Threads(#[source] io::Error),
    /// Discord refuses the bot, or cannot be spoken to as configured.
    #[error(transparent)]
    Discord(#[from] UpstreamError),
    /// The thread that owns the guilds has ended by a fault of its own.
    #[error("the owner of the guilds has ended by a fault of its own; see the log, start again")]
    Hub,
}

/// A running node.
pub struct Node {
    address: SocketAddr,
    drain_window: Duration,
    readiness: Arc<Readiness>,
    edges: Edges,
    edge_threads: EdgeThreads,
    store: Arc<dyn Store>,
    clock: Clock,
    hub: HubHandle,
    failing: Mutex<Failing>,
    draining: CancellationToken,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

/// The parts that can fail while the node runs.
struct Failing {
    /// None once Discord has refused the bot: nothing is left to be stopped then.
    upstream: Option<Upstream>,
    hub: HubThread,
}

impl Node {
    /// Starts every part. When this returns, clients can dial; they are let in once Discord's
    /// guilds have come.
    ///
    /// # Errors
    /// [`NodeError`]; nothing is left running then but what ends with the process.
    pub async fn start(parts: NodeParts) -> Result<Node, NodeError> {
        let NodeParts {
            config,
            store,
            assets,
            demo,
        } = parts;
        let listener = listen(config.listen).await?;
        let address = listener.local_addr().map_err(|source| NodeError::Listen {
            address: config.listen,
            source,
        })?;
        let config = Arc::new(Config {
            listen: address,
            ..config
        });
        let tls = config
            .tls
            .as_ref()
            .map(|files| Tls::load(&files.certificate, &files.key))
            .transpose()?;

        let clock = Clock::start();
        let metrics = Arc::new(Metrics::default());
        let readiness = Arc::new(Readiness::new());
        let (draining, stopping) = (CancellationToken::new(), CancellationToken::new());
        let tasks = TaskTracker::new();

        let (to_services, from_edges) = mpsc::unbounded_channel();
        let (edges, edge_threads) = Edges::start(&settings::edge(&config), &to_services, clock)
            .map_err(NodeError::Threads)?;
        metrics.watch_edges(edges.clone());

        let left = restart::take(&*store, clock.now().wall).await?;
        let (to_hub, events) = mpsc::channel(EVENTS_MAX);
        let (hub, requests, hub_thread) = hub_thread::start(HubParts {
            config: settings::hub(&config),
            snapshots: left.snapshots,
            events,
            edges: Box::new(edges.clone()),
            clock,
            readiness: Arc::clone(&readiness),
            metrics: Arc::clone(&metrics),
        })
        .map_err(NodeError::Threads)?;

        let services = Services::new(ServiceParts {
            store: Arc::clone(&store),
            edges: Arc::new(edges.clone()),
            hub: Arc::new(hub.clone()),
            readiness: Arc::clone(&readiness),
            metrics: Arc::clone(&metrics),
            clock,
            questions_max: config.questions_max,
            webhooks: config.webhooks.clone(),
        });
        // Before the first client: what changes from here on is told to those who are let in.
        let feed = services.feed().await?;

        let upstream = start_upstream(&config, &store, clock, left.sessions, to_hub)?;
        metrics.watch_upstream(UpstreamFigures {
            stats: upstream.stats(),
            status: upstream.status(),
        });
        let outside = hub_thread::Outside {
            hub: hub.clone(),
            services: services.clone(),
            upstream: upstream.handle(),
            rest: upstream.rest(),
            status: upstream.status(),
            intents: config.discord.intents,
        };
        let outbox = OutboxWorker {
            store: Arc::clone(&store),
            outside: Arc::new(World::new(upstream.rest())?),
            webhooks: config.webhooks.clone(),
            clock,
        };
        tasks.spawn(hub_thread::serve(outside, requests));
        tasks.spawn(feed.run(stopping.clone()));
        tasks.spawn(services.clone().run(from_edges));
        tasks.spawn(outbox.run(stopping.clone()));
        tasks.spawn(upkeep::run(Arc::clone(&store), clock, stopping.clone()));

        let router = api::router(Api::new(ApiParts {
            config: Arc::clone(&config),
            store: Arc::clone(&store),
            clock,
            live: Arc::new(hub.clone()),
            discord: Arc::new(upstream.handle()),
            services,
            readiness: Arc::clone(&readiness),
            metrics,
            assets,
            demo,
        }));
        if let Some(tls) = &tls {
            tasks.spawn(tls.clone().watch(stopping.clone()));
        }
        let front = Front::new(settings::front(&config), edges.clone());
        tasks.spawn(front::serve(
            front,
            listener,
            tls,
            router,
            draining.clone(),
            stopping.clone(),
        ));
        tracing::info!(%address, "the gateway listens");
        Ok(Node {
            address,
            drain_window: config.drain_window,
            readiness,
            edges,
            edge_threads,
            store,
            clock,
            hub,
            failing: Mutex::new(Failing {
                upstream: Some(upstream),
                hub: hub_thread,
            }),
            draining,
            stopping,
            tasks,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Waits until clients are let in.
    pub async fn ready(&self) {
        self.readiness.ready().await;
    }

    /// Waits until the node cannot go on. To be followed by [`Node::drain`].
    pub async fn failed(&self) -> NodeError {
        let mut failing = self.failing.lock().await;
        let Failing { upstream, hub } = &mut *failing;
        let refused = async {
            match upstream {
                Some(upstream) => upstream.refused().await,
                None => std::future::pending().await,
            }
        };
        let error = tokio::select! {
            error = refused => error,
            () = hub.ended() => return NodeError::Hub,
        };
        *upstream = None;
        error.into()
    }

    /// Lets clients go, spread over the drain window; leaves Discord's sessions to the next
    /// process; then stops everything.
    pub async fn drain(self) {
        self.readiness.set(Err(NotReady::Draining));
        self.draining.cancel();
        self.edges.drain(self.drain_window);
        let edge_threads = self.edge_threads;
        // The threads end when the last client is gone.
        blocking(move || edge_threads.join()).await;

        let Failing { upstream, hub } = self.failing.into_inner();
        if let Some(upstream) = upstream {
            let sessions = upstream.suspend().await;
            let now = self.clock.now().wall;
            if let Err(error) = restart::leave(&*self.store, &self.hub, sessions, now).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "Discord's sessions could not be kept; the next process begins anew"
                );
            }
        }
        self.hub.stop();
        blocking(move || hub.join()).await;
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        if let Err(error) = self.store.flush().await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "when tokens were last used could not be written"
            );
        }
        tracing::info!("stopped");
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, NodeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| NodeError::Listen { address, source })
}

fn start_upstream(
    config: &Config,
    store: &Arc<dyn Store>,
    clock: Clock,
    sessions: Vec<ShardSession>,
    events: mpsc::Sender<crate::upstream::Arrived>,
) -> Result<Upstream, UpstreamError> {
    let config = settings::upstream(config);
    let bot = hash_secret(&config.token);
    Upstream::start(UpstreamParts {
        config,
        clock,
        budget: Arc::new(StoreBudget::new(Arc::clone(store), bot)),
        sessions,
        events,
    })
}

/// Waits for something that blocks, away from the runtime's own threads.
async fn blocking(wait: impl FnOnce() + Send + 'static) {
    if tokio::task::spawn_blocking(wait).await.is_err() {
        tracing::error!("the wait for a thread broke off");
    }
}

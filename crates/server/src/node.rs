//! A node: every part of the gateway, started in the right order and stopped in the right one.

mod hub_driver;
mod settings;
mod upkeep;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use guildgate_core::hub;
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
    metrics::Metrics,
    services::{ServiceParts, Services},
    upstream::{StoreBudget, Upstream, UpstreamError, UpstreamParts},
};
use hub_driver::HubHandle;

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
    #[error("the threads that serve sockets cannot be started")]
    Threads(#[source] io::Error),
    /// Discord refuses the bot, or cannot be spoken to as configured.
    #[error(transparent)]
    Discord(#[from] UpstreamError),
}

/// A running node.
pub struct Node {
    address: SocketAddr,
    drain_window: Duration,
    readiness: Arc<Readiness>,
    edges: Edges,
    threads: EdgeThreads,
    store: Arc<dyn Store>,
    clock: Clock,
    hub: HubHandle,
    upstream: Mutex<Upstream>,
    draining: CancellationToken,
    stopping: CancellationToken,
    tasks: TaskTracker,
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
        let (edges, threads) = Edges::start(&settings::edge(&config), &to_services, clock)
            .map_err(NodeError::Threads)?;
        // The metrics are this function's own: nobody has set it before.
        let _ = metrics.edges.set(edges.clone());

        let (hub, start_hub) = hub_driver::start(
            settings::hub(&config),
            edges.clone(),
            clock,
            Arc::clone(&readiness),
            Arc::clone(&metrics),
        );

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
        let feed = services.feed().await?;
        tasks.spawn(feed.run(stopping.clone()));
        tasks.spawn(services.run(from_edges));
        tasks.spawn(upkeep::run(Arc::clone(&store), clock, stopping.clone()));

        let upstream_config = settings::upstream(&config);
        let bot = hash_secret(&upstream_config.token);
        let (events, mut arrived) = mpsc::channel(EVENTS_MAX);
        let upstream = Upstream::start(UpstreamParts {
            config: upstream_config,
            clock,
            budget: Arc::new(StoreBudget::new(Arc::clone(&store), bot)),
            sessions: Vec::new(),
            events,
        })?;
        start_hub(upstream.handle());
        let to_hub = hub.clone();
        tasks.spawn(async move {
            while let Some(arrived) = arrived.recv().await {
                let input = hub::Input::Upstream {
                    shard: arrived.shard,
                    event: arrived.event,
                };
                to_hub.input(input, Some(arrived.at));
            }
        });

        let router = api::router(Api::new(ApiParts {
            config: Arc::clone(&config),
            store: Arc::clone(&store),
            clock,
            live: Arc::new(hub.clone()),
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
            threads,
            store,
            clock,
            hub,
            upstream: Mutex::new(upstream),
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

    /// Waits until the node cannot go on.
    pub async fn failed(&self) -> NodeError {
        self.upstream.lock().await.refused().await.into()
    }

    /// Lets clients go, spread over the drain window; then stops everything.
    pub async fn drain(self) {
        self.readiness.set(Err(NotReady::Draining));
        self.draining.cancel();
        self.edges.drain(self.drain_window);
        let threads = self.threads;
        // The threads end when the last client is gone; waiting for them blocks.
        if tokio::task::spawn_blocking(move || threads.join())
            .await
            .is_err()
        {
            tracing::error!("the wait for the edge's threads broke off");
        }
        let _sessions = self.upstream.into_inner().suspend().await;
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

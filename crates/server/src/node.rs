//! A node: every part of the gateway, started in the right order and stopped in the right one.

mod outside;
mod restart;
mod settings;
mod upkeep;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use guildgate_discord::ShardSession;
use guildgate_model::{TokenHash, WantedUsers};
use guildgate_store::{Cursor, Store, StoreError, hash_secret};
use socket2::{Domain, Socket, Type};
use tokio::{
    runtime::Handle,
    sync::{
        Mutex,
        mpsc::{self, UnboundedReceiver},
    },
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::{self, Api, ApiParts, Assets, NotReady, Readiness},
    clock::Clock,
    config::Config,
    edge::{EdgeThreads, Edges},
    front::{self, Front, FrontThreads, Tls, TlsError},
    hub_thread::{self, HubHandle, HubParts, HubRequest, HubThread, Snapshot},
    metrics::{Metrics, UpstreamFigures},
    services::{Feed, OutboxWorker, ServiceParts, Services},
    upstream::{
        Arrivals, Departures, StoreBudget, Upstream, UpstreamError, UpstreamParts, arrivals,
    },
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
    /// A thread that owns clients has ended by a fault of its own.
    #[error(
        "shard {0} of the edge has ended by a fault of its own, and its clients with it; see the \
         log, start again"
    )]
    Edge(u8),
}

/// A running node.
pub struct Node {
    base: Base,
    hub: HubHandle,
    /// The reader of the feed: up to where it has told everything, once it is to stop.
    feed: JoinHandle<Cursor>,
    front: FrontThreads,
    failing: Mutex<Failing>,
}

/// What every part is given.
struct Base {
    config: Arc<Config>,
    store: Arc<dyn Store>,
    clock: Clock,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    edges: Edges,
    /// What the hub tells Discord's side.
    wanted: Arc<WantedUsers>,
    /// No client is taken in any more.
    draining: CancellationToken,
    /// The feed is read no more.
    unheard: CancellationToken,
    /// Nothing is done any more.
    stopping: CancellationToken,
    tasks: TaskTracker,
}

/// The parts that can fail while the node runs.
struct Failing {
    /// None once Discord has refused the bot: nothing is left to be stopped then.
    upstream: Option<Upstream>,
    hub: HubThread,
    edges: EdgeThreads,
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
        let (listener, address) = listen(config.listen)?;
        let tls = config
            .tls
            .as_ref()
            .map(|files| Tls::load(&files.certificate, &files.key))
            .transpose()?;
        let config = Arc::new(Config {
            listen: address,
            ..config
        });

        let clock = Clock::start();
        let metrics = Arc::new(Metrics::default());
        let (to_services, from_edges) = mpsc::unbounded_channel();
        let (edges, edge_threads) = Edges::start(&settings::edge(&config), &to_services, clock)
            .map_err(NodeError::Threads)?;
        metrics.watch_edges(edges.clone());
        let base = Base {
            config,
            store,
            clock,
            metrics,
            readiness: Arc::new(Readiness::new()),
            edges,
            wanted: Arc::default(),
            draining: CancellationToken::new(),
            unheard: CancellationToken::new(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };

        let resume_window = settings::edge(&base.config).limits.resume_window;
        let left = restart::take(&*base.store, base.bot(), clock.now().wall, resume_window).await?;
        let (to_hub, events) = arrivals(EVENTS_MAX);
        let (hub, requests, hub_thread) = base.start_hub(events, left.snapshots)?;
        let services = base.services(&hub);
        // Before the first client: what changes from here on is told to those who are let in.
        let mut feed = services.feed(left.feed).await?;
        let upstream = base.start_upstream(left.sessions, to_hub)?;
        let outside = hub_thread::Outside {
            hub: hub.clone(),
            services: services.clone(),
            upstream: upstream.handle(),
            rest: upstream.rest(),
            clock,
            status: upstream.status(),
            intents: base.config.discord.intents,
        };
        base.tasks.spawn(hub_thread::serve(outside, requests));
        base.tasks.spawn(services.clone().run(from_edges));
        let tokens = left.clients.iter().map(|session| session.token()).collect();
        let mut restored = base.edges.restore(left.clients);
        // Ends once the hub knows who is on which guild: those hear what the feed has for it.
        while restored.recv().await.is_some() {}
        feed.catch_up().await?;
        base.tasks.spawn(services.clone().end_revoked(tokens));
        let feed = base.start_workers(feed, World::new(upstream.rest())?);
        let router = api::router(Api::new(ApiParts {
            config: Arc::clone(&base.config),
            store: Arc::clone(&base.store),
            clock,
            live: Arc::new(hub.clone()),
            discord: Arc::new(upstream.handle()),
            services,
            readiness: Arc::clone(&base.readiness),
            metrics: Arc::clone(&base.metrics),
            assets,
            demo,
        }));
        let front = base.start_front(listener, tls, router)?;
        tracing::info!(%address, "the gateway listens");
        Ok(Node {
            base,
            hub,
            feed,
            front,
            failing: Mutex::new(Failing {
                upstream: Some(upstream),
                hub: hub_thread,
                edges: edge_threads,
            }),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.base.config.listen
    }

    /// Waits until clients are let in.
    pub async fn ready(&self) {
        self.base.readiness.ready().await;
    }

    /// Waits until the node cannot go on. To be followed by [`Node::drain`].
    ///
    /// A shard of the edge that has ended is not begun anew here: what its clients were in the
    /// middle of is lost, and the hub and the limits still count them. A new process starts
    /// from what is known to be sound.
    pub async fn failed(&self) -> NodeError {
        let mut failing = self.failing.lock().await;
        let Failing {
            upstream,
            hub,
            edges,
        } = &mut *failing;
        let refused = async {
            match upstream {
                Some(upstream) => upstream.refused().await,
                None => std::future::pending().await,
            }
        };
        let error = tokio::select! {
            error = refused => error,
            () = hub.ended() => return NodeError::Hub,
            shard = edges.ended() => return NodeError::Edge(shard),
        };
        *upstream = None;
        error.into()
    }

    /// Lets clients go, spread over the drain window; leaves Discord's sessions and theirs to the
    /// next process; then stops everything.
    pub async fn drain(self) {
        let Node {
            base,
            hub,
            feed,
            front,
            failing,
        } = self;
        base.readiness.set(Err(NotReady::Draining));
        base.draining.cancel();
        hub.drain();
        let mut closed = base.edges.drain(base.config.drain_window);
        // Ends when the last socket is gone. The clients' sessions go on hearing what is said.
        while closed.recv().await.is_some() {}
        // Before the hub says its last: the sessions hear all that the feed told up to here, and
        // none of what comes after it, which is the next process's to tell.
        base.unheard.cancel();
        let told = feed.await;
        let Failing {
            upstream,
            hub: hub_thread,
            edges,
        } = failing.into_inner();
        if let Some(upstream) = upstream {
            let sessions = upstream.suspend().await;
            let now = base.clock.now().wall;
            if let Err(error) = restart::leave(&*base.store, base.bot(), &hub, sessions, now).await
            {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "Discord's sessions could not be kept; the next process begins anew"
                );
            }
        }
        // After the hub has said the last that it will: between this and what Discord replays to
        // the next process nothing is missing.
        let mut saved = base.edges.finish();
        let mut clients = Vec::new();
        while let Some(shards) = saved.recv().await {
            clients.extend(shards);
        }
        let now = base.clock.now().wall;
        let kept: Result<(), Box<dyn std::error::Error + Send + Sync>> = match told {
            Ok(told) => restart::leave_clients(&*base.store, &clients, told, now)
                .await
                .map_err(Into::into),
            // Nobody knows what of the feed they have heard.
            Err(panicked) => Err(panicked.into()),
        };
        if let Err(error) = kept {
            tracing::error!(
                error = &*error,
                "the clients' sessions could not be kept; they begin anew"
            );
        }
        blocking(move || edges.join()).await;
        hub.stop();
        blocking(move || hub_thread.join()).await;
        base.stopping.cancel();
        base.tasks.close();
        base.tasks.wait().await;
        if let Err(error) = base.store.flush().await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "when tokens were last used could not be written"
            );
        }
        // Not sooner: a connection to the store that was made for an answer under way there is
        // driven there.
        drop(front);
        tracing::info!("stopped");
    }
}

impl Base {
    /// Which bot this is: what is kept for it is kept under its token's hash.
    fn bot(&self) -> TokenHash {
        hash_secret(&settings::token(&self.config))
    }

    fn start_hub(
        &self,
        events: Arrivals,
        snapshots: Vec<Snapshot>,
    ) -> Result<(HubHandle, UnboundedReceiver<HubRequest>, HubThread), NodeError> {
        hub_thread::start(HubParts {
            config: settings::hub(&self.config, &self.wanted),
            snapshots,
            events,
            edges: Box::new(self.edges.clone()),
            clock: self.clock,
            readiness: Arc::clone(&self.readiness),
            metrics: Arc::clone(&self.metrics),
        })
        .map_err(NodeError::Threads)
    }

    fn services(&self, hub: &HubHandle) -> Services {
        Services::new(ServiceParts {
            store: Arc::clone(&self.store),
            edges: Arc::new(self.edges.clone()),
            hub: Arc::new(hub.clone()),
            readiness: Arc::clone(&self.readiness),
            metrics: Arc::clone(&self.metrics),
            clock: self.clock,
            questions_max: self.config.questions_max,
            webhooks: self.config.webhooks.clone(),
        })
    }

    fn start_upstream(
        &self,
        sessions: Vec<ShardSession>,
        events: Departures,
    ) -> Result<Upstream, UpstreamError> {
        let config = settings::upstream(&self.config, &self.wanted);
        let upstream = Upstream::start(UpstreamParts {
            config,
            clock: self.clock,
            budget: Arc::new(StoreBudget::new(Arc::clone(&self.store), self.bot())),
            sessions,
            events,
        })?;
        self.metrics.watch_upstream(UpstreamFigures {
            stats: upstream.stats(),
            status: upstream.status(),
        });
        Ok(upstream)
    }

    /// What is done by itself: the feed is read, the outbox worked on, the old forgotten.
    fn start_workers(&self, feed: Feed, world: World) -> JoinHandle<Cursor> {
        let outbox = OutboxWorker {
            store: Arc::clone(&self.store),
            outside: Arc::new(world),
            webhooks: self.config.webhooks.clone(),
            clock: self.clock,
        };
        let store = Arc::clone(&self.store);
        self.tasks.spawn(outbox.run(self.stopping.clone()));
        self.tasks
            .spawn(upkeep::run(store, self.clock, self.stopping.clone()));
        self.tasks.spawn(feed.run(self.unheard.clone()))
    }

    fn start_front(
        &self,
        listener: TcpListener,
        tls: Option<Tls>,
        router: axum::Router,
    ) -> Result<FrontThreads, NodeError> {
        if let Some(tls) = &tls {
            self.tasks.spawn(tls.clone().watch(self.stopping.clone()));
        }
        let threads = FrontThreads::start().map_err(NodeError::Threads)?;
        let listener = threads.watch(listener).map_err(NodeError::Threads)?;
        let config = settings::front(&self.config);
        let front = Front::new(config, self.edges.clone(), Handle::current());
        let serve = front::serve(
            front,
            listener,
            tls,
            router,
            self.draining.clone(),
            self.stopping.clone(),
        );
        self.tasks.spawn_on(serve, threads.handle());
        Ok(threads)
    }
}

/// Connections that may wait to be accepted; after a restart all clients come back at once.
/// The kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 8192;

/// The address that was given, where it left the port open.
fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), NodeError> {
    let listen = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    listen().map_err(|source| NodeError::Listen { address, source })
}

/// Waits for something that blocks, away from the runtime's own threads.
async fn blocking(wait: impl FnOnce() + Send + 'static) {
    if tokio::task::spawn_blocking(wait).await.is_err() {
        tracing::error!("the wait for a thread broke off");
    }
}

#[cfg(test)]
mod tests;

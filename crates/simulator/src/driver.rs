//! Sockets, timers and tasks around the state. Nothing here decides anything of Discord's.

mod compress;
mod paced;
mod socket;
mod upgrade;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::Request,
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use guildgate_model::Mono;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use upgrade::base_url;

use crate::{
    clock::Clock,
    config::SimulatorConfig,
    gateway::{ConnectionId, Discord},
    rest,
};

/// The state, and how the tasks around it wake each other.
#[derive(Debug)]
pub(crate) struct Shared {
    discord: Mutex<Discord>,
    links: Mutex<BTreeMap<ConnectionId, Arc<Link>>>,
    clock: Clock,
    /// The deadline that the timekeeper waits for.
    deadline: Mutex<Option<Mono>>,
    timer: Notify,
}

/// How a socket's task is reached.
#[derive(Debug, Default)]
struct Link {
    /// Something waits to be pulled.
    wake: Notify,
    /// The connection has ended; its task has [`socket::END_GRACE`] left.
    ended: CancellationToken,
}

impl Shared {
    pub(crate) fn new(config: SimulatorConfig) -> Shared {
        let clock = config.clock.clone();
        Shared {
            discord: Mutex::new(Discord::new(config)),
            links: Mutex::new(BTreeMap::new()),
            clock,
            deadline: Mutex::new(None),
            timer: Notify::new(),
        }
    }

    /// Lets `act` work on the state at this moment, then wakes whom it concerns.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Discord) -> R) -> R {
        let (result, wakes, ended, deadline) = {
            let mut discord = lock(&self.discord);
            discord.now = self.clock.now();
            let result = act(&mut discord);
            (
                result,
                discord.take_wakes(),
                discord.take_ended(),
                discord.deadline(),
            )
        };
        if !wakes.is_empty() || !ended.is_empty() {
            let links = lock(&self.links);
            wakes
                .iter()
                .filter_map(|id| links.get(id))
                .for_each(|link| link.wake.notify_one());
            ended
                .iter()
                .filter_map(|id| links.get(id))
                .for_each(|link| link.ended.cancel());
        }
        let mut known = lock(&self.deadline);
        if *known != deadline {
            *known = deadline;
            self.timer.notify_one();
        }
        result
    }

    /// Moves a stepped clock on, and lets what is due happen.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.with(Discord::tick);
    }

    fn link(&self, id: ConnectionId) -> Arc<Link> {
        lock(&self.links).entry(id).or_default().clone()
    }

    fn unlink(&self, id: ConnectionId) {
        lock(&self.links).remove(&id);
    }

    /// Whether what is waited for is due, and if not, for how long to wait; none is for ever.
    fn patience(&self) -> Option<Duration> {
        let deadline = *lock(&self.deadline);
        deadline.and_then(|deadline| self.clock.until(deadline))
    }
}

/// A panic elsewhere leaves the state as it was between two of its steps; go on with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets what is due happen, until `stopping`.
pub(crate) async fn keep_time(shared: Arc<Shared>, stopping: CancellationToken) {
    shared.with(|_| ());
    loop {
        let due = async {
            match shared.patience() {
                Some(patience) => tokio::time::sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stopping.cancelled() => return,
            () = shared.timer.notified() => {}
            () = due => shared.with(Discord::tick),
        }
    }
}

/// Takes connections until `stopping`.
pub(crate) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    stopping: CancellationToken,
    tasks: TaskTracker,
) {
    let sockets = socket::Sockets {
        shared: shared.clone(),
        stopping: stopping.clone(),
        tasks: tasks.clone(),
    };
    let router = rest::router(shared)
        .merge(upgrade::router(sockets))
        .layer(middleware::from_fn(in_time));
    loop {
        let stream = tokio::select! {
            () = stopping.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, most likely: others must close before it can go on.
                    tracing::warn!(%error, "cannot take a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a socket was gone at once");
            continue;
        }
        let service = TowerToHyperService::new(router.clone());
        let stopping = stopping.clone();
        tasks.spawn(async move {
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_PATIENCE);
            let connection = builder
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopping.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    match tokio::time::timeout(STOP_GRACE, connection).await {
                        Ok(ended) => ended,
                        // Whoever is in the middle of a request may never come to its end.
                        Err(_) => return,
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
}

/// Answers 408 to a request whose body does not come; nothing else here takes time.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(BODY_PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const HEADER_PATIENCE: Duration = Duration::from_secs(30);
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// How long a request may still take when the simulator is stopped.
const STOP_GRACE: Duration = Duration::from_secs(2);

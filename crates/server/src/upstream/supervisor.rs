//! Finds out where the gateway is, starts the shards, and stops them together.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use guildgate_discord::{Rng, Shard, ShardSession, Stopped, rest::GatewayBot};
use guildgate_model::ShardId;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    IdentifyBudget, ShardCount, UpstreamConfig, UpstreamError, UpstreamHandle, UpstreamStats,
    UpstreamStatus,
    arrivals::Departures,
    driver::Driver,
    handle::COMMANDS_MAX,
    queue::{LIMIT_FRESH_FOR, Queue, QueueParts},
    rest::{Rest, RestError},
    socket::Dialler,
};
use crate::clock::Clock;

const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// What the driver needs.
pub struct UpstreamParts {
    /// How to reach Discord.
    pub config: UpstreamConfig,
    /// The clock.
    pub clock: Clock,
    /// Where identifies are counted.
    pub budget: Arc<dyn IdentifyBudget>,
    /// Sessions of an earlier process, to be resumed.
    pub sessions: Vec<ShardSession>,
    /// Where events go, in order.
    pub events: Departures,
}

/// What all shards are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Run,
    Shutdown,
    Suspend,
}

/// Discord's side, running.
pub struct Upstream {
    handle: UpstreamHandle,
    rest: Rest,
    stats: Arc<UpstreamStats>,
    status: watch::Receiver<UpstreamStatus>,
    wish: watch::Sender<Wish>,
    task: tokio::task::JoinHandle<Ended>,
}

/// How it ended.
struct Ended {
    sessions: Vec<ShardSession>,
    error: Option<UpstreamError>,
}

impl Upstream {
    /// Starts Discord's side. It comes up by itself, however long Discord takes; call within a
    /// runtime.
    ///
    /// # Errors
    /// [`UpstreamError::ApiUrl`] or [`UpstreamError::Tls`].
    pub fn start(parts: UpstreamParts) -> Result<Upstream, UpstreamError> {
        let rest = Rest::new(
            &parts.config.api_url,
            parts.config.token.clone(),
            parts.clock,
        )?;
        let dialler = Dialler::new()?;
        let handle = UpstreamHandle::default();
        let stats = Arc::<UpstreamStats>::default();
        let (status, status_rx) = watch::channel(UpstreamStatus::UNKNOWN);
        let (wish, wish_rx) = watch::channel(Wish::Run);
        let supervisor = Supervisor {
            parts,
            rest: rest.clone(),
            dialler,
            handle: handle.clone(),
            stats: Arc::clone(&stats),
            status,
            wish: wish_rx,
        };
        Ok(Upstream {
            handle,
            rest,
            stats,
            status: status_rx,
            wish,
            task: tokio::spawn(supervisor.run()),
        })
    }

    /// To send commands with.
    #[must_use]
    pub fn handle(&self) -> UpstreamHandle {
        self.handle.clone()
    }

    /// Discord's REST.
    #[must_use]
    pub fn rest(&self) -> Rest {
        self.rest.clone()
    }

    /// What is counted.
    #[must_use]
    pub fn stats(&self) -> Arc<UpstreamStats> {
        Arc::clone(&self.stats)
    }

    /// How it is, now and whenever that changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<UpstreamStatus> {
        self.status.clone()
    }

    /// Waits until Discord refuses us for good. Safe to drop and call again.
    pub async fn refused(&mut self) -> UpstreamError {
        match (&mut self.task).await {
            Ok(Ended {
                error: Some(error), ..
            }) => error,
            // It stopped for another reason; its owner knows which.
            Ok(Ended { error: None, .. }) | Err(_) => std::future::pending().await,
        }
    }

    /// Ends the sessions: the bot goes offline. Keep taking events until this is done.
    pub async fn shutdown(self) {
        let _ = self.wish.send(Wish::Shutdown);
        let _ = self.task.await;
    }

    /// Stops, but keeps the sessions for another process, which has some minutes to resume them.
    /// Every event up to them has been handed on. Keep taking events until this is done.
    pub async fn suspend(self) -> Vec<ShardSession> {
        let _ = self.wish.send(Wish::Suspend);
        match self.task.await {
            Ok(ended) => ended.sessions,
            Err(_) => Vec::new(),
        }
    }
}

struct Supervisor {
    parts: UpstreamParts,
    rest: Rest,
    dialler: Dialler,
    handle: UpstreamHandle,
    stats: Arc<UpstreamStats>,
    status: watch::Sender<UpstreamStatus>,
    wish: watch::Receiver<Wish>,
}

impl Supervisor {
    async fn run(mut self) -> Ended {
        let gateway = match self.find_gateway().await {
            Ok(Some(gateway)) => gateway,
            Ok(None) => {
                return Ended {
                    sessions: std::mem::take(&mut self.parts.sessions),
                    error: None,
                };
            }
            Err(error) => {
                return Ended {
                    sessions: Vec::new(),
                    error: Some(error),
                };
            }
        };
        let mut tasks = self.start_shards(&gateway);
        let mut ended = Ended {
            sessions: Vec::new(),
            error: None,
        };
        while let Some(stopped) = tasks.join_next().await {
            match stopped {
                Ok(Stopped::Suspended(session)) => ended.sessions.extend(session),
                Ok(Stopped::Shutdown) | Err(_) => {}
                Ok(Stopped::Refused(refusal)) => {
                    // What one shard is refused, all are.
                    tasks.abort_all();
                    ended.error = Some(refusal.into());
                    break;
                }
            }
        }
        ended
    }

    /// Asks until there is an answer; none if it is to stop before that.
    async fn find_gateway(&mut self) -> Result<Option<GatewayBot>, UpstreamError> {
        let mut pause = RETRY_MIN;
        loop {
            if *self.wish.borrow() != Wish::Run {
                return Ok(None);
            }
            let error = tokio::select! {
                answer = self.rest.gateway_bot() => match answer {
                    Ok(gateway) => return Ok(Some(gateway)),
                    Err(RestError::TokenRefused) => return Err(UpstreamError::TokenRefused),
                    Err(error) => error,
                },
                _ = self.wish.changed() => return Ok(None),
            };
            tracing::warn!(
                error = %crate::upstream::rest::chain(&error),
                retry_in_s = pause.as_secs(),
                "Discord's gateway could not be found; trying again"
            );
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = self.wish.changed() => return Ok(None),
            }
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    /// How many shards. Sessions that are to be resumed keep their number, where that is enough.
    fn shard_count(&self, gateway: &GatewayBot) -> u32 {
        match self.parts.config.shards {
            ShardCount::Fixed(count) => count.get(),
            ShardCount::Auto => {
                let counts = self
                    .parts
                    .sessions
                    .iter()
                    .map(|session| session.shard.count);
                let kept = counts
                    .clone()
                    .min()
                    .filter(|min| counts.clone().max() == Some(*min));
                kept.filter(|&kept| kept >= gateway.shards)
                    .unwrap_or(gateway.shards)
            }
        }
    }

    fn start_shards(&mut self, gateway: &GatewayBot) -> JoinSet<Stopped> {
        let count = self.shard_count(gateway);
        tracing::info!(shards = count, url = %gateway.url, "Discord's gateway was found");
        let mut permits = BTreeMap::new();
        let mut receivers = Vec::new();
        for id in 0..count {
            let shard = ShardId { id, count };
            let (tx, rx) = mpsc::unbounded_channel();
            permits.insert(shard, tx);
            receivers.push((shard, rx));
        }
        let queue = QueueParts {
            clock: self.parts.clock,
            budget: Arc::clone(&self.parts.budget),
            rest: self.rest.clone(),
            fresh_for: LIMIT_FRESH_FOR,
            shards: permits,
        };
        let queue = Queue::start(queue, gateway.limit);
        let mut tasks = JoinSet::new();
        let mut senders = Vec::new();
        for (shard, permits) in receivers {
            let (tx, requests) = mpsc::channel(COMMANDS_MAX);
            senders.push(tx);
            let sessions = &mut self.parts.sessions;
            let kept = sessions
                .iter()
                .position(|session| ShardId::from(session.shard) == shard)
                .map(|index| sessions.swap_remove(index));
            let config = self.parts.config.of_shard(shard, &gateway.url);
            let driver = Driver {
                shard: Shard::new(config, Rng::new(rand::random()), kept),
                clock: self.parts.clock,
                dialler: self.dialler.clone(),
                rest: self.rest.clone(),
                queue: queue.clone(),
                requests,
                permits,
                wish: self.wish.clone(),
                events: self.parts.events.clone(),
                status: self.status.clone(),
                stats: Arc::clone(&self.stats),
                wanted: self.parts.config.wanted.clone(),
            };
            tasks.spawn(driver.run());
        }
        self.handle.set(senders);
        self.status
            .send_modify(|status| status.shards = Some(count));
        tasks
    }
}

//! What handlers know of the node.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use guildgate_model::{GuildId, Secret};
use guildgate_store::Store;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::{Assets, DiscordPort};
use crate::{clock::Clock, config::Config, metrics::Metrics, services::Services};

/// What every handler is given; cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<ApiParts>);

/// What an [`Api`] is made of.
pub struct ApiParts {
    /// The configuration.
    pub config: Arc<Config>,
    /// The database.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Clock,
    /// Guilds as they are now.
    pub live: Arc<dyn Live>,
    /// Discord's side.
    pub discord: Arc<dyn DiscordPort>,
    /// Applications.
    pub services: Services,
    /// Whether clients are served.
    pub readiness: Arc<Readiness>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The page's files.
    pub assets: Assets,
    /// What the demo's page offers, as JSON; none outside the demo.
    pub demo: Option<String>,
}

impl Api {
    /// The state of these parts.
    #[must_use]
    pub fn new(parts: ApiParts) -> Api {
        Api(Arc::new(parts))
    }

    pub(super) fn admin_key(&self) -> Option<&Secret> {
        self.0.config.admin_key.as_ref()
    }

    pub(super) fn body_bytes_max(&self) -> usize {
        self.0.config.body_bytes_max
    }
}

impl std::ops::Deref for Api {
    type Target = ApiParts;

    fn deref(&self) -> &ApiParts {
        &self.0
    }
}

/// Guilds as they are now: the hub, seen from outside.
#[async_trait]
pub trait Live: Send + Sync {
    /// Every guild the bot is in, by id.
    ///
    /// # Errors
    /// [`LiveError::Gone`] while the node goes away.
    async fn guilds(&self) -> Result<Vec<GuildSummary>, LiveError>;

    /// A guild as clients are shown it; none if the bot is not in it.
    ///
    /// # Errors
    /// [`LiveError::Gone`] while the node goes away.
    async fn guild(&self, guild: GuildId) -> Result<Option<Arc<RawValue>>, LiveError>;
}

/// A guild in a list.
#[derive(Debug, Clone)]
pub struct GuildSummary {
    /// The guild.
    pub id: GuildId,
    /// As clients are shown it; none until Discord has sent it.
    pub guild_json: Option<Arc<RawValue>>,
    /// How many clients are on it.
    pub clients: u64,
}

/// Why the hub did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// The node is going away.
    #[error("the node is going away")]
    Gone,
}

/// Whether the node serves clients, and if not, why.
#[derive(Debug)]
pub struct Readiness {
    now: watch::Sender<Result<(), NotReady>>,
    come_up: AtomicBool,
}

/// Why the node does not serve clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// Discord's side has not come up yet; how far it is.
    Starting(String),
    /// The node is going away.
    Draining,
}

impl std::fmt::Display for NotReady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotReady::Starting(how_far) => write!(f, "Discord's side is coming up: {how_far}"),
            NotReady::Draining => f.write_str("the gateway is going away"),
        }
    }
}

impl Readiness {
    /// Nothing has come up yet.
    #[must_use]
    pub fn new() -> Readiness {
        let starting = NotReady::Starting("not connected yet".into());
        Readiness {
            now: watch::Sender::new(Err(starting)),
            come_up: AtomicBool::new(false),
        }
    }

    /// How it is.
    ///
    /// # Errors
    /// [`NotReady`] says why it is not ready.
    pub fn check(&self) -> Result<(), NotReady> {
        self.now.borrow().clone()
    }

    /// Whether it has ever been ready: clients are let in from then on, whatever comes.
    #[must_use]
    pub fn has_come_up(&self) -> bool {
        self.come_up.load(Ordering::Acquire)
    }

    /// Waits until it is ready.
    pub async fn ready(&self) {
        // The sender is in `self`, so the wait ends by readiness alone.
        let _ = self.now.subscribe().wait_for(Result::is_ok).await;
    }

    /// How it is from now on. A node that goes away stays so.
    pub fn set(&self, ready: Result<(), NotReady>) {
        if ready.is_ok() {
            self.come_up.store(true, Ordering::Release);
        }
        self.now.send_if_modified(|now| {
            let changes = *now != ready && *now != Err(NotReady::Draining);
            if changes {
                *now = ready;
            }
            changes
        });
    }
}

impl Default for Readiness {
    fn default() -> Readiness {
        Readiness::new()
    }
}

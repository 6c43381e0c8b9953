//! The running simulator, and the handle by which a program moves its world.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use guildgate_model::RoleId;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Burst, BurstReport, Change, ChangeError, Counters, Fault, Motion, SimulatorConfig,
    SimulatorError, Target, World,
    driver::{self, Shared},
};

/// A simulator that is running; dropping it leaves it to its runtime, [`Simulator::stop`] ends it.
#[derive(Debug)]
pub struct Simulator {
    handle: SimulatorHandle,
    address: SocketAddr,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Simulator {
    /// Starts it on the current tokio runtime; when this returns, it takes connections.
    ///
    /// # Errors
    /// [`SimulatorError::Listen`] if the address is taken.
    pub async fn start(config: SimulatorConfig) -> Result<Simulator, SimulatorError> {
        let listen = config.listen;
        let failed = |cause| SimulatorError::Listen {
            address: listen,
            cause,
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared::new(config));
        let (stopping, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(driver::keep_time(shared.clone(), stopping.clone()));
        tasks.spawn(driver::accept(
            listener,
            shared.clone(),
            stopping.clone(),
            tasks.clone(),
        ));
        tracing::info!(%address, "the simulator listens");
        Ok(Simulator {
            handle: SimulatorHandle { shared },
            address,
            stopping,
            tasks,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What to set as `discord.api_url`: `http://ADDRESS/api/v10`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}/api/v10", self.address)
    }

    /// By which the world is moved from within the process.
    #[must_use]
    pub fn handle(&self) -> SimulatorHandle {
        self.handle.clone()
    }

    /// Closes every connection with 1001 and waits until all tasks have ended.
    pub async fn stop(self) {
        self.handle.shared.with(crate::gateway::Discord::shut_down);
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Moves a running simulator's world from within the process. Clones are the same handle.
#[derive(Debug, Clone)]
pub struct SimulatorHandle {
    shared: Arc<Shared>,
}

/// What a change made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Made {
    /// The id of a new role, emoji, channel or guild.
    pub id: Option<u64>,
    /// The code of a new invite.
    pub code: Option<Box<str>>,
}

impl Made {
    /// The id as a role's.
    #[must_use]
    pub fn role(&self) -> Option<RoleId> {
        self.id.map(RoleId)
    }
}

impl SimulatorHandle {
    /// Lets `change` happen, as Discord would on its own site: no permission is asked for.
    ///
    /// # Errors
    /// [`ChangeError`] where the world does not allow it.
    pub fn change(&self, change: Change) -> Result<Made, ChangeError> {
        let applied = self.shared.with(|discord| discord.change(change))?;
        Ok(Made {
            id: applied.id,
            code: applied.code,
        })
    }

    /// Looks at the world. `look` runs while the world stands still; keep it short.
    pub fn read<R>(&self, look: impl FnOnce(&World) -> R) -> R {
        self.shared.with(|discord| look(&discord.world))
    }

    /// Lets `fault` happen to `target`; how many connections it met.
    pub fn fault(&self, target: &Target, fault: &Fault) -> usize {
        self.shared.with(|discord| discord.fault(target, fault))
    }

    /// Starts a series of changes; its number, for [`SimulatorHandle::burst`].
    pub fn start_burst(&self, burst: Burst) -> u64 {
        self.shared.with(|discord| discord.start_burst(burst))
    }

    /// How far a burst has come; none if there was no such one.
    #[must_use]
    pub fn burst(&self, number: u64) -> Option<BurstReport> {
        self.shared.with(|discord| discord.burst(number).cloned())
    }

    /// Changes how the world moves by itself.
    pub fn set_motion(&self, motion: Motion) {
        self.shared.with(|discord| discord.set_motion(motion));
    }

    /// Lets one fault happen about `every` so often, each to one connection; none ends it.
    pub fn set_storm(&self, every: Option<Duration>) {
        self.shared.with(|discord| discord.set_storm(every));
    }

    /// What has happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.with(|discord| discord.counters)
    }

    /// Moves a stepped clock on, and lets what is due happen.
    pub fn advance(&self, by: Duration) {
        self.shared.advance(by);
    }

    /// Sends any event as Discord would: by its intents, to the guild's shard, or to the first
    /// one where it is of no guild. `data` is its `d`.
    pub fn dispatch(
        &self,
        name: &str,
        guild: Option<guildgate_model::GuildId>,
        data: &serde_json::Value,
    ) {
        self.shared
            .with(|discord| discord.dispatch_raw(name, guild, data));
    }
}

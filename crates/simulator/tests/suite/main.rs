//! The simulator, met as a client meets it: over real sockets on loopback.
//!
//! `s01` to `s44` are the acceptance suite, by number. The clock is stepped unless a test says
//! otherwise, so that an hour passes in no time and nothing sleeps.

mod client;
mod commands;
mod connect;
mod docs;
mod faults;
mod http_client;
mod identify;
mod members;
mod moving;
mod recording;
mod rest;
mod resume;
mod scale;

use std::{net::SocketAddr, time::Duration};

use guildgate_simulator::{Clock, Settings, Simulator, SimulatorConfig, World};

/// A simulator of `world` with a stepped clock and `settings`.
async fn start_with(world: World, settings: Settings) -> Simulator {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = SimulatorConfig {
        clock: Clock::stepped(),
        settings,
        ..SimulatorConfig::new(listen, world)
    };
    Simulator::start(config).await.expect("a free port")
}

/// A simulator of the demo world with a stepped clock and Discord's own numbers.
async fn start() -> Simulator {
    start_with(World::demo(), Settings::default()).await
}

/// How long a test waits for what must come before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until it is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        panic!("{what} did not happen");
    }
}

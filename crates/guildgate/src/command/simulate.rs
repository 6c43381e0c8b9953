//! `guildgate simulate`.

use std::{path::Path, time::Duration};

use anyhow::{Context, anyhow};
use guildgate_model::{Secret, UserId};
use guildgate_server::log;
use guildgate_simulator::{
    Motion, Playback, Recording, Simulator, SimulatorConfig, Speed, UserAccount, World,
};

use crate::{
    cli::Simulate,
    exit::{Code, Failure},
    signals::Signals,
    sources,
};

/// How often something happens in a world that moves by itself.
pub const LIVELY: Motion = Motion::Lively {
    every: Duration::from_secs(2),
};

pub async fn run(arguments: Simulate) -> Result<(), Failure> {
    log::init(&sources::log()?).map_err(Failure::other)?;
    let mut signals = Signals::take()?;
    let playback = match &arguments.replay {
        None => None,
        Some(path) => {
            let recording = Recording::open(path).map_err(Failure::other)?;
            Some(Playback::new(&recording, speed(arguments.speed)?))
        }
    };
    let world = match (&arguments.world, &playback) {
        (Some(path), _) => read(path)?,
        (None, Some(playback)) => playback.world(),
        (None, None) => World::demo(),
    };
    let config = SimulatorConfig {
        playback,
        token: Secret::new(arguments.token.clone()),
        user: arguments.user.map(|(token, user)| UserAccount {
            token: Secret::new(token),
            user: UserId(user),
        }),
        seed: arguments.seed,
        motion: if arguments.lively {
            LIVELY
        } else {
            Motion::Still
        },
        ..SimulatorConfig::new(arguments.listen, world)
    };
    let simulator = start(config).await?;
    println!("A simulated Discord is at {}", simulator.api_url());
    println!(
        "Set a bot's API address to that, and its token to {}",
        arguments.token
    );
    println!("Ctrl-C stops it.");
    signals.next().await;
    // A second signal does not wait for whoever is in the middle of a request.
    let _ = signals.before(simulator.stop()).await;
    Ok(())
}

/// Starts a simulator.
pub async fn start(config: SimulatorConfig) -> Result<Simulator, Failure> {
    Simulator::start(config)
        .await
        .map_err(|error| Failure::new(Code::Listen, error))
}

fn read(path: &Path) -> Result<World, Failure> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the world in {}", path.display()))
        .map_err(Failure::other)?;
    let world = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => World::from_toml(&text),
        Some("json") => World::from_json(&text),
        _ => {
            return Err(Failure::other(anyhow!(
                "{}: expected a file that ends in .toml or .json",
                path.display()
            )));
        }
    };
    world
        .with_context(|| format!("{} is no world", path.display()))
        .map_err(Failure::other)
}

fn speed(times: f64) -> Result<Speed, Failure> {
    if times == 0.0 {
        Ok(Speed::AsTaken)
    } else if times.is_finite() && times > 0.0 {
        Ok(Speed::Times(times))
    } else {
        Err(Failure::other(anyhow!(
            "--speed is {times}: expected 0, or how many times as fast"
        )))
    }
}

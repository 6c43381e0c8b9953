//! The load generator's command line.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser;
use guildgate_load::{
    control::{Api, Discord},
    process::Process,
    scenario::{self, Scenario, Setting},
    spawn::{self, Spawned, Wish},
};

/// Measures a running gateway from its clients' side.
///
/// With --spawn it starts a gateway and a simulated Discord of its own. Otherwise name a running
/// one: --gateway, --admin-key, --guild, and --pid for its memory and CPU. A run whose
/// expectations fail exits with 1.
#[derive(Debug, Parser)]
#[command(name = "guildgate-load", version)]
struct Options {
    /// What to measure.
    scenario: Scenario,
    /// Where the gateway listens.
    #[arg(long, default_value = "127.0.0.1:7102")]
    gateway: SocketAddr,
    /// The simulator's REST, by which events are made.
    #[arg(long, default_value = "http://127.0.0.1:7103/api/v10")]
    simulator: String,
    /// The bot token that the simulator takes.
    #[arg(long, default_value = "simulator")]
    simulator_token: String,
    /// The gateway's admin key, to issue tokens with.
    #[arg(long, env = "GUILDGATE_ADMIN_KEY", hide_env_values = true)]
    admin_key: Option<String>,
    /// The gateway's process id, to read its memory and CPU time from /proc.
    #[arg(long)]
    pid: Option<u32>,
    /// The guild that everything happens on; one of the built-in world's if left out.
    #[arg(long, default_value_t = spawn::GUILD)]
    guild: u64,
    /// Start a gateway and a simulator for this run.
    #[arg(long)]
    spawn: bool,
    /// The `guildgate` to start; the one beside this program if left out.
    #[arg(long, requires = "spawn", value_name = "PATH")]
    program: Option<PathBuf>,
    /// Let the spawned gateway have one shard, and run on this processor alone.
    #[arg(long, requires = "spawn", value_name = "CPU")]
    pin: Option<u32>,
    /// How many connections.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// New connections a second, at most.
    #[arg(long, default_value_t = 2000)]
    ramp: usize,
    /// Events a second.
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// How long to measure, seconds.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Full sessions of users rather than basic connections.
    #[arg(long)]
    full: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let spawned = options.spawn.then(|| spawn(&options)).transpose()?;
    let (gateway, simulator, pid, admin_key) = match &spawned {
        Some(spawned) => (
            spawned.gateway,
            &spawned.simulator,
            Some(spawned.pid),
            spawn::ADMIN_KEY,
        ),
        None => {
            let admin_key = options.admin_key.as_deref();
            let admin_key = admin_key.context("--admin-key is needed without --spawn")?;
            (options.gateway, &options.simulator, options.pid, admin_key)
        }
    };
    let setting = Setting {
        gateway,
        api: Api::new(&format!("http://{gateway}"), admin_key),
        discord: Discord::new(simulator, &options.simulator_token),
        process: pid.map(Process::new),
        guild: options.guild,
        role: spawned.is_some().then_some(spawn::ROLE),
        connections: options.connections,
        ramp: options.ramp,
        rate: options.rate,
        lasting: Duration::try_from_secs_f64(options.seconds).context("--seconds is no time")?,
        full: options.full,
    };
    let report = scenario::run(options.scenario, &setting)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn spawn(options: &Options) -> Result<Spawned> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => Wish::neighbour()?,
    };
    Spawned::start(&Wish {
        program,
        processor: options.pin,
        members: options.connections,
        count_interval: options.scenario.count_interval(),
    })
}

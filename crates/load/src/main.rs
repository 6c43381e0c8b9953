//! The load generator's command line.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser;
use guildgate_load::{
    control::{Api, Discord},
    process::Process,
    scenario::{self, Scenario, Setting},
};

/// Measures a running gateway from its clients' side.
///
/// Start one to measure first, for instance `guildgate demo --still` with
/// GUILDGATE_ADMIN_KEY=load, then run a scenario against it. A run whose expectations fail
/// exits with 1.
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
    admin_key: String,
    /// The gateway's process id, to read its memory and CPU time from /proc.
    #[arg(long)]
    pid: Option<u32>,
    /// The guild that everything happens on.
    #[arg(long)]
    guild: u64,
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
    let setting = Setting {
        gateway: options.gateway,
        api: Api::new(&format!("http://{}", options.gateway), &options.admin_key),
        discord: Discord::new(&options.simulator, &options.simulator_token),
        process: options.pid.map(Process::new),
        guild: options.guild,
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

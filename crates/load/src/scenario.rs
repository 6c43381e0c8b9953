//! What can be measured, by name.

mod audience;
mod fanout;
mod hostile;
mod idle;
mod reconnect;
mod roles;
mod slow;
mod storm;

use std::time::Duration;

use anyhow::Result;

use crate::{
    control::{Api, Discord},
    process::Process,
    report::Report,
};

/// A scenario's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Connections that wait: what each costs in memory, how fast they come.
    Idle,
    /// One event after another to everybody on a guild: CPU a frame, latency, nothing missing.
    Fanout,
    /// Thousands of joins a second: counts converge, privilege updates are not delayed.
    Storm,
    /// Every connection drops at once and resumes.
    Reconnect,
    /// Some clients stop reading: they are closed, the others notice nothing.
    Slow,
    /// A role edit that touches everybody: each hears of their own permissions.
    Roles,
    /// Half-open, trickling, mute, flooding clients beside a good one.
    Hostile,
}

/// What a scenario runs against, and how large.
#[derive(Debug)]
pub struct Setting {
    /// Where the gateway listens.
    pub gateway: std::net::SocketAddr,
    /// Its HTTP API.
    pub api: Api,
    /// The simulator's REST.
    pub discord: Discord,
    /// The gateway's process, if it is on this machine.
    pub process: Option<Process>,
    /// The guild that everything happens on.
    pub guild: u64,
    /// How many connections.
    pub connections: usize,
    /// How many of them are new in a second, at most.
    pub ramp: usize,
    /// How many events a second.
    pub rate: f64,
    /// For how long.
    pub lasting: Duration,
    /// Whether connections are full sessions rather than basic.
    pub full: bool,
}

/// Runs one scenario.
///
/// # Errors
/// If the gateway or the simulator does not answer; what is measured and found wanting is a
/// failure in the report.
pub fn run(scenario: Scenario, setting: &Setting) -> Result<Report> {
    match scenario {
        Scenario::Idle => idle::run(setting),
        Scenario::Fanout => fanout::run(setting),
        Scenario::Storm => storm::run(setting),
        Scenario::Reconnect => reconnect::run(setting),
        Scenario::Slow => slow::run(setting),
        Scenario::Roles => roles::run(setting),
        Scenario::Hostile => hostile::run(setting),
    }
}

//! What can be measured, by name.

mod audience;
mod editors;
mod fanout;
mod hostile;
mod idle;
mod reconnect;
mod restart;
mod roles;
mod sessions;
mod slow;
mod storm;

use std::time::Duration;

use anyhow::Result;

use crate::{
    control::{Api, Discord},
    process::Process,
    report::Report,
    spawn::Spawned,
};

pub use hostile::AttackKind;
use sessions::Target;

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
    /// Editors of one application form, all at once: each hears of the others' patches.
    Editors,
    /// Open application sessions that wait, all on the guild's form: what each costs in memory.
    FormSessions,
    /// The same, each on its own user's draft of answers.
    DraftSessions,
    /// Half-open, trickling, mute, flooding clients beside a good one.
    Hostile,
}

impl Scenario {
    /// How a gateway is to run for this scenario.
    #[must_use]
    pub fn conditions(self) -> Conditions {
        let usual = Conditions::default();
        match self {
            // Every event is to be heard by everybody, so none may be conflated.
            Scenario::Fanout => Conditions {
                count_interval: "0s",
                ..usual
            },
            // The bound is waited for.
            Scenario::Hostile => Conditions {
                count_interval: "0s",
                authenticate_within: Duration::from_secs(5),
                ..usual
            },
            // Who does not read answers no heartbeat either, and is to be closed for its queue.
            Scenario::Slow => Conditions {
                heartbeat_interval: Duration::from_secs(600),
                ..usual
            },
            Scenario::Idle
            | Scenario::Storm
            | Scenario::Reconnect
            | Scenario::Roles
            | Scenario::Editors
            | Scenario::FormSessions
            | Scenario::DraftSessions => usual,
        }
    }
}

/// Settings of the gateway that a scenario may be about.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// `count_interval`.
    pub count_interval: &'static str,
    /// `limits.authenticate_within`.
    pub authenticate_within: Duration,
    /// `heartbeat.interval`.
    pub heartbeat_interval: Duration,
}

impl Default for Conditions {
    /// A gateway's own.
    fn default() -> Conditions {
        Conditions {
            count_interval: "250ms",
            authenticate_within: Duration::from_secs(20),
            heartbeat_interval: Duration::from_secs(45),
        }
    }
}

/// What a scenario runs against, and how large.
#[derive(Debug, Clone)]
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
    /// The role that all users hold already; none to make one and have them join with it.
    pub role: Option<u64>,
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
    /// How many attackers there are of each kind, where there are any.
    pub attackers: usize,
    /// Which kinds of them, in this order.
    pub kinds: Vec<AttackKind>,
    /// How long the gateway lets a client go without authenticating.
    pub authenticate_within: Duration,
}

/// The users that full connections are: far from any real id.
#[must_use]
pub fn users(connections: usize) -> Vec<u64> {
    (0..connections as u64)
        .map(|index| 900_000_000_000_000_000 + index)
        .collect()
}

impl Setting {
    /// The role that these users hold, made and given to them where need be.
    fn role(&self, users: &[u64]) -> Result<u64> {
        if let Some(role) = self.role {
            return Ok(role);
        }
        let role = self.discord.make_role(self.guild, "load", MANAGE_GUILD)?;
        self.discord.join_all(self.guild, users, &[role])?;
        Ok(role)
    }

    /// The same with full sessions.
    fn full(&self) -> Setting {
        Setting {
            full: true,
            ..self.clone()
        }
    }
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
        Scenario::Editors => editors::run(setting),
        Scenario::FormSessions => sessions::run(setting, Target::Form),
        Scenario::DraftSessions => sessions::run(setting, Target::Answers),
        Scenario::Hostile => hostile::run(setting),
    }
}

/// Runs `reconnect` over a restart of `gateway`, which the setting is about.
///
/// # Errors
/// As [`run`], or if the gateway does not stop or start.
pub fn run_over_restart(setting: &Setting, gateway: &mut Spawned) -> Result<Report> {
    restart::run(setting, gateway)
}

/// Discord's permission to edit a guild's form.
const MANAGE_GUILD: u64 = 0x20;

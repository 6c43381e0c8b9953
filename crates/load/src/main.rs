//! The load generator's command line.

use std::{
    fs, net::SocketAddr, num::NonZeroUsize, path::PathBuf, process::ExitCode, time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum as _};
use guildgate_load::{
    control::{Api, Discord},
    peers::{self, Kind, Places, Size},
    plot,
    process::Process,
    report::{Goals, Report},
    scenario::{self, AttackKind, Conditions, Scenario, Setting},
    spawn::{self, Spawned, Wish},
};

/// Measures a running gateway from its clients' side.
///
/// With --spawn it starts a gateway and a simulated Discord of its own. Otherwise name a running
/// one: --gateway, --admin-key, --guild, and --pid for its memory and CPU. A run in which
/// something is lost or wrong exits with 1; with --expect, so does one that misses a goal.
#[derive(Debug, Parser)]
#[command(
    name = "guildgate-load",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Cli {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    options: Option<Options>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Measure other servers beside this gateway, in one run and in turns.
    Peers(Peers),
    /// Draw what `peers --json` found.
    Plot(Plot),
}

#[derive(Debug, Args)]
struct Plot {
    /// The report, as JSON.
    report: PathBuf,
    /// The folder for the pictures.
    #[arg(long, default_value = "docs/plots")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct Peers {
    /// Which; a bare send loop, to which all ratios are, is always among them. One that is not
    /// installed is left out, and the report says how to install it.
    #[arg(
        long = "of",
        value_delimiter = ',',
        default_value = "guildgate,edge,uwebsockets,nchan,tokio-websockets,fastwebsockets,ws,nats-server"
    )]
    kinds: Vec<Kind>,
    /// Where `guildgate`, `peer`, `uwebsockets` and `examples/edge_bench` lie; beside this program
    /// if left out.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// The server that uses npm's `ws`: `npm install --prefix crates/bench/peers ws@8`.
    #[arg(long, value_name = "FILE", default_value = "crates/bench/peers/ws.mjs")]
    ws: PathBuf,
    /// Let each server run on this processor alone.
    #[arg(long, value_name = "CPU")]
    pin: Option<u32>,
    /// Sockets of the first two measurements.
    #[arg(long, default_value_t = 1000)]
    few: usize,
    /// Sockets of the third, and of the memory at rest; twice as many files are open.
    #[arg(long, default_value_t = 9500)]
    many: usize,
    /// How often the turn comes round.
    #[arg(long, default_value = "5")]
    cycles: NonZeroUsize,
    /// How often the servers of the first two measurements are started anew: a process's luck
    /// with where its sockets lie is the same for all its cycles.
    #[arg(long, default_value = "3")]
    starts: NonZeroUsize,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
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
    /// In `reconnect`: stop the spawned gateway and start it again on its data, rather than cut
    /// the lines.
    #[arg(long, requires = "spawn")]
    restart: bool,
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
    /// Attackers of each kind, in `hostile`.
    #[arg(long, default_value_t = 200)]
    attackers: usize,
    /// Which kinds of attackers, in `hostile`, one kind after the other; all if left out.
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    kinds: Vec<AttackKind>,
    /// Fail if a goal is missed, not only if something is wrong.
    #[arg(long)]
    expect: bool,
    /// Full sessions of users rather than basic connections.
    #[arg(long)]
    full: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    match (cli.task, cli.options) {
        (Some(Task::Peers(peers)), _) => {
            let report = measure_peers(&peers)?;
            tell(&report, peers.json, Goals::Told)
        }
        (Some(Task::Plot(plot)), _) => draw(&plot),
        (None, Some(options)) => {
            let report = measure(&options)?;
            let goals = if options.expect {
                Goals::Required
            } else {
                Goals::Told
            };
            tell(&report, options.json, goals)
        }
        (None, None) => unreachable!("clap asks for a scenario"),
    }
}

fn draw(options: &Plot) -> Result<ExitCode> {
    let text = fs::read_to_string(&options.report)
        .with_context(|| format!("reading {}", options.report.display()))?;
    let report = serde_json::from_str(&text).context("the report reads wrong")?;
    fs::create_dir_all(&options.out).context("making a folder for the pictures")?;
    for (name, picture) in plot::peers(&report) {
        let path = options.out.join(name);
        fs::write(&path, picture).with_context(|| format!("writing {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn measure_peers(options: &Peers) -> Result<Report> {
    let programs = match &options.programs {
        Some(folder) => folder.clone(),
        None => Wish::neighbour()?.with_file_name(""),
    };
    let places = Places {
        guildgate: programs.join("guildgate"),
        edge: programs.join("examples/edge_bench"),
        peer: programs.join("peer"),
        uwebsockets: programs.join("uwebsockets"),
        ws: options.ws.clone(),
        processor: options.pin,
    };
    let size = Size {
        few: options.few,
        many: options.many,
        cycles: options.cycles.get(),
        starts: options.starts.get(),
    };
    peers::run(&options.kinds, &places, &size)
}

fn measure(options: &Options) -> Result<Report> {
    if options.restart && options.scenario != Scenario::Reconnect {
        bail!("--restart is of `reconnect`");
    }
    let mut spawned = options.spawn.then(|| spawn(options)).transpose()?;
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
    let conditions = match spawned {
        Some(_) => options.scenario.conditions(),
        None => Conditions::default(),
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
        attackers: options.attackers,
        kinds: match &options.kinds[..] {
            [] => AttackKind::value_variants().to_vec(),
            kinds => kinds.to_vec(),
        },
        authenticate_within: conditions.authenticate_within,
    };
    match &mut spawned {
        Some(spawned) if options.restart => scenario::run_over_restart(&setting, spawned),
        Some(_) | None => scenario::run(options.scenario, &setting),
    }
}

fn tell(report: &Report, json: bool, goals: Goals) -> Result<ExitCode> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.is_good(goals) {
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
        conditions: options.scenario.conditions(),
    })
}

//! A gateway and its Discord of one's own, for as long as a run lasts.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::{
    clock,
    control::Api,
    scenario::{Conditions, users},
};

/// A gateway, a simulator and their data folder; all are gone once this is dropped.
#[derive(Debug)]
pub struct Spawned {
    /// Where the gateway listens.
    pub gateway: SocketAddr,
    /// The simulator's REST.
    pub simulator: String,
    /// The gateway's process.
    pub pid: u32,
    wish: Wish,
    /// The simulator, then the gateway.
    children: Vec<Child>,
    folder: PathBuf,
}

/// What a gateway is started with.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The program.
    pub program: PathBuf,
    /// The processor that the gateway alone is to run on, with one shard; all if none.
    pub processor: Option<u32>,
    /// How many members its guild is to have who hold [`ROLE`].
    pub members: usize,
    /// Settings of the gateway's.
    pub conditions: Conditions,
}

impl Wish {
    /// The `guildgate` that lies beside this program.
    ///
    /// # Errors
    /// If this program cannot be found, or lies alone.
    pub fn neighbour() -> Result<PathBuf> {
        let this = env::current_exe().context("finding this program")?;
        let program = this.with_file_name("guildgate");
        if !program.exists() {
            bail!(
                "{} is not there: build it with `cargo build --release`, or name it with --program",
                program.display()
            );
        }
        Ok(program)
    }
}

impl Spawned {
    /// Starts both and waits until the gateway is ready.
    ///
    /// # Errors
    /// If a program does not start, or is not ready in time.
    pub fn start(wish: &Wish) -> Result<Spawned> {
        let (gateway, simulator) = (free_port()?, free_port()?);
        let folder = env::temp_dir().join(format!("guildgate-load-{}", gateway.port()));
        fs::create_dir_all(&folder).context("making a folder for the gateway's data")?;
        let api = format!("http://{simulator}/api/v10");
        let mut simulate = Command::new(&wish.program);
        simulate.args(["simulate", "--listen", &simulator.to_string(), "--world"]);
        let world_file = folder.join("world.json");
        fs::write(&world_file, world(wish.members).to_string()).context("writing a world")?;
        simulate.arg(world_file);
        let mut spawned = Spawned {
            gateway,
            simulator: api,
            pid: 0,
            wish: wish.clone(),
            children: Vec::new(),
            folder,
        };
        spawned.run(simulate)?;
        spawned.serve()?;
        Ok(spawned)
    }

    /// Tells the gateway to stop, as whoever deploys another one does. It stops once its clients
    /// have taken their close frames.
    ///
    /// # Errors
    /// If no signal can be sent.
    pub fn stop(&self) -> Result<()> {
        let pid = self.pid.to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &pid]).status();
        let sent = sent.context("sending the gateway a signal with `kill`")?;
        if !sent.success() {
            bail!("`kill` could not send the gateway a signal: {sent}");
        }
        Ok(())
    }

    /// Whether the gateway that was told to stop has done so.
    ///
    /// # Errors
    /// If it ended otherwise than well.
    pub fn has_stopped(&mut self) -> Result<bool> {
        let gateway = self.children.last_mut().context("no gateway runs")?;
        match gateway.try_wait()? {
            None => Ok(false),
            Some(status) if status.success() => Ok(true),
            Some(status) => bail!("the gateway ended with {status}"),
        }
    }

    /// Starts the gateway that has stopped again, on its data, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Spawned::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.children.pop();
        self.serve()
    }

    fn serve(&mut self) -> Result<()> {
        let wish = &self.wish;
        let mut serve = match wish.processor {
            Some(processor) => {
                let mut pinned = Command::new("taskset");
                pinned
                    .args(["--cpu-list", &processor.to_string()])
                    .arg(&wish.program)
                    .env("GUILDGATE_EDGE__SHARDS", "1");
                pinned
            }
            None => Command::new(&wish.program),
        };
        serve
            .args(["serve", "--listen", &self.gateway.to_string(), "--data"])
            .arg(&self.folder)
            .env("GUILDGATE_ADMIN_KEY", ADMIN_KEY)
            .env("DISCORD_TOKEN", "simulator")
            .env("GUILDGATE_DISCORD__API_URL", &self.simulator)
            .env("GUILDGATE_COUNT_INTERVAL", wish.conditions.count_interval)
            .env(
                "GUILDGATE_LIMITS__AUTHENTICATE_WITHIN",
                format!("{}s", wish.conditions.authenticate_within.as_secs()),
            )
            .env(
                "GUILDGATE_HEARTBEAT__INTERVAL",
                format!("{}s", wish.conditions.heartbeat_interval.as_secs()),
            )
            .env("GUILDGATE_LOG__LEVEL", "warn");
        self.pid = self.run(serve)?;
        self.until_ready()
    }

    fn run(&mut self, mut command: Command) -> Result<u32> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", Path::new(command.get_program()).display()))?;
        let pid = child.id();
        self.children.push(child);
        Ok(pid)
    }

    fn until_ready(&mut self) -> Result<()> {
        let api = Api::new(&format!("http://{}", self.gateway), ADMIN_KEY);
        let start = clock::now();
        while !api.is_ready() {
            for child in &mut self.children {
                if let Some(status) = child.try_wait()? {
                    bail!("a spawned program ended at once: {status}");
                }
            }
            if start.elapsed() > READY_WITHIN {
                bail!("the spawned gateway was not ready within {READY_WITHIN:?}");
            }
            clock::pause();
        }
        Ok(())
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        // The gateway first: it would complain that its Discord is gone.
        for child in self.children.iter_mut().rev() {
            // One that has ended already is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays behind: {error}", self.folder.display());
        }
    }
}

/// One guild, whose owner is nobody's client, and whose members all hold [`ROLE`].
fn world(members: usize) -> Value {
    let name = |user: u64| format!("u{user}");
    let ids = || users(members).into_iter();
    let users: Vec<Value> = ids()
        .map(|user| json!({ "id": user.to_string(), "name": name(user) }))
        .chain([json!({ "id": OWNER.to_string(), "name": "owner" })])
        .collect();
    let members: Vec<Value> = ids()
        .map(|user| json!({ "user": name(user), "roles": ["load"] }))
        .chain([json!({ "user": "owner" })])
        .collect();
    let role = json!({
        "id": ROLE.to_string(), "name": "load", "permissions": MANAGE_GUILD.to_string(),
    });
    json!({
        "users": users,
        "guilds": [{
            "id": GUILD.to_string(), "name": "Load", "owner": "owner",
            "roles": [role], "members": members,
        }],
    })
}

/// A port that was free a moment ago.
///
/// # Errors
/// If the system has none.
pub fn free_port() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
    Ok(listener.local_addr()?)
}

/// The admin key of spawned gateways; they listen on loopback, for a run.
pub const ADMIN_KEY: &str = "load-generator-admin-key";
/// The role that every member holds; it lets them edit the guild's form.
pub const ROLE: u64 = 1_190_000_000_000_000_900;
const OWNER: u64 = 899_999_999_999_999_999;
/// Discord's permission to edit the form.
const MANAGE_GUILD: u64 = 0x20;
/// The guild that everything happens on.
pub const GUILD: u64 = 1_190_000_000_000_000_000;
const READY_WITHIN: Duration = Duration::from_secs(60);

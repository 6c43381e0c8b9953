//! One server to measure: how it is started, and how it is told to send.

use std::{
    fmt, fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use ureq::Agent;

use super::TEXT;
use crate::{
    clock,
    control::{Api, Discord, Wanted},
    engine::Manner,
    scenario::AUTHENTICATE_WITHIN,
    spawn::{self, Spawned, Wish, free_port},
};

/// A server's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A thread in epoll that sends the same bytes to every socket: the floor.
    SendLoop,
    /// This gateway, whole.
    Guildgate,
    /// The crate tokio-websockets, a task a client.
    TokioWebsockets,
    /// The crate fastwebsockets, a task a client.
    Fastwebsockets,
    /// npm's `ws`.
    Ws,
    /// Debian's nginx with nchan.
    Nchan,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::SendLoop => "send loop",
            Kind::Guildgate => "guildgate",
            Kind::TokioWebsockets => "tokio-websockets",
            Kind::Fastwebsockets => "fastwebsockets",
            Kind::Ws => "ws",
            Kind::Nchan => "nchan",
        })
    }
}

/// Where the servers' programs are.
#[derive(Debug, Clone)]
pub struct Places {
    /// `guildgate`.
    pub guildgate: PathBuf,
    /// `peer` of guildgate-bench, built with `--features peers`.
    pub peer: PathBuf,
    /// `ws.mjs`; npm's `ws` must be installed beside or above it.
    pub ws: PathBuf,
    /// The processor that a measured server alone runs on; all if none.
    pub processor: Option<u32>,
}

/// How many events everybody is to be told at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order(pub(super) u32);

/// A running server.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) path: &'static str,
    pub(super) pid: u32,
    pub(super) manner: Manner,
    /// The guild to connect to, with its token, where the server speaks the gateway's protocol.
    pub(super) guild: Option<(u64, Arc<str>)>,
    hand: Hand,
}

/// What holds a server, and how it is told to send.
enum Hand {
    Lines(Child, ChildStdin),
    Posts {
        child: Child,
        agent: Agent,
        url: String,
    },
    Joins {
        /// Held so that it lives.
        _spawned: Spawned,
        discord: Discord,
    },
}

impl Peer {
    pub(super) fn start(kind: Kind, places: &Places) -> Result<Peer> {
        match kind {
            Kind::Guildgate => guildgate(places),
            Kind::Nchan => nchan(places),
            Kind::SendLoop => lines(pinned(places, &places.peer), "send-loop"),
            Kind::TokioWebsockets => lines(pinned(places, &places.peer), "tokio-websockets"),
            Kind::Fastwebsockets => lines(pinned(places, &places.peer), "fastwebsockets"),
            Kind::Ws => {
                let mut node = pinned(places, Path::new("node"));
                node.arg(&places.ws);
                lines(node, "")
            }
        }
    }

    pub(super) fn order(&mut self, Order(count): Order) -> Result<()> {
        match &mut self.hand {
            Hand::Lines(_, orders) => {
                writeln!(orders, "{count}").context("telling a server to send")
            }
            Hand::Posts { agent, url, .. } => {
                for _ in 0..count {
                    agent.post(&*url).send(TEXT).context("posting an event")?;
                }
                Ok(())
            }
            Hand::Joins { discord, .. } => discord
                .start_joins(spawn::GUILD, count, AT_ONCE)
                .map(|_burst| ()),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        match &mut self.hand {
            Hand::Lines(child, _) | Hand::Posts { child, .. } => {
                // One that has ended already is what is wanted.
                let _ = child.kill();
                let _ = child.wait();
            }
            Hand::Joins { .. } => {}
        }
    }
}

fn pinned(places: &Places, program: &Path) -> Command {
    match places.processor {
        Some(processor) => {
            let mut command = Command::new("taskset");
            command
                .args(["--cpu-list", &processor.to_string()])
                .arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// A server that takes its port and its text as arguments, and orders on standard input.
fn lines(mut command: Command, name: &str) -> Result<Peer> {
    let address = free_port()?;
    if !name.is_empty() {
        command.arg(name);
    }
    let mut child = command
        .arg(address.port().to_string())
        .arg(TEXT)
        .stdin(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {command:?}"))?;
    let orders = child.stdin.take().context("a child without a pipe")?;
    let peer = Peer {
        address,
        path: "/",
        pid: child.id(),
        manner: Manner::Listens,
        guild: None,
        hand: Hand::Lines(child, orders),
    };
    until_listening(address)?;
    Ok(peer)
}

fn guildgate(places: &Places) -> Result<Peer> {
    let spawned = Spawned::start(&Wish {
        program: places.guildgate.clone(),
        processor: places.processor,
        members: 1,
        count_interval: "0s",
        authenticate_within: AUTHENTICATE_WITHIN,
    })?;
    let api = Api::new(&format!("http://{}", spawned.gateway), spawn::ADMIN_KEY);
    let token = api.issue(Wanted {
        kind: "gatewayGuild",
        owner: Some(spawn::GUILD),
        uses: Some(1_000_000_000),
    })?;
    let discord = Discord::new(&spawned.simulator, "simulator");
    Ok(Peer {
        address: spawned.gateway,
        path: "/gateway",
        pid: spawned.pid,
        manner: Manner::Good,
        guild: Some((spawn::GUILD, token)),
        hand: Hand::Joins {
            _spawned: spawned,
            discord,
        },
    })
}

fn nchan(places: &Places) -> Result<Peer> {
    let address = free_port()?;
    let folder = std::env::temp_dir().join(format!("guildgate-nchan-{}", address.port()));
    fs::create_dir_all(&folder).context("making a folder for nginx")?;
    let file = folder.join("nginx.conf");
    let at = folder.display();
    let text = format!(
        "load_module {NCHAN};\npid {at}/pid;\nerror_log stderr error;\nworker_rlimit_nofile 20000;\n\
         daemon off;\nmaster_process off;\nevents {{ worker_connections 19990; }}\n\
         http {{ access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n\
         fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
         server {{ listen {address};\n\
         location /sub {{ nchan_subscriber websocket; nchan_channel_id load; \
         nchan_subscriber_first_message newest; }}\n\
         location /pub {{ nchan_publisher; nchan_channel_id load; nchan_message_buffer_length 64; }}\n\
         }} }}\n"
    );
    fs::write(&file, text).context("writing nginx's configuration")?;
    let child = pinned(places, Path::new("nginx"))
        .arg("-c")
        .arg(&file)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("running nginx")?;
    let peer = Peer {
        address,
        path: "/sub",
        pid: child.id(),
        manner: Manner::Listens,
        guild: None,
        hand: Hand::Posts {
            child,
            agent: Agent::new_with_defaults(),
            url: format!("http://{address}/pub"),
        },
    };
    until_listening(address)?;
    Ok(peer)
}

fn until_listening(address: SocketAddr) -> Result<()> {
    for _ in 0..LOOKS_MAX {
        if fs::read_to_string("/proc/net/tcp")?
            .contains(&format!(":{:04X} 00000000:0000 0A", address.port()))
        {
            return Ok(());
        }
        clock::pause();
    }
    bail!("nothing came to listen at {address}")
}

/// So many joins a second are one batch of the simulator's.
const AT_ONCE: u32 = 1_000_000;
const LOOKS_MAX: usize = 200;
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

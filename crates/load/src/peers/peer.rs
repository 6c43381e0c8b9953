//! One server to measure: how it is started, and how it is told to send.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};

use super::{
    TEXT,
    broker::{self, Broker},
    kind::{Kind, Places},
};
use crate::{
    clock,
    control::{Api, Discord, Wanted},
    engine::Manner,
    scenario::Conditions,
    spawn::{self, Spawned, Wish, free_port},
};

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
    /// Whether clients are full sessions, each of a user of its own.
    pub(super) full: bool,
    hand: Hand,
}

/// What holds a server, and how it is told to send.
enum Hand {
    Lines(Child, ChildStdin),
    Publishes(Broker),
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
            Kind::Edge => {
                let mut peer = lines(pinned(places, &places.edge), "serve")?;
                peer.manner = Manner::Good;
                peer.guild = Some((spawn::GUILD, "gggg_anyone".into()));
                peer.full = true;
                Ok(peer)
            }
            Kind::Nchan => Ok(published(broker::nchan(places)?, "/sub", Manner::Listens)),
            Kind::NatsServer => Ok(published(broker::nats(places)?, "/", Manner::Subscribes)),
            Kind::Uwebsockets => lines(pinned(places, &places.uwebsockets), ""),
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
            Hand::Publishes(broker) => broker.publisher.publish(count),
            Hand::Joins { discord, .. } => discord
                .start_joins(spawn::GUILD, count, AT_ONCE)
                .map(|_burst| ()),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        match &mut self.hand {
            Hand::Lines(child, _) | Hand::Publishes(Broker { child, .. }) => {
                // One that has ended already is what is wanted.
                let _ = child.kill();
                let _ = child.wait();
            }
            Hand::Joins { .. } => {}
        }
    }
}

pub(super) fn pinned(places: &Places, program: &Path) -> Command {
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
        full: false,
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
        conditions: Conditions {
            count_interval: "0s",
            ..Conditions::default()
        },
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
        full: false,
        hand: Hand::Joins {
            _spawned: spawned,
            discord,
        },
    })
}

/// A server that is a program of its own.
fn published(broker: Broker, path: &'static str, manner: Manner) -> Peer {
    Peer {
        address: broker.address,
        path,
        pid: broker.child.id(),
        manner,
        guild: None,
        full: false,
        hand: Hand::Publishes(broker),
    }
}

pub(super) fn until_listening(address: SocketAddr) -> Result<()> {
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

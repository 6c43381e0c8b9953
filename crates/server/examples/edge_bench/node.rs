//! An edge of one shard, and a script that lets everybody in.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use guildgate_core::{
    ClientId,
    client::{Answer, Ask},
    hub::{Audience, Entry, Output},
};
use guildgate_model::{GuildId, Permissions, TokenId, UserId};
use guildgate_server::{
    clock::Clock,
    edge::{EdgeConfig, EdgeStats, Edges, FromEdge, Handover, Peer, ToEdge},
};
use guildgate_wire::{EventFrame, Limits, SessionId};
use tokio::sync::mpsc::unbounded_channel;

const GUILD: GuildId = GuildId(1_190_000_000_000_000_000);

/// How clients authenticate.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Basic,
    Full,
}

impl Kind {
    pub fn named(name: &str) -> Result<Kind, String> {
        match name {
            "basic" => Ok(Kind::Basic),
            "full" => Ok(Kind::Full),
            other => Err(format!("{other:?} is no kind of client: basic or full")),
        }
    }
}

/// The edge, and who has been let in.
pub struct Node {
    edges: Edges,
    joined: Arc<AtomicUsize>,
    clients: Arc<Mutex<Vec<ClientId>>>,
}

impl Node {
    /// An edge whose clients may be silent: what they say is all said when they come.
    pub fn patient() -> io::Result<Node> {
        Node::start(Limits {
            heartbeat_interval: Duration::from_secs(36_000),
            authenticate_within: Duration::from_secs(36_000),
            ..Limits::default()
        })
    }

    pub fn start(limits: Limits) -> io::Result<Node> {
        let (out, mut heard) = unbounded_channel();
        let config = EdgeConfig {
            limits,
            ..EdgeConfig::default()
        };
        let (edges, _threads) = Edges::start(&config, &out, Clock::start())?;
        // A thread gives itself its name, by which its time is looked up.
        while crate::proc::cpu_nanos("edge-0").is_err() {
            std::thread::yield_now();
        }
        let joined = Arc::new(AtomicUsize::new(0));
        let clients = Arc::new(Mutex::new(Vec::new()));
        let (told, counted) = (edges.clone(), Arc::clone(&joined));
        let noted = Arc::clone(&clients);
        std::thread::Builder::new()
            .name("script".to_owned())
            .spawn(move || {
                while let Some(said) = heard.blocking_recv() {
                    if let FromEdge::Ask { client, ask, .. } = said {
                        if let Ask::ConnectGuild { .. } = ask {
                            noted.lock().expect("nobody panics").push(client);
                        }
                        answer(&told, client, ask, &counted);
                    }
                }
            })?;
        Ok(Node {
            edges,
            joined,
            clients,
        })
    }

    pub fn take(&self, socket: Handover) {
        self.edges.handover(socket);
    }

    pub fn hand_over(&self, socket: Handover, number: usize) {
        self.take(socket);
        // Not more at a time than a listener's backlog would let through.
        if number % 1024 == 1023 {
            self.wait_for(number - 512);
        }
    }

    /// Waits until so many are on the guild.
    pub fn wait_for(&self, clients: usize) {
        while self.joined.load(Ordering::Acquire) < clients {
            std::thread::yield_now();
        }
    }

    /// Counts, one after another, all at once.
    pub fn broadcast(&self, first: u64, events: usize) {
        for number in first..first + events as u64 {
            self.edges.push(
                0,
                ToEdge::Hub {
                    output: Output::ToGuild {
                        guild: GUILD,
                        audience: Audience::All,
                        event: EventFrame::count(GUILD, number),
                        edges: 1,
                        held_since: None,
                    },
                    received: None,
                },
            );
        }
        self.edges.ring(0);
    }

    /// Tells each client their own permissions. `sent` is called now and then with how many
    /// that are, and waits for them: what waits here is no client's memory.
    pub fn edit_role(&self, sent: impl Fn(usize)) {
        let clients = self.clients.lock().expect("nobody panics");
        let mut told = 0;
        for some in clients.chunks(EDITS_AT_ONCE) {
            for &client in some {
                let user = UserId(client.slot.into());
                let permissions = Permissions::MANAGE_GUILD;
                let event = EventFrame::privilege(GUILD, user, "somebody", permissions);
                let output = Output::ToClient { client, event };
                let received = None;
                self.edges.push(0, ToEdge::Hub { output, received });
            }
            self.edges.ring(0);
            told += some.len();
            sent(told);
        }
    }

    pub fn stats(&self) -> Arc<EdgeStats> {
        let (stats, _) = self.edges.stats().next().expect("one shard");
        Arc::clone(stats)
    }
}

/// Events of their own for clients that wait at once.
const EDITS_AT_ONCE: usize = 16 * 1024;

/// A frame as the edge writes it to basic clients.
pub fn count_frame(number: u64) -> Vec<u8> {
    let mut text = Vec::new();
    EventFrame::count(GUILD, number).write_to(None, &mut text);
    let mut frame = Vec::new();
    guildgate_server::edge::codec::text(
        std::str::from_utf8(&text).expect("a frame is UTF-8"),
        &mut frame,
    );
    frame
}

pub fn peer() -> Peer {
    Peer::at(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// What a client says: opcode 1, and CONNECT_GUILD.
pub fn script(number: usize, kind: Kind) -> Vec<u8> {
    let authenticate = match kind {
        Kind::Basic => r#"{"op":1,"d":{"token":null,"uid":null}}"#.to_owned(),
        Kind::Full => format!(r#"{{"op":1,"d":{{"token":"gggu_x","uid":"{number}"}}}}"#),
    };
    let connect =
        format!(r#"{{"op":6,"cmd":"CONNECT_GUILD","d":{{"gid":"{GUILD}","token":"gggg_x"}}}}"#);
    [authenticate, connect]
        .iter()
        .flat_map(|text| client_frame(text))
        .collect()
}

fn client_frame(text: &str) -> Vec<u8> {
    let mut frame = vec![
        0x81,
        0x80 | u8::try_from(text.len()).expect("a short frame"),
    ];
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

fn answer(edges: &Edges, client: guildgate_core::ClientId, ask: Ask, joined: &AtomicUsize) {
    let message = match ask {
        Ask::Authenticate { user: None, .. } => ToEdge::Answer(client, Answer::Basic),
        Ask::Authenticate {
            user: Some(UserId(user)),
            ..
        } => {
            let mut random = [0; 15];
            random[..8].copy_from_slice(&user.to_be_bytes());
            ToEdge::Answer(
                client,
                Answer::Full {
                    user: UserId(user),
                    token: TokenId(user),
                    session: SessionId { edge: 0, random },
                    missed: Vec::new(),
                },
            )
        }
        Ask::ConnectGuild { guild, .. } => {
            joined.fetch_add(1, Ordering::Release);
            ToEdge::Hub {
                output: Output::Connected {
                    client,
                    guild,
                    entry: Entry::New,
                    guild_json: guild_json(),
                    user: None,
                },
                received: None,
            }
        }
        Ask::Acknowledge { .. } | Ask::Application { .. } | Ask::Delivered { .. } => return,
    };
    edges.send(client.edge, message);
}

fn guild_json() -> Arc<serde_json::value::RawValue> {
    thread_local! {
        static JSON: Arc<serde_json::value::RawValue> =
            serde_json::value::RawValue::from_string("{}".to_owned()).expect("JSON").into();
    }
    JSON.with(Arc::clone)
}

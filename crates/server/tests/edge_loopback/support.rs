//! A client typed by hand, and the rest of the node as a script.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    num::NonZeroU8,
    sync::Arc,
    time::Duration,
};

use guildgate_core::{
    ClientId,
    client::{Answer, Ask},
    hub::{Audience, Output},
};
use guildgate_model::{GuildId, TokenId, UserId};
use guildgate_server::{
    clock::Clock,
    edge::{
        EdgeConfig, EdgeThreads, Edges, FromEdge, Handover, Peer, ToEdge,
        codec::{Deflate, Deflater, Inflater},
    },
};
use guildgate_wire::{EventFrame, Limits, SessionId};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Longest wait for anything; a test that gets there has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const GUILD: GuildId = GuildId(77);

/// The protocol's limits, but for heartbeats, whose first comes at a random time.
pub fn limits() -> Limits {
    Limits {
        heartbeat_interval: Duration::from_secs(10_000 * 3_600),
        ..Limits::default()
    }
}

/// Shards, and all that they say.
pub struct World {
    pub edges: Edges,
    pub threads: Option<EdgeThreads>,
    heard: UnboundedReceiver<FromEdge>,
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
}

impl World {
    pub fn new(shards: u8, limits: Limits) -> World {
        World::with(shards, limits, Duration::from_millis(500))
    }

    /// With so much time for a client to take in why it is closed.
    pub fn with(shards: u8, limits: Limits, close_within: Duration) -> World {
        // Both ends of each socket are open here, and many a shell allows 1,024 files.
        rlimit::increase_nofile_limit(u64::MAX).expect("a limit may be raised to the hard one");
        let (out, heard) = unbounded_channel();
        let config = EdgeConfig {
            shards: NonZeroU8::new(shards).expect("at least one"),
            limits,
            close_within,
            deflate_bytes_min: 200,
        };
        let (edges, threads) =
            Edges::start(&config, &out, Clock::start()).expect("threads can be started");
        World {
            edges,
            threads: Some(threads),
            heard,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime"),
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("it is bound")
    }

    /// A client whose socket goes to the shards in turn.
    pub fn connect(&self) -> Client {
        self.accept(TcpStream::connect(self.address()).expect("loopback"))
    }

    /// A client that has agreed to permessage-deflate.
    pub fn connect_deflating(&self) -> Client {
        let stream = TcpStream::connect(self.address()).expect("loopback");
        self.accept_with(stream, Deflate::On)
    }

    pub fn accept(&self, stream: TcpStream) -> Client {
        self.accept_with(stream, Deflate::Off)
    }

    fn accept_with(&self, stream: TcpStream, deflate: Deflate) -> Client {
        let (accepted, _) = self.listener.accept().expect("loopback");
        let peer = Peer {
            deflate,
            ..Peer::at(IpAddr::V4(Ipv4Addr::LOCALHOST))
        };
        let handover = Handover::plain(accepted, peer, Vec::new()).expect("a sound socket");
        self.edges.handover(handover);
        Client::new(stream)
    }

    /// The next thing that a shard says.
    pub fn hear(&mut self) -> FromEdge {
        let heard = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, self.heard.recv()).await });
        heard
            .expect("a shard says something in time")
            .expect("a shard lives")
    }

    /// Waits for something that comes in time.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let waited = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, future).await });
        waited.expect("it comes in time")
    }

    /// The next question, whatever is said before it.
    pub fn question(&mut self) -> (ClientId, Ask) {
        loop {
            if let FromEdge::Ask { client, ask, .. } = self.hear() {
                return (client, ask);
            }
        }
    }

    /// Waits until a shard says what `wanted` picks.
    pub fn hear_until<T>(&mut self, wanted: impl Fn(&FromEdge) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(&self.hear()) {
                return found;
            }
        }
    }

    pub fn answer(&self, client: ClientId, answer: Answer) {
        self.edges.send(client.edge, ToEdge::Answer(client, answer));
    }

    /// Lets a basic client in.
    pub fn let_in_basic(&mut self, client: &mut Client) -> ClientId {
        client.expect_op(0);
        client.send(r#"{"op":1,"d":{"token":null,"uid":null}}"#);
        let (id, _) = self.question();
        self.answer(id, Answer::Basic);
        client.expect_op(2);
        id
    }

    /// Lets a full client in, and says how its session is called.
    pub fn let_in(&mut self, client: &mut Client, user: u64) -> (ClientId, String) {
        client.expect_op(0);
        client.send(&format!(
            r#"{{"op":1,"d":{{"token":"gggu_x","uid":"{user}"}}}}"#
        ));
        let (id, _) = self.question();
        self.answer(id, full(user));
        let frame = client.expect_op(2);
        let session = frame["d"]["session_id"].as_str().expect("a session");
        (id, session.to_owned())
    }

    /// Puts a client on [`GUILD`].
    pub fn join(&mut self, client: &mut Client) -> ClientId {
        client.send(&format!(
            r#"{{"op":6,"cmd":"CONNECT_GUILD","d":{{"gid":"{GUILD}","token":"gggg_x"}}}}"#
        ));
        let (id, _) = self.question();
        self.edges.send(
            id.edge,
            ToEdge::Hub {
                output: Output::Connected {
                    client: id,
                    guild: GUILD,
                    entry: guildgate_core::hub::Entry::New,
                    guild_json: raw("{}"),
                    user: None,
                },
                received: None,
            },
        );
        client.expect_op(7);
        id
    }

    pub fn broadcast(&self, event: &Arc<EventFrame>) {
        self.edges.send_all(|| to_guild(event));
    }

    /// Ends the threads, and so proves that they can end.
    pub fn end(mut self) {
        self.edges.drain(Duration::ZERO);
        self.edges.finish();
        self.threads.take().expect("they run").join();
    }
}

pub fn to_guild(event: &Arc<EventFrame>) -> ToEdge {
    ToEdge::Hub {
        output: Output::ToGuild {
            guild: GUILD,
            audience: Audience::All,
            event: Arc::clone(event),
            edges: u64::MAX,
            held_since: None,
        },
        received: None,
    }
}

pub fn full(user: u64) -> Answer {
    let mut random = [0; 15];
    random[..8].copy_from_slice(&user.to_be_bytes());
    Answer::Full {
        user: UserId(user),
        token: TokenId(user),
        session: SessionId { edge: 0, random },
        missed: Vec::new(),
    }
}

pub fn raw(json: &str) -> Arc<serde_json::value::RawValue> {
    serde_json::value::RawValue::from_string(json.to_owned())
        .expect("JSON")
        .into()
}

/// An event that is never dropped, of about `bytes` bytes.
pub fn certain(number: u64, bytes: usize) -> Arc<EventFrame> {
    EventFrame::new(
        guildgate_wire::EventName::ApplicationSubmitted,
        guildgate_wire::Lane::Certain,
        &serde_json::json!({ "number": number, "padding": "x".repeat(bytes) }),
    )
}

/// What a client's bytes go through.
pub trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

/// A WebSocket client without a library.
pub struct Client {
    stream: Box<dyn Wire>,
    unread: Vec<u8>,
    /// How many messages came deflated.
    pub deflated: usize,
}

/// What a server can say.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Text(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16),
    /// A close frame without a code.
    CloseBare,
    /// The socket's end.
    End,
}

impl Client {
    pub fn new(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Client::over(Box::new(stream))
    }

    pub fn over(stream: Box<dyn Wire>) -> Client {
        Client {
            stream,
            unread: Vec::new(),
            deflated: 0,
        }
    }

    pub fn send_deflated(&mut self, text: &str) {
        let mut payload = Vec::new();
        Deflater::default().whole(text.as_bytes(), &mut payload);
        self.send_frame(0xc1, &payload);
    }

    pub fn send(&mut self, text: &str) {
        self.send_frame(0x81, text.as_bytes());
    }

    pub fn send_frame(&mut self, first: u8, payload: &[u8]) {
        let bytes = frame(first, payload);
        self.send_bytes(&bytes);
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        // A server that has closed may answer further bytes with a reset; what it said before
        // is what a test looks at.
        if self.stream.write_all(bytes).is_err() {
            self.stream.flush().expect("flushing sends nothing");
        }
    }

    /// The next thing the server says.
    pub fn hear(&mut self) -> Said {
        loop {
            if let Some((said, len)) = parse(&self.unread) {
                self.deflated += usize::from(self.unread[0] & 0x40 != 0);
                self.unread.drain(..len);
                return said;
            }
            let mut buffer = [0; 64 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Said::End,
                Ok(len) => self.unread.extend_from_slice(&buffer[..len]),
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::UnexpectedEof
                    ) =>
                {
                    return Said::End;
                }
                Err(error) => panic!("the server says nothing: {error}"),
            }
        }
    }

    /// The next text frame, over whatever pings come before it.
    pub fn frame(&mut self) -> Value {
        loop {
            match self.hear() {
                Said::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Said::Ping(_) | Said::Pong(_) => {}
                other => panic!("expected a frame, got {other:?}"),
            }
        }
    }

    pub fn expect_op(&mut self, op: u64) -> Value {
        let frame = self.frame();
        assert_eq!(frame["op"], op, "{frame}");
        frame
    }

    /// The close code, over whatever comes before it; and then the socket must end.
    pub fn expect_close(&mut self, code: u16) {
        loop {
            match self.hear() {
                Said::Close(closed) => {
                    assert_eq!(closed, code);
                    break;
                }
                Said::Text(_) | Said::Ping(_) | Said::Pong(_) => {}
                other => panic!("expected close {code}, got {other:?}"),
            }
        }
        assert_eq!(self.hear(), Said::End, "nothing follows a close");
    }

    /// Shows that the connection works: a ping is answered.
    pub fn expect_alive(&mut self) {
        self.send_frame(0x89, b"alive?");
        loop {
            match self.hear() {
                Said::Pong(payload) => {
                    assert_eq!(payload, b"alive?");
                    return;
                }
                Said::Text(_) | Said::Ping(_) => {}
                other => panic!("expected a pong, got {other:?}"),
            }
        }
    }
}

pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [1, 2, 3, 4];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(b, k)| b ^ k));
    bytes
}

/// One server frame at the start of `bytes`, and how long it is.
fn parse(bytes: &[u8]) -> Option<(Said, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(first & 0x30, 0, "no such extension was agreed");
    assert_eq!(first & 0x80, 0x80, "a server frame is whole");
    assert_eq!(second & 0x80, 0, "a server frame is not masked");
    let (len, header) = match second {
        126 => {
            let len = bytes.get(2..4)?;
            (usize::from(u16::from_be_bytes([len[0], len[1]])), 4)
        }
        127 => {
            let len: [u8; 8] = bytes.get(2..10)?.try_into().expect("eight bytes");
            (
                usize::try_from(u64::from_be_bytes(len)).expect("a sane length"),
                10,
            )
        }
        len => (usize::from(len), 2),
    };
    let mut payload = bytes.get(header..header + len)?.to_vec();
    if first & 0x40 != 0 {
        assert_eq!(first & 0x0f, 1, "only text is deflated");
        let mut inflater = Inflater::default();
        payload = inflater
            .inflate(&payload, 1 << 24)
            .expect("a deflated message")
            .to_vec();
    }
    let said = match first & 0x0f {
        1 => Said::Text(String::from_utf8(payload).expect("UTF-8")),
        8 => match payload.as_slice() {
            [] => Said::CloseBare,
            [high, low, ..] => Said::Close(u16::from_be_bytes([*high, *low])),
            [_] => panic!("half a close code"),
        },
        9 => Said::Ping(payload),
        10 => Said::Pong(payload),
        other => panic!("unexpected opcode {other}"),
    };
    Some((said, header + len))
}

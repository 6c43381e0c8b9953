//! Many client connections on one thread.
//!
//! It dials from as many loopback addresses as it takes, speaks the protocol as far as a
//! [`Manner`] says, and tells a [`Watch`] what it sees. It measures nothing itself.

mod frame;
mod link;
mod nats;
pub mod text;

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

use link::Link;
pub use link::{Identity, Manner, Session, Stage};

/// What a link saw.
#[derive(Debug)]
pub enum Seen<'a> {
    /// It has come as far as it wanted; whether the session was resumed.
    Live {
        /// What opcode 2 said.
        resumed: bool,
    },
    /// An event's text.
    Event(&'a [u8]),
    /// The text of the answer to a command that was sent by hand, or of a refused CONNECT_GUILD.
    Answer(&'a [u8]),
    /// The server refused the upgrade with this HTTP status.
    Refused(u16),
    /// The connection is over: by close code, or without one.
    Closed(Option<u16>),
}

/// Who is told what the links see.
pub trait Watch {
    /// `link` saw this.
    fn on(&mut self, link: usize, seen: Seen<'_>);
}

/// What was counted in all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Frames in.
    pub frames: u64,
    /// Bytes in.
    pub bytes: u64,
    /// Links that are past their handshake: let in, or live without that.
    pub let_in: u64,
}

/// Who a link was that is over, and its session.
pub type Lost = (Arc<Identity>, Option<Session>);

/// The connections and their thread's readiness.
pub struct Engine {
    poll: Poll,
    events: Events,
    links: Slab<Link>,
    server: SocketAddr,
    path: &'static str,
    /// Second byte of the source addresses: every process has its own, for the ports of the
    /// one before are still in TIME_WAIT.
    net: u8,
    dialled: u32,
    totals: Totals,
    /// Those whom the server closed; none where nobody wants to know.
    lost: Option<Vec<Lost>>,
    scratch: Box<[u8]>,
    out: Vec<u8>,
}

impl Engine {
    /// An engine that dials `server`.
    ///
    /// # Errors
    /// If the system gives no epoll handle.
    pub fn new(server: SocketAddr) -> io::Result<Engine> {
        Ok(Engine {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            links: Slab::new(),
            server,
            path: "/gateway",
            net: (std::process::id() % 250) as u8 + 1,
            dialled: 0,
            totals: Totals::default(),
            lost: None,
            scratch: vec![0; SCRATCH_BYTES].into_boxed_slice(),
            out: Vec::new(),
        })
    }

    /// The same, upgrading at another path.
    #[must_use]
    pub fn at(self, path: &'static str) -> Engine {
        Engine { path, ..self }
    }

    /// Begins one connection; a `resume` asks for that session.
    ///
    /// # Errors
    /// If the system gives no socket, for instance because the process may open no more files.
    pub fn dial(
        &mut self,
        identity: Arc<Identity>,
        manner: Manner,
        resume: Option<Session>,
    ) -> io::Result<usize> {
        let from = self.source();
        let socket = Socket::new(
            Domain::for_address(self.server),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if manner == Manner::StopsReading {
            // As little as the kernel allows: it is the server's queue that is to fill.
            socket.set_recv_buffer_size(1)?;
        }
        if let Some(from) = from {
            socket.bind(&SocketAddr::from((from, 0)).into())?;
        }
        match socket.connect(&self.server.into()) {
            Err(error) if error.raw_os_error() != Some(EINPROGRESS) => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut socket = TcpStream::from_std(socket.into());
        let entry = self.links.vacant_entry();
        let id = entry.key();
        self.poll.registry().register(
            &mut socket,
            Token(id),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        entry.insert(Link {
            socket,
            identity,
            manner,
            stage: Stage::Dialling,
            partial: Vec::new(),
            unfinished: Vec::new(),
            session: None,
            resume,
        });
        Ok(id)
    }

    /// Waits for readiness at most `timeout` and deals with all there is.
    ///
    /// # Errors
    /// If epoll itself fails; a connection's failure is told to `watch`.
    pub fn turn(&mut self, timeout: Duration, watch: &mut impl Watch) -> io::Result<()> {
        self.turn_after(timeout, watch, || Ok(()))
    }

    /// The same, with something to be done between waiting and dealing with what there is.
    ///
    /// # Errors
    /// If epoll fails, or what is done between.
    pub fn turn_after(
        &mut self,
        timeout: Duration,
        watch: &mut impl Watch,
        between: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        between()?;
        let ready: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        for id in ready {
            self.on_ready(id, watch);
        }
        Ok(())
    }

    /// Cuts a connection without a word, as a lost network does; who it was, and its session,
    /// are handed out.
    pub fn drop_link(&mut self, id: usize) -> Option<Lost> {
        let link = self.links.try_remove(id)?;
        Some((link.identity, link.session))
    }

    /// From here on whom the server closes is kept for [`Engine::take_lost`].
    pub fn keep_lost(&mut self) {
        self.lost.get_or_insert_default();
    }

    /// Those whom the server has closed.
    pub fn take_lost(&mut self) -> Vec<Lost> {
        self.lost.take().unwrap_or_default()
    }

    /// Sends one text frame.
    ///
    /// # Errors
    /// If the socket does not take it whole.
    pub fn send(&mut self, id: usize, text: &str) -> io::Result<()> {
        self.write(id, frame::TEXT, text.as_bytes())
    }

    fn write(&mut self, id: usize, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let Some(link) = self.links.get_mut(id) else {
            return Err(ErrorKind::NotConnected.into());
        };
        self.out.clear();
        frame::write(opcode, payload, &mut self.out);
        link.socket.write_all(&self.out)
    }

    /// Sends bytes as they are, to try what a server makes of them.
    ///
    /// # Errors
    /// If the socket does not take them whole.
    pub fn send_raw(&mut self, id: usize, bytes: &[u8]) -> io::Result<()> {
        match self.links.get_mut(id) {
            Some(link) => link.socket.write_all(bytes),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Lets those that stopped reading read again, to the end.
    pub fn read_again(&mut self, watch: &mut impl Watch) {
        let stopped: Vec<usize> = self
            .links
            .iter_mut()
            .filter(|(_, link)| link.manner == Manner::StopsReading)
            .map(|(id, link)| {
                link.manner = Manner::ReadsOn;
                id
            })
            .collect();
        for id in stopped {
            self.read(id, watch);
        }
    }

    /// Whether every connection has been upgraded, at least.
    #[must_use]
    pub fn is_upgraded(&self) -> bool {
        self.links
            .iter()
            .all(|(_, link)| link.stage >= Stage::Authenticating)
    }

    /// How many connections there are.
    #[must_use]
    pub fn open(&self) -> usize {
        self.links.len()
    }

    /// How many of them have come as far as they wanted.
    #[must_use]
    pub fn live(&self) -> usize {
        self.links
            .iter()
            .filter(|(_, link)| link.stage == Stage::Live)
            .count()
    }

    /// What was counted so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The links' ids.
    pub fn ids(&self) -> impl Iterator<Item = usize> + '_ {
        self.links.iter().map(|(id, _)| id)
    }

    /// A new source address for every [`LINKS_AN_ADDRESS`] links, where the server is on
    /// loopback; elsewhere the system chooses.
    fn source(&mut self) -> Option<IpAddr> {
        let index = self.dialled / LINKS_AN_ADDRESS;
        self.dialled += 1;
        match self.server.ip() {
            IpAddr::V4(server) if server.is_loopback() => {
                let [_, _, high, low] = (index + 2).to_be_bytes();
                Some(Ipv4Addr::new(127, self.net, high, low).into())
            }
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        }
    }

    fn on_ready(&mut self, id: usize, watch: &mut impl Watch) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        if link.stage == Stage::Dialling {
            match link.socket.peer_addr() {
                Ok(_) => {
                    link.stage = Stage::Upgrading;
                    let request = upgrade_request(self.server, self.path);
                    if link.socket.write_all(request.as_bytes()).is_err() {
                        self.over(id, None, watch);
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotConnected => {
                    if link.socket.take_error().ok().flatten().is_some() {
                        self.over(id, None, watch);
                    }
                    return;
                }
                Err(_) => {
                    self.over(id, None, watch);
                    return;
                }
            }
        }
        self.read(id, watch);
    }

    fn read(&mut self, id: usize, watch: &mut impl Watch) {
        loop {
            let Some(link) = self.links.get_mut(id) else {
                return;
            };
            if link.manner == Manner::StopsReading && link.stage == Stage::Live {
                return;
            }
            match link.socket.read(&mut self.scratch) {
                Ok(0) => return self.over(id, None, watch),
                Ok(length) => {
                    self.totals.bytes += length as u64;
                    let whole = length < self.scratch.len();
                    if !self.on_bytes(id, length, watch) || whole {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.over(id, None, watch),
            }
        }
    }

    /// Deals with the first `length` bytes of the scratch buffer; whether the link lives on.
    fn on_bytes(&mut self, id: usize, length: usize, watch: &mut impl Watch) -> bool {
        // Most reads hold whole frames and nothing is left over from the one before: then the
        // frames are read where they are.
        let mut kept = std::mem::take(&mut self.links[id].partial);
        let scratch = std::mem::take(&mut self.scratch);
        let bytes = if kept.is_empty() {
            &scratch[..length]
        } else {
            kept.extend_from_slice(&scratch[..length]);
            &kept[..]
        };
        let mut used = 0;
        let mut lives = true;
        while lives {
            match self.step(id, &bytes[used..], watch) {
                Step::Used(count) => used += count,
                Step::Wait => break,
                Step::Over => lives = false,
            }
        }
        if lives {
            let rest = bytes[used..].to_vec();
            self.links[id].partial = rest;
        }
        self.scratch = scratch;
        lives
    }

    fn step(&mut self, id: usize, bytes: &[u8], watch: &mut impl Watch) -> Step {
        if self.links[id].stage == Stage::Upgrading {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
                return Step::Wait;
            };
            let status = text::number(bytes, b"HTTP/1.1 ").unwrap_or(0);
            if status != 101 {
                self.links.remove(id);
                watch.on(id, Seen::Refused(u16::try_from(status).unwrap_or(0)));
                return Step::Over;
            }
            self.links[id].stage = Stage::Authenticating;
            if self.links[id].manner == Manner::Listens {
                self.links[id].stage = Stage::Live;
                self.totals.let_in += 1;
                watch.on(id, Seen::Live { resumed: false });
            }
            return Step::Used(end + 4);
        }
        let Some(found) = frame::find(bytes) else {
            return Step::Wait;
        };
        let payload = &bytes[found.start..found.end];
        self.totals.frames += 1;
        match found.kind {
            frame::Kind::Text => {
                if !self.on_text(id, payload, watch) {
                    self.over(id, None, watch);
                    return Step::Over;
                }
            }
            frame::Kind::Ping if self.links[id].manner == Manner::ReadsOn => {}
            frame::Kind::Binary => {
                if self.links[id].manner == Manner::Subscribes && !self.on_nats(id, payload, watch)
                {
                    self.over(id, None, watch);
                    return Step::Over;
                }
            }
            frame::Kind::Ping => {
                if self.write(id, frame::PONG, payload).is_err() {
                    self.over(id, None, watch);
                    return Step::Over;
                }
            }
            frame::Kind::Close => {
                let code = payload.first_chunk().map(|&code| u16::from_be_bytes(code));
                self.over(id, code, watch);
                return Step::Over;
            }
            frame::Kind::Other => {}
        }
        Step::Used(found.end)
    }

    /// Deals with one text frame; whether the link could answer it.
    fn on_text(&mut self, id: usize, payload: &[u8], watch: &mut impl Watch) -> bool {
        let link = &mut self.links[id];
        match text::opcode(payload) {
            Some(0) if link.manner == Manner::Mute => true,
            Some(0) => {
                let text = link.authenticate();
                self.send(id, &text).is_ok()
            }
            Some(2) => self.on_authenticated(id, payload, watch),
            Some(3) if link.manner == Manner::ReadsOn => true,
            Some(3) => {
                let seen = link.session.as_ref().map(|session| session.sequence);
                let text = serde_json::json!({ "op": 4, "d": seen }).to_string();
                self.send(id, &text).is_ok()
            }
            Some(5) => {
                if let (Some(session), Some(sequence)) =
                    (&mut link.session, text::sequence(payload))
                {
                    session.sequence = sequence;
                }
                watch.on(id, Seen::Event(payload));
                true
            }
            Some(7) if link.stage == Stage::Connecting => {
                if memchr::memmem::find(payload, b"\"error\"").is_some() {
                    watch.on(id, Seen::Answer(payload));
                    return false;
                }
                link.stage = Stage::Live;
                watch.on(id, Seen::Live { resumed: false });
                true
            }
            Some(7) => {
                watch.on(id, Seen::Answer(payload));
                true
            }
            Some(_) | None => true,
        }
    }

    fn on_authenticated(&mut self, id: usize, payload: &[u8], watch: &mut impl Watch) -> bool {
        let link = &mut self.links[id];
        let answer: serde_json::Value = match serde_json::from_slice(payload) {
            Ok(answer) => answer,
            Err(_) => return false,
        };
        self.totals.let_in += 1;
        let resumed = answer["d"]["resumed"] == true;
        link.session = answer["d"]["session_id"].as_str().map(|name| Session {
            id: name.into(),
            sequence: match &link.resume {
                Some(session) if resumed => session.sequence,
                Some(_) | None => 0,
            },
        });
        match link.connect_guild() {
            Some(text) if !resumed => {
                link.stage = Stage::Connecting;
                self.send(id, &text).is_ok()
            }
            Some(_) | None => {
                link.stage = Stage::Live;
                watch.on(id, Seen::Live { resumed });
                true
            }
        }
    }

    fn over(&mut self, id: usize, code: Option<u16>, watch: &mut impl Watch) {
        let link = self.links.remove(id);
        if let Some(lost) = &mut self.lost {
            lost.push((link.identity, link.session));
        }
        watch.on(id, Seen::Closed(code));
    }
}

/// What one step over a link's bytes came to.
enum Step {
    /// So many bytes are dealt with.
    Used(usize),
    /// More bytes are needed.
    Wait,
    /// The link is gone.
    Over,
}

fn upgrade_request(server: SocketAddr, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Ephemeral ports are about 28,000 an address; half of them leaves room for those in
/// TIME_WAIT.
const LINKS_AN_ADDRESS: u32 = 14_000;
const SCRATCH_BYTES: usize = 256 * 1024;
const EINPROGRESS: i32 = 115;

//! The clients: another process that counts frames.

use std::{
    error::Error,
    io::{self, Read, Write},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};

/// What the connections go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    Plain,
    Tls,
}

impl Carrier {
    pub fn named(name: &str) -> Carrier {
        if name == "tls" {
            Carrier::Tls
        } else {
            Carrier::Plain
        }
    }

    fn name(self) -> &'static str {
        match self {
            Carrier::Plain => "plain",
            Carrier::Tls => "tls",
        }
    }
}

/// The process, from outside.
pub struct Readers {
    child: Child,
    orders: ChildStdin,
    reports: ChildStdout,
}

impl Readers {
    /// A process that opens `sockets` connections to the listener.
    pub fn start(listener: &TcpListener, sockets: usize, carrier: Carrier) -> io::Result<Readers> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("readers")
            .arg(listener.local_addr()?.to_string())
            .arg(sockets.to_string())
            .arg(carrier.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let missing = || io::Error::other("a child without pipes");
        let orders = child.stdin.take().ok_or_else(missing)?;
        let reports = child.stdout.take().ok_or_else(missing)?;
        Ok(Readers {
            child,
            orders,
            reports,
        })
    }

    /// Waits until so many event frames came since the last time.
    pub fn await_frames(&mut self, frames: usize) -> io::Result<()> {
        self.orders.write_all(&(frames as u64).to_le_bytes())?;
        crate::one_byte(&mut self.reports)?;
        Ok(())
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        if self.child.kill().is_ok()
            && let Err(error) = self.child.wait()
        {
            eprintln!("the readers did not end: {error}");
        }
    }
}

/// The process itself: counts frames of opcode 5, and says when as many came as it was told.
pub fn run(address: &str, sockets: usize, carrier: Carrier) -> Result<(), Box<dyn Error>> {
    let mut poll = Poll::new()?;
    let address: std::net::SocketAddr = address.parse()?;
    let mut clients = Vec::with_capacity(sockets);
    for number in 0..sockets {
        let mut socket = std::net::TcpStream::connect(address)?;
        let session = match carrier {
            Carrier::Plain => None,
            Carrier::Tls => Some(crate::tls::connect(&mut socket)?),
        };
        socket.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(socket);
        poll.registry()
            .register(&mut stream, Token(number), Interest::READABLE)?;
        let stream: Box<dyn Read> = match session {
            None => Box::new(stream),
            Some(session) => Box::new(rustls::StreamOwned::new(session, stream)),
        };
        clients.push(Client {
            stream,
            rest: Vec::new(),
        });
    }
    let mut events = Events::with_capacity(4096);
    let mut buffer = vec![0; 64 * 1024];
    let (mut orders, mut reports) = (io::stdin(), io::stdout());
    let mut came = 0u64;
    loop {
        let mut order = [0; 8];
        orders.read_exact(&mut order)?;
        let wanted = u64::from_le_bytes(order);
        while came < wanted {
            poll.poll(&mut events, None)?;
            for event in &events {
                let client = &mut clients[event.token().0];
                came += client.read(&mut buffer);
            }
        }
        came -= wanted;
        reports.write_all(b".")?;
        reports.flush()?;
    }
}

struct Client {
    stream: Box<dyn Read>,
    rest: Vec<u8>,
}

impl Client {
    /// How many event frames came.
    fn read(&mut self, buffer: &mut [u8]) -> u64 {
        let mut came = 0;
        while let Ok(len) = self.stream.read(buffer) {
            if len == 0 {
                break;
            }
            if self.rest.is_empty() {
                let taken = count(&buffer[..len], &mut came);
                self.rest.extend_from_slice(&buffer[taken..len]);
            } else {
                self.rest.extend_from_slice(&buffer[..len]);
                let taken = count(&self.rest, &mut came);
                self.rest.drain(..taken);
            }
        }
        came
    }
}

/// Counts whole event frames at the start of `bytes`; how many bytes they are, others included.
fn count(bytes: &[u8], came: &mut u64) -> usize {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let (len, header) = match rest {
            [_, 126, high, low, ..] => (usize::from(u16::from_be_bytes([*high, *low])), 4),
            [_, len, ..] if *len < 126 => (usize::from(*len), 2),
            _ => return at,
        };
        let Some(payload) = rest.get(header..header + len) else {
            return at;
        };
        if payload.starts_with(br#"{"op":5"#) {
            *came += 1;
        }
        at += header + len;
    }
}

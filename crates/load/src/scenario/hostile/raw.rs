//! Attackers that never come as far as an upgrade.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result};
use socket2::{Domain, Socket, Type};

use super::attack::{Attack, Ends};
use crate::engine::text;

/// Sockets that say little, or too much, and wait.
pub struct Raw {
    gateway: SocketAddr,
    count: usize,
    /// Said at once.
    head: Vec<u8>,
    /// Said again and again.
    more: &'static [u8],
    sockets: Vec<TcpStream>,
    ends: Ends,
}

impl Raw {
    /// They say nothing.
    pub fn silent(gateway: SocketAddr, count: usize) -> Raw {
        Raw::new(gateway, count, Vec::new(), b"")
    }

    /// They send their header byte by byte, and never end it.
    pub fn trickling(gateway: SocketAddr, count: usize) -> Raw {
        Raw::new(gateway, count, HEAD.to_vec(), b"a")
    }

    /// They send a MiB of header.
    pub fn long(gateway: SocketAddr, count: usize) -> Raw {
        let mut head = HEAD.to_vec();
        head.resize(1 << 20, b'a');
        Raw::new(gateway, count, head, b"")
    }

    fn new(gateway: SocketAddr, count: usize, head: Vec<u8>, more: &'static [u8]) -> Raw {
        Raw {
            gateway,
            count,
            head,
            more,
            sockets: Vec::new(),
            ends: Ends::default(),
        }
    }

    fn dial(&self, number: usize) -> Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(self.gateway), Type::STREAM, None)?;
        if self.gateway.ip().is_loopback() && self.gateway.is_ipv4() {
            let [.., high, low] = (number / SOCKETS_AN_ADDRESS + 2).to_be_bytes();
            let from = Ipv4Addr::new(127, NET, high, low);
            socket.bind(&SocketAddr::from((from, 0)).into())?;
        }
        socket.connect(&self.gateway.into())?;
        let mut socket = TcpStream::from(socket);
        socket.set_nonblocking(true)?;
        // What is refused is what the server is meant to refuse.
        let _ = socket.write(&self.head);
        Ok(socket)
    }
}

impl Attack for Raw {
    fn begin(&mut self) -> Result<()> {
        for number in 0..self.count {
            let socket = self.dial(number).context("dialling an attacker")?;
            self.sockets.push(socket);
        }
        Ok(())
    }

    fn go_on(&mut self) -> Result<()> {
        let mut answer = [0; 1024];
        let Raw {
            sockets,
            ends,
            more,
            ..
        } = self;
        sockets.retain_mut(|socket| {
            if !more.is_empty() {
                // As above.
                let _ = socket.write(more);
            }
            match socket.read(&mut answer) {
                Ok(0) => ends.add(None),
                Ok(length) => {
                    let status = text::number(&answer[..length], b"HTTP/1.1 ");
                    ends.add(status.and_then(|status| u16::try_from(status).ok()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => ends.add(None),
            }
            false
        });
        Ok(())
    }

    fn over_within(&self, _: Duration) -> Duration {
        HEADER_WITHIN
    }

    fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Whether they are told why is up to how far they came.
    fn rightly_ended(&self) -> usize {
        self.ends.all() - self.ends.with(101) - self.ends.with(200)
    }

    fn stop(&mut self) {
        self.sockets.clear();
    }
}

const HEAD: &[u8] = b"GET /gateway HTTP/1.1\r\nX-A: ";
/// Second byte of the attackers' addresses, which no good connection has.
const NET: u8 = 254;
const SOCKETS_AN_ADDRESS: usize = 5_000;
/// Longer than a server should wait for a header.
const HEADER_WITHIN: Duration = Duration::from_secs(15);

//! Attackers that upgrade, and then never authenticate.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::attack::{Attack, Ends};
use crate::{
    clock,
    engine::{Engine, Identity, Manner, Seen, Watch},
};

/// Connections that send bytes of one kind.
pub struct Upgraded {
    engine: Engine,
    count: usize,
    sends: Sends,
    /// The close code that is theirs.
    code: u16,
    links: Vec<usize>,
    ends: Ends,
}

/// What they send.
enum Sends {
    Nothing,
    /// All of this, again and again.
    Again(Vec<u8>),
    /// One byte of a frame a second.
    Byte {
        frame: Vec<u8>,
        sent: usize,
        at: Instant,
    },
}

impl Watch for Ends {
    fn on(&mut self, _: usize, seen: Seen<'_>) {
        match seen {
            Seen::Closed(code) => self.add(code),
            Seen::Refused(status) => self.add(Some(status)),
            Seen::Live { .. } | Seen::Event(_) | Seen::Answer(_) => {}
        }
    }
}

impl Upgraded {
    /// A frame that claims 2^63 - 1 bytes.
    pub fn huge(gateway: SocketAddr, count: usize) -> Result<Upgraded> {
        // Opcode 1 (text), final, masked.
        let frame = [
            0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0,
        ];
        Upgraded::new(gateway, count, Sends::Again(frame.to_vec()), 4002)
    }

    /// Pings without a pause.
    pub fn pings(gateway: SocketAddr, count: usize) -> Result<Upgraded> {
        let pings = [0x89, 0x80, 0, 0, 0, 0].repeat(1_000);
        Upgraded::new(gateway, count, Sends::Again(pings), 4008)
    }

    /// A sound frame, one byte a second.
    pub fn byte_by_byte(gateway: SocketAddr, count: usize) -> Result<Upgraded> {
        let mut frame = vec![0x81, 0x80 | 100, 0, 0, 0, 0];
        frame.resize(106, b' ');
        let sends = Sends::Byte {
            frame,
            sent: 0,
            at: clock::now(),
        };
        Upgraded::new(gateway, count, sends, 4009)
    }

    /// Nothing at all.
    pub fn mute(gateway: SocketAddr, count: usize) -> Result<Upgraded> {
        Upgraded::new(gateway, count, Sends::Nothing, 4009)
    }

    fn new(gateway: SocketAddr, count: usize, sends: Sends, code: u16) -> Result<Upgraded> {
        Ok(Upgraded {
            engine: Engine::new(gateway).context("opening epoll")?,
            count,
            sends,
            code,
            links: Vec::new(),
            ends: Ends::default(),
        })
    }

    fn turn(&mut self, timeout: Duration) -> Result<()> {
        self.engine
            .turn(timeout, &mut self.ends)
            .context("waiting for attackers")
    }
}

impl Attack for Upgraded {
    fn begin(&mut self) -> Result<()> {
        let nobody = Arc::new(Identity {
            token: None,
            user: None,
            guild: None,
        });
        let upgrading = clock::now();
        while self.links.len() < self.count || !self.engine.is_upgraded() {
            let until = self.count.min(self.links.len() + DIALLED_AT_ONCE);
            while self.links.len() < until {
                let link = self
                    .engine
                    .dial(Arc::clone(&nobody), Manner::Mute, None)
                    .context("dialling an attacker")?;
                self.links.push(link);
            }
            self.turn(Duration::from_millis(10))?;
            if upgrading.elapsed() > UPGRADING {
                break;
            }
        }
        Ok(())
    }

    fn go_on(&mut self) -> Result<()> {
        let now = clock::now();
        let bytes: &[u8] = match &mut self.sends {
            Sends::Nothing => &[],
            Sends::Again(bytes) => bytes,
            Sends::Byte { frame, sent, at } => {
                if now >= *at && *sent < frame.len() {
                    *at = now + Duration::from_secs(1);
                    *sent += 1;
                    &frame[*sent - 1..*sent]
                } else {
                    &[]
                }
            }
        };
        if !bytes.is_empty() {
            for &link in &self.links {
                // A refused byte is what the server is meant to come to.
                let _ = self.engine.send_raw(link, bytes);
            }
        }
        self.turn(Duration::ZERO)
    }

    fn over_within(&self, authenticate_within: Duration) -> Duration {
        authenticate_within
    }

    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn rightly_ended(&self) -> usize {
        self.ends.with(self.code)
    }

    fn stop(&mut self) {
        for link in self.links.drain(..) {
            self.engine.drop_link(link);
        }
    }
}

/// Dialled in one turn, so that a server's queue of new sockets holds them.
const DIALLED_AT_ONCE: usize = 256;
const UPGRADING: Duration = Duration::from_secs(30);

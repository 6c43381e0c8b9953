//! How connections end: a close frame, a moment for the client to take it, and the drain of
//! the whole shard.

use std::{io, time::Duration};

use guildgate_core::client::Input;
use guildgate_model::Mono;
use guildgate_wire::CloseCode;
use mio::Token;
use tokio::sync::mpsc::UnboundedSender;

use super::{Going, LINGERING, Shard, place::Socket, token_of};
use crate::{
    edge::{EdgeStats, codec, transport::Transport},
    front::Permit,
};

/// A socket that was told to close and has a moment to take it in.
///
/// Closing a socket that has unread bytes resets the connection, and the client would lose the
/// close frame: so what it still sends is read and thrown away until it hangs up.
#[derive(Debug)]
pub(super) struct Lingering {
    transport: Transport,
    /// What is still to be written, the close frame last.
    out: Vec<u8>,
    /// Counts against the limits until the socket is really gone.
    _permit: Option<Permit>,
}

/// The shard's end.
#[derive(Debug)]
pub(super) struct Draining {
    began: Mono,
    window: Duration,
    /// Clients still to be closed, the first last.
    order: Vec<(u32, u16)>,
    all: usize,
    /// Dropped once every socket is gone.
    closed: Option<UnboundedSender<()>>,
}

/// How much of what a closed client still sends is thrown away in one go.
const DISCARD_READS: usize = 8;

impl Shard {
    /// Writes a close frame and lets the socket go.
    pub(super) fn close_socket(&mut self, slot: u32, code: CloseCode) {
        let Some(socket) = self.places.at(slot).and_then(|place| place.socket.take()) else {
            return;
        };
        self.parts.stats.count_close(code);
        let (address, number) = (socket.peer.address, code.number());
        match code {
            CloseCode::Normal | CloseCode::GoingAway => {
                tracing::debug!(%address, code = number, "closing a connection");
            }
            _ => tracing::info!(
                %address,
                code = number,
                reason = code.reason(),
                "closing a connection"
            ),
        }
        self.linger(socket, Some(number), code.reason());
    }

    /// Answers the client's own close in kind.
    pub(super) fn return_close(&mut self, slot: u32, code: Option<u16>) {
        if let Some(socket) = self.places.at(slot).and_then(|place| place.socket.take()) {
            self.linger(socket, code, "");
        }
    }

    pub(super) fn linger(&mut self, mut socket: Socket, code: Option<u16>, reason: &str) {
        let mut out = socket.take_staged();
        codec::close(code, reason, &mut out);
        let mut lingering = Lingering {
            transport: socket.transport,
            out,
            _permit: socket.peer.permit,
        };
        match lingering.begin(&self.parts.stats) {
            Ok(()) => {}
            Err(error) => {
                tracing::trace!(%error, "a socket was gone before it was closed");
                self.drop_transport(lingering.transport);
                return;
            }
        }
        let until = self.now.mono + self.parts.config.close_within;
        let (slot, generation) = self.lingering.insert(lingering);
        self.lingering_until.push_back((until, slot, generation));
        let token = Token(token_of(slot, generation).0 | LINGERING);
        let registry = self.parts.poll.registry();
        let registered = self
            .lingering
            .at(slot)
            .map(|lingering| lingering.transport.reregister(registry, token));
        if let Some(Err(error)) = registered {
            tracing::debug!(%error, "a closing socket cannot be watched");
            self.drop_linger(slot);
        }
    }

    /// Readiness of a lingering socket.
    pub(super) fn on_lingering(&mut self, slot: u32, generation: u16) {
        let Some(lingering) = self.lingering.tenant(slot, generation) else {
            return;
        };
        let ended = lingering.push(&self.parts.stats).is_err()
            || lingering.discard(&mut self.input) == Heard::End;
        if ended {
            self.drop_linger(slot);
        }
    }

    /// Drops sockets that have lingered long enough.
    pub(super) fn drop_lingering(&mut self) {
        while let Some((until, slot, generation)) = self.lingering_until.front().copied() {
            let gone = self.lingering.tenant(slot, generation).is_none();
            if !gone && until > self.now.mono {
                break;
            }
            self.lingering_until.pop_front();
            if !gone {
                self.drop_linger(slot);
            }
        }
    }

    fn drop_linger(&mut self, slot: u32) {
        if let Some(lingering) = self.lingering.remove(slot) {
            self.drop_transport(lingering.transport);
        }
    }

    pub(super) fn drop_socket(&mut self, socket: Socket) {
        self.drop_transport(socket.transport);
    }

    fn drop_transport(&mut self, mut transport: Transport) {
        self.parts.stats.sockets.sub(1);
        if let Err(error) = transport.deregister(self.parts.poll.registry()) {
            tracing::debug!(%error, "a socket was not being watched");
        }
    }

    /// Begins to close everything, in the order of the slots.
    pub(super) fn begin_drain(&mut self, window: Duration, closed: UnboundedSender<()>) {
        let mut order = Vec::with_capacity(self.places.len());
        for slot in (0..self.places.slots()).rev() {
            if let Some(generation) = self.places.generation(slot) {
                order.push((slot, generation));
            }
        }
        self.draining = Some(Draining {
            began: self.now.mono,
            window,
            all: order.len(),
            order,
            closed: Some(closed),
        });
    }

    /// Closes whoever's turn has come.
    pub(super) fn drain(&mut self) -> Going {
        let now = self.now.mono;
        let Some(draining) = &mut self.draining else {
            return Going::On;
        };
        let stay = draining.stay(now);
        let leave = draining.order.split_off(stay.min(draining.order.len()));
        for (slot, generation) in leave.into_iter().rev() {
            if self.places.tenant(slot, generation).is_some() {
                self.step(slot, Input::Drain);
            }
        }
        let Some(draining) = &mut self.draining else {
            return Going::On;
        };
        if !draining.order.is_empty() || !self.lingering.is_empty() {
            return Going::On;
        }
        draining.closed = None;
        match self.finishing.take() {
            None => Going::On,
            Some(saved) => {
                // The node may have lost its patience, and nobody wants them.
                let _ = saved.send(self.save_sessions());
                Going::Done
            }
        }
    }
}

impl Draining {
    /// How many may stay a little longer.
    fn stay(&self, now: Mono) -> usize {
        let passed = now.since(self.began);
        if passed >= self.window {
            return 0;
        }
        let left = 1.0 - passed.as_secs_f64() / self.window.as_secs_f64();
        (self.all as f64 * left) as usize
    }

    /// When somebody's turn comes next.
    pub(super) fn next(&self) -> Option<Mono> {
        if self.order.is_empty() {
            return None;
        }
        let closed = self.all - self.order.len();
        let share = (closed + 1) as f64 / self.all.max(1) as f64;
        Some(self.began + self.window.mul_f64(share.min(1.0)))
    }
}

/// What a closing client had to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Nothing more for now.
    Silence,
    /// It has hung up.
    End,
}

impl Lingering {
    /// Writes all there is, whether the client reads or not: the rest of a frame that it has
    /// the beginning of, and why it is closed. Whoever reads again later, if only what its own
    /// kernel kept, finds the close code and not a bare end.
    fn begin(&mut self, stats: &EdgeStats) -> io::Result<()> {
        self.push(stats)?;
        if self.is_finished() {
            return Ok(());
        }
        self.transport.take_last_words()?;
        self.push(stats)
    }

    fn is_finished(&self) -> bool {
        self.out.is_empty() && !self.transport.has_unsent()
    }

    /// Writes what is left, then says that there is no more.
    fn push(&mut self, stats: &EdgeStats) -> io::Result<()> {
        if self.is_finished() {
            return Ok(());
        }
        match self.transport.write(&self.out) {
            Ok(taken) => {
                stats.bytes_out.add(taken as u64);
                self.out.drain(..taken);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if self.is_finished() {
            self.out = Vec::new();
            self.transport.finish()?;
        }
        Ok(())
    }

    fn discard(&mut self, buffer: &mut [u8]) -> Heard {
        for _ in 0..DISCARD_READS {
            match self.transport.read(buffer) {
                Ok(0) => return Heard::End,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Heard::Silence,
                Err(_) => return Heard::End,
            }
        }
        // Whoever sends so much after a close has not heard it, and is not waited for.
        Heard::End
    }
}

#[cfg(test)]
mod tests;

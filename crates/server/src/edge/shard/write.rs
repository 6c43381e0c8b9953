//! What goes out: one write a socket and turn, and what happens when it does not take all.

use std::io;

use guildgate_core::client::Input;

use super::{Aftermath, Shard, place::Socket};
use crate::edge::{EdgeStats, codec};

/// Most bytes put together for one write from what waits.
const BUNDLE_BYTES_MAX: usize = 64 * 1024;

impl Socket {
    /// Writes as much of `bytes` as the kernel takes now; how much that was.
    ///
    /// A socket that took less takes no more until it says so.
    pub(super) fn write(&mut self, bytes: &[u8], stats: &EdgeStats) -> io::Result<usize> {
        if self.blocked {
            return Ok(0);
        }
        let taken = match self.transport.write(bytes) {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.blocked = true;
                0
            }
            Err(error) => return Err(error),
        };
        if taken > 0 {
            self.stuck = false;
        }
        stats.writes.add(1);
        stats.bytes_out.add(taken as u64);
        if taken < bytes.len() || self.transport.has_unsent() {
            self.blocked = true;
        }
        if self.blocked {
            stats.blocked.add(1);
        }
        Ok(taken)
    }

    /// Writes what is staged; whether nothing is left of it.
    fn write_staged(&mut self, stats: &EdgeStats) -> io::Result<bool> {
        let mut staged = self.take_staged();
        if staged.is_empty() && !self.transport.has_unsent() {
            return Ok(true);
        }
        let taken = self.write(&staged, stats)?;
        if taken < staged.len() {
            staged.drain(..taken);
            *self.stage() = staged;
        }
        Ok(!self.blocked)
    }
}

impl Shard {
    /// Notes that a client has something to write at the end of the turn.
    pub(super) fn soil(&mut self, slot: u32) {
        if let Some(place) = self.places.at(slot)
            && !place.dirty
        {
            place.dirty = true;
            self.dirty.push(slot);
        }
    }

    /// Writes what has come up for clients this turn.
    pub(super) fn flush_dirty(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for slot in dirty.drain(..) {
            if let Some(place) = self.places.at(slot) {
                place.dirty = false;
                self.catch_up(slot);
                if self.flush(slot).is_err() {
                    self.aftermath.push(Aftermath::Lost(slot));
                }
                if let Some(place) = self.places.at(slot) {
                    place.count_outbox(&self.parts.stats);
                }
            }
        }
        // What was soiled meanwhile comes next turn; the list keeps its room.
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
    }

    /// Writes what is staged and what waits, as far as the socket takes it.
    fn flush(&mut self, slot: u32) -> io::Result<()> {
        let Shard {
            places,
            encoder,
            parts,
            ..
        } = self;
        let Some(place) = places.at(slot) else {
            return Ok(());
        };
        let Some(socket) = &mut place.socket else {
            return Ok(());
        };
        let mut bundle = Vec::new();
        let mut ends = Vec::new();
        loop {
            if socket.blocked {
                return Ok(());
            }
            if !socket.write_staged(&parts.stats)? {
                return Ok(());
            }
            if !place.client.outbox().has_unsent() {
                if !socket.owes_ping {
                    return Ok(());
                }
                socket.owes_ping = false;
                codec::ping(socket.stage());
                continue;
            }
            bundle.clear();
            ends.clear();
            for unsent in place.client.outbox().unsent() {
                encoder.unsent(unsent, socket.peer.deflate, &mut bundle);
                ends.push(bundle.len());
                if bundle.len() > BUNDLE_BYTES_MAX {
                    break;
                }
            }
            let taken = socket.write(&bundle, &parts.stats)?;
            let begun = ends.partition_point(|end| *end <= taken);
            let whole = begun == ends.len() || taken == begun.checked_sub(1).map_or(0, |i| ends[i]);
            let frames = if whole { begun } else { begun + 1 };
            if !whole {
                socket
                    .stage()
                    .extend_from_slice(&bundle[taken..ends[begun]]);
            }
            parts.stats.frames_out.add(frames as u64);
            place.client.outbox_mut().sent(frames, &parts.config.limits);
        }
    }

    /// The client's socket is gone: it failed, or the client hung up without a close frame.
    pub(super) fn lose_socket(&mut self, slot: u32) {
        let Some(place) = self.places.at(slot) else {
            return;
        };
        if let Some(socket) = place.socket.take() {
            self.drop_socket(socket);
            self.step(slot, Input::SocketLost);
        }
    }
}

//! What clients have to say.

use std::io;

use guildgate_core::client::Input;
use guildgate_wire::CloseCode;

use super::{READS_MAX, Shard};
use crate::edge::codec::{Chunk, Message};

/// Reads of one socket in a turn; what is left comes in the next.
const READS_OF_ONE_MAX: usize = 4;

impl Shard {
    /// Notes that a socket may have something to say.
    pub(super) fn want_read(&mut self, slot: u32) {
        if let Some(socket) = self.places.at(slot).and_then(|place| place.socket.as_mut()) {
            socket.readable = true;
            self.queue_read(slot);
        }
    }

    fn queue_read(&mut self, slot: u32) {
        let Some(generation) = self.places.generation(slot) else {
            return;
        };
        let Some(place) = self.places.at(slot) else {
            return;
        };
        let listening = place.client.accepts_text();
        let Some(socket) = &mut place.socket else {
            return;
        };
        if listening && !socket.queued {
            socket.queued = true;
            self.readable.push_back((slot, generation));
        }
    }

    /// Reads sockets that have something to say, each a little.
    pub(super) fn read_sockets(&mut self) {
        for _ in 0..self.readable.len().min(READS_MAX) {
            let Some((slot, generation)) = self.readable.pop_front() else {
                return;
            };
            let socket = self
                .places
                .tenant(slot, generation)
                .and_then(|place| place.socket.as_mut());
            if let Some(socket) = socket {
                socket.queued = false;
                self.read(slot, generation);
            }
        }
    }

    fn read(&mut self, slot: u32, generation: u16) {
        let mut input = std::mem::take(&mut self.input);
        for _ in 0..READS_OF_ONE_MAX {
            let Some(place) = self.places.tenant(slot, generation) else {
                break;
            };
            let listening = place.client.accepts_text();
            let Some(socket) = &mut place.socket else {
                break;
            };
            if !listening {
                // Its readiness stays noted; an answer brings it back here.
                break;
            }
            if socket.has_unread() {
                let mut unread = socket.take_unread();
                self.feed(slot, generation, &mut unread);
                continue;
            }
            if !socket.readable {
                break;
            }
            match socket.transport.read(&mut input) {
                Ok(0) => self.lose_socket(slot),
                Ok(len) => {
                    // A bare socket that gives less than there was room for has no more, and
                    // what comes later is reported anew; but its end was reported already.
                    if len < input.len() && socket.transport.is_bare() && !socket.hung_up {
                        socket.readable = false;
                    }
                    self.parts.stats.bytes_in.add(len as u64);
                    self.feed(slot, generation, &mut input[..len]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.readable = false;
                }
                Err(error) => {
                    tracing::trace!(%error, slot, "a socket failed while it was read");
                    self.lose_socket(slot);
                }
            }
        }
        self.input = input;
        let more = self
            .places
            .tenant(slot, generation)
            .and_then(|place| place.socket.as_ref())
            .is_some_and(|socket| socket.readable || socket.has_unread());
        if more {
            self.queue_read(slot);
        }
    }

    /// Decodes bytes and feeds the messages in them, until the client has to wait for an
    /// answer or is closed.
    fn feed(&mut self, slot: u32, generation: u16, bytes: &mut [u8]) {
        let mut chunk = Chunk::new(bytes);
        loop {
            let Some(place) = self.places.tenant(slot, generation) else {
                return;
            };
            let listening = place.client.accepts_text();
            let bytes_max = place
                .client
                .frame_bytes_max(self.now.mono, &self.parts.config.limits);
            let Some(socket) = &mut place.socket else {
                return;
            };
            if !listening {
                socket.keep_unread(chunk.rest());
                return;
            }
            let deflate = socket.peer.deflate;
            // Out of its place meanwhile, so that the shard can be told of what it yields.
            let mut decoder = std::mem::take(&mut socket.decoder);
            let next = decoder.next(&mut chunk, bytes_max, deflate);
            let more = matches!(next, Ok(Some(_)));
            match next {
                Ok(None) => {}
                Ok(Some(message)) => {
                    self.parts.stats.frames_in.add(1);
                    self.on_client(slot, message);
                }
                Err(violation) => {
                    tracing::debug!(slot, %violation, "a client broke the rules");
                    if violation.is_sound_websocket() {
                        self.step(slot, Input::Undecodable);
                    } else {
                        self.step(slot, Input::Fault(CloseCode::ProtocolError));
                    }
                    self.close_socket(slot, CloseCode::ProtocolError);
                    return;
                }
            }
            if let Some(socket) = self
                .places
                .tenant(slot, generation)
                .and_then(|place| place.socket.as_mut())
            {
                socket.decoder = decoder;
            }
            if !more {
                return;
            }
        }
    }

    fn on_client(&mut self, slot: u32, message: Message<'_>) {
        match message {
            Message::Text(text) => self.step(slot, Input::Text(text)),
            Message::Deflated(payload) => self.on_deflated(slot, payload),
            Message::Pong => self.step(slot, Input::Pong),
            Message::Fragment => self.step(slot, Input::Fragment),
            Message::Ping(payload) => {
                self.pong(slot, payload);
                self.step(slot, Input::Fragment);
            }
            Message::Close(code) => {
                self.return_close(slot, code);
                self.step(slot, Input::ClosedByClient(code));
            }
        }
    }

    fn on_deflated(&mut self, slot: u32, payload: &[u8]) {
        let (now, limits) = (self.now.mono, &self.parts.config.limits);
        let Some(bytes_max) = self
            .places
            .at(slot)
            .map(|place| place.client.frame_bytes_max(now, limits))
        else {
            return;
        };
        let mut inflater = self.inflater.take().unwrap_or_default();
        let text = inflater.inflate(payload, bytes_max);
        match text.map(simdutf8::basic::from_utf8) {
            Ok(Ok(text)) => self.step(slot, Input::Text(text)),
            Ok(Err(_)) | Err(_) => self.step(slot, Input::Undecodable),
        }
        self.inflater = Some(inflater);
    }

    /// Answers a ping, unless the client does not even take what was said before.
    fn pong(&mut self, slot: u32, payload: &[u8]) {
        let Some(socket) = self.places.at(slot).and_then(|place| place.socket.as_mut()) else {
            return;
        };
        if !socket.blocked {
            crate::edge::codec::pong(payload, socket.stage());
            self.soil(slot);
        }
    }
}

//! One input for one client's machine, and what it wants done.

use std::panic::{AssertUnwindSafe, catch_unwind};

use guildgate_core::client::{Input, Output};
use guildgate_wire::CloseCode;

use super::{
    Shard,
    place::{Listed, Standing},
};
use crate::edge::{FromEdge, codec};

impl Shard {
    /// Feeds one input and carries out what comes of it. The client may be gone afterwards.
    pub(super) fn step(&mut self, slot: u32, input: Input<'_>) {
        let mut outputs = std::mem::take(&mut self.outputs);
        let (now, limits) = (self.now, &self.parts.config.limits);
        let Some(place) = self.places.at(slot) else {
            self.outputs = outputs;
            return;
        };
        let client = &mut place.client;
        let handled = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            super::tests::fail_if_told(&input);
            client.handle(now, limits, input, &mut outputs);
        }));
        if handled.is_err() {
            outputs.clear();
            self.outputs = outputs;
            self.give_up(slot);
            return;
        }
        self.perform(slot, &mut outputs);
        self.outputs = outputs;
        let Some(place) = self.places.at(slot) else {
            return;
        };
        place.count_outbox(&self.parts.stats);
        if let Some(deadline) = place.client.deadline() {
            self.wheel.schedule(slot, deadline);
        }
    }

    /// Carries out what a machine wants, in order.
    pub(super) fn perform(&mut self, slot: u32, outputs: &mut Vec<Output>) {
        for output in outputs.drain(..) {
            match output {
                Output::Send(text) => self.send(slot, text),
                Output::Flush => self.soil(slot),
                Output::Heartbeat => {
                    self.owe_ping(slot);
                    self.send(slot, guildgate_wire::heartbeat().into());
                }
                Output::Ping => self.owe_ping(slot),
                Output::Close(code) => self.close_socket(slot, code),
                Output::Ask(ask) => self.ask(slot, ask),
                Output::Subscribe(guild) => self.take_seat(slot, guild),
                Output::Unsubscribe(guild) => {
                    if let Some(client) = self.id(slot) {
                        self.tell(FromEdge::Left { client, guild });
                    }
                    self.leave_seat(slot, guild);
                }
                Output::Attached(attached) => {
                    self.stand(slot, attached);
                    if let Some(client) = self.id(slot) {
                        self.tell(FromEdge::Attached { client, attached });
                    }
                }
                Output::Drop => self.forget(slot),
            }
        }
    }

    /// Ends a client whose machine has failed, and nobody else.
    pub(super) fn give_up(&mut self, slot: u32) {
        self.parts.stats.panics.add(1);
        tracing::error!(client = ?self.id(slot), "a client's machine failed; it is closed with 4000");
        self.close_socket(slot, CloseCode::Unknown);
        self.forget(slot);
    }

    /// Takes a client out of everything.
    pub(super) fn forget(&mut self, slot: u32) {
        let Some(client) = self.id(slot) else { return };
        if let Some(guild) = self.places.at(slot).and_then(|place| place.seat) {
            self.leave_seat(slot, guild.guild);
        }
        // A machine that ends without having closed leaves the socket to end here.
        if self
            .places
            .at(slot)
            .is_some_and(|place| place.socket.is_some())
        {
            self.close_socket(slot, CloseCode::Normal);
        }
        self.unlist(slot);
        self.wheel.cancel(slot);
        if let Some(mut place) = self.places.remove(slot) {
            let waited = place.discount_outbox(&self.parts.stats);
            self.parts.stats.dropped.add(waited);
        }
        self.parts.stats.clients.sub(1);
        self.tell(FromEdge::Gone(client));
    }

    /// Puts a frame behind what waits for the client.
    fn send(&mut self, slot: u32, text: Box<str>) {
        let Some(place) = self.places.at(slot) else {
            return;
        };
        let Some(socket) = &mut place.socket else {
            return;
        };
        if socket.blocked || place.client.outbox().has_unsent() {
            let limits = &self.parts.config.limits;
            if place.client.outbox_mut().queue_raw(text, limits).is_err() {
                self.aftermath.push(super::Aftermath::Overrun(slot));
            }
            place.count_outbox(&self.parts.stats);
            return;
        }
        let deflate = socket.peer.deflate;
        self.encoder.text(&text, deflate, socket.stage());
        self.parts.stats.frames_out.add(1);
        self.soil(slot);
    }

    /// Lets a ping follow what waits.
    ///
    /// A client that has taken nothing of that since the last heartbeat, a whole
    /// [`guildgate_wire::Limits::heartbeat_interval`], is too slow, even if what waits for it
    /// is little: counts that replace each other never pass a bound, and whoever sends without
    /// reading shows signs of life.
    pub(super) fn owe_ping(&mut self, slot: u32) {
        let Some(place) = self.places.at(slot) else {
            return;
        };
        let waiting = place.client.outbox().has_unsent();
        if let Some(socket) = &mut place.socket {
            if waiting || socket.blocked {
                socket.owes_ping = true;
                if std::mem::replace(&mut socket.stuck, socket.blocked) && socket.blocked {
                    self.aftermath.push(super::Aftermath::Overrun(slot));
                }
            } else {
                codec::ping(socket.stage());
                self.soil(slot);
            }
        }
    }

    fn ask(&mut self, slot: u32, ask: guildgate_core::client::Ask) {
        let Some(client) = self.id(slot) else { return };
        let address = self
            .places
            .at(slot)
            .and_then(|place| place.socket.as_ref())
            .map(|socket| socket.peer.address);
        if let Some(address) = address {
            self.tell(FromEdge::Ask {
                client,
                address,
                ask,
            });
        }
    }

    /// Counts a client that was let in, and lists it if it has become a session.
    pub(super) fn list(&mut self, slot: u32) {
        let Some(place) = self.places.at(slot) else {
            return;
        };
        if place.standing == Standing::Stranger {
            place.standing = Standing::Authenticated;
            self.parts.stats.authenticated.add(1);
        }
        if place.listed.is_none()
            && let (Some(user), Some(session)) = (place.client.user(), place.client.session_id())
        {
            place.listed = Some(Box::new(Listed { user, session }));
            self.users.insert((user, slot));
            self.sessions.insert(session, slot);
        }
    }

    pub(super) fn stand(&mut self, slot: u32, attached: bool) {
        let Some(place) = self.places.at(slot) else {
            return;
        };
        let stats = &self.parts.stats;
        match (place.standing, attached) {
            (Standing::Authenticated, false) => {
                place.standing = Standing::Detached;
                stats.detached.add(1);
            }
            (Standing::Detached, true) => {
                place.standing = Standing::Authenticated;
                stats.detached.sub(1);
            }
            (Standing::Stranger | Standing::Authenticated | Standing::Detached, _) => {}
        }
    }

    /// Takes a client out of the lists and the figures.
    fn unlist(&mut self, slot: u32) {
        let Some(place) = self.places.at(slot) else {
            return;
        };
        let stats = &self.parts.stats;
        match place.standing {
            Standing::Stranger => {}
            Standing::Authenticated => stats.authenticated.sub(1),
            Standing::Detached => {
                stats.authenticated.sub(1);
                stats.detached.sub(1);
            }
        }
        if let Some(listed) = place.listed.take() {
            self.users.remove(&(listed.user, slot));
            self.sessions.remove(&listed.session);
        }
    }
}

//! A session goes on with another socket.
//!
//! A client says which session it wants when it authenticates, on whatever shard it came to.
//! Once its token has proved good, its socket is moved to the shard where the session lives, and
//! there from the client that asked to the session's own. The socket that the session had
//! before, if the client had not noticed its loss, is closed with 4005, which does not invite
//! a reconnect: two pages that share a session must not take it from each other for ever.

use guildgate_core::client::{Answer, Client, Input};
use guildgate_wire::{CloseCode, ResumeFrom};

use super::{Aftermath, Shard, place::Socket, token_of};
use crate::edge::{FromEdge, Handover, ToEdge};

/// A client that has proved who it is, on its way to the shard where its session lives.
#[derive(Debug)]
pub(in crate::edge) struct Moving {
    pub(super) client: Client,
    pub(super) socket: Socket,
    pub(super) answer: Answer,
    /// How many of users' events its shard had heard of when the answer came.
    pub(super) heard: u64,
}

impl Shard {
    /// Brings a client that proved itself to the session it wants, if there is one. Gives the
    /// answer back if it is the client's own.
    pub(super) fn go_resume(&mut self, slot: u32, answer: Answer) -> Option<Answer> {
        let Answer::Full { user, token, .. } = answer else {
            return Some(answer);
        };
        let wanted = self
            .places
            .at(slot)
            .and_then(|place| place.client.resume_wanted(token));
        let Some(ResumeFrom {
            session: Some(session),
            sequence: seen,
        }) = wanted
        else {
            return Some(answer);
        };
        if session.edge != self.parts.number {
            return self.send_on(slot, session.edge, answer);
        }
        let Some(home) = self.sessions.get(&session).copied() else {
            return Some(answer);
        };
        // What its guild was told first, so that it is known whether nothing is missing.
        self.catch_up(home);
        let resumes = self
            .places
            .at(home)
            .is_some_and(|place| place.client.resumes(user, seen));
        if !resumes {
            return Some(answer);
        }
        let Answer::Full { missed, .. } = answer else {
            return None;
        };
        self.adopt(slot, home);
        self.parts.stats.resumed.add(1);
        let input = Input::Resume {
            seen,
            token,
            missed,
        };
        self.step(home, input);
        self.want_read(home);
        None
    }

    /// Gives the socket of `slot` to the session at `home`, and ends the client at `slot`.
    fn adopt(&mut self, slot: u32, home: u32) {
        self.close_socket(home, CloseCode::AlreadyAuthenticated);
        let Some(mut socket) = self.places.at(slot).and_then(|place| place.socket.take()) else {
            return;
        };
        self.forget(slot);
        let Some(generation) = self.places.generation(home) else {
            self.drop_socket(socket);
            return;
        };
        socket.queued = false;
        let registry = self.parts.poll.registry();
        let token = token_of(home, generation);
        if let Err(error) = socket.transport.reregister(registry, token) {
            tracing::warn!(%error, "a socket cannot be watched, and is dropped");
            self.aftermath.push(Aftermath::Lost(home));
        }
        if let Some(place) = self.places.at(home) {
            place.socket = Some(socket);
        }
    }

    /// Hands the socket and its client to the shard where the session lives.
    fn send_on(&mut self, slot: u32, edge: u8, answer: Answer) -> Option<Answer> {
        if edge >= self.parts.edges.shards() {
            return Some(answer);
        }
        let id = self.id(slot);
        let Some(mut place) = self.places.remove(slot) else {
            return Some(answer);
        };
        place.discount_outbox(&self.parts.stats);
        self.wheel.cancel(slot);
        self.parts.stats.clients.sub(1);
        self.parts.stats.sockets.sub(1);
        if let Some(id) = id {
            self.tell(FromEdge::Gone(id));
        }
        let mut socket = place.socket?;
        let registry = self.parts.poll.registry();
        if let Err(error) = socket.transport.deregister(registry) {
            tracing::debug!(%error, "a socket was not being watched");
        }
        let moving = Moving {
            client: place.client,
            socket,
            answer,
            heard: self.personal.heard(),
        };
        let handover = Box::new(Handover::moving(moving));
        self.parts.edges.send(edge, ToEdge::Socket(handover));
        None
    }
}

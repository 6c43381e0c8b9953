//! What the rest of the node has to say.

use std::sync::Arc;

use guildgate_core::{
    ClientId,
    client::{Answer, Client, Input},
    hub,
};
use guildgate_model::{TokenId, UserId};
use guildgate_wire::{CloseCode, EventFrame};

use super::{
    MAIL_MAX, Shard,
    place::{Place, Socket, Standing},
    resume::Moving,
    token_of,
};
use crate::edge::{FromEdge, Handover, ToEdge, handover::Arrival};

/// Revocations remembered for clients on their way from another shard; such a way takes
/// milliseconds.
const REVOKED_MAX: usize = 1024;

impl Shard {
    pub(super) fn take_mail(&mut self) {
        self.parts.mail.look();
        for _ in 0..MAIL_MAX {
            match self.parts.mail.take() {
                Some(message) => {
                    self.on_message(message);
                    // Before a later message can let somebody else a place that it is about.
                    self.settle();
                }
                None => return,
            }
        }
    }

    fn on_message(&mut self, message: ToEdge) {
        #[cfg(test)]
        super::tests::end_if_told(&message);
        match message {
            ToEdge::Socket(handover) => self.arrive(*handover),
            ToEdge::Answer(client, answer) => self.answer(client, answer),
            ToEdge::Hub { output, received } => self.on_hub(output, received),
            ToEdge::User(user, event) => {
                for slot in self.slots_of(user) {
                    self.deliver_once(slot, &event);
                }
                self.personal.note(user, event);
            }
            ToEdge::Acknowledged(user, ids) => {
                for slot in self.slots_of(user) {
                    self.step(slot, Input::Acknowledged(&ids));
                }
            }
            ToEdge::Revoked(token) => self.revoke(token),
            ToEdge::Restore(session) => self.restore(*session),
            ToEdge::RestoredAll(told) => self.tell(FromEdge::RestoredAll(told)),
            ToEdge::Drain { window, closed } => self.begin_drain(window, closed),
            ToEdge::Finish(saved) => self.finishing = Some(saved),
        }
    }

    fn slots_of(&self, user: UserId) -> Vec<u32> {
        self.users
            .range((user, 0)..=(user, u32::MAX))
            .map(|(_, slot)| *slot)
            .collect()
    }

    /// Brings an event to a client that was not told of it otherwise.
    fn deliver_once(&mut self, slot: u32, event: &Arc<EventFrame>) {
        let was_told = self
            .places
            .at(slot)
            .is_some_and(|place| place.client.was_told(event));
        if !was_told {
            self.deliver(slot, event);
        }
    }

    fn on_hub(&mut self, output: hub::Output, received: Option<guildgate_model::Mono>) {
        match output {
            hub::Output::Connected {
                client,
                guild,
                entry: _,
                guild_json,
                user,
            } => {
                if self.places.tenant(client.slot, client.generation).is_none() {
                    // It went while the hub was letting it in.
                    self.tell(FromEdge::Left { client, guild });
                    return;
                }
                let answer = Answer::Connected {
                    guild,
                    guild_json,
                    user,
                };
                self.answer(client, answer);
            }
            hub::Output::Refused { client, refusal } => {
                self.answer(client, Answer::Refused(refusal));
            }
            hub::Output::ToClient { client, event } => {
                if self.places.tenant(client.slot, client.generation).is_some() {
                    self.deliver(client.slot, &event);
                    self.received.extend(received);
                }
            }
            hub::Output::ToGuild {
                guild,
                audience,
                event,
                edges: _,
                held_since: _,
            } => self.broadcast(guild, audience, event, received),
            // The rest is between the hub's own thread and Discord's side.
            _ => tracing::warn!("a message of the hub's came to an edge shard by mistake"),
        }
    }

    /// Takes a socket in: a new client, or one that has come to resume its session here.
    fn arrive(&mut self, Handover(arrival): Handover) {
        self.parts.stats.sockets.add(1);
        match arrival {
            Arrival::Upgraded {
                transport,
                peer,
                unread,
            } => {
                let mut socket = Socket::new(transport, peer);
                socket.keep_unread(&unread);
                self.parts.stats.accepted.add(1);
                let limits = &self.parts.config.limits;
                let mut outputs = Vec::new();
                let client = Client::open(self.now, rand::random(), limits, &mut outputs);
                if let Some(slot) = self.settle_in(client, socket) {
                    self.perform(slot, &mut outputs);
                    self.want_read(slot);
                }
            }
            Arrival::Moving(moving) => {
                let Moving {
                    client,
                    socket,
                    answer,
                    heard,
                } = *moving;
                let Some(slot) = self.settle_in(client, socket) else {
                    return;
                };
                self.tell_revoked(slot, &answer);
                let user = match &answer {
                    Answer::Full { user, .. } => Some(*user),
                    _ => None,
                };
                if let Some(answer) = self.go_resume(slot, answer) {
                    self.answer_here(slot, answer);
                    // It was on no shard when these were told.
                    for event in self.personal.after(heard, user) {
                        self.deliver_once(slot, &event);
                    }
                }
            }
        }
    }

    /// Gives a client and its socket a place, unless the node is going away.
    pub(super) fn settle_in(&mut self, client: Client, mut socket: Socket) -> Option<u32> {
        if self.draining.is_some() {
            let code = CloseCode::GoingAway;
            self.parts.stats.count_close(code);
            self.linger(socket, Some(code.number()), code.reason());
            return None;
        }
        socket.queued = false;
        let deadline = client.deadline();
        let (slot, generation) = self.places.insert(Place::new(client, socket));
        self.parts.stats.clients.add(1);
        self.watch(slot, generation);
        if let Some(deadline) = deadline {
            self.wheel.schedule(slot, deadline);
        }
        Some(slot)
    }

    fn watch(&mut self, slot: u32, generation: u16) {
        let registry = self.parts.poll.registry();
        let token = token_of(slot, generation);
        let socket = self.places.at(slot).and_then(|place| place.socket.as_mut());
        let watched = socket.map(|socket| socket.transport.register(registry, token));
        if let Some(Err(error)) = watched {
            tracing::warn!(%error, "a socket cannot be watched, and is dropped");
            self.aftermath.push(super::Aftermath::Lost(slot));
        }
    }

    fn answer(&mut self, client: ClientId, answer: Answer) {
        let ClientId {
            slot, generation, ..
        } = client;
        if self.places.tenant(slot, generation).is_none() {
            return;
        }
        if let Some(answer) = self.go_resume(slot, answer) {
            self.answer_here(slot, answer);
        }
    }

    /// Feeds an answer to a client of this shard, and listens to it again.
    pub(super) fn answer_here(&mut self, slot: u32, mut answer: Answer) {
        let lets_in = matches!(answer, Answer::Basic | Answer::Full { .. });
        if let Answer::Full { session, .. } = &mut answer {
            // A session is found by the shard it lives on.
            session.edge = self.parts.number;
        }
        self.catch_up(slot);
        self.step(slot, Input::Answer(answer));
        if lets_in
            && self
                .places
                .at(slot)
                .is_some_and(|place| place.socket.is_some())
        {
            self.list(slot);
        }
        self.want_read(slot);
    }

    /// Tells those whom a revocation concerns: sessions by that token, and whoever is not let in
    /// yet. The others' machines are left alone, for tokens are revoked by the thousand.
    pub(super) fn revoke(&mut self, token: TokenId) {
        if self.revoked.len() == REVOKED_MAX {
            self.revoked.pop_front();
        }
        self.revoked.push_back(token);
        for slot in 0..self.places.slots() {
            let concerned = self.places.at(slot).is_some_and(|place| {
                place.standing == Standing::Stranger || place.client.token() == Some(token)
            });
            if concerned {
                self.step(slot, Input::Revoked(token));
            }
        }
    }

    /// Tells a client that came from another shard of a revocation it may have missed on its
    /// way.
    fn tell_revoked(&mut self, slot: u32, answer: &Answer) {
        if let Answer::Full { token, .. } = answer
            && self.revoked.contains(token)
        {
            self.step(slot, Input::Revoked(*token));
        }
    }
}

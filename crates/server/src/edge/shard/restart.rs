//! Sessions on their way from one process to the next.
//!
//! While a shard drains, its sessions lose their sockets and hear what is said all the same. At
//! its end they go out with all that they were told; in the next process they take the same
//! shard's places again, before any client dials.

use guildgate_core::client::{Client, SavedSession};

use super::{Shard, place::Place};
use crate::edge::FromEdge;

impl Shard {
    /// The sessions that another process may go on with, up to the last thing said to them.
    pub(super) fn save_sessions(&mut self) -> Vec<SavedSession> {
        let slots = 0..self.places.slots();
        for slot in slots.clone() {
            self.catch_up(slot);
        }
        self.settle();
        slots
            .filter_map(|slot| self.places.at(slot)?.client.save())
            .collect()
    }

    /// Gives a session of an earlier process a place, and its seat on its guild.
    pub(super) fn restore(&mut self, session: SavedSession) {
        let limits = &self.parts.config.limits;
        let client = Client::restore(self.now, rand::random(), limits, session);
        let (guild, user, deadline) = (client.guild(), client.user(), client.deadline());
        let (slot, _) = self.places.insert(Place::without_socket(client));
        self.parts.stats.clients.add(1);
        if let Some(deadline) = deadline {
            self.wheel.schedule(slot, deadline);
        }
        self.list(slot);
        self.stand(slot, false);
        if let Some(place) = self.places.at(slot) {
            place.count_outbox(&self.parts.stats);
        }
        if let (Some(guild), Some(user), Some(client)) = (guild, user, self.id(slot)) {
            self.take_seat(slot, guild);
            self.tell(FromEdge::Restored {
                client,
                guild,
                user,
            });
        }
    }
}

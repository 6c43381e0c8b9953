//! One event to everybody on a guild.
//!
//! A guild has a log of events that are not yet carried to all its members, and each member a
//! cursor into it. A pass walks over the members in slices of [`SLICE`] sockets; whoever it
//! comes to gets all that is in the log by then, in one write. Members who are told something
//! else meanwhile are brought up to date first, so each sees one order. An event that everybody has
//! leaves the log at the end of a pass.
//!
//! The bytes are the same for all basic members at the same cursor, and are put together once.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use guildgate_core::hub::Audience;
use guildgate_model::{GuildId, Mono};
use guildgate_wire::EventFrame;

use super::{
    Aftermath, Shard,
    carrier::{Carrier, Shared},
    place::{Place, Seat},
};

/// Sockets written to before the shard looks at what else there is: about a millisecond.
pub(super) const SLICE: usize = 256;

/// A guild, as far as this shard's clients are on it.
#[derive(Debug, Default)]
pub(super) struct Guild {
    /// Slots, in no order.
    members: Vec<u32>,
    log: VecDeque<Entry>,
    /// The number of the log's first entry.
    base: u64,
    pass: Option<Pass>,
    /// Whether it is in the shard's list of guilds to sweep.
    queued: bool,
}

/// An event that not all members have yet.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) event: Arc<EventFrame>,
    pub(super) audience: Audience,
    received: Option<Mono>,
}

/// A walk over the members.
#[derive(Debug, Clone, Copy)]
struct Pass {
    /// Whose turn is next; everybody before has had all entries below `until`.
    next: usize,
    until: u64,
}

impl Guild {
    fn end(&self) -> u64 {
        self.base + self.log.len() as u64
    }

    fn entries_from(&self, cursor: u64) -> impl Iterator<Item = &Entry> + Clone {
        let first = cursor.saturating_sub(self.base) as usize;
        self.log.iter().skip(first)
    }
}

impl Entry {
    pub(super) fn is_for(&self, place: &Place) -> bool {
        match self.audience {
            Audience::All => true,
            Audience::Basic => place.client.user().is_none(),
        }
    }
}

impl Shard {
    /// Notes an event for a guild's members.
    pub(super) fn broadcast(
        &mut self,
        id: GuildId,
        audience: Audience,
        event: Arc<EventFrame>,
        received: Option<Mono>,
    ) {
        let Some(guild) = self.guilds.get_mut(&id) else {
            return;
        };
        self.parts.stats.broadcasts.add(1);
        guild.log.push_back(Entry {
            event,
            audience,
            received,
        });
        if !guild.queued {
            guild.queued = true;
            self.sweeping.push_back(id);
        }
    }

    /// Puts a client on a guild; what was said there before is not for it.
    pub(super) fn take_seat(&mut self, slot: u32, id: GuildId) {
        if let Some(seat) = self.places.at(slot).and_then(|place| place.seat) {
            self.leave_seat(slot, seat.guild);
        }
        let Some(place) = self.places.at(slot) else {
            return;
        };
        let guild = self.guilds.entry(id).or_default();
        place.seat = Some(Seat {
            guild: id,
            index: u32::try_from(guild.members.len()).unwrap_or(u32::MAX),
            cursor: guild.end(),
        });
        guild.members.push(slot);
    }

    /// Takes a client off a guild, if it is on it.
    pub(super) fn leave_seat(&mut self, slot: u32, id: GuildId) {
        let Some(place) = self.places.at(slot) else {
            return;
        };
        let Some(seat) = place.seat.take_if(|seat| seat.guild == id) else {
            return;
        };
        let Some(guild) = self.guilds.get_mut(&id) else {
            return;
        };
        let index = seat.index as usize;
        guild.members.swap_remove(index);
        if guild.members.is_empty() {
            self.guilds.remove(&id);
            return;
        }
        let left = guild.members.len();
        // Whoever sat last, if the pass had not come to it, moves to where the pass has been.
        let passed_over = guild
            .pass
            .is_some_and(|pass| index < pass.next && pass.next <= left);
        if let Some(pass) = &mut guild.pass {
            pass.next = pass.next.min(left);
        }
        let Some(moved) = guild.members.get(index).copied() else {
            return;
        };
        if let Some(seat) = self.places.at(moved).and_then(|place| place.seat.as_mut()) {
            seat.index = index as u32;
        }
        if passed_over {
            // The pass will not come to where it sits now.
            self.catch_up(moved);
            self.soil(moved);
        }
    }

    /// Carries the logs on, to at most `sockets_max` members.
    pub(super) fn sweep(&mut self, sockets_max: usize) {
        let mut left = sockets_max;
        let mut turns = self.sweeping.len();
        while left > 0 && turns > 0 {
            turns -= 1;
            let Some(id) = self.sweeping.pop_front() else {
                return;
            };
            // Everybody may have left, and others come, since it was put in the list.
            let Some(mut guild) = self.guilds.remove(&id) else {
                continue;
            };
            left -= self.sweep_guild(&mut guild, left);
            guild.queued = !guild.log.is_empty();
            if guild.queued {
                self.sweeping.push_back(id);
            }
            self.guilds.insert(id, guild);
        }
    }

    /// Carries one guild's log to at most `sockets_max` members; how many that were.
    fn sweep_guild(&mut self, guild: &mut Guild, sockets_max: usize) -> usize {
        let end = guild.end();
        if guild.base == end {
            return 1;
        }
        let mut pass = guild.pass.unwrap_or(Pass {
            next: 0,
            until: end,
        });
        let mut shared = std::mem::take(&mut self.shared);
        let last = guild.members.len().min(pass.next + sockets_max);
        let slice = pass.next..last.max(pass.next);
        let walked = slice.len();
        for slot in guild.members[slice].iter().copied() {
            self.carry(slot, guild, end, &mut shared);
        }
        shared.clear();
        self.shared = shared;
        pass.next = last;
        if pass.next < guild.members.len() {
            guild.pass = Some(pass);
            return walked;
        }
        guild.pass = None;
        let now = self.parts.clock.now().mono;
        for entry in guild.log.drain(..(pass.until - guild.base) as usize) {
            if let Some(received) = entry.received {
                self.parts.stats.lag.record(now.since(received));
            }
        }
        guild.base = pass.until;
        // A pass costs its clock reading even over nobody, which keeps this loop finite.
        walked.max(1)
    }

    /// Brings one member up to `end`, in one write if its socket is free.
    fn carry(&mut self, slot: u32, guild: &Guild, end: u64, shared: &mut Shared) {
        let Shard {
            places,
            encoder,
            parts,
            aftermath,
            dirty,
            ..
        } = self;
        let Some(place) = places.at(slot) else {
            return;
        };
        let Some(cursor) = place
            .seat
            .as_mut()
            .map(|seat| std::mem::replace(&mut seat.cursor, end))
        else {
            return;
        };
        if cursor >= end {
            return;
        }
        let mut carrier = Carrier {
            slot,
            limits: &parts.config.limits,
            stats: &parts.stats,
            encoder,
            aftermath,
        };
        let free = place
            .socket
            .as_ref()
            .is_some_and(|socket| !socket.blocked && socket.staged().is_empty())
            && !place.client.outbox().has_unsent();
        let entries = guild.entries_from(cursor);
        let done = catch_unwind(AssertUnwindSafe(|| {
            if !free {
                carrier.admit_all(place, entries);
                return Ok(());
            }
            if place.client.user().is_none() {
                carrier.write_shared(place, entries, cursor, shared)
            } else {
                carrier.write_own(place, entries, cursor, shared)
            }
        }));
        place.count_outbox(&parts.stats);
        match done {
            Ok(Ok(())) => {
                let staged = place
                    .socket
                    .as_ref()
                    .is_some_and(|socket| !socket.blocked && !socket.staged().is_empty());
                if staged && !place.dirty {
                    place.dirty = true;
                    dirty.push(slot);
                }
            }
            Ok(Err(error)) => {
                tracing::trace!(%error, slot, "a socket failed under a broadcast");
                aftermath.push(Aftermath::Lost(slot));
            }
            Err(_) => aftermath.push(Aftermath::Panicked(slot)),
        }
    }

    /// Puts what a client's guild was told, and the client was not, in front of what comes
    /// next.
    pub(super) fn catch_up(&mut self, slot: u32) {
        let Shard {
            places,
            guilds,
            encoder,
            parts,
            aftermath,
            ..
        } = self;
        let Some(place) = places.at(slot) else {
            return;
        };
        let Some(seat) = &mut place.seat else {
            return;
        };
        let Some(guild) = guilds.get(&seat.guild) else {
            return;
        };
        let cursor = std::mem::replace(&mut seat.cursor, guild.end());
        if cursor >= guild.end() {
            return;
        }
        let mut carrier = Carrier {
            slot,
            limits: &parts.config.limits,
            stats: &parts.stats,
            encoder,
            aftermath,
        };
        let done = catch_unwind(AssertUnwindSafe(|| {
            carrier.admit_all(place, guild.entries_from(cursor));
        }));
        place.count_outbox(&parts.stats);
        if done.is_err() {
            aftermath.push(Aftermath::Panicked(slot));
        }
        self.soil(slot);
    }

    /// Brings one event to one client, behind all that its guild was told.
    pub(super) fn deliver(&mut self, slot: u32, event: &Arc<EventFrame>) {
        self.catch_up(slot);
        let Shard {
            places,
            encoder,
            parts,
            aftermath,
            ..
        } = self;
        let Some(place) = places.at(slot) else {
            return;
        };
        let mut carrier = Carrier {
            slot,
            limits: &parts.config.limits,
            stats: &parts.stats,
            encoder,
            aftermath,
        };
        let done = catch_unwind(AssertUnwindSafe(|| carrier.admit(place, event)));
        place.count_outbox(&parts.stats);
        if done.is_err() {
            aftermath.push(Aftermath::Panicked(slot));
        }
        self.soil(slot);
    }
}

#[cfg(test)]
mod tests;

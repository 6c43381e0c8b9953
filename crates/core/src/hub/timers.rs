//! Every deadline of the hub, in one ordered structure.

use std::collections::{BTreeMap, BTreeSet};

use guildgate_model::{GuildId, Mono, UserId};

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The guild's count may be told again.
    Count(GuildId),
    /// The guild's snapshot may be told again.
    Snapshot(GuildId),
    /// The link has been down for so long that the guild is stale.
    Stale(GuildId),
    /// Requests for the guild's members: the window closes, or an answer is overdue.
    Lookups(GuildId),
    /// The guild's connected members are looked at again.
    Refresh(GuildId),
    /// Those whom an earlier process left have had their time to come back.
    Retained(GuildId),
    /// A member's time-out may have run out.
    TimeOut(GuildId, UserId),
    /// Clients have waited long enough for this user's member.
    Waiting(GuildId, UserId),
}

/// At most one deadline for each [`Timer`].
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Mono, Timer)>,
    due: BTreeMap<Timer, Mono>,
}

impl Timers {
    /// Sets `timer`, in place of an earlier setting.
    pub(super) fn set(&mut self, timer: Timer, at: Mono) {
        if let Some(before) = self.due.insert(timer, at) {
            self.queue.remove(&(before, timer));
        }
        self.queue.insert((at, timer));
    }

    /// Sets `timer` unless it is set.
    pub(super) fn set_if_clear(&mut self, timer: Timer, at: Mono) {
        if !self.due.contains_key(&timer) {
            self.set(timer, at);
        }
    }

    /// Takes `timer` back.
    pub(super) fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.due.remove(&timer) {
            self.queue.remove(&(at, timer));
        }
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Mono> {
        self.queue.first().map(|&(at, _)| at)
    }

    /// The next one that is due at `now`, taken out.
    pub(super) fn pop_due(&mut self, now: Mono) -> Option<Timer> {
        let &(at, timer) = self.queue.first()?;
        if at > now {
            return None;
        }
        self.clear(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_timer_has_one_deadline_and_they_come_in_order() {
        let at = |ms| Mono::ZERO + Duration::from_millis(ms);
        let (a, b) = (Timer::Count(GuildId(1)), Timer::Snapshot(GuildId(1)));
        let mut timers = Timers::default();
        timers.set(a, at(5));
        timers.set(b, at(3));
        timers.set(a, at(2));
        timers.set_if_clear(a, at(1));
        assert_eq!(timers.next(), Some(at(2)));
        assert_eq!(timers.pop_due(at(1)), None);
        assert_eq!(timers.pop_due(at(4)), Some(a));
        assert_eq!(timers.pop_due(at(4)), Some(b));
        assert_eq!(timers.pop_due(at(9)), None);
        timers.set(b, at(9));
        timers.clear(b);
        assert_eq!(timers.next(), None);
    }
}

//! All deadlines of a shard's clients in one timer wheel.
//!
//! A deadline that moves later, as every sign of life makes it, is not moved here: the entry
//! comes up at the old time, is found not to be due, and is put in again. Ticks are coarse, so that
//! deadlines that are near each other share one wake-up; none comes early.

use std::time::Duration;

use guildgate_model::Mono;

/// How fine deadlines are told apart.
pub const TICK: Duration = Duration::from_millis(32);

/// Ticks in one turn of the wheel, about 65 s. A deadline further away is passed over until
/// its turn.
const SPOKES: u32 = 2048;
const NOBODY: u32 = u32::MAX;

/// One entry a key at most; keys are slots of the shard's slab, so small and dense.
#[derive(Debug)]
pub struct Wheel {
    spokes: Box<[u32]>,
    entries: Vec<Entry>,
    /// The last tick that was expired.
    current: u32,
    scheduled: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    tick: u32,
    next: u32,
    /// `NOBODY` for the first of a spoke.
    previous: u32,
    /// Whether it is on a spoke at all.
    on: bool,
}

impl Wheel {
    /// An empty wheel that stands at `now`.
    #[must_use]
    pub fn new(now: Mono) -> Wheel {
        Wheel {
            spokes: vec![NOBODY; SPOKES as usize].into(),
            entries: Vec::new(),
            current: floor(now),
            scheduled: 0,
        }
    }

    /// Sees to it that `key` comes up at `at` or, if it is in already for earlier, then.
    pub fn schedule(&mut self, key: u32, at: Mono) {
        let tick = ceil(at).max(self.current + 1);
        let index = key as usize;
        if index >= self.entries.len() {
            self.entries.resize(index + 1, Entry::OFF);
        }
        if self.entries[index].on {
            if self.entries[index].tick <= tick {
                return;
            }
            self.cancel(key);
        }
        let spoke = &mut self.spokes[(tick % SPOKES) as usize];
        let next = std::mem::replace(spoke, key);
        if next != NOBODY {
            self.entries[next as usize].previous = key;
        }
        self.entries[index] = Entry {
            tick,
            next,
            previous: NOBODY,
            on: true,
        };
        self.scheduled += 1;
    }

    /// Takes `key` out, if it is in.
    pub fn cancel(&mut self, key: u32) {
        let Some(entry) = self.entries.get(key as usize).copied() else {
            return;
        };
        if !entry.on {
            return;
        }
        if entry.next != NOBODY {
            self.entries[entry.next as usize].previous = entry.previous;
        }
        if entry.previous == NOBODY {
            self.spokes[(entry.tick % SPOKES) as usize] = entry.next;
        } else {
            self.entries[entry.previous as usize].next = entry.next;
        }
        self.entries[key as usize] = Entry::OFF;
        self.scheduled -= 1;
    }

    /// Takes out every key whose time has come and appends it to `due`.
    pub fn expire(&mut self, now: Mono, due: &mut Vec<u32>) {
        let now = floor(now);
        if now <= self.current {
            return;
        }
        // After a pause of more than a turn, one turn sees every spoke.
        let first = (self.current + 1).max(now.saturating_sub(SPOKES - 1));
        self.current = now;
        for tick in first..=now {
            let mut key = self.spokes[(tick % SPOKES) as usize];
            while key != NOBODY {
                let entry = self.entries[key as usize];
                if entry.tick <= now {
                    self.cancel(key);
                    due.push(key);
                }
                key = entry.next;
            }
        }
    }

    /// When [`Wheel::expire`] should be called next; never, if nothing is in.
    #[must_use]
    pub fn next(&self) -> Option<Mono> {
        if self.scheduled == 0 {
            return None;
        }
        (self.current + 1..=self.current + SPOKES)
            .find(|tick| self.spokes[(tick % SPOKES) as usize] != NOBODY)
            .map(|tick| Mono::from_start(TICK * tick))
    }
}

impl Entry {
    const OFF: Entry = Entry {
        tick: 0,
        next: NOBODY,
        previous: NOBODY,
        on: false,
    };
}

fn floor(at: Mono) -> u32 {
    u32::try_from(at.since_start().as_millis() / TICK.as_millis()).unwrap_or(u32::MAX - SPOKES)
}

fn ceil(at: Mono) -> u32 {
    let ticks = at.since_start().as_micros().div_ceil(TICK.as_micros());
    u32::try_from(ticks).unwrap_or(u32::MAX - SPOKES)
}

#[cfg(test)]
mod tests;

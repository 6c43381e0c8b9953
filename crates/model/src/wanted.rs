//! Whom anybody wants to hear of, so that Discord's side need not read of all the others.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use crate::UserId;

/// Cells are this power of two: 256 KiB, and 4 of 100 strangers pass for wanted once 10,000
/// users are.
const CELLS_LOG: u32 = 18;

/// The users whose members are kept: a counting filter, which the guilds' owner writes and the
/// shards read.
///
/// It never says no of somebody who is wanted. Of some who are not it says yes, by the share of
/// cells in use; that costs reading one event in vain.
///
/// # What is missed
/// Until a user is wanted, events about them are dropped where they arrive, and earlier ones may
/// still be on their way. Such an event must not be believed: what followed it may have been
/// dropped. So a reader marks each event with [`WantedUsers::mark`] before it reads the next one,
/// and only one that is marked [`Wanted::since`] or later has all that follows it behind it.
#[derive(Default)]
pub struct WantedUsers {
    /// Not there until somebody is wanted.
    cells: OnceLock<Box<[AtomicU8]>>,
    wishes: AtomicU64,
}

/// How many wishes had been made at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WantedMark(u64);

impl WantedMark {
    /// Of events from where nothing is dropped: after every wish.
    pub const ALL: WantedMark = WantedMark(u64::MAX);
}

/// A user who is wanted, for as long as this is kept.
pub struct Wanted {
    by: Arc<WantedUsers>,
    user: UserId,
    since: WantedMark,
}

impl WantedUsers {
    /// Wants `user`. Every event that is decoded from here on is let through.
    #[must_use = "the user is wanted only while this is kept"]
    pub fn want(self: &Arc<WantedUsers>, user: UserId) -> Wanted {
        // Past its end a cell stays full: whoever is in it is wanted for good.
        let cell = &self.cells.get_or_init(empty)[place(user)];
        let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            count.checked_add(1)
        });
        // Whoever reads the new number reads the cell's as well.
        let before = self.wishes.fetch_add(1, Ordering::Release);
        Wanted {
            by: Arc::clone(self),
            user,
            since: WantedMark(before + 1),
        }
    }

    /// Whether `user` may be wanted.
    #[inline]
    #[must_use]
    pub fn contains(&self, user: UserId) -> bool {
        let cells = self.cells.get();
        cells.is_some_and(|cells| cells[place(user)].load(Ordering::Relaxed) > 0)
    }

    /// The wishes that everything from here on heeds.
    #[must_use]
    pub fn mark(&self) -> WantedMark {
        WantedMark(self.wishes.load(Ordering::Acquire))
    }
}

fn empty() -> Box<[AtomicU8]> {
    // By the block, since one by one takes long in a build without optimisation.
    const BLOCK: usize = 4_096;
    let blocks = (0..(1 << CELLS_LOG) / BLOCK).map(|_| [const { AtomicU8::new(0) }; BLOCK]);
    Vec::from_iter(blocks).into_flattened().into_boxed_slice()
}

/// A user's cell. The high bits of a product depend on all bits of an id, whose own are a clock
/// and a counter.
#[inline]
fn place(user: UserId) -> usize {
    let spread = user.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - CELLS_LOG);
    usize::try_from(spread).unwrap_or_default()
}

impl Wanted {
    /// What events that can be relied on are marked with, at least.
    #[must_use]
    pub fn since(&self) -> WantedMark {
        self.since
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        let Some(cells) = self.by.cells.get() else {
            return;
        };
        let cell = &cells[place(self.user)];
        let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| match count {
            0 | u8::MAX => None,
            _ => Some(count - 1),
        });
    }
}

impl fmt::Debug for WantedUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WantedUsers")
            .field("wishes", &self.wishes)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("user", &self.user)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: u64 = 281_457_010_338_758_656;

    #[test]
    fn a_user_is_wanted_as_long_as_anybody_wants_them() {
        let users = Arc::<WantedUsers>::default();
        let user = UserId(FIRST);
        assert!(!users.contains(user));
        let here = users.want(user);
        let there = users.want(user);
        drop(here);
        assert!(users.contains(user));
        drop(there);
        assert!(!users.contains(user));
    }

    #[test]
    fn a_mark_tells_what_came_before_a_wish_from_what_came_after() {
        let users = Arc::<WantedUsers>::default();
        let before = users.mark();
        let wanted = users.want(UserId(FIRST));
        assert!(before < wanted.since());
        assert!(users.mark() >= wanted.since());
        let again = users.want(UserId(FIRST));
        assert!(users.mark() >= again.since() && again.since() > wanted.since());
        assert!(WantedMark::ALL > again.since());
    }

    #[test]
    fn a_full_cell_stays_full_and_nobody_wanted_is_ever_missed() {
        let users = Arc::<WantedUsers>::default();
        let wanted: Vec<Wanted> = (0..300).map(|_| users.want(UserId(FIRST))).collect();
        drop(wanted);
        assert!(users.contains(UserId(FIRST)));
        let others = (1..5_000).map(|n| UserId(FIRST + (n << 22)));
        let kept: Vec<Wanted> = others.clone().map(|user| users.want(user)).collect();
        assert!(others.clone().all(|user| users.contains(user)));
        drop(kept);
        let left = others.filter(|&user| users.contains(user)).count();
        assert!(left <= 1, "{left} share the full cell");
    }

    /// Snowflakes of one moment, of one worker, and of years: strangers stay strangers.
    #[test]
    fn few_strangers_pass_for_wanted() {
        for step in [1, 1 << 12, 1 << 22, (1 << 22) * 86_400_000 + 4097] {
            let users = Arc::<WantedUsers>::default();
            let id = |n: u64| UserId(FIRST.wrapping_add(n.wrapping_mul(step)));
            let _kept: Vec<Wanted> = (0..10_000).map(|n| users.want(id(n))).collect();
            let passed = (10_000..30_000).filter(|&n| users.contains(id(n))).count();
            assert!(passed < 2_000, "{passed} of 20,000 at steps of {step}");
        }
    }
}

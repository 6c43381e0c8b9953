//! Time as an input. A machine is handed [`Now`]; only a driver reads a clock.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// A point on a clock that never goes back: microseconds since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(u64);

impl Mono {
    /// The beginning of the clock.
    pub const ZERO: Mono = Mono(0);

    /// The point `since_start` after the process began.
    #[must_use]
    pub fn from_start(since_start: Duration) -> Mono {
        Mono(u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX))
    }

    /// How long after the process began this is.
    #[must_use]
    pub fn since_start(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// How long after `earlier` this is; zero if it is not after.
    #[must_use]
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;

    fn add(self, later: Duration) -> Mono {
        let micros = u64::try_from(later.as_micros()).unwrap_or(u64::MAX);
        Mono(self.0.saturating_add(micros))
    }
}

impl Sub<Duration> for Mono {
    type Output = Mono;

    fn sub(self, earlier: Duration) -> Mono {
        let micros = u64::try_from(earlier.as_micros()).unwrap_or(u64::MAX);
        Mono(self.0.saturating_sub(micros))
    }
}

/// Wall-clock time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// How long after `earlier` this is; zero if it is not after.
    #[must_use]
    pub fn since(self, earlier: UnixMs) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for UnixMs {
    type Output = UnixMs;

    fn add(self, later: Duration) -> UnixMs {
        let ms = i64::try_from(later.as_millis()).unwrap_or(i64::MAX);
        UnixMs(self.0.saturating_add(ms))
    }
}

/// The two clocks at one moment.
///
/// Heartbeats and limits go by the first, which nobody can set back; token expiry, members'
/// time-outs and opening times by the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// The monotonic clock.
    pub mono: Mono,
    /// The wall clock.
    pub wall: UnixMs,
}

impl Now {
    /// The same moment `later`, on both clocks; tests and simulations step by it.
    #[must_use]
    pub fn after(self, later: Duration) -> Now {
        Now {
            mono: self.mono + later,
            wall: self.wall + later,
        }
    }

    /// When the monotonic clock will show what the wall clock shows at `wall`, unless the
    /// wall clock is set meanwhile; now if `wall` is past.
    #[must_use]
    pub fn mono_at(self, wall: UnixMs) -> Mono {
        self.mono + wall.since(self.wall)
    }
}

//! The node's clock: the only place that reads one.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use guildgate_model::{Mono, Now, UnixMs};

/// Both clocks, the monotonic one counted from when this was made.
///
/// Copies agree with each other: every thread of a node has one of the same start.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is where the clock is read")]
    pub fn start() -> Clock {
        Clock {
            start: Instant::now(),
        }
    }

    /// What both clocks show.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is where the clock is read")]
    pub fn now(&self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            mono: Mono::from_start(self.start.elapsed()),
            wall: UnixMs(since_epoch.map_or(0, |time| {
                i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
            })),
        }
    }
}

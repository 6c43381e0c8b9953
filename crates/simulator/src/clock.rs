//! The simulator's clock: the machine's, or one that moves only when told.

use std::{sync::Arc, time::Duration};

use guildgate_model::{Mono, Now, UnixMs};
use tokio::{sync::watch, time::Instant};

/// A clock. Clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System { start: Instant, wall_us: i64 },
    Stepped(Arc<watch::Sender<Now>>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Clock {
        Clock(Kind::System {
            start: Instant::now(),
            wall_us: wall_us(),
        })
    }

    /// A clock that stands at 2026-01-01T00:00:00Z until it is advanced.
    #[must_use]
    pub fn stepped() -> Clock {
        let now = Now {
            mono: Mono::from_start(Duration::from_secs(1)),
            wall: UnixMs(1_767_225_600_000),
        };
        Clock(Kind::Stepped(Arc::new(watch::Sender::new(now))))
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Now {
        match &self.0 {
            Kind::System { start, wall_us } => {
                let run = start.elapsed();
                let run_us = i64::try_from(run.as_micros()).unwrap_or(i64::MAX);
                Now {
                    mono: Mono::from_start(run + Duration::from_secs(1)),
                    wall: UnixMs((wall_us + run_us) / 1_000),
                }
            }
            Kind::Stepped(now) => *now.borrow(),
        }
    }

    /// Microseconds since 1970, for stamps on events.
    #[must_use]
    pub fn unix_us(&self) -> i64 {
        match &self.0 {
            Kind::System { start, wall_us } => {
                wall_us + i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX)
            }
            Kind::Stepped(_) => self.now().wall.0 * 1_000,
        }
    }

    /// Moves a stepped clock on; the machine's clock stays as it is.
    pub(crate) fn advance(&self, by: Duration) {
        match &self.0 {
            Kind::System { .. } => {}
            Kind::Stepped(now) => now.send_modify(|now| *now = now.after(by)),
        }
    }

    /// Waits until it shows `deadline`; a stepped clock must be advanced to it.
    pub(crate) async fn sleep_until(&self, deadline: Mono) {
        match &self.0 {
            Kind::System { .. } => {
                tokio::time::sleep(deadline.since(self.now().mono)).await;
            }
            Kind::Stepped(now) => {
                // The sender is held by `self`, so that it never ends.
                let _ = now.subscribe().wait_for(|now| now.mono >= deadline).await;
            }
        }
    }

    /// How long to wait for `deadline`; none if only an advance can bring it.
    pub(crate) fn until(&self, deadline: Mono) -> Option<Duration> {
        match &self.0 {
            Kind::System { .. } => Some(deadline.since(self.now().mono)),
            Kind::Stepped(_) => None,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the simulator reads the wall clock"
)]
fn wall_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}

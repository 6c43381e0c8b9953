//! The one place where the load generator reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now.
#[allow(clippy::disallowed_methods, reason = "this is the driver's clock")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Now, in microseconds since 1970, to compare with another process's stamps.
#[allow(clippy::disallowed_methods, reason = "this is the driver's clock")]
#[must_use]
pub fn unix_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Waits before another process is looked at, or called, again: it tells nobody when it is done.
pub fn pause() {
    pause_for(PAUSE);
}

/// The same, where it matters how long that takes.
#[allow(
    clippy::disallowed_methods,
    reason = "what is waited for is another process's state"
)]
pub fn pause_for(time: Duration) {
    std::thread::sleep(time);
}

const PAUSE: Duration = Duration::from_millis(50);

//! The one place where the load generator reads a clock.

use std::time::Instant;

/// Now.
#[allow(clippy::disallowed_methods, reason = "this is the driver's clock")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

//! The only place that reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock of the harness"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since the Unix epoch, for record timestamps.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock of the harness"
)]
pub fn unix_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}

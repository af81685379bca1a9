//! Time as input. Decisions never read a clock: the runtime hands them a [`Now`].

/// One reading of both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Wall clock, milliseconds since the Unix epoch: record timestamps, retention.
    pub wall_ms: i64,
    /// Monotonic clock, milliseconds since an arbitrary start: timeouts, deadlines.
    pub mono_ms: u64,
}

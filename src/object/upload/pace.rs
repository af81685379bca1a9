//! How hard the store may be pressed: pauses after errors, by their class, and fewer
//! requests at a time while it asks to slow down.

use thiserror::Error;

use crate::base::limits::{STORE_RETRY_MS_MAX, STORE_RETRY_MS_MIN};

/// Why a request failed, as far as it matters for the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PutError {
    /// The store has too much to do (503 SlowDown, 429).
    #[error("the store asks to slow down")]
    SlowDown,
    /// It may succeed soon: a time-out, a lost connection, an error of the server, a checksum
    /// that did not match. What it did is not known.
    #[error("the request failed")]
    Transient,
    /// It fails as long as nobody changes something: no permission, no such bucket.
    #[error("the store refuses the request")]
    Refused,
}

/// The pace of one shard's requests of one kind.
#[derive(Clone, Debug)]
pub struct Pace {
    window: usize,
    window_max: usize,
    successes: usize,
    blocked_until_ms: u64,
    seed: u64,
}

impl Pace {
    /// Up to `window_max` at a time. `seed` is for the jitter, and any number.
    pub fn new(window_max: usize, seed: u64) -> Pace {
        Pace {
            window: window_max,
            window_max,
            successes: 0,
            blocked_until_ms: 0,
            seed,
        }
    }

    /// Requests that may be under way now.
    pub fn window(&self, now_ms: u64) -> usize {
        if now_ms < self.blocked_until_ms {
            0
        } else {
            self.window
        }
    }

    /// The same once the window is open.
    pub fn open_window(&self) -> usize {
        self.window
    }

    /// When the window opens again, if it is closed.
    pub fn blocked_until_ms(&self) -> u64 {
        self.blocked_until_ms
    }

    /// A request has succeeded. As many in a row as may be under way allow one more.
    pub fn on_success(&mut self) {
        self.successes += 1;
        if self.successes >= self.window && self.window < self.window_max {
            self.window += 1;
            self.successes = 0;
        }
    }

    /// A request has failed for the `failures`th time. Gives when it may be made again.
    pub fn on_error(&mut self, now_ms: u64, error: PutError, failures: u32) -> u64 {
        self.successes = 0;
        let pause = match error {
            PutError::Refused => self.jittered(STORE_RETRY_MS_MAX),
            PutError::SlowDown | PutError::Transient => {
                let doublings = failures.saturating_sub(1).min(16);
                self.jittered((STORE_RETRY_MS_MIN << doublings).min(STORE_RETRY_MS_MAX))
            }
        };
        if error == PutError::SlowDown {
            self.window = (self.window / 2).max(1);
            self.blocked_until_ms = self.blocked_until_ms.max(now_ms + pause);
        }
        now_ms + pause
    }

    /// Between half of `pause_ms` and all of it, so that shards and hosts do not come together.
    fn jittered(&mut self, pause_ms: u64) -> u64 {
        // SplitMix64.
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.seed;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        pause_ms / 2 + (x ^ (x >> 31)) % (pause_ms / 2 + 1)
    }
}

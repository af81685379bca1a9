//! Why connections were closed that sent what cannot be read: a line each in the log. Whoever
//! sends nothing else gets the lines that are said at once, and then one for many.

use std::cell::Cell;

/// Lines that may follow each other at once.
const LINES_AT_ONCE: u64 = 10;
/// After so many milliseconds one more may be said.
const MS_PER_LINE: u64 = 1000;

/// What the sessions of one shard have complained of lately.
#[derive(Default, Debug)]
pub struct Complaints {
    /// When the last of the lines that were said would be forgotten, milliseconds.
    said_until_ms: Cell<u64>,
    unsaid: Cell<u64>,
}

impl Complaints {
    /// Takes in that there is one more. If it may be said: how many were not since the last one.
    pub fn may_say(&self, now_ms: u64) -> Option<u64> {
        let until_ms = self.said_until_ms.get().max(now_ms) + MS_PER_LINE;
        if until_ms > now_ms + LINES_AT_ONCE * MS_PER_LINE {
            self.unsaid.set(self.unsaid.get() + 1);
            return None;
        }
        self.said_until_ms.set(until_ms);
        Some(self.unsaid.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_said_each_and_a_flood_now_and_then() {
        let complaints = Complaints::default();
        for _ in 0..LINES_AT_ONCE {
            assert_eq!(complaints.may_say(5000), Some(0));
        }
        for ms in 0..999 {
            assert_eq!(complaints.may_say(5000 + ms), None);
        }
        assert_eq!(complaints.may_say(6000), Some(999));
        assert_eq!(complaints.may_say(6001), None);
        for _ in 0..LINES_AT_ONCE {
            assert!(complaints.may_say(60_000).is_some());
        }
        assert_eq!(complaints.may_say(60_000), None);
    }
}

//! Clients that hold memory others wait for and do not get on: half-sent requests that do
//! not come on, and requests that nobody wants to have answered. One look at all connections
//! now and then, instead of a timer for each read.

use std::cell::Cell;
use std::rc::Rc;

use crate::base::limits::{
    REQUEST_BYTES_PER_MS_MIN, REQUEST_MS_MAX, REQUEST_STALL_CONTENDED_MS_MAX, REQUEST_STALL_MS_MAX,
};
use crate::runtime::read_buffer::Begun;
use crate::runtime::read_pool::Share;

/// What one session does about the memory it holds.
#[derive(Default, Debug)]
pub struct Activity {
    /// The request that has begun, as the read buffer tells.
    pub begun: Rc<Cell<Option<Begun>>>,
    /// Whether the session waits for the client's bytes, and not the client for the broker.
    pub reading: Cell<bool>,
    /// How often the session has begun to wait until the client reads its responses, with
    /// requests at hand; `None` while it does not.
    pub behind: Cell<Option<u64>>,
    /// Whether responses wait for room in the socket, and not for the broker's disk.
    pub sending: Cell<bool>,
    seen: Cell<Seen>,
}

/// What the last look found, and since when.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Seen {
    held: Option<Holding>,
    began_ms: u64,
    moved_ms: u64,
    is_over: bool,
}

/// Memory held because of the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Holding {
    Begun(Begun),
    Behind(u64),
}

impl Holding {
    fn share(self) -> Share {
        match self {
            Holding::Begun(begun) => begun.share,
            Holding::Behind(_) => Share::Chunks,
        }
    }

    /// Bytes that have come; nothing is due from a client that has to read.
    fn bytes(self) -> usize {
        match self {
            Holding::Begun(begun) => begun.bytes,
            Holding::Behind(_) => 0,
        }
    }

    fn is_same(self, other: Holding) -> bool {
        match (self, other) {
            (Holding::Begun(one), Holding::Begun(two)) => one.number == two.number,
            (one, two) => one == two,
        }
    }
}

impl Activity {
    /// Looks at what the client has done since the last look. Gives why the connection must
    /// end, once. `is_short` tells whether others wait for a share.
    pub fn look(&self, now_ms: u64, is_short: impl Fn(Share) -> bool) -> Option<&'static str> {
        let begun = self.begun.get().filter(|_| self.reading.get());
        let behind = self.behind.get().filter(|_| self.sending.get());
        let held = begun.map(Holding::Begun).or(behind.map(Holding::Behind));
        let mut seen = self.seen.get();
        let is_same = matches!((held, seen.held), (Some(new), Some(old)) if new.is_same(old));
        if !is_same {
            seen.began_ms = now_ms;
        }
        if held != seen.held {
            seen.moved_ms = now_ms;
        }
        seen.held = held;
        let over = held
            .filter(|_| !seen.is_over)
            .and_then(|held| seen.why_over(now_ms, held, is_short(held.share())));
        seen.is_over |= over.is_some();
        self.seen.set(seen);
        over
    }
}

impl Seen {
    fn why_over(&self, now_ms: u64, held: Holding, is_short: bool) -> Option<&'static str> {
        let still_ms = now_ms - self.moved_ms;
        let due_ms = (held.bytes() / REQUEST_BYTES_PER_MS_MIN) as u64;
        let late_ms = (now_ms - self.began_ms).saturating_sub(due_ms);
        let is_slow = late_ms >= REQUEST_STALL_CONTENDED_MS_MAX;
        if is_short && (still_ms >= REQUEST_STALL_CONTENDED_MS_MAX || is_slow) {
            return Some("it holds up memory that others wait for");
        }
        if matches!(held, Holding::Behind(_)) {
            // Its writes have a limit of their own.
            return None;
        }
        if still_ms >= REQUEST_STALL_MS_MAX {
            return Some("a request came no further");
        }
        (late_ms >= REQUEST_MS_MAX).then_some("a request took too long to come")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(number: u64, bytes: usize) -> Begun {
        let share = Share::Requests;
        Begun {
            number,
            bytes,
            share,
        }
    }

    /// Looks every 250 ms at a client whose request has `bytes(ms)`: when it is over.
    fn over_after(is_short: bool, bytes: impl Fn(u64) -> (u64, usize)) -> Option<u64> {
        let activity = Activity::default();
        activity.reading.set(true);
        (0..200_000).step_by(250).find(|&ms| {
            let (number, bytes) = bytes(ms);
            activity.begun.set(Some(begun(number, bytes)));
            activity.look(ms, |_| is_short).is_some()
        })
    }

    #[test]
    fn a_request_that_comes_no_further_ends_the_connection() {
        assert_eq!(over_after(false, |_| (0, 5000)), Some(REQUEST_STALL_MS_MAX));
        assert_eq!(
            over_after(true, |_| (0, 5000)),
            Some(REQUEST_STALL_CONTENDED_MS_MAX)
        );
    }

    #[test]
    fn a_request_that_dribbles_ends_the_connection() {
        let dribble = |ms| (0, ms as usize / 10);
        let over = over_after(false, dribble).expect("an end");
        assert!(
            (REQUEST_MS_MAX..REQUEST_MS_MAX + 1000).contains(&over),
            "{over}"
        );
        let over = over_after(true, dribble).expect("an end");
        assert!(over <= 2 * REQUEST_STALL_CONTENDED_MS_MAX, "{over}");
    }

    #[test]
    fn who_comes_on_is_left_alone() {
        let fast = |ms| (0, ms as usize * 2 * REQUEST_BYTES_PER_MS_MIN);
        assert_eq!(over_after(true, fast), None);
        let one_after_the_other = |ms| (ms / 500, 1000);
        assert_eq!(over_after(true, one_after_the_other), None);
    }

    #[test]
    fn nobody_is_blamed_for_the_brokers_time() {
        let activity = Activity::default();
        activity.begun.set(Some(begun(0, 5000)));
        for ms in (0..200_000).step_by(250) {
            assert_eq!(activity.look(ms, |_| true), None);
        }
        activity.reading.set(true);
        assert_eq!(activity.look(200_000, |_| true), None);
    }

    #[test]
    fn a_slow_disk_is_not_the_fault_of_who_waits_for_it() {
        let activity = Activity::default();
        activity.behind.set(Some(1));
        for ms in (0..200_000).step_by(250) {
            // What the disk is through with goes out at once.
            activity.sending.set(ms % 1000 == 0);
            assert_eq!(activity.look(ms, |_| true), None);
        }
    }

    #[test]
    fn who_reads_no_responses_holds_up_nobody() {
        let activity = Activity::default();
        activity.behind.set(Some(1));
        activity.sending.set(true);
        assert_eq!(activity.look(0, |_| true), None);
        assert_eq!(activity.look(100_000, |_| false), None);
        assert!(activity.look(100_250, |_| true).is_some());
        assert_eq!(activity.look(100_500, |_| true), None, "said once");
    }
}

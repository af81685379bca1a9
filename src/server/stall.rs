//! Clients that hold memory others wait for and do not get on: half-sent requests that do
//! not come on, requests that nobody wants to have answered, and responses that nobody
//! reads. One look at all connections now and then, instead of a timer for each.

use std::cell::Cell;
use std::rc::Rc;

use crate::base::limits::{
    REQUEST_BYTES_PER_MS_MIN, REQUEST_MS_MAX, REQUEST_STALL_CONTENDED_MS_MAX, REQUEST_STALL_MS_MAX,
    SOCKET_STALL_MS_MAX,
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
    /// The responses that wait for room in the socket, and not for the broker's disk.
    pub sending: Cell<Option<Sending>>,
    /// How many responses, sent or waiting behind those, have units of the memory for responses.
    pub paid: Cell<usize>,
    /// What the last look found of each kind.
    seen: [Cell<Seen>; 3],
    is_over: Cell<bool>,
}

/// Responses on their way into the socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sending {
    /// Tells them from others.
    pub number: u64,
    /// How much of them the socket has taken.
    pub bytes: usize,
}

/// Memory that somebody waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// Of what requests are read into.
    Requests(Share),
    /// For responses.
    Responses,
}

/// What the last look found, and since when.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Seen {
    held: Option<Holding>,
    began_ms: u64,
    moved_ms: u64,
}

/// Memory held because of the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Holding {
    Begun(Begun),
    Behind(u64),
    Sending(Sending),
}

impl Holding {
    /// Bytes that have come or gone; nothing is due from a client that has to read first.
    fn bytes(self) -> usize {
        match self {
            Holding::Begun(begun) => begun.bytes,
            Holding::Behind(_) => 0,
            Holding::Sending(sending) => sending.bytes,
        }
    }

    fn is_same(self, other: Holding) -> bool {
        match (self, other) {
            (Holding::Begun(one), Holding::Begun(two)) => one.number == two.number,
            (Holding::Sending(one), Holding::Sending(two)) => one.number == two.number,
            (one, two) => one == two,
        }
    }
}

impl Activity {
    /// Looks at what the client has done since the last look. Gives why the connection must
    /// end, once. `is_short` tells whether others wait for some memory.
    pub fn look(&self, now_ms: u64, is_short: impl Fn(Wanted) -> bool) -> Option<&'static str> {
        let begun = self.begun.get().filter(|_| self.reading.get());
        let sending = self.sending.get();
        let behind = self.behind.get().filter(|_| sending.is_some());
        let paid = sending.filter(|_| self.paid.get() > 0);
        let held = [
            (
                begun.map(Holding::Begun),
                begun.map(|begun| Wanted::Requests(begun.share)),
            ),
            (
                behind.map(Holding::Behind),
                behind.map(|_| Wanted::Requests(Share::Chunks)),
            ),
            (
                sending.map(Holding::Sending),
                paid.map(|_| Wanted::Responses),
            ),
        ];
        let mut over = None;
        for ((held, wanted), seen) in held.into_iter().zip(&self.seen) {
            seen.set(seen.get().then(now_ms, held));
            let is_short = wanted.is_some_and(&is_short);
            over = over.or(seen.get().why_over(now_ms, is_short));
        }
        over.filter(|_| !self.is_over.replace(true))
    }
}

impl Seen {
    /// What is known after the next look.
    fn then(mut self, now_ms: u64, held: Option<Holding>) -> Seen {
        let is_same = matches!((held, self.held), (Some(new), Some(old)) if new.is_same(old));
        if !is_same {
            self.began_ms = now_ms;
        }
        if held != self.held {
            self.moved_ms = now_ms;
        }
        self.held = held;
        self
    }

    fn why_over(self, now_ms: u64, is_short: bool) -> Option<&'static str> {
        let held = self.held?;
        let still_ms = now_ms - self.moved_ms;
        let due_ms = (held.bytes() / REQUEST_BYTES_PER_MS_MIN) as u64;
        let late_ms = (now_ms - self.began_ms).saturating_sub(due_ms);
        let is_slow = late_ms >= REQUEST_STALL_CONTENDED_MS_MAX;
        if is_short && (still_ms >= REQUEST_STALL_CONTENDED_MS_MAX || is_slow) {
            return Some("it holds up memory that others wait for");
        }
        match held {
            Holding::Begun(_) if still_ms >= REQUEST_STALL_MS_MAX => {
                Some("a request came no further")
            }
            Holding::Begun(_) if late_ms >= REQUEST_MS_MAX => {
                Some("a request took too long to come")
            }
            Holding::Sending(_) if still_ms >= SOCKET_STALL_MS_MAX => {
                Some("it takes none of its responses")
            }
            _ => None,
        }
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
            activity.paid.set(1);
            activity
                .sending
                .set((ms % 1000 == 0).then_some(sending(ms, 0)));
            assert_eq!(activity.look(ms, |_| true), None);
        }
    }

    #[test]
    fn who_reads_no_responses_holds_up_nobody() {
        for behind in [None, Some(1)] {
            let activity = Activity::default();
            activity.behind.set(behind);
            activity.paid.set(usize::from(behind.is_none()));
            activity.sending.set(Some(sending(0, 0)));
            let wanted = match behind {
                Some(_) => Wanted::Requests(Share::Chunks),
                None => Wanted::Responses,
            };
            assert_eq!(activity.look(0, |_| true), None);
            assert_eq!(activity.look(10_000, |_| false), None);
            assert_eq!(activity.look(10_000, |other| other != wanted), None);
            assert!(activity.look(10_250, |short| short == wanted).is_some());
            assert_eq!(activity.look(10_500, |_| true), None, "said once");
        }
    }

    fn sending(number: u64, bytes: usize) -> Sending {
        Sending { number, bytes }
    }

    /// Looks every 250 ms at a client that has taken `sent(ms)`: when it is over.
    fn sent_over_after(paid: usize, is_short: bool, sent: impl Fn(u64) -> Sending) -> Option<u64> {
        let activity = Activity::default();
        activity.paid.set(paid);
        (0..200_000).step_by(250).find(|&ms| {
            activity.sending.set(Some(sent(ms)));
            activity.look(ms, |_| is_short).is_some()
        })
    }

    #[test]
    fn a_socket_that_takes_nothing_is_closed() {
        let nothing = |_| sending(0, 5000);
        let (contended, uncontended) = (REQUEST_STALL_CONTENDED_MS_MAX, SOCKET_STALL_MS_MAX);
        assert_eq!(sent_over_after(1, false, nothing), Some(uncontended));
        assert_eq!(sent_over_after(0, true, nothing), Some(uncontended));
        assert_eq!(sent_over_after(1, true, nothing), Some(contended));
        // It takes a little now and then: nobody minds, unless others wait.
        let little = |ms| sending(0, ms as usize / 50_000);
        assert_eq!(sent_over_after(1, false, little), None);
        let over = sent_over_after(1, true, little).expect("an end");
        assert!(over <= 2 * contended, "{over}");
    }

    #[test]
    fn who_takes_its_responses_is_left_alone() {
        let fast = |ms| sending(0, ms as usize * 2 * REQUEST_BYTES_PER_MS_MIN);
        assert_eq!(sent_over_after(1, true, fast), None);
        let one_after_the_other = |ms| sending(ms / 500, 0);
        assert_eq!(sent_over_after(1, true, one_after_the_other), None);
    }
}

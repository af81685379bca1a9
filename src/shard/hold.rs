//! How long a request is held back when the WAL has no room for it, and what it is told
//! in the end. The driver waits; when and for how long is decided here.

use super::append::Blocked;
use super::request::ProduceResult;
use super::state::Shard;
use crate::base::Now;
use crate::base::mark::mark;
use crate::kafka::ErrorCode;

/// Longest that a request is held back when the disk budget is used up, milliseconds;
/// then it is told to try again.
const FULL_WAIT_MS_MAX: u64 = 5000;

/// What to do with a request for which there was no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// Try again when a write has ended, or after a moment if none is under way.
    Disk,
    /// Try again after a moment: what makes room takes its time.
    Room,
    /// Tell the client to try again.
    Refuse,
}

/// One request's patience.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    full_ms: u64,
    deadline: Option<u64>,
    /// Whether a disk that is merely behind wears the patience out as well.
    counts_busy: bool,
}

impl Hold {
    /// A client's own produce request, which it waits `timeout_ms` for.
    pub fn produce(timeout_ms: i32) -> Hold {
        let full_ms = u64::try_from(timeout_ms).unwrap_or(0).min(FULL_WAIT_MS_MAX);
        Hold {
            full_ms,
            deadline: None,
            counts_busy: false,
        }
    }

    /// A batch that another shard forwarded. A full disk is told at once: waiting would hold
    /// up every other batch that was forwarded after it.
    pub fn forwarded() -> Hold {
        Hold::produce(0)
    }

    /// A deletion. It is what makes room, so it waits for the disk longer than a producer may.
    pub fn deletion(now: Now) -> Hold {
        Hold {
            full_ms: FULL_WAIT_MS_MAX,
            deadline: Some(now.mono_ms + FULL_WAIT_MS_MAX),
            counts_busy: true,
        }
    }

    /// A request to a group's coordinator (Kafka: `offsets.commit.timeout.ms`).
    pub fn coordinator(now: Now) -> Hold {
        Hold::deletion(now)
    }

    /// There was no room once more.
    pub fn next(&mut self, now: Now, blocked: Blocked) -> Wait {
        let busy = match (blocked, self.counts_busy) {
            (Blocked::Busy, false) => return Wait::Disk,
            (Blocked::Busy, true) | (Blocked::Full, true) => true,
            (Blocked::Full, false) => false,
        };
        let deadline = *self.deadline.get_or_insert(now.mono_ms + self.full_ms);
        match now.mono_ms >= deadline {
            true => {
                mark!("shard.hold.refused");
                Wait::Refuse
            }
            false if busy => Wait::Disk,
            false => Wait::Room,
        }
    }
}

impl Shard {
    /// What a producer is told whose batch found no room.
    pub fn no_room(&self) -> ProduceResult {
        let message = if self.is_index_full() {
            "the memory for the index of batches is used up; raise --memory, shorten retention, or produce larger batches"
        } else {
            "the WAL disk budget is used up; raise --wal-disk, or shorten retention"
        };
        ProduceResult {
            message: Some(message.into()),
            ..ProduceResult::error(ErrorCode::KAFKA_STORAGE_ERROR)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now {
            wall_ms: 0,
            mono_ms,
        }
    }

    #[test]
    fn a_producer_waits_for_the_disk_and_for_room_only_until_its_timeout() {
        let mut hold = Hold::produce(100);
        assert_eq!(hold.next(at(0), Blocked::Busy), Wait::Disk);
        assert_eq!(hold.next(at(1000), Blocked::Full), Wait::Room);
        assert_eq!(hold.next(at(1099), Blocked::Full), Wait::Room);
        assert_eq!(hold.next(at(1100), Blocked::Busy), Wait::Disk);
        assert_eq!(hold.next(at(1100), Blocked::Full), Wait::Refuse);
        let mut endless = Hold::produce(i32::MAX);
        assert_eq!(endless.next(at(0), Blocked::Full), Wait::Room);
        assert_eq!(endless.next(at(5000), Blocked::Full), Wait::Refuse);
    }

    #[test]
    fn what_was_forwarded_never_waits_for_room() {
        let mut hold = Hold::forwarded();
        assert_eq!(hold.next(at(7), Blocked::Busy), Wait::Disk);
        assert_eq!(hold.next(at(7), Blocked::Full), Wait::Refuse);
        assert_eq!(Hold::produce(-1).next(at(7), Blocked::Full), Wait::Refuse);
    }

    #[test]
    fn a_deletion_has_one_deadline_whatever_it_waits_for() {
        let mut hold = Hold::deletion(at(10));
        assert_eq!(hold.next(at(10), Blocked::Full), Wait::Disk);
        assert_eq!(hold.next(at(5009), Blocked::Busy), Wait::Disk);
        assert_eq!(hold.next(at(5010), Blocked::Busy), Wait::Refuse);
    }
}

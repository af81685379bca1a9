//! When something becomes due, for all groups of a coordinator in one ordered set. A session is
//! prolonged without touching the set: its entry comes up at the old time, finds a later one and
//! is put back. So a heartbeat costs nothing here, and each member one move per session timeout.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::consumer::Timer;

/// What becomes due.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Due {
    /// A rebalance of the group has waited long enough for members to join.
    Join(Arc<str>),
    /// Members had long enough to ask for their assignment in this generation of the group.
    Sync(Arc<str>, i32),
    /// A member's session, or the time that a member has to come with its new id.
    Session(Arc<str>, Arc<str>),
    /// Something of a group whose coordinator assigns.
    Consumer(Arc<str>, Timer),
    /// It is time to look for expired offsets.
    Expiry,
}

/// The set.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    entries: BTreeSet<(u64, Due)>,
    /// How often an entry was put in; a test counts.
    #[cfg(test)]
    pub(super) insertions: u64,
}

impl Deadlines {
    /// `due` comes up at `at`, on the monotonic clock, milliseconds.
    pub(super) fn insert(&mut self, at: u64, due: Due) {
        self.entries.insert((at, due));
        #[cfg(test)]
        {
            self.insertions += 1;
        }
    }

    /// `due` does not come up any more.
    pub(super) fn remove(&mut self, at: u64, due: Due) {
        self.entries.remove(&(at, due));
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<u64> {
        self.entries.first().map(|(at, _)| *at)
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes the earliest that is due.
    pub(super) fn pop(&mut self, now: u64) -> Option<Due> {
        if self.next()? > now {
            return None;
        }
        self.entries.pop_first().map(|(_, due)| due)
    }
}

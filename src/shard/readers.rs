//! Consumers that are far behind: where each is expected next, and what was read ahead
//! for it. A consumer that continues where an earlier read ended is sequential, and
//! while its response is being sent the next range is read from the WAL. What is read
//! ahead has a part of the shard's memory of its own: reads that a consumer waits for
//! never wait for it, and it never makes way for other guesses, so that many readers
//! do not throw away each other's. It goes when it is used, when nobody came for it
//! in time, or with its partition.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use crate::base::TopicPartition;
use crate::base::limits::{COLD_READER_IDLE_MS, COLD_READERS_MAX, READS_AHEAD_MAX};
use crate::partition::Piece;

/// Where a consumer is expected to read on.
pub type Place = (TopicPartition, i64);

/// One read ahead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ReadAheadId(u64);

/// The places of one shard.
#[derive(Debug)]
pub struct ColdReaders {
    places: BTreeMap<Place, Expected>,
    /// Places to read ahead for, oldest first; some may have changed since.
    wanted: VecDeque<Place>,
    under_way: BTreeSet<ReadAheadId>,
    next_id: u64,
    /// Memory of what is being read ahead, and of what was.
    bytes: usize,
    bytes_max: usize,
}

/// What is expected at one place.
#[derive(Debug)]
struct Expected {
    /// Consumers that stand here.
    readers: u32,
    /// When one came last, or its data.
    since_ms: u64,
    ahead: Ahead,
}

#[derive(Debug)]
enum Ahead {
    /// Nothing: who came here may not be a sequential reader.
    Nothing,
    /// To be read, up to so many bytes.
    Wanted(usize),
    Reading(ReadAheadId),
    Ready(Run),
}

/// Batches read ahead, without a gap, each with the offset of its first record.
type Run = VecDeque<(i64, Bytes)>;

impl ColdReaders {
    /// Nobody is expected; `bytes_max` is the memory for what is read ahead.
    pub fn new(bytes_max: usize) -> ColdReaders {
        ColdReaders {
            places: BTreeMap::new(),
            wanted: VecDeque::new(),
            under_way: BTreeSet::new(),
            next_id: 0,
            bytes: 0,
            bytes_max,
        }
    }

    /// A consumer reads `pieces` from `place` on. What was read ahead takes the place of
    /// what is still to be read. Whether the consumer was expected.
    pub fn arrive(&mut self, place: Place, pieces: &mut [Piece]) -> bool {
        let Some(expected) = self.places.get_mut(&place) else {
            return false;
        };
        expected.readers = expected.readers.saturating_sub(1);
        let is_last = expected.readers == 0;
        let Ahead::Ready(run) = &mut expected.ahead else {
            if is_last {
                self.places.remove(&place);
            }
            return true;
        };
        let used = fill_in(pieces, run);
        if is_last {
            let rest = run.split_off(used);
            let since_ms = expected.since_ms;
            self.bytes -= run_bytes(run);
            self.places.remove(&place);
            self.keep_rest(place.0, since_ms, rest);
        }
        true
    }

    /// What a consumer with a smaller limit left: it comes for it next.
    fn keep_rest(&mut self, tp: TopicPartition, since_ms: u64, rest: Run) {
        let Some((offset, _)) = rest.front() else {
            return;
        };
        let expected = self.places.entry((tp, *offset)).or_insert(Expected {
            readers: 0,
            since_ms,
            ahead: Ahead::Nothing,
        });
        match expected.ahead {
            Ahead::Nothing | Ahead::Wanted(_) => expected.ahead = Ahead::Ready(rest),
            Ahead::Reading(_) | Ahead::Ready(_) => self.bytes -= run_bytes(&rest),
        }
    }

    /// A consumer will go on at `place`; `bytes_max` is what it may ask for there. Only for
    /// a sequential one is anything read ahead.
    pub fn expect(&mut self, mono_ms: u64, place: Place, sequential: bool, bytes_max: usize) {
        if self.places.len() >= COLD_READERS_MAX && !self.places.contains_key(&place) {
            return;
        }
        let expected = self.places.entry(place).or_insert(Expected {
            readers: 0,
            since_ms: mono_ms,
            ahead: Ahead::Nothing,
        });
        expected.readers += 1;
        expected.since_ms = mono_ms;
        if sequential && matches!(expected.ahead, Ahead::Nothing) {
            expected.ahead = Ahead::Wanted(bytes_max);
            self.wanted.push_back(place);
        }
    }

    /// Whether what a consumer wants at `place` is being read ahead at this moment.
    pub fn is_being_read(&self, place: Place) -> bool {
        let expected = self.places.get(&place);
        expected.is_some_and(|expected| matches!(expected.ahead, Ahead::Reading(_)))
    }

    /// Whether anything is being read ahead.
    pub fn is_reading(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Memory that one more read ahead may take; none while enough are under way.
    pub fn room(&self) -> usize {
        if self.under_way.len() >= READS_AHEAD_MAX {
            return 0;
        }
        self.bytes_max - self.bytes
    }

    /// The next place to read ahead for, with the most bytes that may be asked for there.
    pub fn next_wanted(&mut self) -> Option<(Place, usize)> {
        while let Some(place) = self.wanted.pop_front() {
            if let Some(expected) = self.places.get_mut(&place)
                && let Ahead::Wanted(bytes_max) = expected.ahead
            {
                expected.ahead = Ahead::Nothing;
                return Some((place, bytes_max));
            }
        }
        None
    }

    /// What [`ColdReaders::next_wanted`] gave comes first the next time.
    pub fn put_back(&mut self, place: Place, bytes_max: usize) {
        if let Some(expected) = self.places.get_mut(&place) {
            expected.ahead = Ahead::Wanted(bytes_max);
            self.wanted.push_front(place);
        }
    }

    /// A read ahead for `places` begins, which takes `bytes` of memory.
    pub fn begin(&mut self, places: &[Place], bytes: usize) -> ReadAheadId {
        self.next_id += 1;
        let id = ReadAheadId(self.next_id);
        self.under_way.insert(id);
        self.bytes += bytes;
        for place in places {
            if let Some(expected) = self.places.get_mut(place) {
                expected.ahead = Ahead::Reading(id);
            }
        }
        id
    }

    /// The read ahead `id` has ended; the memory that it took is free but for `runs`.
    pub fn end(
        &mut self,
        mono_ms: u64,
        id: ReadAheadId,
        bytes: usize,
        runs: impl IntoIterator<Item = (Place, Run)>,
    ) {
        self.under_way.remove(&id);
        self.bytes -= bytes;
        for (place, run) in runs {
            let expected = self.places.get_mut(&place);
            let Some(expected) =
                expected.filter(|e| matches!(e.ahead, Ahead::Reading(of) if of == id))
            else {
                continue;
            };
            expected.since_ms = mono_ms;
            expected.ahead = Ahead::Nothing;
            if !run.is_empty() {
                self.bytes += run_bytes(&run);
                expected.ahead = Ahead::Ready(run);
            }
        }
    }

    /// Forgets who did not come in time.
    pub fn expire(&mut self, mono_ms: u64) {
        let bytes = &mut self.bytes;
        self.places.retain(|_, expected| {
            let idle_ms = mono_ms.saturating_sub(expected.since_ms);
            let stays =
                idle_ms < COLD_READER_IDLE_MS || matches!(expected.ahead, Ahead::Reading(_));
            if !stays {
                *bytes -= expected.ahead_bytes();
            }
            stays
        });
        self.wanted.retain(|place| self.places.contains_key(place));
    }

    /// Forgets everything about a partition that is no more.
    pub fn forget(&mut self, tp: TopicPartition) {
        let places = self.places.range((tp, i64::MIN)..=(tp, i64::MAX));
        let places: Vec<Place> = places.map(|(place, _)| *place).collect();
        for place in places {
            if let Some(expected) = self.places.remove(&place) {
                self.bytes -= expected.ahead_bytes();
            }
        }
    }

    /// Memory in use.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Expected {
    fn ahead_bytes(&self) -> usize {
        match &self.ahead {
            Ahead::Ready(run) => run_bytes(run),
            _ => 0,
        }
    }
}

fn run_bytes(run: &Run) -> usize {
    run.iter().map(|(_, bytes)| bytes.len()).sum()
}

/// Puts the batches of `run` where `pieces` name them. How many were used.
fn fill_in(pieces: &mut [Piece], run: &Run) -> usize {
    let mut used = 0;
    for (piece, (offset, bytes)) in pieces.iter_mut().zip(run) {
        match piece {
            Piece::Cold(read) if read.base_offset == *offset => {
                *piece = Piece::Tail(bytes.clone());
                used += 1;
            }
            _ => break,
        }
    }
    used
}

#[cfg(test)]
mod tests;

//! Which ranges of the WAL to read before a consumer asks for them, and what comes of it.

use bytes::Bytes;

use super::readers::{Place, ReadAheadId};
use super::request::FetchRead;
use super::state::Shard;
use crate::base::Now;
use crate::base::limits::{
    COLD_READ_BYTES_MAX, COLD_READ_GAP_BYTES_MAX, READ_AHEAD_BYTES_MAX, READ_AHEAD_DISK_READS_MAX,
    READ_AHEAD_PIECES_MAX,
};
use crate::partition::{ColdRead, Piece, group_cold};

/// Batches to read before they are asked for, as the consumers of one fetch or of several
/// will want them next: neighbours on disk though of several partitions.
#[derive(Debug)]
pub struct ReadAhead {
    id: ReadAheadId,
    draft: Draft,
    bytes: usize,
}

impl ReadAhead {
    /// The batches. Their segments stay as they are until [`Shard::on_read_ahead`].
    pub fn reads(&self) -> &[ColdRead] {
        &self.draft.reads
    }

    /// How many of the batches, in turn, belong together.
    pub fn run_lens(&self) -> impl Iterator<Item = usize> + '_ {
        self.draft.lens.iter().copied()
    }
}

/// A read ahead in the making.
#[derive(Default, Debug)]
struct Draft {
    places: Vec<Place>,
    /// How many reads are for each place.
    lens: Vec<usize>,
    reads: Vec<ColdRead>,
}

impl Draft {
    /// Memory needed for these reads in addition to those there are: of all disk reads, and of
    /// what is kept of them. `None` if they are too many.
    fn bytes_with(&self, more: &[ColdRead]) -> Option<usize> {
        let mut reads: Vec<ColdRead> = self.reads.iter().chain(more).copied().collect();
        if reads.len() > READ_AHEAD_PIECES_MAX {
            return None;
        }
        reads.sort_by_key(|read| read.position);
        let groups = group_cold(&reads, COLD_READ_GAP_BYTES_MAX, COLD_READ_BYTES_MAX);
        if groups.len() > READ_AHEAD_DISK_READS_MAX {
            return None;
        }
        let disk: usize = groups.iter().map(|group| group.len as usize).sum();
        let kept: usize = reads.iter().map(|read| read.len as usize).sum();
        Some(disk + kept)
    }

    fn fits(&self, more: &[ColdRead], room: usize) -> bool {
        self.bytes_with(more).is_some_and(|bytes| bytes <= room)
    }

    fn add(&mut self, place: Place, reads: &[ColdRead]) {
        self.places.push(place);
        self.lens.push(reads.len());
        self.reads.extend_from_slice(reads);
    }
}

impl Shard {
    /// Whether what this fetch wants is being read ahead at this moment: then it is worth
    /// waiting for.
    pub fn is_reading_ahead_for(&self, read: &FetchRead) -> bool {
        let mut entries = read.entries.iter();
        self.readers.is_reading()
            && entries.any(|entry| self.readers.is_being_read((entry.tp, entry.offset)))
    }

    /// The next read ahead, if there is reason and memory for one; worth asking when a response
    /// is about to be sent. Its segments are pinned.
    pub fn poll_read_ahead(&mut self) -> Option<ReadAhead> {
        let room = self.readers.room().min(READ_AHEAD_BYTES_MAX);
        let mut draft = Draft::default();
        while room > 0
            && let Some((place, bytes_max)) = self.readers.next_wanted()
        {
            let mut reads = self.plan_ahead(place, bytes_max.min(room / 2));
            if !draft.reads.is_empty() && !draft.fits(&reads, room) {
                self.readers.put_back(place, bytes_max);
                break;
            }
            if !draft.fits(&reads, room) {
                reads.truncate(longest(reads.len(), |len| {
                    draft.fits(reads.get(..len).unwrap_or_default(), room)
                }));
            }
            if !reads.is_empty() {
                draft.add(place, &reads);
            }
        }
        let bytes = draft.bytes_with(&[]).filter(|bytes| *bytes > 0)?;
        for read in &draft.reads {
            self.needs.pin(read.position.segment);
        }
        let id = self.readers.begin(&draft.places, bytes);
        Some(ReadAhead { id, draft, bytes })
    }

    /// What a consumer would read from the disk at `place`.
    fn plan_ahead(&self, (tp, offset): Place, bytes_max: usize) -> Vec<ColdRead> {
        let log = self.partitions.get(&tp).map(|held| &held.log);
        let plan = log.and_then(|log| log.plan_read(offset, bytes_max, true).ok());
        let pieces = plan.map(|plan| plan.pieces).unwrap_or_default();
        pieces
            .iter()
            .map_while(|piece| match piece {
                Piece::Cold(read) => Some(*read),
                Piece::Tail(_) => None,
            })
            .collect()
    }

    /// `ahead` was read: its batches in order, `None` for what could not be read. The consumer
    /// will find out why by itself.
    pub fn on_read_ahead(&mut self, now: Now, ahead: ReadAhead, found: Vec<Option<Bytes>>) {
        for read in &ahead.draft.reads {
            self.on_read_done(read.position.segment);
        }
        let mut found = ahead.draft.reads.iter().zip(found);
        let runs = ahead.draft.places.iter().zip(&ahead.draft.lens);
        let runs = runs.map(|(place, &len)| {
            let mut whole = true;
            let run = found.by_ref().take(len).filter_map(|(read, bytes)| {
                whole &= bytes.is_some();
                bytes
                    .filter(|_| whole)
                    .map(|bytes| (read.base_offset, bytes))
            });
            (*place, run.collect())
        });
        self.readers.end(now.mono_ms, ahead.id, ahead.bytes, runs);
    }

    /// Forgets consumers that did not come back, and what was read ahead for them.
    pub fn expire_readers(&mut self, now: Now) {
        self.readers.expire(now.mono_ms);
    }
}

/// The largest number up to `max` for which `fits` holds; it holds for all below that one.
fn longest(max: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, max);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{LogPosition, SegmentId, TopicId, TopicPartition};

    const PLACE: Place = (
        TopicPartition {
            topic: TopicId([1; 16]),
            partition: 0,
        },
        0,
    );

    /// Reads of `len` bytes each, every `step` bytes from `start` on.
    fn reads(count: usize, start: usize, step: usize, len: u32) -> Vec<ColdRead> {
        let segment = SegmentId {
            wal: 0,
            sequence: 1,
        };
        let read = |n: usize| ColdRead {
            position: LogPosition {
                segment,
                offset: (start + n * step) as u32,
            },
            len,
            base_offset: n as i64,
            last_offset: n as i64,
            leader_epoch: -1,
        };
        (0..count).map(read).collect()
    }

    #[test]
    fn memory_is_that_of_all_that_is_read_and_of_what_is_kept() {
        const FAR: usize = COLD_READ_GAP_BYTES_MAX as usize + 101;
        // Count, step and size of one partition's batches; of another's behind the first of
        // them; the memory needed.
        let table = [
            ((0, 0, 0), (0, 0, 0), Some(0)),
            ((4, 100, 100), (0, 0, 0), Some(800)),
            ((4, 150, 100), (0, 0, 0), Some(550 + 400)),
            // Neighbours of two partitions become one read.
            ((4, 200, 100), (4, 200, 100), Some(1600)),
            // Those far apart are read alone.
            ((4, FAR, 100), (0, 0, 0), Some(800)),
            ((READ_AHEAD_DISK_READS_MAX, FAR, 100), (0, 0, 0), Some(6400)),
            ((READ_AHEAD_DISK_READS_MAX + 1, FAR, 100), (0, 0, 0), None),
            ((READ_AHEAD_PIECES_MAX + 1, 100, 100), (0, 0, 0), None),
        ];
        for (one, other, expected) in table {
            let (count, step, len) = one;
            let mut draft = Draft::default();
            draft.add(PLACE, &reads(count, 0, step, len));
            let (count, step, len) = other;
            let more = reads(count, 100, step, len);
            assert_eq!(draft.bytes_with(&more), expected, "{one:?} {other:?}");
            if let Some(bytes) = expected {
                assert!(draft.fits(&more, bytes));
                assert!(bytes == 0 || !draft.fits(&more, bytes - 1));
            }
        }
    }

    #[test]
    fn as_much_as_fits() {
        for max in 0..20 {
            for limit in 0..25 {
                assert_eq!(longest(max, |n| n <= limit), limit.min(max));
            }
        }
    }
}

//! Where each durable batch lies: sixteen bytes per batch, in chunks that carry
//! what their batches share. Lookups search the chunks first; the front goes
//! away chunk by chunk as the log start advances.

use std::collections::VecDeque;

use crate::base::{LogPosition, SegmentId};

use super::chunk::{Chunk, Slot};

/// The durable batches of one partition, contiguous in offsets.
#[derive(Clone, Default, Debug)]
pub(super) struct Index {
    chunks: VecDeque<Chunk>,
    /// Slots at the front of the first chunk that are gone already.
    dropped: usize,
    /// Offset after the last batch; meaningful only if there is one.
    end: i64,
    /// Sizes of all batches together.
    batch_bytes: u64,
    /// Slots in all chunks.
    slots: usize,
}

/// One durable batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct IndexEntry {
    pub(super) base_offset: i64,
    pub(super) last_offset: i64,
    /// Milliseconds, -1 for none.
    pub(super) max_timestamp: i64,
    pub(super) position: LogPosition,
    pub(super) len: u32,
}

/// Live batches of one stretch of the index that lies in one segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stretch {
    pub(super) segment: SegmentId,
    pub(super) batches: u64,
    pub(super) bytes: u64,
}

/// A place in the index: chunk and slot.
type Cursor = (usize, usize);

impl Index {
    /// Adds the next batch.
    pub(super) fn push(&mut self, entry: IndexEntry) {
        assert!(
            self.is_empty() || entry.base_offset == self.end,
            "the index has a gap"
        );
        assert!(
            entry.last_offset >= entry.base_offset,
            "a batch without offsets"
        );
        self.end = entry.last_offset + 1;
        self.batch_bytes += u64::from(entry.len);
        self.slots += 1;
        if let Some(chunk) = self.chunks.back_mut() {
            if chunk.push(&entry) {
                return;
            }
            chunk.slots.shrink_to_fit();
        }
        self.chunks.push_back(Chunk::new(&entry));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Offset of the first batch's first record.
    pub(super) fn first_offset(&self) -> Option<i64> {
        self.entry((0, self.dropped)).map(|entry| entry.base_offset)
    }

    /// Offset after the last batch.
    pub(super) fn end(&self) -> Option<i64> {
        (!self.is_empty()).then_some(self.end)
    }

    /// Sizes of all batches together.
    pub(super) fn batch_bytes(&self) -> u64 {
        self.batch_bytes
    }

    /// Heap bytes held, about.
    pub(super) fn memory_bytes(&self) -> usize {
        // All chunks but the last are trimmed to what they hold.
        let spare = self
            .chunks
            .back()
            .map_or(0, |c| c.slots.capacity() - c.slots.len());
        self.chunks.capacity() * size_of::<Chunk>() + (self.slots + spare) * size_of::<Slot>()
    }

    /// The batch that holds `offset`, and all after it.
    pub(super) fn starting_at(&self, offset: i64) -> impl Iterator<Item = IndexEntry> {
        self.walk(self.find(offset))
    }

    /// All batches.
    pub(super) fn iter(&self) -> impl Iterator<Item = IndexEntry> {
        self.walk(Some((0, self.dropped)))
    }

    /// The first batch at or after the one holding `from_offset` whose largest
    /// timestamp is at least `timestamp`.
    pub(super) fn first_at_least(&self, timestamp: i64, from_offset: i64) -> Option<IndexEntry> {
        let (start, slot) = self.find(from_offset)?;
        (start..self.chunks.len()).find_map(|at| {
            let chunk = self.chunks.get(at)?;
            if chunk.max_timestamp < timestamp {
                return None;
            }
            let first = if at == start { slot } else { 0 };
            let slots = chunk.slots_from(first);
            let found = slots
                .iter()
                .position(|slot| chunk.timestamp(slot) >= timestamp)?;
            self.entry((at, first + found))
        })
    }

    /// The first of the batches with the largest timestamp; `None` if no batch has one.
    pub(super) fn first_of_max(&self) -> Option<IndexEntry> {
        let first = self.chunks.front()?;
        let live = first.slots_from(self.dropped).iter();
        let of_first = live.map(|slot| first.timestamp(slot)).max();
        let of_rest = self
            .chunks
            .iter()
            .skip(1)
            .map(|chunk| chunk.max_timestamp)
            .max();
        let max = of_first.max(of_rest).filter(|max| *max >= 0)?;
        self.first_at_least(max, i64::MIN)
    }

    /// Drops the batches that lie wholly below `offset`, telling each stretch.
    pub(super) fn drop_below(&mut self, offset: i64, mut on_dropped: impl FnMut(Stretch)) {
        while let Some(chunk) = self.chunks.front() {
            let chunk_end = self.chunks.get(1).map_or(self.end, |next| next.base_offset);
            let live = chunk.slots_from(self.dropped);
            let gone = if chunk_end <= offset {
                live.len()
            } else {
                // The slot before the first one that begins above `offset` holds it.
                live.partition_point(|slot| chunk.offset(slot) <= offset)
                    .saturating_sub(1)
            };
            if gone > 0 {
                let bytes = live.iter().take(gone).map(|slot| u64::from(slot.len)).sum();
                on_dropped(Stretch {
                    segment: chunk.segment,
                    batches: gone as u64,
                    bytes,
                });
                self.batch_bytes -= bytes;
            }
            if chunk_end > offset {
                self.dropped += gone;
                break;
            }
            self.slots -= chunk.slots.len();
            self.chunks.pop_front();
            self.dropped = 0;
        }
        if self.chunks.is_empty() {
            self.chunks = VecDeque::new();
        } else if self.chunks.capacity() > 4 * (self.chunks.len() + 4) {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
    }

    /// The live batches, chunk by chunk.
    pub(super) fn stretches(&self) -> impl Iterator<Item = Stretch> {
        self.chunks.iter().enumerate().map(|(at, chunk)| {
            let first = if at == 0 { self.dropped } else { 0 };
            let live = chunk.slots_from(first);
            Stretch {
                segment: chunk.segment,
                batches: live.len() as u64,
                bytes: live.iter().map(|slot| u64::from(slot.len)).sum(),
            }
        })
    }

    fn find(&self, offset: i64) -> Option<Cursor> {
        if self.is_empty() || offset >= self.end {
            return None;
        }
        let after = self
            .chunks
            .partition_point(|chunk| chunk.base_offset <= offset);
        let at = after.saturating_sub(1);
        let chunk = self.chunks.get(at)?;
        let after = chunk
            .slots
            .partition_point(|slot| chunk.offset(slot) <= offset);
        let floor = if at == 0 { self.dropped } else { 0 };
        Some((at, after.saturating_sub(1).max(floor)))
    }

    fn entry(&self, (at, slot_at): Cursor) -> Option<IndexEntry> {
        let chunk = self.chunks.get(at)?;
        let slot = chunk.slots.get(slot_at)?;
        let next = match chunk.slots.get(slot_at + 1) {
            Some(next) => chunk.offset(next),
            None => self
                .chunks
                .get(at + 1)
                .map_or(self.end, |chunk| chunk.base_offset),
        };
        Some(IndexEntry {
            base_offset: chunk.offset(slot),
            last_offset: next - 1,
            max_timestamp: chunk.timestamp(slot),
            position: LogPosition {
                segment: chunk.segment,
                offset: slot.position,
            },
            len: slot.len,
        })
    }

    fn walk(&self, mut cursor: Option<Cursor>) -> impl Iterator<Item = IndexEntry> {
        std::iter::from_fn(move || {
            let (at, slot) = cursor?;
            let entry = self.entry((at, slot))?;
            let more = self
                .chunks
                .get(at)
                .is_some_and(|chunk| slot + 1 < chunk.slots.len());
            cursor = Some(if more { (at, slot + 1) } else { (at + 1, 0) });
            Some(entry)
        })
    }
}

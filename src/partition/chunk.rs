//! A chunk of the index: what up to 256 batches of one WAL segment share, and
//! the sixteen bytes in which they differ.

use crate::base::SegmentId;
use crate::base::limits::INDEX_CHUNK_ENTRIES;

use super::index::IndexEntry;

/// Up to [`INDEX_CHUNK_ENTRIES`] batches of one segment.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) segment: SegmentId,
    pub(super) base_offset: i64,
    base_timestamp: i64,
    /// Largest of all slots, those gone included.
    pub(super) max_timestamp: i64,
    pub(super) slots: Vec<Slot>,
}

/// What is known of one batch, relative to its chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) offset_delta: u32,
    timestamp_delta: i32,
    pub(super) position: u32,
    pub(super) len: u32,
}

/// Stands for the timestamp -1 in a chunk that has others.
const NO_TIMESTAMP_DELTA: i32 = i32::MIN;

impl Chunk {
    /// Largest timestamp of `slot`, or -1.
    pub(super) fn timestamp(&self, slot: &Slot) -> i64 {
        match slot.timestamp_delta {
            NO_TIMESTAMP_DELTA => -1,
            delta => self.base_timestamp + i64::from(delta),
        }
    }

    /// Adds `entry` if it belongs in this chunk. Returns whether it does.
    pub(super) fn push(&mut self, entry: &IndexEntry) -> bool {
        let Some(slot) = self.slot_for(entry) else {
            return false;
        };
        self.slots.push(slot);
        self.max_timestamp = self.max_timestamp.max(entry.max_timestamp);
        true
    }

    /// Offset of the first record of `slot`.
    pub(super) fn offset(&self, slot: &Slot) -> i64 {
        self.base_offset + i64::from(slot.offset_delta)
    }

    /// Slots from the one at `first` on.
    pub(super) fn slots_from(&self, first: usize) -> &[Slot] {
        self.slots.get(first..).unwrap_or_default()
    }

    /// The slot for `entry`, unless it needs a chunk of its own.
    fn slot_for(&self, entry: &IndexEntry) -> Option<Slot> {
        if self.slots.len() >= INDEX_CHUNK_ENTRIES || self.segment != entry.position.segment {
            return None;
        }
        let timestamp_delta = if entry.max_timestamp == -1 {
            NO_TIMESTAMP_DELTA
        } else {
            let delta = entry.max_timestamp.checked_sub(self.base_timestamp)?;
            i32::try_from(delta)
                .ok()
                .filter(|delta| *delta != NO_TIMESTAMP_DELTA)?
        };
        let offset_delta = u32::try_from(entry.base_offset - self.base_offset).ok()?;
        Some(Slot {
            offset_delta,
            timestamp_delta,
            position: entry.position.offset,
            len: entry.len,
        })
    }

    /// A chunk that begins with `entry`.
    pub(super) fn new(entry: &IndexEntry) -> Chunk {
        let slot = Slot {
            offset_delta: 0,
            timestamp_delta: 0,
            position: entry.position.offset,
            len: entry.len,
        };
        Chunk {
            segment: entry.position.segment,
            base_offset: entry.base_offset,
            base_timestamp: entry.max_timestamp,
            max_timestamp: entry.max_timestamp,
            slots: vec![slot],
        }
    }
}

//! An extent: what the manifest remembers of a chunk, 64 bytes and 8 for each mark
//! but the first.

use crate::object::format::{ChunkEntry, ObjectHeader};
use crate::object::key::ObjectId;

/// Offsets of one partition, and where in which object they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Offset of the first record.
    pub base: i64,
    /// Offset after the last record.
    pub end: i64,
    /// The largest timestamp, milliseconds; -1 if no record has one.
    pub max_timestamp: i64,
    /// The object.
    pub object: ObjectId,
    /// The level of the object.
    pub level: u8,
    /// Where it begins in the object.
    pub position: u32,
    /// Its size in bytes.
    pub bytes: u32,
    /// Where blocks but the first begin.
    pub(super) marks: Box<[ExtentMark]>,
}

const _: () = assert!(size_of::<Extent>() <= 64);

/// Where a block begins, relative to the extent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ExtentMark {
    pub position: u32,
    pub offset_delta: u32,
}

/// Whole batches of one extent: what is read at once, or not at all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Block {
    /// The object.
    pub object: ObjectId,
    /// Where it begins in the object.
    pub position: u32,
    /// Its size in bytes.
    pub bytes: u32,
    /// Offset of its first record.
    pub base: i64,
    /// Offset after its last record.
    pub end: i64,
}

impl Extent {
    /// The extent of a chunk.
    pub fn new(header: &ObjectHeader, chunk: &ChunkEntry) -> Extent {
        let marks = chunk.marks.iter().skip(1).filter_map(|mark| {
            // One too far away in offsets is done without: its block joins the one before.
            let offset_delta = u32::try_from(mark.offset - chunk.base_offset).ok()?;
            Some(ExtentMark {
                position: mark.position,
                offset_delta,
            })
        });
        Extent {
            base: chunk.base_offset,
            end: chunk.end_offset,
            max_timestamp: chunk.max_timestamp,
            object: header.id,
            level: header.level,
            position: chunk.position,
            bytes: chunk.bytes,
            marks: marks.collect(),
        }
    }

    /// The blocks from the one with `offset` on.
    pub fn blocks_from(&self, offset: i64) -> impl Iterator<Item = Block> + '_ {
        let delta = offset.saturating_sub(self.base);
        let first = self
            .marks
            .partition_point(|mark| i64::from(mark.offset_delta) <= delta);
        (first..=self.marks.len()).map(|at| self.block(at))
    }

    /// The block that mark `at - 1` begins; block 0 begins with the extent.
    fn block(&self, at: usize) -> Block {
        let place = |at: usize| {
            self.marks
                .get(at)
                .map(|mark| (mark.position, self.base + i64::from(mark.offset_delta)))
        };
        let before = at.checked_sub(1).and_then(place);
        let (begins, base) = before.unwrap_or((0, self.base));
        let (ends, end) = place(at).unwrap_or((self.bytes, self.end));
        Block {
            object: self.object,
            position: self.position + begins,
            bytes: ends - begins,
            base,
            end,
        }
    }

    /// Heap bytes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.marks)
    }

    /// Whether its fields can be those of a chunk: they may come from anywhere.
    pub(super) fn is_possible(&self) -> bool {
        let rises = self
            .marks
            .is_sorted_by(|a, b| a.position < b.position && a.offset_delta < b.offset_delta);
        let starts = self
            .marks
            .first()
            .is_none_or(|mark| mark.position > 0 && mark.offset_delta > 0);
        let inside = self.marks.last().is_none_or(|mark| {
            mark.position < self.bytes && i64::from(mark.offset_delta) < self.end - self.base
        });
        let fits = self.position.checked_add(self.bytes).is_some();
        0 <= self.base
            && self.base < self.end
            && self.bytes > 0
            && fits
            && rises
            && starts
            && inside
    }
}

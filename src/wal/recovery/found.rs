//! What recovery ends with, and how it comes together.

use super::layout::{Range, Target};
use crate::base::mark::mark;
use crate::base::{Lsn, SegmentId};
use crate::wal::segment::SEGMENT_HEADER_BYTES;

/// What the next run starts from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// The WAL's number.
    pub wal: u16,
    /// The sequence of the next life of a file.
    pub next_sequence: u64,
    /// The LSN of the next block. Everything before it that has not been reclaimed was recovered.
    pub next_lsn: Lsn,
    /// The segments with records, or at least blocks, in LSN order.
    pub segments: Vec<RecoveredSegment>,
    /// Slots of files that hold nothing, with the size of each.
    pub free: Vec<(u32, u32)>,
    /// Slots of files that the manifest does not know: their creation, or removal, was cut short.
    pub unlisted: Vec<u32>,
    /// The files to flush (fdatasync) before the WAL is opened, and before anything recovered is
    /// shown to a client: a write that was in flight when the last run ended may still be in the
    /// memory of the disk.
    pub sync: Vec<u32>,
    /// Where the log was cut, when the last run left something behind that is void now.
    pub cut: Option<Cut>,
    /// The slots of segments with blocks whose own header is damaged: nothing is lost, but the
    /// disk is not to be trusted.
    pub damaged_headers: Vec<u32>,
    pub(super) open_lsn: Lsn,
    visited: Vec<Visited>,
}

/// A segment that holds blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecoveredSegment {
    /// The life that holds them.
    pub id: SegmentId,
    /// The slot of its file.
    pub slot: u32,
    /// Its size, as the manifest has it.
    pub file_bytes: u32,
    /// Its size on disk: more while it is being shortened.
    pub found_bytes: u32,
    /// Its first LSN.
    pub first_lsn: Lsn,
    /// One past its last LSN.
    pub end_lsn: Lsn,
    /// Bytes in use, its header included.
    pub bytes_used: u32,
    pub(in crate::wal) incarnation: u64,
}

/// Where the tail of a crash was cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The first LSN that is missing; the next run begins with it.
    pub lsn: Lsn,
    /// The slot of the file where it should have been.
    pub slot: u32,
    /// The place in that file.
    pub offset: u32,
    /// Intact blocks behind the cut: written, but never acknowledged.
    pub void_blocks: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Visited {
    segment: RecoveredSegment,
    was_open: bool,
    header_is_good: bool,
}

impl Recovered {
    /// A WAL that has never been written.
    pub fn fresh(wal: u16) -> Recovered {
        Recovered {
            wal,
            next_sequence: 1,
            next_lsn: Lsn(1),
            segments: Vec::new(),
            free: Vec::new(),
            unlisted: Vec::new(),
            sync: Vec::new(),
            cut: None,
            damaged_headers: Vec::new(),
            open_lsn: Lsn(1),
            visited: Vec::new(),
        }
    }

    /// A file begins.
    pub(super) fn begin(&mut self, wal: u16, target: &Target) {
        let segment = RecoveredSegment {
            id: SegmentId {
                wal,
                sequence: target.life.sequence,
            },
            slot: target.slot,
            file_bytes: target.file_bytes,
            found_bytes: target.found_bytes,
            first_lsn: Lsn(0),
            end_lsn: Lsn(0),
            bytes_used: SEGMENT_HEADER_BYTES as u32,
            incarnation: target.life.incarnation,
        };
        let was_open = target.range == Range::Open;
        self.visited.push(Visited {
            segment,
            was_open,
            header_is_good: true,
        });
    }

    /// The header of a file has been read.
    pub(super) fn note_header(&mut self, slot: u32, is_good: bool) {
        self.note(slot, |visited| visited.header_is_good = is_good);
    }

    /// A file holds one more block, which ends at `bytes_used`.
    pub(super) fn extend(&mut self, slot: u32, lsn: Lsn, bytes_used: u32) {
        self.note(slot, |Visited { segment, .. }| {
            if segment.first_lsn == Lsn(0) {
                segment.first_lsn = lsn;
            }
            segment.end_lsn = lsn.next();
            segment.bytes_used = bytes_used;
        });
    }

    /// Notes something of the file that began last; the others are to hold nothing.
    fn note(&mut self, slot: u32, change: impl FnOnce(&mut Visited)) {
        if let Some(visited) = self.visited.last_mut().filter(|v| v.segment.slot == slot) {
            change(visited);
        }
    }

    /// All files have been read: those with blocks are live, the others are free.
    pub(super) fn settle(&mut self) {
        for Visited {
            segment,
            was_open,
            header_is_good,
        } in std::mem::take(&mut self.visited)
        {
            if segment.first_lsn == Lsn(0) {
                mark!("wal.recovery.open-segment-without-blocks");
                self.free.push((segment.slot, segment.file_bytes));
                continue;
            }
            if was_open {
                self.sync.push(segment.slot);
            }
            if !header_is_good {
                mark!("wal.recovery.damaged-header");
                self.damaged_headers.push(segment.slot);
            }
            self.segments.push(segment);
        }
    }
}

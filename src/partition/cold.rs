//! Batches that are read from the WAL's files: which bytes, how neighbours
//! become one disk read, and whether the disk gave what was written.

use std::ops::Range;

use crate::base::mark::mark;
use crate::base::{LogPosition, SegmentId};
use crate::kafka::batch::{self, BatchHeader};

use super::index::IndexEntry;

/// One whole batch on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ColdRead {
    /// Where its first byte lies.
    pub position: LogPosition,
    /// Its size in bytes.
    pub len: u32,
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset of its last record.
    pub last_offset: i64,
    /// The leader epoch stamped on it, which no checksum of its own covers; -1 if that is not
    /// known any more.
    pub leader_epoch: i32,
}

impl ColdRead {
    /// `leader_epoch` is that of its last record: the log may begin behind its first.
    pub(super) fn new(entry: &IndexEntry, leader_epoch: i32) -> ColdRead {
        ColdRead {
            position: entry.position,
            len: entry.len,
            base_offset: entry.base_offset,
            last_offset: entry.last_offset,
            leader_epoch,
        }
    }

    /// The file offset after the last byte.
    fn end(&self) -> u64 {
        u64::from(self.position.offset) + u64::from(self.len)
    }
}

/// One range of a segment to read, which covers several batches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiskRead {
    /// The segment.
    pub segment: SegmentId,
    /// File offset of the first byte.
    pub offset: u32,
    /// Bytes to read.
    pub len: u32,
    /// Which of the [`ColdRead`]s given lie in it. Each begins at its own
    /// position minus `offset`.
    pub reads: Range<usize>,
}

/// Joins reads that lie in one segment with at most `gap_max` foreign bytes
/// between them, as long as the whole stays within `len_max` (a single batch
/// may exceed it). Order is kept and every read is in exactly one group.
pub fn group_cold(reads: &[ColdRead], gap_max: u32, len_max: u32) -> Vec<DiskRead> {
    let mut groups: Vec<DiskRead> = Vec::new();
    for (at, read) in reads.iter().enumerate() {
        if let Some(group) = groups.last_mut()
            && joins(group, read, gap_max, len_max)
        {
            group.len = (read.end() - u64::from(group.offset)) as u32;
            group.reads.end = at + 1;
            continue;
        }
        groups.push(DiskRead {
            segment: read.position.segment,
            offset: read.position.offset,
            len: read.len,
            reads: at..at + 1,
        });
    }
    groups
}

fn joins(group: &DiskRead, read: &ColdRead, gap_max: u32, len_max: u32) -> bool {
    let group_end = u64::from(group.offset) + u64::from(group.len);
    let start = u64::from(read.position.offset);
    group.segment == read.position.segment
        && start >= group_end
        && start - group_end <= u64::from(gap_max)
        && read.end() - u64::from(group.offset) <= u64::from(len_max)
}

/// Whether `bytes` are the batch that `read` asked for: right length, right
/// offsets and epoch, matching checksum. Anything else must never be served.
pub fn verify_cold(read: &ColdRead, bytes: &[u8]) -> bool {
    let Ok(header) = BatchHeader::decode(bytes) else {
        mark!("partition.cold.no-header");
        return false;
    };
    bytes.len() == read.len as usize
        && header.total_bytes() == bytes.len()
        && header.base_offset == read.base_offset
        && (header.leader_epoch == read.leader_epoch || read.leader_epoch < 0)
        && i64::from(header.last_offset_delta) == read.last_offset - read.base_offset
        && batch::crc_matches(bytes)
}

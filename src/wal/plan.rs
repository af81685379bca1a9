//! A block that is to be written: where, and how its bytes come together.

use bytes::BufMut;

use super::block::{self, BLOCK_HEADER_BYTES, BlockHeader};
use super::record::{RECORD_HEADER_BYTES, Record};
use crate::base::{Lsn, SegmentId, checksum};
use crate::kafka::batch;

const STAGE_BYTES: usize = RECORD_HEADER_BYTES + batch::HEADER_BYTES;

/// One write of one block. It owns its records, so it can be carried away and dropped as soon as
/// they are copied.
#[derive(Debug)]
pub struct BlockPlan {
    /// The block's number; report it with [`Wal::on_written`](super::Wal::on_written).
    pub lsn: Lsn,
    /// The life of the segment it goes to.
    pub segment: SegmentId,
    /// The slot of that segment's file.
    pub slot: u32,
    /// Where in the file it goes, a multiple of [`limits::WAL_ALIGN`](crate::base::limits::WAL_ALIGN).
    pub offset: u32,
    /// Bytes to write, padding included: as aligned as `offset`.
    pub bytes: usize,
    pub(super) bytes_used: usize,
    pub(super) durable: Lsn,
    pub(super) incarnation: u64,
    pub(super) records: Vec<Record>,
}

impl BlockPlan {
    /// The highest LSN that the block will claim to be durable.
    pub fn durable(&self) -> Lsn {
        self.durable
    }

    /// Number of records in the block.
    pub fn record_count(&self) -> usize {
        self.records.len()
    }

    /// Writes the block over all of `out`, padding included: the one copy of every record. The
    /// same bytes each time.
    ///
    /// # Panics
    /// When `out` is not [`bytes`](Self::bytes) long.
    pub fn copy_to(&self, out: &mut [u8]) {
        assert_eq!(out.len(), self.bytes, "a block is written whole");
        let (header, mut rest) = out.split_at_mut(BLOCK_HEADER_BYTES);
        let mut crc = block::seed(self.incarnation);
        for record in &self.records {
            // A batch's two headers are covered by the block's CRC, and its body by its own; what
            // has no CRC of its own is covered whole.
            let (stage, staged) = stage(record);
            let covered = stage.split_at(staged).0;
            crc = checksum::crc32c_append(crc, covered);
            rest.put_slice(covered);
            if record.head().is_empty() {
                crc = checksum::crc32c_append(crc, record.body());
            }
            rest.put_slice(record.body());
        }
        rest.fill(0);
        let fields = BlockHeader {
            bytes_used: self.bytes_used as u32,
            record_count: self.records.len() as u32,
            lsn: self.lsn,
            durable: self.durable,
            incarnation: self.incarnation,
            records_crc: crc,
        };
        header.copy_from_slice(&fields.encode());
    }
}

/// The record's header and its head side by side, for one copy and one CRC call over both.
fn stage(record: &Record) -> ([u8; STAGE_BYTES], usize) {
    let mut stage = [0; STAGE_BYTES];
    let mut out = stage.as_mut_slice();
    out.put_slice(&record.header().encode());
    out.put_slice(record.head());
    (stage, RECORD_HEADER_BYTES + record.head().len())
}

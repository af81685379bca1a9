//! What a fetch is answered with: a plan built here without touching a byte of
//! record data, carried out by the shard without touching the partition.

use bytes::Bytes;

use crate::base::LogPosition;
use crate::base::limits::READ_PIECES_MAX;

use super::cold::ColdRead;
use super::error::ReadError;
use super::log::Partition;

/// One whole batch of a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// In memory: shared with the WAL block it was written from, or read ahead.
    Tail(Bytes),
    /// To be read from the WAL's files.
    Cold(ColdRead),
}

impl Piece {
    /// Bytes of the batch.
    pub fn len(&self) -> usize {
        match self {
            Piece::Tail(bytes) => bytes.len(),
            Piece::Cold(read) => read.len as usize,
        }
    }

    /// Never: a batch has a header.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whole batches in offset order, what is on disk before what is in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadPlan {
    /// The batches; none if there is nothing to read yet, or nothing that fits.
    pub pieces: Vec<Piece>,
    /// Their sizes together.
    pub bytes: usize,
    /// Where in the WAL the first batch lies, if there is any.
    pub first_position: Option<LogPosition>,
    /// Offset after the last batch: where the next fetch will continue.
    pub next_offset: i64,
    /// Log start offset at the time of the plan.
    pub log_start: i64,
    /// High watermark at the time of the plan.
    pub high_watermark: i64,
    /// Last stable offset at the time of the plan.
    pub last_stable: i64,
}

impl ReadPlan {
    /// Takes `piece` if it fits, or if it is the first and must be returned
    /// whatever its size (KIP-74).
    fn take(
        &mut self,
        piece: Piece,
        position: LogPosition,
        last_offset: i64,
        bytes_max: usize,
        at_least_one: bool,
    ) -> bool {
        let bytes = self.bytes + piece.len();
        let first = at_least_one && self.pieces.is_empty();
        if (bytes > bytes_max && !first) || self.pieces.len() == READ_PIECES_MAX {
            return false;
        }
        self.first_position.get_or_insert(position);
        self.pieces.push(piece);
        self.bytes = bytes;
        self.next_offset = last_offset + 1;
        true
    }
}

impl Partition {
    /// Plans a read of whole batches from the one that holds `offset`, up to
    /// the high watermark and `bytes_max` bytes; with `at_least_one` the first
    /// batch comes whatever its size (KIP-74). At the high watermark the plan
    /// is empty.
    pub fn plan_read(
        &self,
        offset: i64,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<ReadPlan, ReadError> {
        if offset < self.log_start() || offset > self.high_watermark() {
            return Err(ReadError::OffsetOutOfRange);
        }
        let mut plan = ReadPlan {
            pieces: Vec::new(),
            bytes: 0,
            first_position: None,
            next_offset: offset,
            log_start: self.log_start(),
            high_watermark: self.high_watermark(),
            last_stable: self.last_stable(),
        };
        let tail_start = self.tail.first_offset().unwrap_or(self.high_watermark());
        if offset < tail_start {
            for entry in self.index.starting_at(offset) {
                if entry.base_offset >= tail_start {
                    break;
                }
                let piece = Piece::Cold(ColdRead::new(&entry, self.epoch_of(entry.last_offset)));
                if !plan.take(
                    piece,
                    entry.position,
                    entry.last_offset,
                    bytes_max,
                    at_least_one,
                ) {
                    return Ok(plan);
                }
            }
        }
        for batch in self.tail.starting_at(offset) {
            let piece = Piece::Tail(batch.bytes.clone());
            if !plan.take(
                piece,
                batch.position,
                batch.last_offset,
                bytes_max,
                at_least_one,
            ) {
                break;
            }
        }
        Ok(plan)
    }

    /// Whether the record at `offset` is readable and no more in memory.
    pub fn is_cold(&self, offset: i64) -> bool {
        let cold_end = self.tail.first_offset().unwrap_or(self.high_watermark());
        (self.log_start()..cold_end).contains(&offset)
    }

    /// Bytes of whole batches that a fetch at `offset` could read, counted up
    /// to the first that reaches `bytes_max`: whether a long poll has enough.
    pub fn readable_bytes(&self, offset: i64, bytes_max: u64) -> u64 {
        let mut bytes = 0;
        for entry in self.index.starting_at(offset.max(self.log_start())) {
            bytes += u64::from(entry.len);
            if bytes >= bytes_max {
                break;
            }
        }
        bytes
    }
}

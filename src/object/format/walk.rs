//! Following the batches of a chunk from header to header, whole or in pieces of any size.

use std::collections::VecDeque;

use thiserror::Error;

use super::{ChunkEntry, EpochStart, Mark};
use crate::base::TopicPartition;
use crate::base::limits::{BATCH_BYTES_MAX, OBJECT_MARK_BYTES};
use crate::kafka::batch::{BatchError, BatchHeader, HEADER_BYTES};

/// Bytes that are not the batches of one partition, back to back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum WalkError {
    /// No batch begins here.
    #[error("byte {position} of the chunk: {source}")]
    Batch {
        /// Bytes from the start of the chunk.
        position: u64,
        /// What is there.
        source: BatchError,
    },
    /// A batch whose header cannot be, or that does not follow the one before it.
    #[error("byte {position} of the chunk: a batch at offset {offset} that cannot be there")]
    Misplaced {
        /// Bytes from the start of the chunk.
        position: u64,
        /// Its first offset.
        offset: i64,
    },
}

/// The walk through one chunk. What it has seen makes the chunk's entry.
#[derive(Clone, Debug)]
pub struct BatchWalk {
    /// The bytes of the next header that are there already.
    head: Vec<u8>,
    /// Bytes of the present batch that are still to come.
    rest: usize,
    bytes: u64,
    base_offset: i64,
    end_offset: i64,
    records: u64,
    batches: u32,
    marks: Vec<Mark>,
    /// Where marks are to be, if not where the rule of new chunks has them.
    marks_at: Option<VecDeque<u32>>,
    epochs: Vec<EpochStart>,
}

impl BatchWalk {
    /// Before the first byte.
    pub fn new() -> BatchWalk {
        BatchWalk::with_marks(None)
    }

    /// Before the first byte of the chunk that `entry` tells of: what [`BatchWalk::finish`] then
    /// gives has marks in the same places, if batches begin there.
    pub fn again(entry: &ChunkEntry) -> BatchWalk {
        BatchWalk::with_marks(Some(entry.marks.iter().map(|mark| mark.position).collect()))
    }

    fn with_marks(marks_at: Option<VecDeque<u32>>) -> BatchWalk {
        BatchWalk {
            head: Vec::new(),
            rest: 0,
            bytes: 0,
            base_offset: 0,
            end_offset: 0,
            records: 0,
            batches: 0,
            marks: Vec::new(),
            marks_at,
            epochs: Vec::new(),
        }
    }

    /// Goes on through `piece`.
    ///
    /// # Errors
    /// What is wrong with the batches; the walk ends there.
    pub fn walk(&mut self, mut piece: &[u8]) -> Result<(), WalkError> {
        loop {
            let skipped = self.rest.min(piece.len());
            piece = self.take(piece, skipped).1;
            self.rest -= skipped;
            if piece.is_empty() {
                return Ok(());
            }
            let missing = HEADER_BYTES - self.head.len();
            let (head, after) = self.take(piece, missing.min(piece.len()));
            self.head.extend_from_slice(head);
            piece = after;
            if self.head.len() == HEADER_BYTES {
                self.on_header()?;
            }
        }
    }

    fn take<'a>(&mut self, piece: &'a [u8], bytes: usize) -> (&'a [u8], &'a [u8]) {
        self.bytes += bytes as u64;
        piece.split_at_checked(bytes).unwrap_or_default()
    }

    fn on_header(&mut self) -> Result<(), WalkError> {
        let position = self.bytes - HEADER_BYTES as u64;
        let header = BatchHeader::decode(&self.head)
            .map_err(|source| WalkError::Batch { position, source })?;
        self.head.clear();
        let offset = header.base_offset;
        let misplaced = WalkError::Misplaced { position, offset };
        let end = offset
            .checked_add(i64::from(header.last_offset_delta))
            .and_then(|last| last.checked_add(1));
        let end = end
            .filter(|_| header.last_offset_delta >= 0)
            .ok_or(misplaced)?;
        let follows = match self.batches {
            0 => offset >= 0,
            _ => offset == self.end_offset,
        };
        let epoch_before = self.epochs.last().map_or(0, |last| last.epoch);
        if !follows || header.leader_epoch < epoch_before || header.total_bytes() > BATCH_BYTES_MAX
        {
            return Err(misplaced);
        }
        if self.batches == 0 {
            self.base_offset = offset;
        }
        self.mark(position, offset, header.newest_timestamp());
        if self.epochs.is_empty() || header.leader_epoch > epoch_before {
            self.epochs.push(EpochStart {
                epoch: header.leader_epoch,
                offset,
            });
        }
        self.end_offset = end;
        self.batches += 1;
        self.records += u64::try_from(header.record_count).unwrap_or(0);
        self.rest = header.total_bytes() - HEADER_BYTES;
        Ok(())
    }

    fn mark(&mut self, position: u64, offset: i64, timestamp: i64) {
        // A chunk beyond u32 fits no object, which its writer finds.
        let position = position as u32;
        let begins = match (&mut self.marks_at, self.marks.last()) {
            (Some(places), _) => places.pop_front_if(|place| *place == position).is_some(),
            (None, Some(last)) => position.wrapping_sub(last.position) >= OBJECT_MARK_BYTES,
            (None, None) => true,
        };
        match self.marks.last_mut() {
            Some(last) if !begins => last.max_timestamp = last.max_timestamp.max(timestamp),
            _ => self.marks.push(Mark {
                position,
                offset,
                max_timestamp: timestamp,
            }),
        }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the last byte was the end of a batch.
    pub fn is_between_batches(&self) -> bool {
        self.rest == 0 && self.head.is_empty() && self.batches > 0
    }

    /// The entry of what was walked through. Position and state are still to be given.
    ///
    /// # Errors
    /// That the walk has not come to the end of a batch.
    pub fn finish(
        self,
        tp: TopicPartition,
        crc: u32,
        log_start: i64,
    ) -> Result<ChunkEntry, WalkError> {
        if !self.is_between_batches() {
            let source = BatchError::Truncated;
            let position = self.bytes;
            return Err(WalkError::Batch { position, source });
        }
        let max_timestamp = self.marks.iter().map(|m| m.max_timestamp).max();
        Ok(ChunkEntry {
            tp,
            position: 0,
            bytes: self.bytes as u32,
            crc,
            base_offset: self.base_offset,
            end_offset: self.end_offset,
            records: self.records,
            batches: self.batches,
            max_timestamp: max_timestamp.unwrap_or(-1),
            log_start,
            state: None,
            marks: self.marks,
            epochs: self.epochs,
        })
    }
}

impl Default for BatchWalk {
    fn default() -> Self {
        BatchWalk::new()
    }
}

//! What the footer says of one chunk: a partition's batches, back to back.

use bytes::{Buf, BufMut, TryGetError};

use super::ObjectError;
use crate::base::{TopicId, TopicPartition};
use crate::kafka::batch::HEADER_BYTES;

/// Bytes of an entry without its marks and epochs.
const ENTRY_BYTES: usize = 96;
const MARK_BYTES: usize = 20;
const EPOCH_BYTES: usize = 12;

/// One chunk of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChunkEntry {
    /// Whose records it has.
    pub tp: TopicPartition,
    /// Where it begins in the object.
    pub position: u32,
    /// Its size in bytes.
    pub bytes: u32,
    /// CRC-32C of these bytes.
    pub crc: u32,
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset after its last record.
    pub end_offset: i64,
    /// How many records it has.
    pub records: u64,
    /// How many batches.
    pub batches: u32,
    /// The largest timestamp, milliseconds; -1 if none has one.
    pub max_timestamp: i64,
    /// The partition's log start offset when the object was begun.
    pub log_start: i64,
    /// The partition's state at the end of the chunk, if the object has it.
    pub state: Option<StateEntry>,
    /// Places where batches begin, the chunk's own beginning first.
    pub marks: Vec<Mark>,
    /// The leader epochs of its batches.
    pub epochs: Vec<EpochStart>,
}

/// Where the checkpoint of a partition is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateEntry {
    /// Where it begins in the object.
    pub position: u32,
    /// Its size in bytes, not 0.
    pub bytes: u32,
    /// CRC-32C of these bytes.
    pub crc: u32,
}

/// A place in a chunk where a batch begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Bytes from the start of the chunk.
    pub position: u32,
    /// Offset of the batch's first record.
    pub offset: i64,
    /// The largest timestamp from here to the next mark, milliseconds; -1 if there is none.
    pub max_timestamp: i64,
}

/// A leader epoch, and where it begins in a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochStart {
    /// The epoch, not negative.
    pub epoch: i32,
    /// Offset of its first record in the chunk.
    pub offset: i64,
}

impl ChunkEntry {
    /// Bytes that the entry takes in a footer.
    pub(super) fn encoded_bytes(&self) -> usize {
        ENTRY_BYTES + MARK_BYTES * self.marks.len() + EPOCH_BYTES * self.epochs.len()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let state = self.state.unwrap_or(StateEntry {
            position: 0,
            bytes: 0,
            crc: 0,
        });
        out.put_slice(&self.tp.topic.0);
        out.put_i32_le(self.tp.partition);
        out.put_u32_le(self.position);
        out.put_u32_le(self.bytes);
        out.put_u32_le(self.crc);
        out.put_i64_le(self.base_offset);
        out.put_i64_le(self.end_offset);
        out.put_u64_le(self.records);
        out.put_i64_le(self.max_timestamp);
        out.put_i64_le(self.log_start);
        out.put_u32_le(self.batches);
        out.put_u32_le(state.position);
        out.put_u32_le(state.bytes);
        out.put_u32_le(state.crc);
        out.put_u32_le(self.marks.len() as u32);
        out.put_u32_le(self.epochs.len() as u32);
        for mark in &self.marks {
            out.put_u32_le(mark.position);
            out.put_i64_le(mark.offset);
            out.put_i64_le(mark.max_timestamp);
        }
        for epoch in &self.epochs {
            out.put_i32_le(epoch.epoch);
            out.put_i64_le(epoch.offset);
        }
    }

    /// Takes an entry off the front of `input`, and checks it by itself.
    pub(super) fn decode(input: &mut &[u8]) -> Result<ChunkEntry, ObjectError> {
        let entry = decode_fields(input)
            .map_err(|_| ObjectError::Contradiction("it ends within an entry"))?;
        entry.check().map_err(ObjectError::Contradiction)?;
        Ok(entry)
    }

    fn check(&self) -> Result<(), &'static str> {
        let bytes = self.bytes as usize;
        if self.base_offset < 0 || self.end_offset <= self.base_offset || self.log_start < 0 {
            return Err("impossible offsets");
        }
        if self.batches == 0 || bytes / HEADER_BYTES < self.batches as usize {
            return Err("more batches than bytes for them");
        }
        if self.state.is_some_and(|state| state.bytes == 0) {
            return Err("a state without bytes");
        }
        let first = self.marks.first().map(|m| (m.position, m.offset));
        let rises = self
            .marks
            .is_sorted_by(|a, b| a.position < b.position && a.offset < b.offset);
        let inside = self
            .marks
            .last()
            .is_some_and(|m| m.position < self.bytes && m.offset < self.end_offset);
        let newest = self.marks.iter().map(|m| m.max_timestamp).max();
        if first != Some((0, self.base_offset)) || !rises || !inside {
            return Err("marks that do not rise from the start of the chunk");
        }
        if newest != Some(self.max_timestamp) || self.max_timestamp < -1 {
            return Err("timestamps that differ from the marks'");
        }
        let first = self.epochs.first().map(|e| (e.offset, e.epoch >= 0));
        let rises = self
            .epochs
            .is_sorted_by(|a, b| a.epoch < b.epoch && a.offset < b.offset);
        let inside = self
            .epochs
            .last()
            .is_some_and(|e| e.offset < self.end_offset);
        if first != Some((self.base_offset, true)) || !rises || !inside {
            return Err("leader epochs that do not rise from the start of the chunk");
        }
        Ok(())
    }
}

/// Nothing is allocated by a count: what is pushed has been there as bytes.
fn decode_fields(input: &mut &[u8]) -> Result<ChunkEntry, TryGetError> {
    let mut topic = TopicId::ZERO;
    input.try_copy_to_slice(&mut topic.0)?;
    let partition = input.try_get_i32_le()?;
    let tp = TopicPartition { topic, partition };
    let (position, bytes, crc) = (
        input.try_get_u32_le()?,
        input.try_get_u32_le()?,
        input.try_get_u32_le()?,
    );
    let (base_offset, end_offset) = (input.try_get_i64_le()?, input.try_get_i64_le()?);
    let records = input.try_get_u64_le()?;
    let (max_timestamp, log_start) = (input.try_get_i64_le()?, input.try_get_i64_le()?);
    let batches = input.try_get_u32_le()?;
    let state = StateEntry {
        position: input.try_get_u32_le()?,
        bytes: input.try_get_u32_le()?,
        crc: input.try_get_u32_le()?,
    };
    let (mark_count, epoch_count) = (input.try_get_u32_le()?, input.try_get_u32_le()?);
    let mut marks = Vec::new();
    for _ in 0..mark_count {
        marks.push(Mark {
            position: input.try_get_u32_le()?,
            offset: input.try_get_i64_le()?,
            max_timestamp: input.try_get_i64_le()?,
        });
    }
    let mut epochs = Vec::new();
    for _ in 0..epoch_count {
        epochs.push(EpochStart {
            epoch: input.try_get_i32_le()?,
            offset: input.try_get_i64_le()?,
        });
    }
    let has_state = (state.position, state.bytes, state.crc) != (0, 0, 0);
    Ok(ChunkEntry {
        tp,
        position,
        bytes,
        crc,
        base_offset,
        end_offset,
        records,
        batches,
        max_timestamp,
        log_start,
        state: has_state.then_some(state),
        marks,
        epochs,
    })
}

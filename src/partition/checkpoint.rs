//! A partition's state without its batches, as the WAL keeps it so that
//! segments may go: offsets, epochs, producers. Big-endian:
//!
//! ```text
//! version u8 = 1 | log start i64 | log end i64
//! epochs u32, each: epoch i32, first offset i64
//! producers u32, each: id i64, epoch i16, last timestamp i64, batches u8,
//!   each: last sequence i32, offset delta i32, last offset i64, log append time i64
//! ```
//!
//! The WAL has its own checksum over it; decoding nevertheless believes nothing.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::base::limits::{
    CHECKPOINT_BYTES_MAX, EPOCHS_PER_PARTITION_MAX, PRODUCER_BATCHES_KEPT,
    PRODUCERS_PER_PARTITION_MAX,
};

use super::epochs::{EpochStart, Epochs};
use super::log::Partition;
use super::producer::{Producer, RecentBatch};
use super::producers::Producers;

const VERSION: u8 = 1;

/// Bytes that are not a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("partition checkpoint: {0}")]
pub struct CheckpointError(pub &'static str);

/// A decoded checkpoint.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    pub(super) log_start: i64,
    pub(super) log_end: i64,
    pub(super) epochs: Epochs,
    pub(super) producers: Producers,
}

impl Partition {
    /// The state as of everything appended so far. It must follow those batches
    /// in the same WAL: what is durable then includes them.
    pub fn checkpoint(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(VERSION);
        out.put_i64(self.planned_log_start);
        out.put_i64(self.log_end());
        let mut epochs = self.epochs.clone();
        epochs.trim(self.planned_log_start);
        out.put_u32(epochs.iter().len() as u32);
        for EpochStart { epoch, start } in epochs.iter() {
            out.put_i32(epoch);
            out.put_i64(start);
        }
        out.put_u32(self.producers.iter().len() as u32);
        for (id, producer) in self.producers.iter() {
            out.put_i64(id);
            out.put_i16(producer.epoch);
            out.put_i64(producer.last_timestamp);
            out.put_u8(producer.batches().len() as u8);
            for batch in producer.batches() {
                out.put_i32(batch.last_sequence);
                out.put_i32(batch.last_offset_delta);
                out.put_i64(batch.last_offset);
                out.put_i64(batch.log_append_time);
            }
        }
        assert!(
            out.len() <= CHECKPOINT_BYTES_MAX,
            "the limits of what it holds bound it"
        );
        out.freeze()
    }
}

impl Checkpoint {
    pub(super) fn decode(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
        let input = &mut { bytes };
        if bytes.len() > CHECKPOINT_BYTES_MAX || u8::from_be_bytes(take(input)?) != VERSION {
            return Err(CheckpointError("unknown version or size"));
        }
        let log_start = i64::from_be_bytes(take(input)?);
        let log_end = i64::from_be_bytes(take(input)?);
        if log_start < 0 || log_start > log_end {
            return Err(CheckpointError("impossible offsets"));
        }
        let epochs = decode_epochs(input, log_end)?;
        let producers = decode_producers(input, log_end)?;
        if !input.is_empty() {
            return Err(CheckpointError("bytes behind the end"));
        }
        Ok(Checkpoint {
            log_start,
            log_end,
            epochs,
            producers,
        })
    }
}

fn decode_epochs(input: &mut &[u8], log_end: i64) -> Result<Epochs, CheckpointError> {
    let count = u32::from_be_bytes(take(input)?) as usize;
    if count > EPOCHS_PER_PARTITION_MAX {
        return Err(CheckpointError("too many epochs"));
    }
    let mut starts: Vec<EpochStart> = Vec::new();
    for _ in 0..count {
        let epoch = i32::from_be_bytes(take(input)?);
        let start = i64::from_be_bytes(take(input)?);
        let rises = starts
            .last()
            .is_none_or(|last| epoch > last.epoch && start > last.start);
        if !rises || epoch < 0 || !(0..=log_end).contains(&start) {
            return Err(CheckpointError("epochs that do not rise"));
        }
        starts.push(EpochStart { epoch, start });
    }
    Ok(Epochs::from_starts(starts))
}

fn decode_producers(input: &mut &[u8], log_end: i64) -> Result<Producers, CheckpointError> {
    let count = u32::from_be_bytes(take(input)?) as usize;
    if count > PRODUCERS_PER_PARTITION_MAX {
        return Err(CheckpointError("too many producers"));
    }
    let mut producers = Producers::default();
    let mut id_before = -1;
    for _ in 0..count {
        let id = i64::from_be_bytes(take(input)?);
        let epoch = i16::from_be_bytes(take(input)?);
        let last_timestamp = i64::from_be_bytes(take(input)?);
        let batch_count = usize::from(u8::from_be_bytes(take(input)?));
        let counts = 1..=PRODUCER_BATCHES_KEPT;
        if id <= id_before || epoch < 0 || !counts.contains(&batch_count) {
            return Err(CheckpointError("an impossible producer"));
        }
        id_before = id;
        let mut producer = Producer::new(epoch, decode_batch(input, log_end)?);
        for _ in 1..batch_count {
            producer.push(decode_batch(input, log_end)?);
        }
        producer.last_timestamp = last_timestamp;
        producers.restore(id, producer);
    }
    Ok(producers)
}

fn decode_batch(input: &mut &[u8], log_end: i64) -> Result<RecentBatch, CheckpointError> {
    let batch = RecentBatch {
        last_sequence: i32::from_be_bytes(take(input)?),
        last_offset_delta: i32::from_be_bytes(take(input)?),
        last_offset: i64::from_be_bytes(take(input)?),
        log_append_time: i64::from_be_bytes(take(input)?),
    };
    let inside = (0..log_end).contains(&batch.last_offset);
    if !inside || batch.last_sequence < 0 || batch.last_offset_delta < 0 || batch.base_offset() < 0
    {
        return Err(CheckpointError("an impossible batch of a producer"));
    }
    Ok(batch)
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], CheckpointError> {
    let (head, rest) = input
        .split_first_chunk::<N>()
        .ok_or(CheckpointError("cut short"))?;
    *input = rest;
    Ok(*head)
}

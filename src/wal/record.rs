//! A record of the WAL: what it says, whose it is, and its 28-byte header.

use bytes::{Buf, BufMut, Bytes};

use crate::base::{TopicId, TopicPartition};
use crate::kafka::batch::{self, BatchHeader};

/// Bytes of a record's header in a block.
pub const RECORD_HEADER_BYTES: usize = 28;

/// What a record's payload is. The number is its code on disk and never changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum RecordKind {
    /// A Kafka record batch with its offset and leader epoch stamped. The block's CRC covers its
    /// 61-byte header only, and the header's own CRC-32C the rest.
    Batch = 1,
    /// The partition's log start offset has moved: an i64, little-endian.
    LogStart = 2,
    /// A checkpoint of the partition's state, opaque here.
    PartitionState = 3,
}

impl RecordKind {
    /// The kind with this code; `None` for one that this version does not know.
    pub fn from_code(code: u8) -> Option<RecordKind> {
        match code {
            1 => Some(RecordKind::Batch),
            2 => Some(RecordKind::LogStart),
            3 => Some(RecordKind::PartitionState),
            _ => None,
        }
    }

    /// The kind's code on disk.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// The offsets of a record batch, both inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchOffsets {
    /// Offset of the first record.
    pub base: i64,
    /// Offset of the last record.
    pub last: i64,
}

/// A record to append. Its payload is the head, if it is a batch, followed by the body, which is
/// never copied before [`BlockPlan::copy_to`](super::BlockPlan::copy_to).
#[derive(Clone, Debug)]
pub struct Record {
    tp: TopicPartition,
    content: Content,
    body: Bytes,
}

#[derive(Clone, Debug)]
enum Content {
    Batch {
        head: [u8; batch::HEADER_BYTES],
        offsets: BatchOffsets,
    },
    LogStart,
    PartitionState,
}

impl Record {
    /// A record batch: its stamped header, and everything after the header.
    ///
    /// # Panics
    /// When the head is not that of a batch of this size: it could never be recovered.
    pub fn batch(tp: TopicPartition, head: [u8; batch::HEADER_BYTES], body: Bytes) -> Record {
        let offsets = match BatchHeader::decode(&head) {
            Ok(header) if header.total_bytes() == head.len() + body.len() => BatchOffsets {
                base: header.base_offset,
                last: header.last_offset(),
            },
            other => panic!(
                "{tp}: {other:?} is not the header of a {}-byte body",
                body.len()
            ),
        };
        Record {
            tp,
            content: Content::Batch { head, offsets },
            body,
        }
    }

    /// The log start offset of `tp` is now `offset`.
    pub fn log_start(tp: TopicPartition, offset: i64) -> Record {
        let body = Bytes::copy_from_slice(&offset.to_le_bytes());
        Record {
            tp,
            content: Content::LogStart,
            body,
        }
    }

    /// A checkpoint of the state of `tp`.
    pub fn partition_state(tp: TopicPartition, state: Bytes) -> Record {
        Record {
            tp,
            content: Content::PartitionState,
            body: state,
        }
    }

    /// Whose record it is.
    pub fn tp(&self) -> TopicPartition {
        self.tp
    }

    /// What it is.
    pub fn kind(&self) -> RecordKind {
        match self.content {
            Content::Batch { .. } => RecordKind::Batch,
            Content::LogStart => RecordKind::LogStart,
            Content::PartitionState => RecordKind::PartitionState,
        }
    }

    /// A batch's offsets; `None` for any other kind.
    pub fn offsets(&self) -> Option<BatchOffsets> {
        match self.content {
            Content::Batch { offsets, .. } => Some(offsets),
            _ => None,
        }
    }

    /// Bytes of the payload, record header excluded.
    pub fn payload_bytes(&self) -> usize {
        self.head().len() + self.body.len()
    }

    /// The stamped batch header; empty for any other kind.
    pub(super) fn head(&self) -> &[u8] {
        match &self.content {
            Content::Batch { head, .. } => head,
            _ => &[],
        }
    }

    /// The payload after the head.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The record's header as it is on disk.
    pub(super) fn header(&self) -> RecordHeader {
        RecordHeader {
            kind: self.kind(),
            payload_bytes: self.payload_bytes() as u32,
            tp: self.tp,
        }
    }
}

/// Reads the offset from the payload of a [`RecordKind::LogStart`].
pub fn decode_log_start(payload: &[u8]) -> Option<i64> {
    payload.try_into().ok().map(i64::from_le_bytes)
}

/// The header of a record in a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RecordHeader {
    pub kind: RecordKind,
    pub payload_bytes: u32,
    pub tp: TopicPartition,
}

impl RecordHeader {
    pub fn encode(&self) -> [u8; RECORD_HEADER_BYTES] {
        let mut bytes = [0; RECORD_HEADER_BYTES];
        let mut out = bytes.as_mut_slice();
        out.put_u8(self.kind.code());
        out.put_bytes(0, 3);
        out.put_u32_le(self.payload_bytes);
        out.put_slice(&self.tp.topic.0);
        out.put_i32_le(self.tp.partition);
        bytes
    }

    /// Decodes a header; the error is the code of a kind that this version does not know.
    pub fn decode(bytes: &[u8; RECORD_HEADER_BYTES]) -> Result<RecordHeader, u8> {
        let mut input = bytes.as_slice();
        let code = input.get_u8();
        let kind = RecordKind::from_code(code).ok_or(code)?;
        input.advance(3);
        let payload_bytes = input.get_u32_le();
        let mut topic = TopicId::ZERO;
        input.copy_to_slice(&mut topic.0);
        let tp = TopicPartition {
            topic,
            partition: input.get_i32_le(),
        };
        Ok(RecordHeader {
            kind,
            payload_bytes,
            tp,
        })
    }

    /// How many of the payload's first bytes the block's CRC covers.
    pub fn covered_bytes(&self) -> usize {
        match self.kind {
            RecordKind::Batch => batch::HEADER_BYTES,
            RecordKind::LogStart | RecordKind::PartitionState => self.payload_bytes as usize,
        }
    }
}

//! Tests of the partition, by subject, and a small workshop for batches.

mod epochs;
mod index;
mod list_offsets;
mod memory;
mod model;
mod reads;
mod recovery;
mod retention;
mod sequences;
mod timestamp_bounds;
mod validation;

use bytes::Bytes;

use super::*;
use crate::base::{LogConfig, LogPosition, Now, SegmentId, TopicId, TopicPartition, checksum};
use crate::kafka::batch::{BatchHeader, HEADER_BYTES};

const TP: TopicPartition = TopicPartition {
    topic: TopicId([7; 16]),
    partition: 3,
};

/// A batch to be built: two records of CreateTime 1000 without a producer.
#[derive(Clone, Copy, Debug)]
struct Spec {
    count: i32,
    body_bytes: usize,
    base_timestamp: i64,
    max_timestamp: i64,
    producer: (i64, i16, i32),
    attributes: i16,
}

impl Default for Spec {
    fn default() -> Self {
        Spec {
            count: 2,
            body_bytes: 39,
            base_timestamp: 1000,
            max_timestamp: 1000,
            producer: (-1, -1, -1),
            attributes: 0,
        }
    }
}

fn spec(count: i32) -> Spec {
    let body_bytes = 7 * count as usize + 25;
    Spec {
        count,
        body_bytes,
        ..Spec::default()
    }
}

impl Spec {
    fn at(self, timestamp: i64) -> Spec {
        Spec {
            base_timestamp: timestamp,
            max_timestamp: timestamp,
            ..self
        }
    }

    fn by(self, id: i64, epoch: i16, sequence: i32) -> Spec {
        Spec {
            producer: (id, epoch, sequence),
            ..self
        }
    }

    /// Makes the whole batch this many bytes.
    fn bytes(self, total: usize) -> Spec {
        let body_bytes = total - HEADER_BYTES;
        Spec { body_bytes, ..self }
    }

    fn header(&self) -> BatchHeader {
        BatchHeader {
            base_offset: 0,
            batch_length: (HEADER_BYTES - 12 + self.body_bytes) as i32,
            leader_epoch: -1,
            crc: 0,
            attributes: self.attributes,
            last_offset_delta: self.count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            base_sequence: self.producer.2,
            record_count: self.count,
        }
    }

    fn build(&self) -> Bytes {
        self.build_with(|_| {})
    }

    /// The batch with some header fields changed, and a right checksum.
    fn build_with(&self, change: impl FnOnce(&mut BatchHeader)) -> Bytes {
        let mut header = self.header();
        change(&mut header);
        let mut bytes = header.encode().to_vec();
        bytes.extend((0..self.body_bytes).map(|i| (i % 251) as u8));
        let crc = checksum::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        Bytes::from(bytes)
    }
}

fn now(wall_ms: i64) -> Now {
    let mono_ms = wall_ms.unsigned_abs();
    Now { wall_ms, mono_ms }
}

/// A partition and a pretended WAL: segments of `segment_bytes`, a record
/// overhead of 48 bytes.
struct Rig {
    log: Partition,
    wal: Vec<(LogPosition, Bytes)>,
    segment: SegmentId,
    position: u32,
    segment_bytes: u32,
}

impl Rig {
    fn new() -> Rig {
        Rig::with(LogConfig::default())
    }

    fn with(config: LogConfig) -> Rig {
        Rig::of(Partition::new(TP, config, 1), 0)
    }

    fn of(log: Partition, wal: u16) -> Rig {
        let segment = SegmentId { wal, sequence: 1 };
        Rig {
            log,
            wal: Vec::new(),
            segment,
            position: 4096,
            segment_bytes: 1 << 20,
        }
    }

    fn append(&mut self, now: Now, batch: Bytes) -> Result<Outcome, AppendError> {
        let outcome = self.log.append(now, batch, Origin::Client)?;
        if let Outcome::Appended(appended) = &outcome {
            if self.position > self.segment_bytes {
                self.segment.sequence += 1;
                self.position = 4096;
            }
            let offset = self.position + 48;
            let segment = self.segment;
            let bytes = whole(appended);
            self.position = offset + bytes.len() as u32;
            self.wal.push((LogPosition { segment, offset }, bytes));
        }
        Ok(outcome)
    }

    /// Makes what was appended durable, up to `end`.
    fn settle_to(&mut self, end: i64) {
        while self.log.high_watermark() < end {
            let next = self.log.high_watermark();
            let at = |(_, b): &&(LogPosition, Bytes)| header_of(b).base_offset == next;
            let (position, bytes) = self.wal.iter().find(at).unwrap().clone();
            let header = header_of(&bytes);
            self.log
                .on_durable(Placed::new(&header, position, Some(bytes)));
        }
    }

    fn settle(&mut self) {
        self.settle_to(self.log.log_end());
    }

    /// Appends and settles each.
    fn fill(&mut self, specs: impl IntoIterator<Item = Spec>) {
        for spec in specs {
            let outcome = self.append(now(1000), spec.build()).unwrap();
            assert!(matches!(outcome, Outcome::Appended(_)));
            self.settle();
        }
    }

    /// What the disk has at a planned place.
    fn read(&self, piece: &Piece) -> Bytes {
        match piece {
            Piece::Tail(bytes) => bytes.clone(),
            Piece::Cold(read) => {
                let at = |(p, _): &&(LogPosition, Bytes)| *p == read.position;
                let bytes = self.wal.iter().find(at).unwrap().1.clone();
                assert!(verify_cold(read, &bytes));
                bytes
            }
        }
    }
}

fn whole(appended: &Appended) -> Bytes {
    Bytes::from([&appended.head[..], &appended.body[..]].concat())
}

fn header_of(bytes: &[u8]) -> BatchHeader {
    BatchHeader::decode(bytes).unwrap()
}

fn appended(outcome: Result<Outcome, AppendError>) -> Appended {
    match outcome {
        Ok(Outcome::Appended(appended)) => appended,
        other => panic!("not appended: {other:?}"),
    }
}

fn duplicate(outcome: Result<Outcome, AppendError>) -> Duplicate {
    match outcome {
        Ok(Outcome::Duplicate(duplicate)) => duplicate,
        other => panic!("not a duplicate: {other:?}"),
    }
}

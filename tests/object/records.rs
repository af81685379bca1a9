//! Batches to put into objects: valid ones, with contents that tell one from another.

use bytes::Bytes;
use corelane::base::{ShardId, TopicId, TopicPartition, checksum};
use corelane::kafka::batch::{BatchHeader, CRC_COVER_START, HEADER_BYTES};
use corelane::object::format::{NewChunk, ObjectHeader, ObjectPlan, ObjectWriter};
use corelane::object::{ClusterId, ObjectId};

pub const CLUSTER: ClusterId = ClusterId([7; 16]);

pub fn tp(topic: u8, partition: i32) -> TopicPartition {
    TopicPartition {
        topic: TopicId([topic; 16]),
        partition,
    }
}

pub fn id(start: u32, number: u32) -> ObjectId {
    ObjectId {
        shard: ShardId(1),
        start,
        number,
    }
}

pub fn header(id: ObjectId, level: u8) -> ObjectHeader {
    ObjectHeader {
        id,
        cluster: CLUSTER,
        level,
        created_ms: 1_700_000_000_000,
    }
}

/// A batch of `records` records from `base` on, all of them at `timestamp`.
pub fn batch(base: i64, records: i32, epoch: i32, timestamp: i64, body: &[u8]) -> Bytes {
    let mut header = BatchHeader {
        base_offset: base,
        batch_length: (HEADER_BYTES - 12 + body.len()) as i32,
        leader_epoch: epoch,
        crc: 0,
        attributes: 0,
        last_offset_delta: records - 1,
        base_timestamp: timestamp,
        max_timestamp: timestamp,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: records,
    };
    let covered = [&header.encode()[CRC_COVER_START..], body].concat();
    header.crc = checksum::crc32c(&covered);
    Bytes::from([&header.encode()[..], body].concat())
}

/// `count` batches of ten records from `base` on, each with a body of `body_bytes`.
pub fn batches(base: i64, count: i64, epoch: i32, body_bytes: usize) -> Vec<Bytes> {
    let batch = |n: i64| {
        let body = vec![(base + n) as u8; body_bytes];
        batch(base + 10 * n, 10, epoch, 1000 + base + n, &body)
    };
    (0..count).map(batch).collect()
}

pub fn chunk(tp: TopicPartition, batches: Vec<Bytes>) -> NewChunk {
    NewChunk {
        tp,
        log_start: 0,
        batches,
        state: None,
    }
}

pub fn object(header: ObjectHeader, chunks: Vec<NewChunk>) -> ObjectPlan {
    let mut writer = ObjectWriter::new(header);
    for chunk in chunks {
        writer.push(chunk).unwrap();
    }
    writer.finish().unwrap()
}

pub fn whole(plan: &ObjectPlan) -> Vec<u8> {
    plan.pieces.concat()
}

/// Three chunks of two topics, one with a state, in two epochs.
pub fn small() -> ObjectPlan {
    let mut first = chunk(tp(1, 0), batches(40, 2, 3, 5));
    first.batches.push(batch(60, 1, 4, 9, b"later"));
    first.state = Some(Bytes::from_static(b"opaque state"));
    first.log_start = 45;
    let second = chunk(tp(1, 1), batches(0, 1, 4, 17));
    let third = chunk(tp(2, 0), batches(7, 1, 4, 0));
    object(header(id(4, 2), 0), vec![first, second, third])
}

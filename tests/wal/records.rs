//! Records to write: valid batches of any size, with contents that tell one
//! from another.

use bytes::Bytes;
use corelane::base::{TopicId, TopicPartition, checksum};
use corelane::kafka::batch::{BatchHeader, CRC_COVER_START, HEADER_BYTES};
use corelane::wal::Record;

/// A small generator of repeatable numbers (splitmix64).
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len.div_ceil(8))
            .flat_map(|_| self.next().to_le_bytes())
            .take(len)
            .collect()
    }
}

pub fn tp(n: u8) -> TopicPartition {
    TopicPartition {
        topic: TopicId([n; 16]),
        partition: i32::from(n) * 7,
    }
}

/// A record and the payload that must come back.
pub fn batch(tp: TopicPartition, offset: i64, body: Vec<u8>) -> (Record, Bytes) {
    let mut header = BatchHeader {
        base_offset: offset,
        batch_length: (HEADER_BYTES - 12 + body.len()) as i32,
        leader_epoch: 3,
        crc: 0,
        attributes: 0,
        last_offset_delta: 4,
        base_timestamp: 1_700_000_000_000,
        max_timestamp: 1_700_000_000_004,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: 5,
    };
    let covered = [&header.encode()[CRC_COVER_START..], &body].concat();
    header.crc = checksum::crc32c(&covered);
    let head = header.encode();
    let payload = Bytes::from([&head[..], &body].concat());
    (Record::batch(tp, head, Bytes::from(body)), payload)
}

/// Any kind of record, with a body of up to `body_bytes_max`.
pub fn any(rng: &mut Rng, offset: i64, body_bytes_max: usize) -> (Record, Bytes) {
    let tp = tp(rng.below(5) as u8);
    let body_bytes = rng.below(body_bytes_max + 1);
    match rng.below(8) {
        0 => {
            let record = Record::log_start(tp, offset);
            (record, Bytes::copy_from_slice(&offset.to_le_bytes()))
        }
        1 => {
            let state = Bytes::from(rng.bytes(body_bytes));
            (Record::partition_state(tp, state.clone()), state)
        }
        _ => {
            let body = rng.bytes(body_bytes);
            batch(tp, offset, body)
        }
    }
}

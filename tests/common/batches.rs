//! Record batches: making them, and taking apart what a fetch gave.

use bytes::Bytes;
use corelane::base::checksum;
use corelane::kafka::batch::{self, BatchHeader, CRC_COVER_START, HEADER_BYTES};
use corelane::kafka::record::{BatchBuilder, RecordIter};

/// Where the bytes begin that the broker may not change: behind offset, length and
/// leader epoch. (Under LogAppendTime it changes more.)
pub const KEPT_START: usize = 16;

/// A batch of `values`, one record each, all at one timestamp.
pub fn batch_of(timestamp: i64, values: &[&[u8]]) -> Bytes {
    let builder = BatchBuilder::new(timestamp);
    with_values(builder, timestamp, values)
}

/// A batch of one record.
pub fn one(value: &[u8]) -> Bytes {
    batch_of(now_ms(), &[value])
}

/// A batch of an idempotent producer.
pub fn idempotent(producer: (i64, i16), sequence: i32, values: &[&[u8]]) -> Bytes {
    let timestamp = now_ms();
    let builder = BatchBuilder::new(timestamp).producer(producer.0, producer.1, sequence);
    with_values(builder, timestamp, values)
}

fn with_values(builder: BatchBuilder, timestamp: i64, values: &[&[u8]]) -> Bytes {
    let filled = values.iter().fold(builder, |builder, value| {
        builder.record(timestamp, None, Some(value))
    });
    filled.build()
}

/// The batch with its header changed, and its checksum made right again.
pub fn forged(batch: &Bytes, change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let mut header = BatchHeader::decode(batch).expect("a batch of ours");
    change(&mut header);
    let mut bytes = header.encode().to_vec();
    bytes.extend_from_slice(&batch[HEADER_BYTES..]);
    header.crc = checksum::crc32c(&bytes[CRC_COVER_START..]);
    bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
    bytes.into()
}

/// Now, milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("a clock after 1970").as_millis() as i64
}

/// One batch as the broker gave it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its header.
    pub header: BatchHeader,
    /// All of it.
    pub bytes: Bytes,
}

impl Stored {
    /// The values of its records, which must not be compressed.
    pub fn values(&self) -> Vec<Option<Vec<u8>>> {
        let section = &self.bytes[HEADER_BYTES..];
        let values = RecordIter::new(section).map(|record| {
            let record = record.expect("a record of ours");
            record.value.map(<[u8]>::to_vec)
        });
        values.collect()
    }

    /// The one offset behind it.
    pub fn end(&self) -> i64 {
        self.header.last_offset() + 1
    }
}

/// Takes a record set apart; every batch in it must be whole and have its right CRC.
pub fn split(records: &Bytes) -> Vec<Stored> {
    let mut rest = records.clone();
    let mut batches = Vec::new();
    while !rest.is_empty() {
        let header = BatchHeader::decode(&rest).expect("a batch from the broker");
        let total = header.total_bytes();
        assert!(total <= rest.len(), "only whole batches are given");
        let bytes = rest.split_to(total);
        assert!(batch::crc_matches(&bytes), "a batch with a wrong CRC");
        batches.push(Stored { header, bytes });
    }
    batches
}

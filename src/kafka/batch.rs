//! The header of a record batch, magic 2 (KIP-98): the unit that is produced,
//! stored and fetched. Fields are big-endian; the CRC-32C covers everything
//! from `attributes` on, so the broker may stamp the offset and the leader
//! epoch without touching it.

use thiserror::Error;

use crate::base::checksum;

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 61;
/// Bytes of `base_offset` and `batch_length`, which `batch_length` does not count.
pub const LENGTH_PREFIX_BYTES: usize = 12;
/// Where the bytes begin that the CRC covers (the `attributes` field).
pub const CRC_COVER_START: usize = 21;
/// The bit of `attributes` for LogAppendTime: the broker's clock gave the timestamp.
pub const LOG_APPEND_TIME_BIT: i16 = 0x08;

/// The 61 fixed bytes of a record batch, decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// Offset of the first record, assigned by the broker.
    pub base_offset: i64,
    /// Bytes after this field to the end of the batch.
    pub batch_length: i32,
    /// Leader epoch stamped at append.
    pub leader_epoch: i32,
    /// CRC-32C from `attributes` to the end.
    pub crc: u32,
    /// Bits 0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon.
    pub attributes: i16,
    /// Offset of the last record minus `base_offset`.
    pub last_offset_delta: i32,
    /// Timestamp of the first record, milliseconds.
    pub base_timestamp: i64,
    /// Largest timestamp in the batch, milliseconds.
    pub max_timestamp: i64,
    /// Producer id, or -1.
    pub producer_id: i64,
    /// Producer epoch, or -1.
    pub producer_epoch: i16,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
    /// Number of records.
    pub record_count: i32,
}

/// Why bytes are not a record batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BatchError {
    /// Fewer bytes than a header, or than `batch_length` says.
    #[error("the record batch is cut short")]
    Truncated,
    /// A magic other than 2.
    #[error("record batch magic {0}, only 2 is served")]
    Magic(i8),
    /// A `batch_length` that cannot be.
    #[error("record batch length {0} is impossible")]
    Length(i32),
}

impl BatchHeader {
    /// Decodes the header at the start of `bytes` without checking the CRC.
    pub fn decode(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let b: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(BatchError::Truncated)?;
        let magic = i8::from_be_bytes(take(b, 16));
        if magic != 2 {
            return Err(BatchError::Magic(magic));
        }
        let header = BatchHeader {
            base_offset: i64::from_be_bytes(take(b, 0)),
            batch_length: i32::from_be_bytes(take(b, 8)),
            leader_epoch: i32::from_be_bytes(take(b, 12)),
            crc: u32::from_be_bytes(take(b, 17)),
            attributes: i16::from_be_bytes(take(b, 21)),
            last_offset_delta: i32::from_be_bytes(take(b, 23)),
            base_timestamp: i64::from_be_bytes(take(b, 27)),
            max_timestamp: i64::from_be_bytes(take(b, 35)),
            producer_id: i64::from_be_bytes(take(b, 43)),
            producer_epoch: i16::from_be_bytes(take(b, 51)),
            base_sequence: i32::from_be_bytes(take(b, 53)),
            record_count: i32::from_be_bytes(take(b, 57)),
        };
        if header.batch_length < (HEADER_BYTES - LENGTH_PREFIX_BYTES) as i32 {
            return Err(BatchError::Length(header.batch_length));
        }
        Ok(header)
    }

    /// The header's 61 bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut b = [0; HEADER_BYTES];
        put(&mut b, 0, self.base_offset.to_be_bytes());
        put(&mut b, 8, self.batch_length.to_be_bytes());
        put(&mut b, 12, self.leader_epoch.to_be_bytes());
        put(&mut b, 16, [2]);
        put(&mut b, 17, self.crc.to_be_bytes());
        put(&mut b, 21, self.attributes.to_be_bytes());
        put(&mut b, 23, self.last_offset_delta.to_be_bytes());
        put(&mut b, 27, self.base_timestamp.to_be_bytes());
        put(&mut b, 35, self.max_timestamp.to_be_bytes());
        put(&mut b, 43, self.producer_id.to_be_bytes());
        put(&mut b, 51, self.producer_epoch.to_be_bytes());
        put(&mut b, 53, self.base_sequence.to_be_bytes());
        put(&mut b, 57, self.record_count.to_be_bytes());
        b
    }

    /// Size of the whole batch in bytes, header included. Never negative.
    pub fn total_bytes(&self) -> usize {
        LENGTH_PREFIX_BYTES + usize::try_from(self.batch_length).unwrap_or(0)
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// The timestamp by which the batch is found and expires, milliseconds; -1 if none of its
    /// records has one. Kafka recomputes the header's field from the records; unopened, the first
    /// record's timestamp is at least a lower bound where a producer left the field too small.
    pub fn newest_timestamp(&self) -> i64 {
        if self.attributes & LOG_APPEND_TIME_BIT != 0 {
            self.max_timestamp
        } else {
            self.max_timestamp.max(self.base_timestamp).max(-1)
        }
    }

    /// Whether an idempotent producer wrote it.
    pub fn has_producer(&self) -> bool {
        self.producer_id >= 0
    }

    /// Attribute bit 4.
    pub fn is_transactional(&self) -> bool {
        self.attributes & 0x10 != 0
    }

    /// Attribute bit 5: a transaction marker or another record of the broker's own.
    pub fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }

    /// Compression codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub fn codec(&self) -> u8 {
        (self.attributes & 0x07) as u8
    }
}

/// Whether the CRC of a whole batch (`batch.len() == total_bytes`) matches its contents.
pub fn crc_matches(batch: &[u8]) -> bool {
    match (batch.get(17..CRC_COVER_START), batch.get(CRC_COVER_START..)) {
        (Some(stored), Some(covered)) => stored == checksum::crc32c(covered).to_be_bytes(),
        _ => false,
    }
}

#[allow(
    clippy::indexing_slicing,
    reason = "constant places in an array of constant size"
)]
fn take<const N: usize>(b: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&b[at..at + N]);
    out
}

#[allow(
    clippy::indexing_slicing,
    reason = "constant places in an array of constant size"
)]
fn put<const N: usize>(b: &mut [u8; HEADER_BYTES], at: usize, value: [u8; N]) {
    b[at..at + N].copy_from_slice(&value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shorter_than_what_the_crc_covers_does_not_match() {
        let batch = crate::kafka::record::BatchBuilder::new(0)
            .record(0, None, Some(b"value"))
            .build();
        assert!(crc_matches(&batch));
        // The CRC of nothing at all is zero: a batch of zeroes that ends with its CRC.
        let zeroes = [0; CRC_COVER_START];
        assert!(crc_matches(&zeroes));
        for len in 0..CRC_COVER_START {
            assert!(!crc_matches(&zeroes[..len]), "{len}");
        }
        for len in CRC_COVER_START..batch.len() {
            assert!(!crc_matches(&batch[..len]), "{len}");
        }
    }
}

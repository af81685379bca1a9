//! What a batch must look like before it may enter the log, in the order in
//! which Kafka's broker looks (`UnifiedLog.analyzeAndValidateRecords`, then
//! `LogValidator`). Records inside the batch are not opened: a batch is stored
//! and served as the bytes that its producer checksummed.

use crate::base::{LogConfig, limits};
use crate::kafka::batch::{self, BatchError, BatchHeader, HEADER_BYTES, LOG_APPEND_TIME_BIT};

use super::append::Origin;
use super::error::AppendError;

/// Attribute bits 0-2 above this name no codec (4 is zstd).
const CODEC_MAX: u8 = 4;
/// Attribute bit 6: `base_timestamp` is a delete horizon (KIP-534).
const DELETE_HORIZON_BIT: i16 = 0x40;
/// Length, attributes, two deltas, key length, value length, header count:
/// no record is smaller.
const RECORD_BYTES_MIN: usize = 7;

/// Decodes the header of `bytes` if they are exactly one batch that `origin` may append.
pub(super) fn validate(
    bytes: &[u8],
    config: &LogConfig,
    origin: Origin,
) -> Result<BatchHeader, AppendError> {
    let header = exactly_one(bytes)?;
    let bytes_max = match origin {
        Origin::Client => config.max_message_bytes as usize,
        Origin::Internal => limits::BATCH_BYTES_MAX,
    };
    if origin == Origin::Client && header.base_offset != 0 {
        return Err(AppendError::Invalid(
            "the base offset of a produced batch must be 0",
        ));
    }
    if bytes.len() > bytes_max {
        return Err(AppendError::TooLarge {
            bytes: bytes.len(),
            bytes_max,
        });
    }
    if !batch::crc_matches(bytes) {
        return Err(AppendError::Corrupt("the checksum does not match"));
    }
    check_counts(&header, bytes.len() - HEADER_BYTES)?;
    check_attributes(&header, origin)?;
    check_producer(&header, origin)?;
    Ok(header)
}

fn exactly_one(bytes: &[u8]) -> Result<BatchHeader, AppendError> {
    let header = BatchHeader::decode(bytes).map_err(|error| match error {
        BatchError::Truncated => AppendError::Invalid("not one whole record batch"),
        BatchError::Magic(_) => AppendError::Invalid("only record batches of magic 2 are served"),
        BatchError::Length(_) => AppendError::Corrupt("the batch length is impossible"),
    })?;
    match header.total_bytes().cmp(&bytes.len()) {
        std::cmp::Ordering::Equal => Ok(header),
        std::cmp::Ordering::Greater => Err(AppendError::Invalid("not one whole record batch")),
        std::cmp::Ordering::Less => Err(AppendError::Invalid("more than one record batch")),
    }
}

fn check_counts(header: &BatchHeader, body_bytes: usize) -> Result<(), AppendError> {
    if header.record_count <= 0 || header.last_offset_delta < 0 {
        return Err(AppendError::Invalid("the batch declares no records"));
    }
    if header.last_offset_delta != header.record_count - 1 {
        return Err(AppendError::Invalid(
            "record count and offset range disagree",
        ));
    }
    let smallest = header.record_count as usize * RECORD_BYTES_MIN;
    if header.codec() == 0 && smallest > body_bytes {
        return Err(AppendError::Invalid(
            "more records declared than the bytes can hold",
        ));
    }
    Ok(())
}

fn check_attributes(header: &BatchHeader, origin: Origin) -> Result<(), AppendError> {
    if header.codec() > CODEC_MAX {
        return Err(AppendError::UnsupportedCodec(header.codec()));
    }
    if header.is_transactional() {
        return Err(AppendError::NoTransaction);
    }
    if origin == Origin::Client {
        if header.is_control() {
            return Err(AppendError::Invalid(
                "clients may not write control records",
            ));
        }
        if header.attributes & DELETE_HORIZON_BIT != 0 {
            return Err(AppendError::Invalid("clients may not set a delete horizon"));
        }
        if header.attributes & LOG_APPEND_TIME_BIT != 0 {
            return Err(AppendError::TimestampType);
        }
    }
    Ok(())
}

fn check_producer(header: &BatchHeader, origin: Origin) -> Result<(), AppendError> {
    if !header.has_producer() {
        return Ok(());
    }
    if header.producer_epoch < 0 {
        return Err(AppendError::Invalid("a producer id without an epoch"));
    }
    // The broker's own batches may come without, as Kafka's coordinators do.
    if origin == Origin::Client && header.base_sequence < 0 {
        return Err(AppendError::Invalid(
            "a producer id without a sequence number",
        ));
    }
    Ok(())
}

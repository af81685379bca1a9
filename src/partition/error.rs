//! What a partition refuses. Each reason names the error code of Kafka's
//! protocol that the shard answers with.

use thiserror::Error;

use super::timestamp_bounds::BadTimestamps;

/// Why a batch was refused. Nothing has changed then.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AppendError {
    /// Kafka: `CORRUPT_MESSAGE` (2).
    #[error("corrupt record batch: {0}")]
    Corrupt(&'static str),
    /// Kafka: `INVALID_RECORD` (87).
    #[error("invalid record batch: {0}")]
    Invalid(&'static str),
    /// Kafka: `MESSAGE_TOO_LARGE` (10).
    #[error("a record batch of {bytes} bytes exceeds max.message.bytes {bytes_max}")]
    TooLarge {
        /// Size of the batch.
        bytes: usize,
        /// What the topic allows.
        bytes_max: usize,
    },
    /// Kafka: `UNSUPPORTED_COMPRESSION_TYPE` (76).
    #[error("compression codec {0} is unknown")]
    UnsupportedCodec(u8),
    /// Kafka: `INVALID_TIMESTAMP` (32), as for a producer that marks its
    /// batch LogAppendTime.
    #[error("only the broker may set the timestamp type LogAppendTime")]
    TimestampType,
    /// Kafka: `INVALID_TIMESTAMP` (32).
    #[error("this topic takes timestamps from {} to {}", .0.least, .0.most)]
    Timestamps(BadTimestamps),
    /// Kafka has no such bound. `MESSAGE_TOO_LARGE` (10) has its producer send the same records
    /// in smaller batches.
    #[error("too many bytes of records to check their timestamps: more than {0} unpacked")]
    UnpackedTooLarge(usize),
    /// Kafka: `INVALID_TXN_STATE` (48), its answer to a transactional batch
    /// outside an ongoing transaction; there is none as long as transactions
    /// are not served.
    #[error("the record batch is not part of an ongoing transaction")]
    NoTransaction,
    /// Kafka: `OUT_OF_ORDER_SEQUENCE_NUMBER` (45).
    #[error("sequence {found} of producer {producer_id}, {expected} expected")]
    OutOfOrderSequence {
        /// The producer's id.
        producer_id: i64,
        /// The sequence that would have been in order.
        expected: i32,
        /// The first sequence of the batch.
        found: i32,
    },
    /// Kafka: `INVALID_PRODUCER_EPOCH` (47).
    #[error("epoch {found} of producer {producer_id} is older than {current}")]
    InvalidProducerEpoch {
        /// The producer's id.
        producer_id: i64,
        /// The epoch last seen.
        current: i16,
        /// The epoch of the batch.
        found: i16,
    },
}

/// A read or a deletion outside the log. Kafka: `OFFSET_OUT_OF_RANGE` (1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReadError {
    /// Below the log start offset or above the high watermark.
    #[error("the offset is out of range")]
    OffsetOutOfRange,
}

/// The leader epoch of a request is not the partition's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum EpochError {
    /// Kafka: `FENCED_LEADER_EPOCH` (74).
    #[error("the leader epoch is older than the partition's")]
    Fenced,
    /// Kafka: `UNKNOWN_LEADER_EPOCH` (75).
    #[error("the leader epoch is newer than the partition's")]
    Unknown,
}

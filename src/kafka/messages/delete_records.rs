//! DeleteRecords (21), versions 0-2: advances log start offsets (KIP-107).
//!
//! - 1: throttled responses are sent at once (KIP-219). 2: flexible.

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

/// Offset that asks to delete up to the high watermark.
pub const HIGH_WATERMARK: i64 = -1;

wire_struct! {
    /// The request.
    pub struct DeleteRecordsRequest<'a> {
        /// Where to delete.
        [0+] topics: Vec<DeleteRecordsTopic<'a>>,
        /// How long to wait for the deletion, milliseconds.
        [0+] timeout_ms: i32,
    }
}

wire_struct! {
    /// One topic of the request.
    pub struct DeleteRecordsTopic<'a> {
        /// Its name.
        [0+] name: &'a str,
        /// Its partitions.
        [0+] partitions: Vec<DeleteRecordsPartition>,
    }
}

wire_struct! {
    /// One partition of the request.
    pub struct DeleteRecordsPartition {
        /// The partition's index.
        [0+] partition_index: i32,
        /// The new log start offset, or [`HIGH_WATERMARK`].
        [0+] offset: i64,
    }
}

wire_struct! {
    /// The response.
    pub struct DeleteRecordsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// One per topic of the request.
        [0+] topics: Vec<DeleteRecordsTopicResult<'a>>,
    }
}

wire_struct! {
    /// One topic of the response.
    pub struct DeleteRecordsTopicResult<'a> {
        /// Its name.
        [0+] name: Cow<'a, str>,
        /// Its partitions.
        [0+] partitions: Vec<DeleteRecordsPartitionResult>,
    }
}

wire_struct! {
    /// One partition of the response.
    pub struct DeleteRecordsPartitionResult {
        /// The partition's index.
        [0+] partition_index: i32,
        /// The log start offset now, -1 after an error.
        [0+] low_watermark: i64,
        /// What happened.
        [0+] error_code: ErrorCode,
    }
}

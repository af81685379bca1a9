//! ListOffsets (2), versions 1-11: finds offsets by timestamp or by special name.
//!
//! - 1: one offset per partition. 2: isolation level, throttle time. 3: as 2.
//! - 4: leader epochs (KIP-320). 5: OFFSET_NOT_AVAILABLE possible. 6: flexible.
//! - 7: max timestamp, -3 (KIP-734). 8: earliest local, -4 (KIP-405).
//! - 9: latest tiered, -5 (KIP-1005). 10: timeout (KIP-1075).
//! - 11: earliest pending upload, -6 (KIP-1023).
//!
//! A special timestamp in a version below its own is answered UNSUPPORTED_VERSION
//! for that partition.

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

/// Timestamp that asks for the high watermark, or the last stable offset under read committed.
pub const LATEST_TIMESTAMP: i64 = -1;
/// Timestamp that asks for the log start offset.
pub const EARLIEST_TIMESTAMP: i64 = -2;
/// Timestamp that asks for the record with the largest timestamp; from version 7.
pub const MAX_TIMESTAMP: i64 = -3;
/// Timestamp that asks for the first offset on the broker's own disk; from version 8.
pub const EARLIEST_LOCAL_TIMESTAMP: i64 = -4;
/// Timestamp that asks for the last offset in the remote store; from version 9.
pub const LATEST_TIERED_TIMESTAMP: i64 = -5;
/// Timestamp that asks for the first offset not yet in the remote store; from version 11.
pub const EARLIEST_PENDING_UPLOAD_TIMESTAMP: i64 = -6;

wire_struct! {
    /// The request.
    pub struct ListOffsetsRequest<'a> {
        /// -1 for a consumer.
        [1+] replica_id: i32 = -1,
        /// 0 read uncommitted, 1 read committed.
        [2+] isolation_level: i8,
        /// What to look up.
        [1+] topics: Vec<ListOffsetsTopic<'a>>,
        /// How long a look-up in the remote store may take, milliseconds.
        [10+] timeout_ms: i32,
    }
}

wire_struct! {
    /// One topic of the request.
    pub struct ListOffsetsTopic<'a> {
        /// The topic's name.
        [1+] name: &'a str,
        /// Its partitions.
        [1+] partitions: Vec<ListOffsetsPartition>,
    }
}

wire_struct! {
    /// One partition of the request.
    pub struct ListOffsetsPartition {
        /// The partition's index.
        [1+] partition_index: i32,
        /// The leader epoch the client knows, -1 to skip the check.
        [4+] current_leader_epoch: i32 = -1,
        /// Milliseconds since the epoch, or one of the negative names of this file.
        [1+] timestamp: i64,
    }
}

wire_struct! {
    /// The response.
    pub struct ListOffsetsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [2+] throttle_time_ms: i32,
        /// One per topic of the request.
        [1+] topics: Vec<ListOffsetsTopicResponse<'a>>,
    }
}

wire_struct! {
    /// One topic of the response.
    pub struct ListOffsetsTopicResponse<'a> {
        /// The topic's name.
        [1+] name: Cow<'a, str>,
        /// Its partitions.
        [1+] partitions: Vec<ListOffsetsPartitionResponse>,
    }
}

wire_struct! {
    /// One partition of the response.
    pub struct ListOffsetsPartitionResponse {
        /// The partition's index.
        [1+] partition_index: i32,
        /// What happened.
        [1+] error_code: ErrorCode,
        /// The found record's timestamp, -1 where there is none to tell.
        [1+] timestamp: i64 = -1,
        /// The offset, -1 if none was found.
        [1+] offset: i64 = -1,
        /// Leader epoch of the found record, or -1.
        [4+] leader_epoch: i32 = -1,
    }
}

//! OffsetForLeaderEpoch (23), versions 2-4: where a leader epoch ends (KIP-320).
//!
//! - 2: current leader epoch, throttle time. 3: replica id; consumers send -1.
//! - 4: flexible.

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct OffsetForLeaderEpochRequest<'a> {
        /// -1 for a consumer; -2, from version 2, is taken for one as well.
        [3+] replica_id: i32 = -2,
        /// What to look up.
        [2+] topics: Vec<OffsetForLeaderTopic<'a>>,
    }
}

wire_struct! {
    /// One topic of the request.
    pub struct OffsetForLeaderTopic<'a> {
        /// Its name.
        [2+] topic: &'a str,
        /// Its partitions.
        [2+] partitions: Vec<OffsetForLeaderPartition>,
    }
}

wire_struct! {
    /// One partition of the request.
    pub struct OffsetForLeaderPartition {
        /// The partition's index.
        [2+] partition: i32,
        /// The leader epoch the client knows, -1 to skip the check.
        [2+] current_leader_epoch: i32 = -1,
        /// The epoch whose end is wanted.
        [2+] leader_epoch: i32,
    }
}

wire_struct! {
    /// The response.
    pub struct OffsetForLeaderEpochResponse<'a> {
        /// How long the client should pause, milliseconds.
        [2+] throttle_time_ms: i32,
        /// One per topic of the request.
        [2+] topics: Vec<OffsetForLeaderTopicResult<'a>>,
    }
}

wire_struct! {
    /// One topic of the response.
    pub struct OffsetForLeaderTopicResult<'a> {
        /// Its name.
        [2+] topic: Cow<'a, str>,
        /// Its partitions.
        [2+] partitions: Vec<EpochEndOffset>,
    }
}

wire_struct! {
    /// One partition of the response.
    pub struct EpochEndOffset {
        /// What happened.
        [2+] error_code: ErrorCode,
        /// The partition's index.
        [2+] partition: i32,
        /// The largest epoch not above the one asked for, or -1.
        [2+] leader_epoch: i32 = -1,
        /// Exclusive end of that epoch, or -1.
        [2+] end_offset: i64 = -1,
    }
}

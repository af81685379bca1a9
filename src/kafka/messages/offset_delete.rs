//! OffsetDelete (47), version 0: deletes offsets of a group, of topics that it is not
//! subscribed to (KIP-496). Not flexible.

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct OffsetDeleteRequest<'a> {
        /// The group.
        [0+] group_id: &'a str,
        /// By topic.
        [0+] topics: Vec<OffsetDeleteRequestTopic<'a>>,
    }
}

wire_struct! {
    /// One topic of the request.
    pub struct OffsetDeleteRequestTopic<'a> {
        /// The topic's name.
        [0+] name: &'a str,
        /// The partitions to forget.
        [0+] partitions: Vec<OffsetDeleteRequestPartition>,
    }
}

wire_struct! {
    /// One partition to forget.
    pub struct OffsetDeleteRequestPartition {
        /// The partition's index.
        [0+] partition_index: i32,
    }
}

wire_struct! {
    /// The response.
    pub struct OffsetDeleteResponse<'a> {
        /// What happened to the request as a whole.
        [0+] error_code: ErrorCode,
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// By topic.
        [0+] topics: Vec<OffsetDeleteResponseTopic<'a>>,
    }
}

wire_struct! {
    /// One topic of the response.
    pub struct OffsetDeleteResponseTopic<'a> {
        /// The topic's name.
        [0+] name: Cow<'a, str>,
        /// By partition.
        [0+] partitions: Vec<OffsetDeleteResponsePartition>,
    }
}

wire_struct! {
    /// What became of one offset.
    pub struct OffsetDeleteResponsePartition {
        /// The partition's index.
        [0+] partition_index: i32,
        /// What happened.
        [0+] error_code: ErrorCode,
    }
}

//! OffsetCommit (8), versions 2-10: where a group's consumers resume.
//!
//! - 3: throttle time. 4: throttled responses are sent at once (KIP-219).
//! - 5: no retention time any more; the broker's setting rules.
//! - 6: leader epochs (KIP-320). 7: static members (KIP-345). 8: flexible.
//! - 9: the member's epoch in place of the generation (KIP-848); GROUP_ID_NOT_FOUND and
//!   STALE_MEMBER_EPOCH possible. 10: topic ids in place of names.

use std::borrow::Cow;

use crate::base::TopicId;
use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct OffsetCommitRequest<'a> {
        /// The group.
        [2+] group_id: &'a str,
        /// The generation, or the member's epoch in a group of KIP-848; negative from a
        /// consumer that is in no group.
        [2+] generation_id_or_member_epoch: i32 = -1,
        /// The member's id, empty from a consumer that is in no group.
        [2+] member_id: &'a str,
        /// `group.instance.id`, null from a dynamic member.
        [7+] group_instance_id: Option<&'a str>,
        /// How long to keep the offsets, milliseconds; -1 for the broker's setting.
        [2-4] retention_time_ms: i64 = -1,
        /// By topic.
        [2+] topics: Vec<OffsetCommitRequestTopic<'a>>,
    }
}

wire_struct! {
    /// One topic of the request.
    pub struct OffsetCommitRequestTopic<'a> {
        /// The topic's name.
        [2-9] name: &'a str,
        /// The topic's id.
        [10+] topic_id: TopicId,
        /// By partition.
        [2+] partitions: Vec<OffsetCommitRequestPartition<'a>>,
    }
}

wire_struct! {
    /// One offset to commit.
    pub struct OffsetCommitRequestPartition<'a> {
        /// The partition's index.
        [2+] partition_index: i32,
        /// The offset of the next record to read.
        [2+] committed_offset: i64,
        /// The leader epoch of the last record read, -1 if unknown.
        [6+] committed_leader_epoch: i32 = -1,
        /// What the client wants to keep with it.
        [2+] committed_metadata: Option<&'a str> = Some(""),
    }
}

wire_struct! {
    /// The response.
    pub struct OffsetCommitResponse<'a> {
        /// How long the client should pause, milliseconds.
        [3+] throttle_time_ms: i32,
        /// By topic, in the order of the request.
        [2+] topics: Vec<OffsetCommitResponseTopic<'a>>,
    }
}

wire_struct! {
    /// One topic of the response.
    pub struct OffsetCommitResponseTopic<'a> {
        /// The topic's name.
        [2-9] name: Cow<'a, str>,
        /// The topic's id.
        [10+] topic_id: TopicId,
        /// By partition.
        [2+] partitions: Vec<OffsetCommitResponsePartition>,
    }
}

wire_struct! {
    /// What became of one offset.
    pub struct OffsetCommitResponsePartition {
        /// The partition's index.
        [2+] partition_index: i32,
        /// What happened.
        [2+] error_code: ErrorCode,
    }
}

//! OffsetFetch (9), versions 1-10: where groups have committed that they resume.
//!
//! - 2: null asks for all topics; an error of the request as a whole. 3: throttle time.
//! - 4: throttled responses are sent at once (KIP-219). 5: leader epochs (KIP-320).
//! - 6: flexible. 7: may wait for open transactions (KIP-447): UNSTABLE_OFFSET_COMMIT.
//! - 8: several groups at once (KIP-709), in structs of their own. 9: the member's id and epoch
//!   (KIP-848); STALE_MEMBER_EPOCH possible. 10: topic ids in place of names.

use std::borrow::Cow;

use crate::base::TopicId;
use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct OffsetFetchRequest<'a> {
        /// The group.
        [1-7] group_id: &'a str,
        /// The topics asked for, null for all that have offsets.
        [1-7 null 2+] topics: Option<Vec<OffsetFetchRequestTopic<'a>>> = Some(Vec::new()),
        /// The groups asked for.
        [8+] groups: Vec<OffsetFetchRequestGroup<'a>>,
        /// Whether a partition with offsets in an open transaction is to be refused.
        [7+] require_stable: bool,
    }
}

wire_struct! {
    /// One topic of the request's one group.
    pub struct OffsetFetchRequestTopic<'a> {
        /// The topic's name.
        [1-7] name: &'a str,
        /// Its partitions.
        [1-7] partition_indexes: Vec<i32>,
    }
}

wire_struct! {
    /// One group asked for.
    pub struct OffsetFetchRequestGroup<'a> {
        /// The group.
        [8+] group_id: &'a str,
        /// The asking member of a group of KIP-848, else null.
        [9+] member_id: Option<&'a str>,
        /// That member's epoch, else -1.
        [9+] member_epoch: i32 = -1,
        /// The topics asked for, null for all that have offsets.
        [8+] topics: Option<Vec<OffsetFetchRequestTopics<'a>>> = Some(Vec::new()),
    }
}

wire_struct! {
    /// One topic of one group of the request.
    pub struct OffsetFetchRequestTopics<'a> {
        /// The topic's name.
        [8-9] name: &'a str,
        /// The topic's id.
        [10+] topic_id: TopicId,
        /// Its partitions.
        [8+] partition_indexes: Vec<i32>,
    }
}

wire_struct! {
    /// The response.
    pub struct OffsetFetchResponse<'a> {
        /// How long the client should pause, milliseconds.
        [3+] throttle_time_ms: i32,
        /// By topic.
        [1-7] topics: Vec<OffsetFetchResponseTopic<'a>>,
        /// An error of the request as a whole.
        [2-7] error_code: ErrorCode,
        /// By group.
        [8+] groups: Vec<OffsetFetchResponseGroup<'a>>,
    }
}

wire_struct! {
    /// One topic of the request's one group.
    pub struct OffsetFetchResponseTopic<'a> {
        /// The topic's name.
        [1-7] name: Cow<'a, str>,
        /// By partition.
        [1-7] partitions: Vec<OffsetFetchResponsePartition<'a>>,
    }
}

wire_struct! {
    /// What the request's one group has committed of one partition.
    pub struct OffsetFetchResponsePartition<'a> {
        /// The partition's index.
        [1-7] partition_index: i32,
        /// The offset of the next record to read, -1 if there is none.
        [1-7] committed_offset: i64,
        /// The leader epoch of the last record read, -1 if unknown.
        [5-7] committed_leader_epoch: i32 = -1,
        /// What the client kept with it, empty without an offset.
        [1-7] metadata: Option<Cow<'a, str>> = Some(Cow::Borrowed("")),
        /// What happened.
        [1-7] error_code: ErrorCode,
    }
}

wire_struct! {
    /// One group of the response.
    pub struct OffsetFetchResponseGroup<'a> {
        /// The group.
        [8+] group_id: Cow<'a, str>,
        /// By topic.
        [8+] topics: Vec<OffsetFetchResponseTopics<'a>>,
        /// An error of the group as a whole.
        [8+] error_code: ErrorCode,
    }
}

wire_struct! {
    /// One topic of one group of the response.
    pub struct OffsetFetchResponseTopics<'a> {
        /// The topic's name.
        [8-9] name: Cow<'a, str>,
        /// The topic's id.
        [10+] topic_id: TopicId,
        /// By partition.
        [8+] partitions: Vec<OffsetFetchResponsePartitions<'a>>,
    }
}

wire_struct! {
    /// What one group has committed of one partition.
    pub struct OffsetFetchResponsePartitions<'a> {
        /// The partition's index.
        [8+] partition_index: i32,
        /// The offset of the next record to read, -1 if there is none.
        [8+] committed_offset: i64,
        /// The leader epoch of the last record read, -1 if unknown.
        [8+] committed_leader_epoch: i32 = -1,
        /// What the client kept with it, empty without an offset.
        [8+] metadata: Option<Cow<'a, str>> = Some(Cow::Borrowed("")),
        /// What happened.
        [8+] error_code: ErrorCode,
    }
}

//! DescribeTopicPartitions (75), version 0: Metadata of topics, in pages (KIP-966).

use std::borrow::Cow;

use super::common::AUTHORIZED_OPERATIONS_OMITTED;
use crate::base::TopicId;
use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct DescribeTopicPartitionsRequest<'a> {
        /// The topics wanted; empty for all.
        [0+] topics: Vec<TopicRequest<'a>>,
        /// Most partitions of one page.
        [0+] response_partition_limit: i32 = 2000,
        /// Where to go on; null at first.
        [0+] cursor: Option<Cursor<'a>>,
    }
}

wire_struct! {
    /// One topic of the request.
    pub struct TopicRequest<'a> {
        /// Its name.
        [0+] name: &'a str,
    }
}

wire_struct! {
    /// The first topic and partition of a page.
    pub struct Cursor<'a> {
        /// The topic's name.
        [0+] topic_name: Cow<'a, str>,
        /// The partition's index.
        [0+] partition_index: i32,
    }
}

wire_struct! {
    /// The response.
    pub struct DescribeTopicPartitionsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// The topics of this page, by name.
        [0+] topics: Vec<DescribeTopicPartitionsResponseTopic<'a>>,
        /// Where the next page begins; null at the end.
        [0+] next_cursor: Option<Cursor<'a>>,
    }
}

wire_struct! {
    /// One topic of the response.
    pub struct DescribeTopicPartitionsResponseTopic<'a> {
        /// What happened.
        [0+] error_code: ErrorCode,
        /// Its name.
        [0+] name: Option<Cow<'a, str>>,
        /// Its id, zero if unknown.
        [0+] topic_id: TopicId,
        /// Whether it belongs to the broker.
        [0+] is_internal: bool,
        /// Its partitions of this page.
        [0+] partitions: Vec<DescribeTopicPartitionsResponsePartition<'a>>,
        /// Bit field of `AclOperation`s (KIP-430).
        [0+] topic_authorized_operations: i32 = AUTHORIZED_OPERATIONS_OMITTED,
    }
}

wire_struct! {
    /// One partition of the response. Replica lists may be borrowed, one slice for all.
    pub struct DescribeTopicPartitionsResponsePartition<'a> {
        /// What happened.
        [0+] error_code: ErrorCode,
        /// The partition's index.
        [0+] partition_index: i32,
        /// Node id of the leader, -1 if there is none.
        [0+] leader_id: i32,
        /// The leader's epoch.
        [0+] leader_epoch: i32 = -1,
        /// Node ids of all replicas.
        [0+] replica_nodes: Cow<'a, [i32]>,
        /// Node ids of those in sync.
        [0+] isr_nodes: Cow<'a, [i32]>,
        /// Node ids of those that may lead though not in sync; null if unknown.
        [0+] eligible_leader_replicas: Option<Cow<'a, [i32]>>,
        /// Node ids of the last such; null if unknown.
        [0+] last_known_elr: Option<Cow<'a, [i32]>>,
        /// Node ids of those offline.
        [0+] offline_replicas: Cow<'a, [i32]>,
    }
}

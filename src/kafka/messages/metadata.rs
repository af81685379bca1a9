//! Metadata (3), versions 0-13: brokers, topics and who leads which partition.
//!
//! - 0: no topics asks for all. 1: null asks for all and none for none; controller, rack.
//! - 2: cluster id. 3: throttle time. 4: the client decides on auto-creation.
//! - 5: offline replicas (KIP-112). 6: as 5. 7: leader epoch (KIP-320).
//! - 8: authorized operations (KIP-430). 9: flexible. 10: topic ids (KIP-516).
//! - 11: no authorized operations of the cluster (see DescribeCluster).
//! - 12: asking by topic id. 13: an error code of its own (KIP-1102).

use std::borrow::Cow;

use super::common::AUTHORIZED_OPERATIONS_OMITTED;
use crate::base::TopicId;
use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request; see [`MetadataRequest::asks_for_all`].
    pub struct MetadataRequest<'a> {
        /// The topics asked for.
        [0+ null 1+] topics: Option<Vec<MetadataRequestTopic<'a>>>,
        /// Whether a missing topic may be created, if the broker does so at all.
        [4+] allow_auto_topic_creation: bool = true,
        /// Whether to tell what the client may do with the cluster.
        [8-10] include_cluster_authorized_operations: bool,
        /// Whether to tell what the client may do with each topic.
        [8+] include_topic_authorized_operations: bool,
    }
}

impl MetadataRequest<'_> {
    /// Whether all topics are asked for: null, or in version 0 an empty list.
    pub fn asks_for_all(&self, version: i16) -> bool {
        match &self.topics {
            None => true,
            Some(topics) => version == 0 && topics.is_empty(),
        }
    }
}

wire_struct! {
    /// One topic asked for, by name or, with a null name, by id.
    pub struct MetadataRequestTopic<'a> {
        /// The topic's id, zero when asked by name.
        [10+] topic_id: TopicId,
        /// The topic's name, null when asked by id.
        [0+ null 10+] name: Option<&'a str>,
    }
}

wire_struct! {
    /// The response.
    pub struct MetadataResponse<'a> {
        /// How long the client should pause, milliseconds.
        [3+] throttle_time_ms: i32,
        /// Every broker.
        [0+] brokers: Vec<MetadataResponseBroker<'a>>,
        /// The cluster's id.
        [2+] cluster_id: Option<Cow<'a, str>>,
        /// Node id of the controller, -1 if unknown.
        [1+] controller_id: i32 = -1,
        /// The topics.
        [0+] topics: Vec<MetadataResponseTopic<'a>>,
        /// Bit field of `AclOperation`s (KIP-430).
        [8-10] cluster_authorized_operations: i32 = AUTHORIZED_OPERATIONS_OMITTED,
        /// An error of the request as a whole.
        [13+] error_code: ErrorCode,
    }
}

wire_struct! {
    /// One broker.
    pub struct MetadataResponseBroker<'a> {
        /// Node id.
        [0+] node_id: i32,
        /// Host name or address.
        [0+] host: Cow<'a, str>,
        /// TCP port.
        [0+] port: i32,
        /// The broker's rack, null if it has none.
        [1+] rack: Option<Cow<'a, str>>,
    }
}

wire_struct! {
    /// One topic of the response.
    pub struct MetadataResponseTopic<'a> {
        /// What happened.
        [0+] error_code: ErrorCode,
        /// The topic's name; null if it was asked for by an unknown id.
        [0+ null 12+] name: Option<Cow<'a, str>> = Some(Cow::Borrowed("")),
        /// The topic's id, zero if unknown.
        [10+] topic_id: TopicId,
        /// Whether it belongs to the broker.
        [1+] is_internal: bool,
        /// Its partitions.
        [0+] partitions: Vec<MetadataResponsePartition<'a>>,
        /// Bit field of `AclOperation`s (KIP-430).
        [8+] topic_authorized_operations: i32 = AUTHORIZED_OPERATIONS_OMITTED,
    }
}

wire_struct! {
    /// One partition of the response. Replica lists may be borrowed, one slice for all.
    pub struct MetadataResponsePartition<'a> {
        /// What happened.
        [0+] error_code: ErrorCode,
        /// The partition's index.
        [0+] partition_index: i32,
        /// Node id of the leader, -1 if there is none.
        [0+] leader_id: i32,
        /// The leader's epoch.
        [7+] leader_epoch: i32 = -1,
        /// Node ids of all replicas.
        [0+] replica_nodes: Cow<'a, [i32]>,
        /// Node ids of those in sync.
        [0+] isr_nodes: Cow<'a, [i32]>,
        /// Node ids of those offline.
        [5+] offline_replicas: Cow<'a, [i32]>,
    }
}

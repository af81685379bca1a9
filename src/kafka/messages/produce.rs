//! Produce (0), versions 3-13: appends record batches.
//!
//! Kafka 4 advertises it from 0 (KAFKA-18659) and serves it from 3.
//!
//! - 3: transactional id; record batches of magic 2. 4: KAFKA_STORAGE_ERROR possible.
//! - 5: log start offset in the response. 6: throttled responses are sent at once (KIP-219).
//! - 7: zstd allowed (KIP-110). 8: record errors (KIP-467). 9: flexible.
//! - 10: current leader and node endpoints in the response (KIP-951).
//! - 11: the client understands TRANSACTION_ABORTABLE (KIP-890).
//! - 12: partitions join a transaction on the way (KIP-890). 13: topic ids (KIP-516).

use std::borrow::Cow;

use bytes::Bytes;

use super::common::{LeaderIdAndEpoch, NodeEndpoint};
use crate::base::TopicId;
use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct ProduceRequest<'a> {
        /// Null for a producer without transactions.
        [3+] transactional_id: Option<&'a str>,
        /// 0 no response, 1 leader, -1 all in-sync replicas.
        [3+] acks: i16,
        /// How long to wait for the acknowledgements, milliseconds.
        [3+] timeout_ms: i32,
        /// What to append.
        [3+] topic_data: Vec<TopicProduceData<'a>>,
    }
}

wire_struct! {
    /// One topic of the request, named up to version 12, by id from 13.
    pub struct TopicProduceData<'a> {
        /// The topic's name.
        [3-12] name: &'a str,
        /// The topic's id.
        [13+] topic_id: TopicId,
        /// Its partitions.
        [3+] partition_data: Vec<PartitionProduceData>,
    }
}

wire_struct! {
    /// One partition of the request.
    pub struct PartitionProduceData {
        /// The partition's index.
        [3+] index: i32,
        /// The batches, which must be exactly one of magic 2; shares the frame's memory.
        [3+] records: Option<Bytes>,
    }
}

wire_struct! {
    /// The response; there is none for `acks` 0.
    pub struct ProduceResponse<'a> {
        /// One per topic of the request.
        [3+] responses: Vec<TopicProduceResponse<'a>>,
        /// How long the client should pause, milliseconds.
        [3+] throttle_time_ms: i32,
        /// Where the leaders named in the partitions can be reached.
        [10+ tag 0] node_endpoints: Vec<NodeEndpoint<'a>>,
    }
}

wire_struct! {
    /// One topic of the response.
    pub struct TopicProduceResponse<'a> {
        /// The topic's name.
        [3-12] name: Cow<'a, str>,
        /// The topic's id.
        [13+] topic_id: TopicId,
        /// Its partitions.
        [3+] partition_responses: Vec<PartitionProduceResponse<'a>>,
    }
}

wire_struct! {
    /// One partition of the response.
    pub struct PartitionProduceResponse<'a> {
        /// The partition's index.
        [3+] index: i32,
        /// What happened.
        [3+] error_code: ErrorCode,
        /// Offset of the first record, -1 after an error.
        [3+] base_offset: i64,
        /// The broker's timestamp under LogAppendTime, else -1.
        [3+] log_append_time_ms: i64 = -1,
        /// The log start offset, -1 after an error.
        [5+] log_start_offset: i64 = -1,
        /// Which records caused the batch to be dropped.
        [8+] record_errors: Vec<BatchIndexAndErrorMessage<'a>>,
        /// Why, in words.
        [8+] error_message: Option<Cow<'a, str>>,
        /// The leader to turn to after NOT_LEADER_OR_FOLLOWER.
        [10+ tag 0] current_leader: LeaderIdAndEpoch,
    }
}

wire_struct! {
    /// A record that caused its batch to be dropped (KIP-467).
    pub struct BatchIndexAndErrorMessage<'a> {
        /// The record's index in the batch.
        [8+] batch_index: i32,
        /// What is wrong with it.
        [8+] batch_index_error_message: Option<Cow<'a, str>>,
    }
}

//! DescribeProducers (61), version 0: the producers a partition remembers (KIP-664).

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct DescribeProducersRequest<'a> {
        /// The topics of interest.
        [0+] topics: Vec<TopicRequest<'a>>,
    }
}

wire_struct! {
    /// One topic of the request.
    pub struct TopicRequest<'a> {
        /// Its name.
        [0+] name: &'a str,
        /// Indexes of its partitions.
        [0+] partition_indexes: Vec<i32>,
    }
}

wire_struct! {
    /// The response.
    pub struct DescribeProducersResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// One per topic of the request.
        [0+] topics: Vec<TopicResponse<'a>>,
    }
}

wire_struct! {
    /// One topic of the response.
    pub struct TopicResponse<'a> {
        /// Its name.
        [0+] name: Cow<'a, str>,
        /// Its partitions.
        [0+] partitions: Vec<PartitionResponse<'a>>,
    }
}

wire_struct! {
    /// One partition of the response.
    pub struct PartitionResponse<'a> {
        /// The partition's index.
        [0+] partition_index: i32,
        /// What happened.
        [0+] error_code: ErrorCode,
        /// Why, in words.
        [0+] error_message: Option<Cow<'a, str>>,
        /// The producers.
        [0+] active_producers: Vec<ProducerState>,
    }
}

wire_struct! {
    /// One producer.
    pub struct ProducerState {
        /// Its id.
        [0+] producer_id: i64,
        /// Its epoch, 32 bits wide here alone.
        [0+] producer_epoch: i32,
        /// Sequence of its last record, or -1.
        [0+] last_sequence: i32 = -1,
        /// Timestamp of its last record, or -1.
        [0+] last_timestamp: i64 = -1,
        /// Epoch of the coordinator that wrote its last marker.
        [0+] coordinator_epoch: i32,
        /// First offset of its open transaction, or -1.
        [0+] current_txn_start_offset: i64 = -1,
    }
}

//! ElectLeaders (43), versions 0-2: asks for a leader election (KIP-183, KIP-460).
//!
//! - 1: election type, an error code of its own. 2: flexible.

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct ElectLeadersRequest<'a> {
        /// 0 the preferred replica, 1 an unclean election.
        [1+] election_type: i8,
        /// The partitions; null for all.
        [0+] topic_partitions: Option<Vec<TopicPartitions<'a>>>,
        /// How long to wait for the election, milliseconds.
        [0+] timeout_ms: i32 = 60_000,
    }
}

wire_struct! {
    /// One topic of the request.
    pub struct TopicPartitions<'a> {
        /// Its name.
        [0+] topic: &'a str,
        /// Indexes of its partitions.
        [0+] partitions: Vec<i32>,
    }
}

wire_struct! {
    /// The response.
    pub struct ElectLeadersResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// An error of the request as a whole.
        [1+] error_code: ErrorCode,
        /// The results; empty after an error, or if all were asked for and none elected.
        [0+] replica_election_results: Vec<ReplicaElectionResult<'a>>,
    }
}

wire_struct! {
    /// One topic of the response.
    pub struct ReplicaElectionResult<'a> {
        /// Its name.
        [0+] topic: Cow<'a, str>,
        /// Its partitions.
        [0+] partition_result: Vec<PartitionResult<'a>>,
    }
}

wire_struct! {
    /// One partition of the response.
    pub struct PartitionResult<'a> {
        /// The partition's index.
        [0+] partition_id: i32,
        /// What happened.
        [0+] error_code: ErrorCode,
        /// Why, in words.
        [0+] error_message: Option<Cow<'a, str>>,
    }
}

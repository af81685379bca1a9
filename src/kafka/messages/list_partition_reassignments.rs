//! ListPartitionReassignments (46), version 0: replicas on the move (KIP-455).

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct ListPartitionReassignmentsRequest<'a> {
        /// How long to wait for the answer, milliseconds.
        [0+] timeout_ms: i32 = 60_000,
        /// The topics of interest; null for all.
        [0+] topics: Option<Vec<ListPartitionReassignmentsTopics<'a>>>,
    }
}

wire_struct! {
    /// One topic of the request.
    pub struct ListPartitionReassignmentsTopics<'a> {
        /// Its name.
        [0+] name: &'a str,
        /// Indexes of its partitions.
        [0+] partition_indexes: Vec<i32>,
    }
}

wire_struct! {
    /// The response.
    pub struct ListPartitionReassignmentsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// An error of the request as a whole.
        [0+] error_code: ErrorCode,
        /// Why, in words.
        [0+] error_message: Option<Cow<'a, str>>,
        /// Topics with replicas on the move.
        [0+] topics: Vec<OngoingTopicReassignment<'a>>,
    }
}

wire_struct! {
    /// One topic of the response.
    pub struct OngoingTopicReassignment<'a> {
        /// Its name.
        [0+] name: Cow<'a, str>,
        /// Its partitions.
        [0+] partitions: Vec<OngoingPartitionReassignment>,
    }
}

wire_struct! {
    /// One partition of the response.
    pub struct OngoingPartitionReassignment {
        /// The partition's index.
        [0+] partition_index: i32,
        /// Node ids of its replicas.
        [0+] replicas: Vec<i32>,
        /// Node ids of those to come.
        [0+] adding_replicas: Vec<i32>,
        /// Node ids of those to go.
        [0+] removing_replicas: Vec<i32>,
    }
}

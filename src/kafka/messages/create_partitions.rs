//! CreatePartitions (37), versions 0-3: gives topics more partitions (KIP-195).
//!
//! - 1: throttled responses are sent at once (KIP-219). 2: flexible.
//! - 3: THROTTLING_QUOTA_EXCEEDED possible (KIP-599).

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct CreatePartitionsRequest<'a> {
        /// The topics to grow.
        [0+] topics: Vec<CreatePartitionsTopic<'a>>,
        /// How long to wait for the creation, milliseconds.
        [0+] timeout_ms: i32,
        /// Whether to check only.
        [0+] validate_only: bool,
    }
}

wire_struct! {
    /// One topic to grow.
    pub struct CreatePartitionsTopic<'a> {
        /// Its name.
        [0+] name: &'a str,
        /// Number of partitions it shall have in all.
        [0+] count: i32,
        /// The client's own placement of the new ones; null leaves it to the broker.
        [0+] assignments: Option<Vec<CreatePartitionsAssignment>>,
    }
}

wire_struct! {
    /// Where the client wants one new partition.
    pub struct CreatePartitionsAssignment {
        /// Node ids of its replicas.
        [0+] broker_ids: Vec<i32>,
    }
}

wire_struct! {
    /// The response.
    pub struct CreatePartitionsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// One per topic of the request.
        [0+] results: Vec<CreatePartitionsTopicResult<'a>>,
    }
}

wire_struct! {
    /// What became of one topic.
    pub struct CreatePartitionsTopicResult<'a> {
        /// Its name.
        [0+] name: Cow<'a, str>,
        /// What happened.
        [0+] error_code: ErrorCode,
        /// Why, in words.
        [0+] error_message: Option<Cow<'a, str>>,
    }
}

//! CreateTopics (19), versions 2-7.
//!
//! - 2: as Kafka 4 begins. 3: throttled responses are sent at once (KIP-219).
//! - 4: -1 partitions or replicas ask for the broker's defaults (KIP-464).
//! - 5: flexible; the created topic's shape and configs are told (KIP-525).
//! - 6: THROTTLING_QUOTA_EXCEEDED possible (KIP-599). 7: topic ids (KIP-516).

use std::borrow::Cow;

use crate::base::TopicId;
use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct CreateTopicsRequest<'a> {
        /// The topics to create.
        [2+] topics: Vec<CreatableTopic<'a>>,
        /// How long to wait for the creation, milliseconds.
        [2+] timeout_ms: i32 = 60_000,
        /// Whether to check only.
        [2+] validate_only: bool,
    }
}

wire_struct! {
    /// One topic to create.
    pub struct CreatableTopic<'a> {
        /// Its name.
        [2+] name: &'a str,
        /// Number of partitions; -1 with `assignments`, or from version 4 for the default.
        [2+] num_partitions: i32,
        /// Replicas per partition; -1 as above.
        [2+] replication_factor: i16,
        /// The client's own placement, or empty.
        [2+] assignments: Vec<CreatableReplicaAssignment>,
        /// Topic configs.
        [2+] configs: Vec<CreatableTopicConfig<'a>>,
    }
}

wire_struct! {
    /// Where the client wants one partition.
    pub struct CreatableReplicaAssignment {
        /// The partition's index.
        [2+] partition_index: i32,
        /// Node ids of its replicas.
        [2+] broker_ids: Vec<i32>,
    }
}

wire_struct! {
    /// One topic config.
    pub struct CreatableTopicConfig<'a> {
        /// Its name.
        [2+] name: &'a str,
        /// Its value; null is refused by the broker.
        [2+] value: Option<&'a str>,
    }
}

wire_struct! {
    /// The response.
    pub struct CreateTopicsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [2+] throttle_time_ms: i32,
        /// One per topic of the request.
        [2+] topics: Vec<CreatableTopicResult<'a>>,
    }
}

wire_struct! {
    /// What became of one topic.
    pub struct CreatableTopicResult<'a> {
        /// Its name.
        [2+] name: Cow<'a, str>,
        /// Its id, zero after an error.
        [7+] topic_id: TopicId,
        /// What happened.
        [2+] error_code: ErrorCode,
        /// Why, in words.
        [2+] error_message: Option<Cow<'a, str>>,
        /// Number of partitions, -1 after an error.
        [5+] num_partitions: i32 = -1,
        /// Replicas per partition, -1 after an error.
        [5+] replication_factor: i16 = -1,
        /// The topic's configs; null after an error.
        [5+] configs: Option<Vec<CreatableTopicConfigs<'a>>>,
        /// Set if the client may not see the configs, which are then null.
        [5+ tag 0] topic_config_error_code: ErrorCode,
    }
}

wire_struct! {
    /// One config of a created topic.
    pub struct CreatableTopicConfigs<'a> {
        /// Its name.
        [5+] name: Cow<'a, str>,
        /// Its value, null if sensitive.
        [5+] value: Option<Cow<'a, str>>,
        /// Whether it cannot be altered.
        [5+] read_only: bool,
        /// A `ConfigSource` of [`describe_configs`](super::describe_configs).
        [5+] config_source: i8 = -1,
        /// Whether the value is kept secret.
        [5+] is_sensitive: bool,
    }
}

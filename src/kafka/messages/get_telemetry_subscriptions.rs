//! GetTelemetrySubscriptions (71), version 0: which metrics a client should push (KIP-714).

use std::borrow::Cow;

use crate::base::TopicId;
use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct GetTelemetrySubscriptionsRequest {
        /// The client's own id, zero to be given one. A UUID like a topic's.
        [0+] client_instance_id: TopicId,
    }
}

wire_struct! {
    /// The response.
    pub struct GetTelemetrySubscriptionsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// What happened.
        [0+] error_code: ErrorCode,
        /// The client's id from now on; zero if the request had one.
        [0+] client_instance_id: TopicId,
        /// Identifies this set of subscriptions.
        [0+] subscription_id: i32,
        /// Codecs in order of preference, numbered as in record batches.
        [0+] accepted_compression_types: Vec<i8>,
        /// How often to push, milliseconds.
        [0+] push_interval_ms: i32,
        /// Most bytes of one push.
        [0+] telemetry_max_bytes: i32,
        /// Whether to push differences rather than totals.
        [0+] delta_temporality: bool,
        /// Prefixes of the metrics wanted; empty for none, one empty prefix for all.
        [0+] requested_metrics: Vec<Cow<'a, str>>,
    }
}

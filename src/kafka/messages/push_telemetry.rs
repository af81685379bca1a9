//! PushTelemetry (72), version 0: a client's metrics (KIP-714).

use crate::base::TopicId;
use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct PushTelemetryRequest<'a> {
        /// The client's id, from GetTelemetrySubscriptions.
        [0+] client_instance_id: TopicId,
        /// The subscriptions it follows.
        [0+] subscription_id: i32,
        /// Whether the client is going away.
        [0+] terminating: bool,
        /// Codec of the metrics, numbered as in record batches.
        [0+] compression_type: i8,
        /// OTLP metrics.
        [0+] metrics: &'a [u8],
    }
}

wire_struct! {
    /// The response.
    pub struct PushTelemetryResponse {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// What happened.
        [0+] error_code: ErrorCode,
    }
}

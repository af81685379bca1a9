//! GetTelemetrySubscriptions (71), version 0 (KIP-714): no metrics are wanted of any
//! client. A client without an id gets a random one, as in Kafka, and every client is told
//! its id. Asking again before the interval is over costs nothing here and is not
//! throttled.

use super::push_telemetry::{COMPRESSION_TYPES, NO_SUBSCRIPTIONS};
use crate::base::TopicId;
use crate::base::limits::TELEMETRY_BYTES_MAX;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::get_telemetry_subscriptions::{
    GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse,
};
use crate::runtime::process;
use crate::server::Services;

/// When to ask again, milliseconds (Kafka's default for `interval.ms`).
const PUSH_INTERVAL_MS: i32 = 5 * 60 * 1000;

/// Subscribes to nothing.
pub async fn handle(
    _services: &Services,
    request: &GetTelemetrySubscriptionsRequest,
    _header: &RequestHeader<'_>,
) -> GetTelemetrySubscriptionsResponse<'static> {
    response(request, || TopicId::from_random(process::random()))
}

fn response(
    request: &GetTelemetrySubscriptionsRequest,
    fresh_id: impl FnOnce() -> TopicId,
) -> GetTelemetrySubscriptionsResponse<'static> {
    let client_instance_id = match request.client_instance_id {
        TopicId::ZERO => fresh_id(),
        id => id,
    };
    GetTelemetrySubscriptionsResponse {
        client_instance_id,
        subscription_id: NO_SUBSCRIPTIONS,
        accepted_compression_types: COMPRESSION_TYPES.to_vec(),
        push_interval_ms: PUSH_INTERVAL_MS,
        telemetry_max_bytes: i32::try_from(TELEMETRY_BYTES_MAX).unwrap_or(i32::MAX),
        delta_temporality: true,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_keeps_its_id_or_gets_one() {
        for (asked, told) in [(0, 9), (3, 3)] {
            let request = GetTelemetrySubscriptionsRequest {
                client_instance_id: TopicId([asked; 16]),
            };
            let response = response(&request, || TopicId([9; 16]));
            assert_eq!(response.client_instance_id, TopicId([told; 16]));
            assert!(response.requested_metrics.is_empty());
            assert_eq!(response.telemetry_max_bytes, 1_048_576);
        }
    }
}

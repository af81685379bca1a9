//! PushTelemetry (72), version 0 (KIP-714): a client's metrics, which nobody here has
//! asked for; what a client pushes all the same, as one does that takes its leave, is
//! checked as Kafka checks it and dropped unread.

use crate::base::TopicId;
use crate::base::limits::TELEMETRY_BYTES_MAX;
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::push_telemetry::{PushTelemetryRequest, PushTelemetryResponse};
use crate::server::Services;

/// Names the set of subscriptions that every client has: none.
pub const NO_SUBSCRIPTIONS: i32 = 1;
/// Codecs that a push may have, the best first: zstd, lz4, gzip, snappy.
pub const COMPRESSION_TYPES: [i8; 4] = [4, 3, 1, 2];
/// The codec number of what is not compressed, which a push may be as well.
const NOT_COMPRESSED: i8 = 0;

/// Takes note of nothing.
pub async fn handle(
    _services: &Services,
    request: &PushTelemetryRequest<'_>,
    _header: &RequestHeader<'_>,
) -> PushTelemetryResponse {
    PushTelemetryResponse {
        error_code: check(request),
        ..Default::default()
    }
}

fn check(request: &PushTelemetryRequest<'_>) -> ErrorCode {
    let compression = request.compression_type;
    // Kafka reserves the ids 0 and 1.
    if matches!(request.client_instance_id, TopicId::ZERO | TopicId::CATALOG) {
        ErrorCode::INVALID_REQUEST
    } else if request.subscription_id != NO_SUBSCRIPTIONS {
        ErrorCode::UNKNOWN_SUBSCRIPTION_ID
    } else if compression != NOT_COMPRESSED && !COMPRESSION_TYPES.contains(&compression) {
        ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
    } else if request.metrics.len() > TELEMETRY_BYTES_MAX {
        ErrorCode::TELEMETRY_TOO_LARGE
    } else {
        ErrorCode::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused() {
        let metrics = vec![0; TELEMETRY_BYTES_MAX + 1];
        let whole = PushTelemetryRequest {
            client_instance_id: TopicId([7; 16]),
            subscription_id: NO_SUBSCRIPTIONS,
            metrics: &metrics[1..],
            ..Default::default()
        };
        let cases = [
            (whole.clone(), ErrorCode::NONE),
            (
                PushTelemetryRequest {
                    client_instance_id: TopicId::ZERO,
                    ..whole.clone()
                },
                ErrorCode::INVALID_REQUEST,
            ),
            (
                PushTelemetryRequest {
                    subscription_id: 2,
                    ..whole.clone()
                },
                ErrorCode::UNKNOWN_SUBSCRIPTION_ID,
            ),
            (
                PushTelemetryRequest {
                    compression_type: 4,
                    ..whole.clone()
                },
                ErrorCode::NONE,
            ),
            (
                PushTelemetryRequest {
                    compression_type: 5,
                    ..whole.clone()
                },
                ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            ),
            (
                PushTelemetryRequest {
                    metrics: &metrics,
                    ..whole
                },
                ErrorCode::TELEMETRY_TOO_LARGE,
            ),
        ];
        for (request, expected) in cases {
            assert_eq!(check(&request), expected);
        }
    }
}

//! InitProducerId (22), versions 0-5: a fresh id, epoch 0, for an idempotent producer.
//!
//! - 3: the producer may tell the id and epoch it has (KIP-360). Without a transactional
//!   id Kafka takes no notice and gives a fresh id, and so do we: the producer then begins
//!   its sequences anew, which no partition can mistake for the old ones. One of the two
//!   alone is INVALID_REQUEST.
//!
//! Transactions are not served. A transactional id gets UNSUPPORTED_VERSION, which ends a
//! producer with "the version of API is not supported"; an empty one is INVALID_REQUEST as
//! in Kafka.

use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::server::Services;

/// Gives out an id.
pub async fn handle(
    services: &Services,
    request: &InitProducerIdRequest<'_>,
    _header: &RequestHeader<'_>,
) -> InitProducerIdResponse {
    match check(request) {
        Ok(()) => InitProducerIdResponse {
            producer_id: services.producer_ids.next(),
            ..Default::default()
        },
        Err(error_code) => InitProducerIdResponse {
            error_code,
            ..Default::default()
        },
    }
}

fn check(request: &InitProducerIdRequest<'_>) -> Result<(), ErrorCode> {
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    match request.transactional_id {
        None => Ok(()),
        Some("") => Err(ErrorCode::INVALID_REQUEST),
        Some(_) => Err(ErrorCode::UNSUPPORTED_VERSION),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused() {
        for (transactional_id, producer_id, producer_epoch, expected) in [
            (None, -1, -1, Ok(())),
            (None, 5, 0, Ok(())),
            (None, 5, i16::MAX, Ok(())),
            (None, 5, -1, Err(ErrorCode::INVALID_REQUEST)),
            (None, -1, 0, Err(ErrorCode::INVALID_REQUEST)),
            (Some(""), -1, -1, Err(ErrorCode::INVALID_REQUEST)),
            (Some("t"), -1, -1, Err(ErrorCode::UNSUPPORTED_VERSION)),
            (Some("t"), 5, -1, Err(ErrorCode::INVALID_REQUEST)),
        ] {
            let request = InitProducerIdRequest {
                transactional_id,
                producer_id,
                producer_epoch,
                ..Default::default()
            };
            assert_eq!(check(&request), expected, "{request:?}");
        }
    }
}

//! InitProducerId (22), versions 0-5: hands out producer ids and raises epochs.
//!
//! - 1: throttled responses are sent at once (KIP-219). 2: flexible.
//! - 3: the current id and epoch, for a producer that recovers (KIP-360).
//! - 4: PRODUCER_FENCED possible. 5: TRANSACTION_ABORTABLE possible (KIP-890).
//!
//! Version 6 (two-phase commit, KIP-939) is unstable in Kafka 4.2 and not served.

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct InitProducerIdRequest<'a> {
        /// Null for a producer without transactions.
        [0+] transactional_id: Option<&'a str>,
        /// After which an idle transaction is aborted, milliseconds.
        [0+] transaction_timeout_ms: i32,
        /// The id the producer has, or -1.
        [3+] producer_id: i64 = -1,
        /// The epoch the producer has, or -1.
        [3+] producer_epoch: i16 = -1,
    }
}

wire_struct! {
    /// The response.
    pub struct InitProducerIdResponse {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// What happened.
        [0+] error_code: ErrorCode,
        /// The producer id, -1 after an error.
        [0+] producer_id: i64 = -1,
        /// Its epoch.
        [0+] producer_epoch: i16,
    }
}

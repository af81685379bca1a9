//! FindCoordinator (10), versions 0-6: which node coordinates a group or a transactional id.
//!
//! - 1: the key's type, throttle time, error messages. 2: throttled responses are sent at
//!   once (KIP-219). 3: flexible. 4: several keys at once (KIP-699).
//! - 5: TRANSACTION_ABORTABLE possible (KIP-890). 6: share groups (KIP-932).

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

/// Key type of a group id.
pub const KEY_TYPE_GROUP: i8 = 0;
/// Key type of a transactional id.
pub const KEY_TYPE_TRANSACTION: i8 = 1;
/// Key type of a share group's partition, `group:topic id:partition`, from version 6.
pub const KEY_TYPE_SHARE: i8 = 2;

wire_struct! {
    /// The request.
    pub struct FindCoordinatorRequest<'a> {
        /// The one key.
        [0-3] key: &'a str,
        /// What the keys are: [`KEY_TYPE_GROUP`] and its like.
        [1+] key_type: i8 = KEY_TYPE_GROUP,
        /// The keys.
        [4+] coordinator_keys: Vec<&'a str>,
    }
}

wire_struct! {
    /// The response.
    pub struct FindCoordinatorResponse<'a> {
        /// How long the client should pause, milliseconds.
        [1+] throttle_time_ms: i32,
        /// What happened to the one key.
        [0-3] error_code: ErrorCode,
        /// An explanation of the error.
        [1-3] error_message: Option<Cow<'a, str>> = Some(Cow::Borrowed("")),
        /// Node id of the coordinator, -1 after an error.
        [0-3] node_id: i32,
        /// Its host name or address, empty after an error.
        [0-3] host: Cow<'a, str>,
        /// Its TCP port, -1 after an error.
        [0-3] port: i32,
        /// By key, in the order of the request.
        [4+] coordinators: Vec<Coordinator<'a>>,
    }
}

wire_struct! {
    /// The coordinator of one key.
    pub struct Coordinator<'a> {
        /// The key.
        [4+] key: Cow<'a, str>,
        /// Node id, -1 after an error.
        [4+] node_id: i32,
        /// Host name or address, empty after an error.
        [4+] host: Cow<'a, str>,
        /// TCP port, -1 after an error.
        [4+] port: i32,
        /// What happened.
        [4+] error_code: ErrorCode,
        /// An explanation of the error.
        [4+] error_message: Option<Cow<'a, str>> = Some(Cow::Borrowed("")),
    }
}

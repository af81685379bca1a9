//! DeleteGroups (42), versions 0-2: deletes groups without members, and their offsets.
//!
//! - 1: throttled responses are sent at once (KIP-219). 2: flexible.

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct DeleteGroupsRequest<'a> {
        /// The groups. (Kafka's own name of the field.)
        [0+] groups_names: Vec<&'a str>,
    }
}

wire_struct! {
    /// The response.
    pub struct DeleteGroupsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// By group.
        [0+] results: Vec<DeletableGroupResult<'a>>,
    }
}

wire_struct! {
    /// What became of one group.
    pub struct DeletableGroupResult<'a> {
        /// The group.
        [0+] group_id: Cow<'a, str>,
        /// What happened.
        [0+] error_code: ErrorCode,
    }
}

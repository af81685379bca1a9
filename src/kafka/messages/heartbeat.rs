//! Heartbeat (12), versions 0-4: a member of a classic group lives, and asks whether the
//! group rebalances.
//!
//! - 1: throttle time. 2: throttled responses are sent at once (KIP-219).
//! - 3: static members (KIP-345). 4: flexible.

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct HeartbeatRequest<'a> {
        /// The group.
        [0+] group_id: &'a str,
        /// The generation the member belongs to.
        [0+] generation_id: i32,
        /// The member's id.
        [0+] member_id: &'a str,
        /// `group.instance.id`, null from a dynamic member.
        [3+] group_instance_id: Option<&'a str>,
    }
}

wire_struct! {
    /// The response.
    pub struct HeartbeatResponse {
        /// How long the client should pause, milliseconds.
        [1+] throttle_time_ms: i32,
        /// What happened; REBALANCE_IN_PROGRESS asks the member to join again.
        [0+] error_code: ErrorCode,
    }
}

//! SyncGroup (14), versions 0-5: the leader of a classic group brings the assignment and
//! every member gets its own. The answer comes when the leader has brought it.
//!
//! - 1: throttle time. 2: throttled responses are sent at once (KIP-219).
//! - 3: static members (KIP-345). 4: flexible.
//! - 5: the protocol's type and name, checked and told (KIP-559).

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct SyncGroupRequest<'a> {
        /// The group.
        [0+] group_id: &'a str,
        /// The generation the member belongs to.
        [0+] generation_id: i32,
        /// The member's id.
        [0+] member_id: &'a str,
        /// `group.instance.id`, null from a dynamic member.
        [3+] group_instance_id: Option<&'a str>,
        /// The kind of protocols the member believes in, null if it does not say.
        [5+] protocol_type: Option<&'a str>,
        /// The protocol the member believes to be chosen, null if it does not say.
        [5+] protocol_name: Option<&'a str>,
        /// Every member's assignment from the leader, none from the others.
        [0+] assignments: Vec<SyncGroupRequestAssignment<'a>>,
    }
}

wire_struct! {
    /// What the leader assigns to one member.
    pub struct SyncGroupRequestAssignment<'a> {
        /// The member's id.
        [0+] member_id: &'a str,
        /// Its assignment, opaque to the broker.
        [0+] assignment: &'a [u8],
    }
}

wire_struct! {
    /// The response.
    pub struct SyncGroupResponse<'a> {
        /// How long the client should pause, milliseconds.
        [1+] throttle_time_ms: i32,
        /// What happened.
        [0+] error_code: ErrorCode,
        /// The kind of protocols, null after an error.
        [5+] protocol_type: Option<Cow<'a, str>>,
        /// The protocol chosen, null after an error.
        [5+] protocol_name: Option<Cow<'a, str>>,
        /// The member's assignment, empty after an error.
        [0+] assignment: &'a [u8],
    }
}

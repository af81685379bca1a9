//! LeaveGroup (13), versions 0-5: removes members from a classic group.
//!
//! - 1: throttle time. 2: throttled responses are sent at once (KIP-219).
//! - 3: several members at once, static ones by their instance id (KIP-345).
//! - 4: flexible. 5: the reason to leave (KIP-800).

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct LeaveGroupRequest<'a> {
        /// The group.
        [0+] group_id: &'a str,
        /// The one member that leaves.
        [0-2] member_id: &'a str,
        /// The members that leave.
        [3+] members: Vec<MemberIdentity<'a>>,
    }
}

wire_struct! {
    /// One member that leaves.
    pub struct MemberIdentity<'a> {
        /// The member's id; empty for a static member that is removed by its instance id.
        [3+] member_id: &'a str,
        /// `group.instance.id`, null of a dynamic member.
        [3+] group_instance_id: Option<&'a str>,
        /// Why it leaves.
        [5+] reason: Option<&'a str>,
    }
}

wire_struct! {
    /// The response.
    pub struct LeaveGroupResponse<'a> {
        /// How long the client should pause, milliseconds.
        [1+] throttle_time_ms: i32,
        /// What happened to the request as a whole.
        [0+] error_code: ErrorCode,
        /// By member, in the order of the request.
        [3+] members: Vec<MemberResponse<'a>>,
    }
}

wire_struct! {
    /// What became of one member.
    pub struct MemberResponse<'a> {
        /// The member's id, as asked.
        [3+] member_id: Cow<'a, str>,
        /// Its instance id, as asked.
        [3+] group_instance_id: Option<Cow<'a, str>>,
        /// What happened.
        [3+] error_code: ErrorCode,
    }
}

//! DescribeGroups (15), versions 0-6: state and members of classic groups.
//!
//! - 1: throttle time. 2: throttled responses are sent at once (KIP-219).
//! - 3: authorized operations (KIP-430). 4: static members (KIP-345). 5: flexible.
//! - 6: error messages; GROUP_ID_NOT_FOUND in place of a dead group (KIP-1043).

use std::borrow::Cow;

use super::common::AUTHORIZED_OPERATIONS_OMITTED;
use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct DescribeGroupsRequest<'a> {
        /// The groups asked for.
        [0+] groups: Vec<&'a str>,
        /// Whether to tell what the client may do with each.
        [3+] include_authorized_operations: bool,
    }
}

wire_struct! {
    /// The response.
    pub struct DescribeGroupsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [1+] throttle_time_ms: i32,
        /// By group.
        [0+] groups: Vec<DescribedGroup<'a>>,
    }
}

wire_struct! {
    /// One group.
    pub struct DescribedGroup<'a> {
        /// What happened.
        [0+] error_code: ErrorCode,
        /// An explanation of the error.
        [6+] error_message: Option<Cow<'a, str>>,
        /// The group.
        [0+] group_id: Cow<'a, str>,
        /// Its state, as `Stable`; empty after an error.
        [0+] group_state: Cow<'a, str>,
        /// The kind of its protocols, empty if it has none.
        [0+] protocol_type: Cow<'a, str>,
        /// The protocol chosen, empty unless the group is stable.
        [0+] protocol_data: Cow<'a, str>,
        /// Its members.
        [0+] members: Vec<DescribedGroupMember<'a>>,
        /// Bit field of `AclOperation`s (KIP-430).
        [3+] authorized_operations: i32 = AUTHORIZED_OPERATIONS_OMITTED,
    }
}

wire_struct! {
    /// One member.
    pub struct DescribedGroupMember<'a> {
        /// The member's id.
        [0+] member_id: Cow<'a, str>,
        /// Its `group.instance.id`, null of a dynamic member.
        [4+] group_instance_id: Option<Cow<'a, str>>,
        /// What its client called itself when it joined.
        [0+] client_id: Cow<'a, str>,
        /// The address it joined from, after a slash.
        [0+] client_host: Cow<'a, str>,
        /// Its metadata for the protocol chosen, empty unless the group is stable.
        [0+] member_metadata: &'a [u8],
        /// Its assignment, empty unless the group is stable.
        [0+] member_assignment: &'a [u8],
    }
}

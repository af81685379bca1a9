//! JoinGroup (11), versions 0-9: becomes or stays a member of a classic group. The answer
//! comes when the group's next generation begins.
//!
//! - 1: rebalance timeout. 2: throttle time. 3: throttled responses are sent at once (KIP-219).
//! - 4: a new member is given its id with MEMBER_ID_REQUIRED and asks again (KIP-394).
//! - 5: static members (KIP-345). 6: flexible. 7: the protocol's type is told (KIP-559).
//! - 8: the reason to join (KIP-800). 9: the leader may skip the assignment (KIP-814).

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct JoinGroupRequest<'a> {
        /// The group.
        [0+] group_id: &'a str,
        /// Without a heartbeat for so long the member is dead, milliseconds.
        [0+] session_timeout_ms: i32,
        /// How long a rebalance waits for the member to join again, milliseconds; -1 where
        /// the version has none, and the session timeout stands for it.
        [1+] rebalance_timeout_ms: i32 = -1,
        /// The member's id, empty from a new member.
        [0+] member_id: &'a str,
        /// `group.instance.id`, null from a dynamic member.
        [5+] group_instance_id: Option<&'a str>,
        /// The kind of protocols, `consumer` from consumers.
        [0+] protocol_type: &'a str,
        /// The protocols that the member can use, the one it likes best first.
        [0+] protocols: Vec<JoinGroupRequestProtocol<'a>>,
        /// Why the member joins.
        [8+] reason: Option<&'a str>,
    }
}

wire_struct! {
    /// One protocol, of a consumer one assignor.
    pub struct JoinGroupRequestProtocol<'a> {
        /// The protocol's name.
        [0+] name: &'a str,
        /// What the group's leader gets to know of the member, of a consumer its subscription.
        [0+] metadata: &'a [u8],
    }
}

wire_struct! {
    /// The response.
    pub struct JoinGroupResponse<'a> {
        /// How long the client should pause, milliseconds.
        [2+] throttle_time_ms: i32,
        /// What happened.
        [0+] error_code: ErrorCode,
        /// The group's generation, -1 after an error.
        [0+] generation_id: i32 = -1,
        /// The kind of protocols, null after an error.
        [7+] protocol_type: Option<Cow<'a, str>>,
        /// The protocol chosen, null after an error.
        [0+ null 7+] protocol_name: Option<Cow<'a, str>> = Some(Cow::Borrowed("")),
        /// Member id of the leader, who assigns.
        [0+] leader: Cow<'a, str>,
        /// Whether the leader is to leave the assignment as it is.
        [9+] skip_assignment: bool,
        /// The member's id.
        [0+] member_id: Cow<'a, str>,
        /// Every member to the leader, none to the others.
        [0+] members: Vec<JoinGroupResponseMember<'a>>,
    }
}

wire_struct! {
    /// One member, as the leader gets to know it.
    pub struct JoinGroupResponseMember<'a> {
        /// The member's id.
        [0+] member_id: Cow<'a, str>,
        /// Its `group.instance.id`, null of a dynamic member.
        [5+] group_instance_id: Option<Cow<'a, str>>,
        /// Its metadata for the protocol chosen.
        [0+] metadata: &'a [u8],
    }
}

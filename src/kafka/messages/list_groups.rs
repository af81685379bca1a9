//! ListGroups (16), versions 0-5: the groups that the asked node coordinates.
//!
//! - 1: throttle time. 2: throttled responses are sent at once (KIP-219). 3: flexible.
//! - 4: by state, and states are told (KIP-518). 5: by type, and types are told (KIP-848).

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct ListGroupsRequest<'a> {
        /// The states asked for, in any case; none for all.
        [4+] states_filter: Vec<&'a str>,
        /// The types asked for, in any case; none for all.
        [5+] types_filter: Vec<&'a str>,
    }
}

wire_struct! {
    /// The response.
    pub struct ListGroupsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [1+] throttle_time_ms: i32,
        /// What happened.
        [0+] error_code: ErrorCode,
        /// The groups.
        [0+] groups: Vec<ListedGroup<'a>>,
    }
}

wire_struct! {
    /// One group.
    pub struct ListedGroup<'a> {
        /// The group.
        [0+] group_id: Cow<'a, str>,
        /// The kind of its protocols, empty if it has none.
        [0+] protocol_type: Cow<'a, str>,
        /// Its state, as `Stable`.
        [4+] group_state: Cow<'a, str>,
        /// Its type, `classic` or `consumer`.
        [5+] group_type: Cow<'a, str>,
    }
}

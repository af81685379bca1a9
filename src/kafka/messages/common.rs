//! Structs that several APIs share.

use std::borrow::Cow;

use crate::wire_struct;

/// "Not told" for an authorized-operations bit field (KIP-430).
pub const AUTHORIZED_OPERATIONS_OMITTED: i32 = i32::MIN;

wire_struct! {
    /// The leader that a client should turn to after NOT_LEADER_OR_FOLLOWER (KIP-951).
    /// Its default means "not told".
    pub struct LeaderIdAndEpoch {
        /// Node id of the leader, -1 if unknown.
        [0+] leader_id: i32 = -1,
        /// The leader's epoch, -1 if unknown.
        [0+] leader_epoch: i32 = -1,
    }
}

wire_struct! {
    /// Where a leader named in [`LeaderIdAndEpoch`] can be reached (KIP-951).
    pub struct NodeEndpoint<'a> {
        /// Node id.
        [0+] node_id: i32,
        /// Host name or address.
        [0+] host: Cow<'a, str>,
        /// TCP port.
        [0+] port: i32,
        /// The node's rack, null if it has none.
        [0+] rack: Option<Cow<'a, str>>,
    }
}

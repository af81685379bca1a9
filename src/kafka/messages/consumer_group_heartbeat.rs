//! ConsumerGroupHeartbeat (68), versions 0-1: joins, stays in and leaves a group whose
//! coordinator assigns (KIP-848).
//!
//! - 1: subscription by regular expression; the consumer makes its own member id (KIP-1082).

use std::borrow::Cow;

use crate::base::TopicId;
use crate::kafka::ErrorCode;
use crate::wire_struct;

/// Member epoch of a member that joins.
pub const JOIN_GROUP_MEMBER_EPOCH: i32 = 0;
/// Member epoch of a member that leaves.
pub const LEAVE_GROUP_MEMBER_EPOCH: i32 = -1;
/// Member epoch of a static member that leaves and will be back.
pub const LEAVE_GROUP_STATIC_MEMBER_EPOCH: i32 = -2;

wire_struct! {
    /// The request. Null means "as in the last heartbeat" where nothing else is said.
    pub struct ConsumerGroupHeartbeatRequest<'a> {
        /// The group.
        [0+] group_id: &'a str,
        /// The member's id; in version 0 empty from a new member, which is given one.
        [0+] member_id: &'a str,
        /// The member's epoch, or [`JOIN_GROUP_MEMBER_EPOCH`] and its like.
        [0+] member_epoch: i32,
        /// `group.instance.id`, null also from a dynamic member.
        [0+] instance_id: Option<&'a str>,
        /// `client.rack`, null also without.
        [0+] rack_id: Option<&'a str>,
        /// How long the member may take to give partitions up, milliseconds; -1 as before.
        [0+] rebalance_timeout_ms: i32 = -1,
        /// The topics subscribed to by name.
        [0+] subscribed_topic_names: Option<Vec<&'a str>>,
        /// The topics subscribed to by an expression of RE2.
        [1+] subscribed_topic_regex: Option<&'a str>,
        /// The assignor wanted, null also for the group's own choice.
        [0+] server_assignor: Option<&'a str>,
        /// The partitions that the member has.
        [0+] topic_partitions: Option<Vec<TopicPartitions<'a>>>,
    }
}

wire_struct! {
    /// The response.
    pub struct ConsumerGroupHeartbeatResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
        /// What happened.
        [0+] error_code: ErrorCode,
        /// An explanation of the error.
        [0+] error_message: Option<Cow<'a, str>>,
        /// The member's id.
        [0+] member_id: Option<Cow<'a, str>>,
        /// The member's epoch.
        [0+] member_epoch: i32,
        /// How often the member is to be heard of, milliseconds.
        [0+] heartbeat_interval_ms: i32,
        /// What the member is to have, null if that has not changed.
        [0+] assignment: Option<Assignment<'a>>,
    }
}

wire_struct! {
    /// What a member is to have.
    pub struct Assignment<'a> {
        /// By topic.
        [0+] topic_partitions: Vec<TopicPartitions<'a>>,
    }
}

wire_struct! {
    /// Partitions of one topic.
    pub struct TopicPartitions<'a> {
        /// The topic's id.
        [0+] topic_id: TopicId,
        /// The partitions' indexes.
        [0+] partitions: Cow<'a, [i32]>,
    }
}

//! ConsumerGroupDescribe (69), versions 0-1: state and members of groups whose coordinator
//! assigns (KIP-848).
//!
//! - 1: the member's type (KIP-1099).

use std::borrow::Cow;

use super::common::AUTHORIZED_OPERATIONS_OMITTED;
use crate::base::TopicId;
use crate::kafka::ErrorCode;
use crate::wire_struct;

/// Type of a member that speaks the classic protocol, in a group that is migrated.
pub const MEMBER_TYPE_CLASSIC: i8 = 0;
/// Type of a member that speaks the protocol of KIP-848.
pub const MEMBER_TYPE_CONSUMER: i8 = 1;

wire_struct! {
    /// The request.
    pub struct ConsumerGroupDescribeRequest<'a> {
        /// The groups asked for.
        [0+] group_ids: Vec<&'a str>,
        /// Whether to tell what the client may do with each.
        [0+] include_authorized_operations: bool,
    }
}

wire_struct! {
    /// The response.
    pub struct ConsumerGroupDescribeResponse<'a> {
        /// How long the client should pause, milliseconds.
        [0+] throttle_time_ms: i32,
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
        [0+] error_message: Option<Cow<'a, str>>,
        /// The group.
        [0+] group_id: Cow<'a, str>,
        /// Its state, as `Stable`; empty after an error.
        [0+] group_state: Cow<'a, str>,
        /// Its epoch, which rises with every change of members, subscriptions or topics.
        [0+] group_epoch: i32,
        /// The epoch that the target assignment was made for.
        [0+] assignment_epoch: i32,
        /// The assignor in use.
        [0+] assignor_name: Cow<'a, str>,
        /// Its members.
        [0+] members: Vec<Member<'a>>,
        /// Bit field of `AclOperation`s (KIP-430).
        [0+] authorized_operations: i32 = AUTHORIZED_OPERATIONS_OMITTED,
    }
}

wire_struct! {
    /// One member.
    pub struct Member<'a> {
        /// The member's id.
        [0+] member_id: Cow<'a, str>,
        /// Its `group.instance.id`, null of a dynamic member.
        [0+] instance_id: Option<Cow<'a, str>>,
        /// Its rack, null if it has none.
        [0+] rack_id: Option<Cow<'a, str>>,
        /// Its epoch.
        [0+] member_epoch: i32,
        /// What its client calls itself.
        [0+] client_id: Cow<'a, str>,
        /// The address it is heard from, after a slash.
        [0+] client_host: Cow<'a, str>,
        /// The topics subscribed to by name.
        [0+] subscribed_topic_names: Vec<Cow<'a, str>>,
        /// The topics subscribed to by an expression of RE2, null if there is none.
        [0+] subscribed_topic_regex: Option<Cow<'a, str>>,
        /// What it has.
        [0+] assignment: Assignment<'a>,
        /// What it is to have.
        [0+] target_assignment: Assignment<'a>,
        /// [`MEMBER_TYPE_CLASSIC`] or [`MEMBER_TYPE_CONSUMER`], -1 if unknown.
        [1+] member_type: i8 = -1,
    }
}

wire_struct! {
    /// What a member has or is to have.
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
        /// The topic's name.
        [0+] topic_name: Cow<'a, str>,
        /// The partitions' indexes.
        [0+] partitions: Cow<'a, [i32]>,
    }
}

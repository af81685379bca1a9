//! What members ask and are answered.

use std::sync::Arc;

use bytes::Bytes;

use crate::kafka::ErrorCode;

/// A way to assign partitions that a member knows, with what it says about itself for that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Protocol {
    /// Its name, such as `range` or `cooperative-sticky`.
    pub name: Arc<str>,
    /// For consumers a `ConsumerProtocolSubscription`; the coordinator only looks for its topics.
    pub metadata: Bytes,
}

/// Joins a group.
#[derive(Clone, PartialEq, Debug)]
pub struct JoinRequest {
    /// The group.
    pub group_id: Arc<str>,
    /// Empty for a member that has no id yet.
    pub member_id: Arc<str>,
    /// The member id to give out if one is needed; never used before. Kafka makes it of the
    /// client id, or the instance id, and a random UUID.
    pub fresh_member_id: Arc<str>,
    /// Of a static member (KIP-345).
    pub instance_id: Option<Arc<str>>,
    /// The client id of the request.
    pub client_id: Arc<str>,
    /// The address it came from; Kafka puts a slash before it.
    pub client_host: Arc<str>,
    /// A member that is silent for so long is taken for gone, milliseconds.
    pub session_timeout_ms: i32,
    /// How long a member may take to join again, milliseconds; negative for the session timeout
    /// (version 0).
    pub rebalance_timeout_ms: i32,
    /// `consumer`, `connect` and the like.
    pub protocol_type: Arc<str>,
    /// Most preferred first.
    pub protocols: Vec<Protocol>,
    /// A member without an id gets one and must come again with it (KIP-394, version 4).
    pub requires_known_member_id: bool,
    /// The client knows a leader that need not assign anything (KIP-814, version 9).
    pub supports_skip_assignment: bool,
}

impl JoinRequest {
    /// Bytes that the member says about itself.
    pub(in crate::group) fn said_bytes(&self) -> usize {
        let protocols = self.protocols.iter();
        protocols.map(|p| p.name.len() + p.metadata.len()).sum()
    }
}

/// What became of a [`JoinRequest`].
#[derive(Clone, PartialEq, Debug)]
pub struct JoinReply {
    /// What happened.
    pub error: ErrorCode,
    /// The round, -1 on error.
    pub generation: i32,
    /// The group's protocol type.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol that all members know.
    pub protocol_name: Option<Arc<str>>,
    /// Member id of the leader.
    pub leader: Arc<str>,
    /// The leader is only told the members and must assign nothing.
    pub skip_assignment: bool,
    /// The member's id.
    pub member_id: Arc<str>,
    /// For the leader: all members.
    pub members: Vec<JoinedMember>,
}

impl JoinReply {
    /// A refusal.
    pub fn error(error: ErrorCode, member_id: Arc<str>) -> JoinReply {
        JoinReply {
            error,
            generation: -1,
            protocol_type: None,
            protocol_name: None,
            leader: "".into(),
            skip_assignment: false,
            member_id,
            members: Vec::new(),
        }
    }
}

/// A member as the leader sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: Arc<str>,
    /// Of a static member.
    pub instance_id: Option<Arc<str>>,
    /// What it said for the chosen protocol.
    pub metadata: Bytes,
}

/// Asks for an assignment.
#[derive(Clone, PartialEq, Debug)]
pub struct SyncRequest {
    /// The group.
    pub group_id: Arc<str>,
    /// The round it belongs to.
    pub generation: i32,
    /// The member.
    pub member_id: Arc<str>,
    /// Of a static member.
    pub instance_id: Option<Arc<str>>,
    /// What it takes the group's protocol type for (version 5).
    pub protocol_type: Option<Arc<str>>,
    /// What it takes the chosen protocol for (version 5).
    pub protocol_name: Option<Arc<str>>,
    /// From the leader: the assignment of each member.
    pub assignments: Vec<(Arc<str>, Bytes)>,
}

/// What became of a [`SyncRequest`].
#[derive(Clone, PartialEq, Debug)]
pub struct SyncReply {
    /// What happened.
    pub error: ErrorCode,
    /// The group's protocol type.
    pub protocol_type: Option<Arc<str>>,
    /// The chosen protocol.
    pub protocol_name: Option<Arc<str>>,
    /// The member's assignment.
    pub assignment: Bytes,
}

impl SyncReply {
    /// A refusal.
    pub fn error(error: ErrorCode) -> SyncReply {
        SyncReply {
            error,
            protocol_type: None,
            protocol_name: None,
            assignment: Bytes::new(),
        }
    }
}

/// Keeps a member's session.
#[derive(Clone, PartialEq, Debug)]
pub struct HeartbeatRequest {
    /// The group.
    pub group_id: Arc<str>,
    /// The round it is in.
    pub generation: i32,
    /// The member.
    pub member_id: Arc<str>,
    /// Of a static member.
    pub instance_id: Option<Arc<str>>,
}

/// Takes members out of a group.
#[derive(Clone, PartialEq, Debug)]
pub struct LeaveRequest {
    /// The group.
    pub group_id: Arc<str>,
    /// Who goes; one before version 3.
    pub members: Vec<LeavingMember>,
}

/// One that leaves.
#[derive(Clone, PartialEq, Debug)]
pub struct LeavingMember {
    /// Its id; empty if only the instance is known.
    pub member_id: Arc<str>,
    /// Of a static member.
    pub instance_id: Option<Arc<str>>,
}

/// What became of a [`LeaveRequest`].
#[derive(Clone, PartialEq, Debug)]
pub struct LeaveReply {
    /// Of the group as a whole.
    pub error: ErrorCode,
    /// One verdict for each member, in the request's order; none when there is an error.
    pub members: Vec<ErrorCode>,
}

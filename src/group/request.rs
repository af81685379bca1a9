//! What a coordinator is asked and what it answers. Owned, because it may cross cores and
//! because joining and syncing wait; the codec's structs borrow from their frames.

use std::sync::Arc;

use bytes::Bytes;

use super::one_group::OFFSET_RECORD_BYTES;
use crate::kafka::ErrorCode;

/// Names one request for as long as it has no answer. Given out by the caller, each once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// A question to the coordinator of a group.
#[derive(Clone, PartialEq, Debug)]
pub enum GroupRequest {
    /// Become a member, or begin another round (JoinGroup). Waits for the other members.
    Join(JoinRequest),
    /// Ask for one's assignment, or as the leader hand them out (SyncGroup). Waits for the leader.
    Sync(SyncRequest),
    /// Still here (Heartbeat).
    Heartbeat(HeartbeatRequest),
    /// Members go (LeaveGroup).
    Leave(LeaveRequest),
    /// Remember offsets (OffsetCommit).
    Commit(CommitRequest),
    /// Which offsets were remembered (OffsetFetch).
    FetchOffsets(FetchOffsetsRequest),
    /// Forget some offsets (OffsetDelete).
    DeleteOffsets(DeleteOffsetsRequest),
    /// One group with its members (DescribeGroups).
    Describe {
        /// The group.
        group_id: Arc<str>,
    },
    /// The groups of this coordinator (ListGroups).
    List(ListFilter),
    /// Delete one group with its offsets (DeleteGroups).
    Delete {
        /// The group.
        group_id: Arc<str>,
    },
}

impl GroupRequest {
    /// Whether the answer may have to wait for other members.
    pub fn may_wait_long(&self) -> bool {
        matches!(self, GroupRequest::Join(_) | GroupRequest::Sync(_))
    }

    /// The group that it is about; empty for a list.
    pub(super) fn group_id(&self) -> Arc<str> {
        match self {
            GroupRequest::Join(request) => request.group_id.clone(),
            GroupRequest::Sync(request) => request.group_id.clone(),
            GroupRequest::Heartbeat(request) => request.group_id.clone(),
            GroupRequest::Leave(request) => request.group_id.clone(),
            GroupRequest::Commit(request) => request.group_id.clone(),
            GroupRequest::FetchOffsets(request) => request.group_id.clone(),
            GroupRequest::DeleteOffsets(request) => request.group_id.clone(),
            GroupRequest::Describe { group_id } | GroupRequest::Delete { group_id } => {
                group_id.clone()
            }
            GroupRequest::List(_) => "".into(),
        }
    }

    /// Whether a group that is not there comes into being: a new member joins, or offsets are
    /// committed by somebody who is no member of any group.
    pub(super) fn may_create(&self) -> bool {
        match self {
            GroupRequest::Join(request) => request.member_id.is_empty(),
            GroupRequest::Commit(request) => request.generation < 0,
            _ => false,
        }
    }

    /// The answer when there is no such group.
    pub(super) fn without_group(&self) -> GroupReply {
        let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
        match self {
            GroupRequest::Join(request) => {
                GroupReply::Join(JoinReply::error(unknown, request.member_id.clone()))
            }
            GroupRequest::Sync(_) => GroupReply::Sync(SyncReply::error(unknown)),
            GroupRequest::Heartbeat(_) => GroupReply::Heartbeat(unknown),
            GroupRequest::Leave(request) => GroupReply::Leave(LeaveReply {
                error: ErrorCode::NONE,
                members: vec![unknown; request.members.len()],
            }),
            GroupRequest::Commit(request) => {
                GroupReply::Commit(request.verdicts(match request.knows_missing_groups {
                    true => ErrorCode::GROUP_ID_NOT_FOUND,
                    false => ErrorCode::ILLEGAL_GENERATION,
                }))
            }
            GroupRequest::FetchOffsets(request) => GroupReply::FetchOffsets(request.nothing()),
            GroupRequest::DeleteOffsets(_) => GroupReply::DeleteOffsets(DeleteOffsetsReply {
                error: ErrorCode::GROUP_ID_NOT_FOUND,
                topics: Vec::new(),
            }),
            GroupRequest::Describe { group_id } => {
                GroupReply::Describe(DescribedGroup::missing(group_id))
            }
            GroupRequest::List(_) => GroupReply::List(Vec::new()),
            GroupRequest::Delete { .. } => GroupReply::Delete(ErrorCode::GROUP_ID_NOT_FOUND),
        }
    }
}

/// The answer to the [`GroupRequest`] of the same name.
#[derive(Clone, PartialEq, Debug)]
pub enum GroupReply {
    /// See [`GroupRequest::Join`].
    Join(JoinReply),
    /// See [`GroupRequest::Sync`].
    Sync(SyncReply),
    /// See [`GroupRequest::Heartbeat`].
    Heartbeat(ErrorCode),
    /// See [`GroupRequest::Leave`].
    Leave(LeaveReply),
    /// See [`GroupRequest::Commit`]: one verdict for each partition, in the request's order.
    Commit(Vec<Vec<ErrorCode>>),
    /// See [`GroupRequest::FetchOffsets`].
    FetchOffsets(FetchOffsetsReply),
    /// See [`GroupRequest::DeleteOffsets`].
    DeleteOffsets(DeleteOffsetsReply),
    /// See [`GroupRequest::Describe`].
    Describe(DescribedGroup),
    /// See [`GroupRequest::List`].
    List(Vec<ListedGroup>),
    /// See [`GroupRequest::Delete`].
    Delete(ErrorCode),
}

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
    pub(super) fn said_bytes(&self) -> usize {
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

/// Remembers offsets.
#[derive(Clone, PartialEq, Debug)]
pub struct CommitRequest {
    /// The group.
    pub group_id: Arc<str>,
    /// The round the member is in; negative for a consumer that uses the group for its offsets only.
    pub generation: i32,
    /// The member; empty for such a consumer.
    pub member_id: Arc<str>,
    /// Of a static member.
    pub instance_id: Option<Arc<str>>,
    /// The client knows GROUP_ID_NOT_FOUND as an answer (version 9).
    pub knows_missing_groups: bool,
    /// How long the offsets are to be kept, milliseconds; before version 5 only.
    pub retention_ms: Option<i64>,
    /// The offsets.
    pub topics: Vec<CommitTopic>,
}

impl CommitRequest {
    /// The same verdict for every partition.
    pub fn verdicts(&self, error: ErrorCode) -> Vec<Vec<ErrorCode>> {
        let topics = self.topics.iter();
        topics
            .map(|topic| vec![error; topic.partitions.len()])
            .collect()
    }

    /// Bytes of the records that it leads to, at most.
    pub(super) fn record_bytes_max(&self) -> usize {
        let topics = self.topics.iter();
        let topic_bytes = |topic: &CommitTopic| -> usize {
            let names = self.group_id.len() + topic.name.len();
            let partitions = topic.partitions.iter();
            partitions
                .map(|p| names + p.metadata.len() + OFFSET_RECORD_BYTES)
                .sum()
        };
        topics.map(topic_bytes).sum()
    }
}

/// The offsets of one topic.
#[derive(Clone, PartialEq, Debug)]
pub struct CommitTopic {
    /// Its name.
    pub name: Arc<str>,
    /// The partitions.
    pub partitions: Vec<CommitOffset>,
}

/// One offset to remember.
#[derive(Clone, PartialEq, Debug)]
pub struct CommitOffset {
    /// The partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// Leader epoch of the last record read, -1 for none (KIP-320).
    pub leader_epoch: i32,
    /// The consumer's own words.
    pub metadata: Arc<str>,
}

/// Asks for offsets.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchOffsetsRequest {
    /// The group.
    pub group_id: Arc<str>,
    /// The member, if it said so (version 9).
    pub member_id: Option<Arc<str>>,
    /// Its epoch, -1 for none (version 9, KIP-848).
    pub member_epoch: i32,
    /// Which; `None` for all.
    pub topics: Option<Vec<TopicPartitions>>,
}

impl FetchOffsetsRequest {
    /// The answer when nothing was ever committed.
    pub(super) fn nothing(&self) -> FetchOffsetsReply {
        let topics = self.topics.iter().flatten();
        FetchOffsetsReply {
            error: ErrorCode::NONE,
            topics: topics.map(TopicPartitions::without_offsets).collect(),
        }
    }
}

/// Partitions of one topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicPartitions {
    /// Its name.
    pub name: Arc<str>,
    /// The partitions.
    pub partitions: Vec<i32>,
}

impl TopicPartitions {
    fn without_offsets(&self) -> TopicOffsets {
        let partitions = self.partitions.iter();
        TopicOffsets {
            name: self.name.clone(),
            partitions: partitions.map(|&p| FetchedOffset::none(p)).collect(),
        }
    }
}

/// What became of a [`FetchOffsetsRequest`].
#[derive(Clone, PartialEq, Debug)]
pub struct FetchOffsetsReply {
    /// Of the group as a whole.
    pub error: ErrorCode,
    /// In the request's order; by name if all were asked for. Empty on error.
    pub topics: Vec<TopicOffsets>,
}

/// The offsets of one topic.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicOffsets {
    /// Its name.
    pub name: Arc<str>,
    /// The partitions.
    pub partitions: Vec<FetchedOffset>,
}

/// One offset.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchedOffset {
    /// The partition.
    pub partition: i32,
    /// The next offset to read, -1 if none was ever committed.
    pub offset: i64,
    /// Leader epoch of the last record read, -1 for none.
    pub leader_epoch: i32,
    /// The consumer's own words.
    pub metadata: Arc<str>,
}

impl FetchedOffset {
    /// Nothing was committed there.
    pub(super) fn none(partition: i32) -> FetchedOffset {
        FetchedOffset {
            partition,
            offset: -1,
            leader_epoch: -1,
            metadata: "".into(),
        }
    }
}

/// Forgets offsets.
#[derive(Clone, PartialEq, Debug)]
pub struct DeleteOffsetsRequest {
    /// The group.
    pub group_id: Arc<str>,
    /// Which.
    pub topics: Vec<TopicPartitions>,
}

impl DeleteOffsetsRequest {
    /// Bytes of the records that it leads to, at most.
    pub(super) fn record_bytes_max(&self) -> usize {
        let topics = self.topics.iter();
        let topic_bytes = |topic: &TopicPartitions| {
            let names = self.group_id.len() + topic.name.len();
            topic.partitions.len() * (names + OFFSET_RECORD_BYTES)
        };
        topics.map(topic_bytes).sum()
    }
}

/// What became of a [`DeleteOffsetsRequest`].
#[derive(Clone, PartialEq, Debug)]
pub struct DeleteOffsetsReply {
    /// Of the group as a whole.
    pub error: ErrorCode,
    /// One verdict for each partition, in the request's order; none when there is an error.
    pub topics: Vec<Vec<ErrorCode>>,
}

/// Which groups to list; empty lists for all. Compared without regard to case (KIP-848).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListFilter {
    /// States, such as `Stable` (KIP-518).
    pub states: Vec<String>,
    /// Types, such as `classic`.
    pub types: Vec<String>,
}

/// A group in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedGroup {
    /// The group.
    pub group_id: Arc<str>,
    /// Its protocol type, empty if none joined yet.
    pub protocol_type: Arc<str>,
    /// Its state in Kafka's words.
    pub state: &'static str,
    /// Its type in Kafka's words.
    pub group_type: &'static str,
}

/// A group and its members.
#[derive(Clone, PartialEq, Debug)]
pub struct DescribedGroup {
    /// GROUP_ID_NOT_FOUND for a group that is not there (version 6; before, state `Dead`
    /// without an error).
    pub error: ErrorCode,
    /// Words beside the error.
    pub message: Option<String>,
    /// Its state in Kafka's words.
    pub state: &'static str,
    /// Its protocol type.
    pub protocol_type: Arc<str>,
    /// The chosen protocol, once there is one.
    pub protocol: Arc<str>,
    /// The members.
    pub members: Vec<DescribedMember>,
}

impl DescribedGroup {
    fn missing(group_id: &str) -> DescribedGroup {
        DescribedGroup {
            error: ErrorCode::GROUP_ID_NOT_FOUND,
            message: Some(format!("Group {group_id} not found.")),
            state: "Dead",
            protocol_type: "".into(),
            protocol: "".into(),
            members: Vec::new(),
        }
    }
}

/// One member of a [`DescribedGroup`].
#[derive(Clone, PartialEq, Debug)]
pub struct DescribedMember {
    /// Its id.
    pub member_id: Arc<str>,
    /// Of a static member.
    pub instance_id: Option<Arc<str>>,
    /// Its client id.
    pub client_id: Arc<str>,
    /// Where it came from.
    pub client_host: Arc<str>,
    /// What it said for the chosen protocol; empty unless the group is stable.
    pub metadata: Bytes,
    /// Its assignment; empty unless the group is stable.
    pub assignment: Bytes,
}

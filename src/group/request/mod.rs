//! What a coordinator is asked and what it answers. Owned, because it may cross cores and
//! because joining and syncing wait; the codec's structs borrow from their frames.

mod admin;
mod members;
mod offsets;

use std::sync::Arc;

use super::consumer::{ConsumerHeartbeat, ConsumerHeartbeatReply, DescribedConsumerGroup, Refusal};
use crate::kafka::ErrorCode;

pub use admin::{DescribedGroup, DescribedMember, ListFilter, ListedGroup};
pub use members::{
    HeartbeatRequest, JoinReply, JoinRequest, JoinedMember, LeaveReply, LeaveRequest,
    LeavingMember, Protocol, SyncReply, SyncRequest,
};
pub use offsets::{
    CommitOffset, CommitRequest, CommitTopic, DeleteOffsetsReply, DeleteOffsetsRequest,
    FetchOffsetsReply, FetchOffsetsRequest, FetchedOffset, TopicOffsets, TopicPartitions,
};

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
    /// Join, stay in or leave a group whose coordinator assigns (ConsumerGroupHeartbeat).
    ConsumerHeartbeat(ConsumerHeartbeat),
    /// One such group with its members (ConsumerGroupDescribe).
    ConsumerDescribe {
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
            GroupRequest::ConsumerHeartbeat(request) => request.group_id.clone(),
            GroupRequest::Describe { group_id }
            | GroupRequest::Delete { group_id }
            | GroupRequest::ConsumerDescribe { group_id } => group_id.clone(),
            GroupRequest::List(_) => "".into(),
        }
    }

    /// Whether a group that is not there comes into being: a new member joins, or offsets are
    /// committed by somebody who is no member of any group.
    pub(super) fn may_create(&self) -> bool {
        match self {
            GroupRequest::Join(request) => request.member_id.is_empty(),
            GroupRequest::Commit(request) => request.generation < 0,
            GroupRequest::ConsumerHeartbeat(request) => request.joins(),
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
            GroupRequest::ConsumerHeartbeat(request) => {
                GroupReply::ConsumerHeartbeat(request.without_group().into())
            }
            GroupRequest::ConsumerDescribe { group_id } => {
                let message = format!("Group {group_id} not found.");
                GroupReply::ConsumerDescribe(Err(Refusal::not_found(message)))
            }
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
    /// See [`GroupRequest::ConsumerHeartbeat`].
    ConsumerHeartbeat(ConsumerHeartbeatReply),
    /// See [`GroupRequest::ConsumerDescribe`].
    ConsumerDescribe(Result<DescribedConsumerGroup, Refusal>),
}

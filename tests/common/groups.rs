//! What a client of a consumer group does, in one call each.

use std::collections::BTreeMap;

use corelane::kafka::ErrorCode;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use corelane::kafka::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse,
};
use corelane::kafka::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use corelane::kafka::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use corelane::kafka::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity,
};
use corelane::kafka::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use corelane::kafka::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use corelane::kafka::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse,
};
use corelane::kafka::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};

use super::client::{Client, Frame, newest};

/// The newest versions that name topics.
pub const COMMIT_BY_NAME: i16 = 9;
/// See [`COMMIT_BY_NAME`].
pub const FETCH_BY_NAME: i16 = 9;

/// The node that coordinates a group.
pub fn find_coordinator(client: &mut Client, group: &str) -> Result<i32, ErrorCode> {
    let request = FindCoordinatorRequest {
        key_type: 0,
        coordinator_keys: vec![group],
        ..Default::default()
    };
    let frame = client.call(newest(ApiKey::FindCoordinator), &request);
    let response: FindCoordinatorResponse<'_> = frame.decode();
    let found = &response.coordinators[0];
    assert_eq!(found.key, group);
    match found.error_code {
        ErrorCode::NONE => Ok(found.node_id),
        error => Err(error),
    }
}

/// A commit of one partition by nobody in particular.
pub fn commit_request<'a>(
    group: &'a str,
    topic: &'a str,
    partition: i32,
    offset: i64,
) -> OffsetCommitRequest<'a> {
    OffsetCommitRequest {
        group_id: group,
        generation_id_or_member_epoch: -1,
        member_id: "",
        topics: vec![OffsetCommitRequestTopic {
            name: topic,
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: partition,
                committed_offset: offset,
                committed_leader_epoch: -1,
                committed_metadata: Some("note"),
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// The only verdict in the answer to a commit.
pub fn committed(frame: &Frame) -> ErrorCode {
    let response: OffsetCommitResponse<'_> = frame.decode();
    response.topics[0].partitions[0].error_code
}

/// Commits one offset.
pub fn commit(
    client: &mut Client,
    group: &str,
    topic: &str,
    partition: i32,
    offset: i64,
) -> ErrorCode {
    let request = commit_request(group, topic, partition, offset);
    committed(&client.call(COMMIT_BY_NAME, &request))
}

/// What a commit says of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Committed {
    pub offset: i64,
    /// -1 for none.
    pub leader_epoch: i32,
    pub metadata: Option<String>,
}

/// All offsets of a group: by topic and partition.
pub fn fetch_offsets(
    client: &mut Client,
    group: &str,
) -> Result<BTreeMap<(String, i32), i64>, ErrorCode> {
    let commits = fetch_commits(client, group)?.into_iter();
    Ok(commits.map(|(of, commit)| (of, commit.offset)).collect())
}

/// All that is committed in a group: by topic and partition.
pub fn fetch_commits(
    client: &mut Client,
    group: &str,
) -> Result<BTreeMap<(String, i32), Committed>, ErrorCode> {
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: group,
            topics: None,
            ..Default::default()
        }],
        ..Default::default()
    };
    let frame = client.call(FETCH_BY_NAME, &request);
    let response: OffsetFetchResponse<'_> = frame.decode();
    let group = &response.groups[0];
    if group.error_code.is_error() {
        return Err(group.error_code);
    }
    let offsets = group.topics.iter().flat_map(|topic| {
        let name = topic.name.to_string();
        let partitions = topic.partitions.iter();
        partitions.map(move |p| {
            let committed = Committed {
                offset: p.committed_offset,
                leader_epoch: p.committed_leader_epoch,
                metadata: p.metadata.as_ref().map(ToString::to_string),
            };
            ((name.clone(), p.partition_index), committed)
        })
    });
    Ok(offsets.collect())
}

/// A member as it sees itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    pub group: String,
    pub id: String,
    pub generation: i32,
    pub leader: String,
    /// Everybody's ids, if it leads.
    pub members: Vec<String>,
}

impl Member {
    /// Somebody who was in no group yet.
    pub fn of(group: &str) -> Member {
        Member {
            group: group.to_owned(),
            ..Default::default()
        }
    }

    pub fn leads(&self) -> bool {
        self.id == self.leader
    }

    /// Asks to join; the answer may take until others have.
    pub fn send_join(&self, client: &mut Client, session_ms: i32, rebalance_ms: i32) {
        let request = JoinGroupRequest {
            group_id: &self.group,
            session_timeout_ms: session_ms,
            rebalance_timeout_ms: rebalance_ms,
            member_id: &self.id,
            protocol_type: "consumer",
            protocols: vec![JoinGroupRequestProtocol {
                name: "range",
                metadata: b"subscription",
            }],
            ..Default::default()
        };
        client.send(newest(ApiKey::JoinGroup), &request);
    }

    /// The answer to a join. An id that was given out is taken, whatever else it says.
    pub fn receive_join(&mut self, client: &mut Client) -> ErrorCode {
        let frame = client.receive();
        let response: JoinGroupResponse<'_> = frame.decode();
        if !response.member_id.is_empty() {
            self.id = response.member_id.to_string();
        }
        if response.error_code == ErrorCode::NONE {
            self.generation = response.generation_id;
            self.leader = response.leader.to_string();
            self.members = response
                .members
                .iter()
                .map(|m| m.member_id.to_string())
                .collect();
        }
        response.error_code
    }

    /// Joins, with the id that the first attempt brings.
    pub fn join(&mut self, client: &mut Client, session_ms: i32, rebalance_ms: i32) -> ErrorCode {
        self.send_join(client, session_ms, rebalance_ms);
        match self.receive_join(client) {
            ErrorCode::MEMBER_ID_REQUIRED => {
                self.send_join(client, session_ms, rebalance_ms);
                self.receive_join(client)
            }
            other => other,
        }
    }

    /// Gets its share; the leader gives each member its own id.
    pub fn send_sync(&self, client: &mut Client) {
        let assignments = self
            .members
            .iter()
            .map(|member| SyncGroupRequestAssignment {
                member_id: member,
                assignment: member.as_bytes(),
            });
        let request = SyncGroupRequest {
            group_id: &self.group,
            generation_id: self.generation,
            member_id: &self.id,
            protocol_type: Some("consumer"),
            protocol_name: Some("range"),
            assignments: if self.leads() {
                assignments.collect()
            } else {
                Vec::new()
            },
            ..Default::default()
        };
        client.send(newest(ApiKey::SyncGroup), &request);
    }

    /// The answer to it.
    pub fn receive_sync(&self, client: &mut Client) -> Result<Vec<u8>, ErrorCode> {
        let frame = client.receive();
        let response: SyncGroupResponse<'_> = frame.decode();
        match response.error_code {
            ErrorCode::NONE => Ok(response.assignment.to_vec()),
            error => Err(error),
        }
    }

    /// Both.
    pub fn sync(&self, client: &mut Client) -> Result<Vec<u8>, ErrorCode> {
        self.send_sync(client);
        self.receive_sync(client)
    }

    pub fn heartbeat(&self, client: &mut Client) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: &self.group,
            generation_id: self.generation,
            member_id: &self.id,
            ..Default::default()
        };
        let frame = client.call(newest(ApiKey::Heartbeat), &request);
        let response: HeartbeatResponse = frame.decode();
        response.error_code
    }

    pub fn leave(&self, client: &mut Client) -> ErrorCode {
        let request = LeaveGroupRequest {
            group_id: &self.group,
            members: vec![MemberIdentity {
                member_id: &self.id,
                ..Default::default()
            }],
            ..Default::default()
        };
        let frame = client.call(newest(ApiKey::LeaveGroup), &request);
        let response: LeaveGroupResponse<'_> = frame.decode();
        match response.error_code {
            ErrorCode::NONE => response.members[0].error_code,
            error => error,
        }
    }

    /// Commits as the member that it is.
    pub fn commit(
        &self,
        client: &mut Client,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> ErrorCode {
        let request = OffsetCommitRequest {
            generation_id_or_member_epoch: self.generation,
            member_id: &self.id,
            ..commit_request(&self.group, topic, partition, offset)
        };
        committed(&client.call(COMMIT_BY_NAME, &request))
    }
}

/// The groups that a node knows.
pub fn list_groups(client: &mut Client) -> Vec<String> {
    let frame = client.call(newest(ApiKey::ListGroups), &ListGroupsRequest::default());
    let response: ListGroupsResponse<'_> = frame.decode();
    assert_eq!(response.error_code, ErrorCode::NONE);
    let mut groups: Vec<_> = response
        .groups
        .iter()
        .map(|g| g.group_id.to_string())
        .collect();
    groups.sort();
    groups
}

/// Deletes a group.
pub fn delete_group(client: &mut Client, group: &str) -> ErrorCode {
    let request = DeleteGroupsRequest {
        groups_names: vec![group],
    };
    let frame = client.call(newest(ApiKey::DeleteGroups), &request);
    let response: DeleteGroupsResponse<'_> = frame.decode();
    response.results[0].error_code
}

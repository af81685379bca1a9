//! Requests about groups: of one that is not there, so nobody waits for anybody.

use std::borrow::Cow;

use corelane::base::TopicId;
use corelane::kafka::messages::consumer_group_describe::ConsumerGroupDescribeRequest;
use corelane::kafka::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, TopicPartitions,
};
use corelane::kafka::messages::delete_groups::DeleteGroupsRequest;
use corelane::kafka::messages::describe_groups::DescribeGroupsRequest;
use corelane::kafka::messages::find_coordinator::FindCoordinatorRequest;
use corelane::kafka::messages::heartbeat::HeartbeatRequest;
use corelane::kafka::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use corelane::kafka::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use corelane::kafka::messages::list_groups::ListGroupsRequest;
use corelane::kafka::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use corelane::kafka::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use corelane::kafka::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use corelane::kafka::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

use super::{Capture, TOPIC, add};

const GROUP: &str = "captured-group";
const MEMBER: &str = "captured-member";

pub(super) fn members(captures: &mut Vec<Capture>) {
    let find = FindCoordinatorRequest {
        key: GROUP,
        coordinator_keys: vec![GROUP],
        ..Default::default()
    };
    add(captures, &find);
    let join = JoinGroupRequest {
        group_id: GROUP,
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id: MEMBER,
        group_instance_id: Some("instance"),
        protocol_type: "consumer",
        protocols: vec![JoinGroupRequestProtocol {
            name: "range",
            metadata: b"metadata",
        }],
        reason: Some("captured"),
    };
    add(captures, &join);
    let sync = SyncGroupRequest {
        group_id: GROUP,
        generation_id: 1,
        member_id: MEMBER,
        assignments: vec![SyncGroupRequestAssignment {
            member_id: MEMBER,
            assignment: b"assignment",
        }],
        ..Default::default()
    };
    add(captures, &sync);
    let heartbeat = HeartbeatRequest {
        group_id: GROUP,
        generation_id: 1,
        member_id: MEMBER,
        ..Default::default()
    };
    add(captures, &heartbeat);
    let leave = LeaveGroupRequest {
        group_id: GROUP,
        member_id: MEMBER,
        members: vec![MemberIdentity {
            member_id: MEMBER,
            ..Default::default()
        }],
    };
    add(captures, &leave);
}

/// Those of groups whose coordinator assigns.
pub(super) fn consumers(captures: &mut Vec<Capture>, topic_id: TopicId) {
    let heartbeat = ConsumerGroupHeartbeatRequest {
        group_id: GROUP,
        member_id: MEMBER,
        member_epoch: 5,
        instance_id: Some("instance"),
        rack_id: Some("rack"),
        rebalance_timeout_ms: 10_000,
        subscribed_topic_names: Some(vec![TOPIC]),
        subscribed_topic_regex: Some("capt.*"),
        server_assignor: Some("range"),
        topic_partitions: Some(vec![TopicPartitions {
            topic_id,
            partitions: Cow::Borrowed(&[0, 1]),
        }]),
    };
    add(captures, &heartbeat);
    let describe = ConsumerGroupDescribeRequest {
        group_ids: vec![GROUP],
        include_authorized_operations: true,
    };
    add(captures, &describe);
}

pub(super) fn offsets(captures: &mut Vec<Capture>, topic_id: TopicId) {
    let commit = OffsetCommitRequest {
        group_id: GROUP,
        member_id: MEMBER,
        generation_id_or_member_epoch: 1,
        topics: vec![OffsetCommitRequestTopic {
            name: TOPIC,
            topic_id,
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: 5,
                committed_metadata: Some("words"),
                ..Default::default()
            }],
        }],
        ..Default::default()
    };
    add(captures, &commit);
    let fetch = OffsetFetchRequest {
        group_id: GROUP,
        topics: Some(vec![OffsetFetchRequestTopic {
            name: TOPIC,
            partition_indexes: vec![0, 1],
        }]),
        groups: vec![OffsetFetchRequestGroup {
            group_id: GROUP,
            topics: Some(vec![OffsetFetchRequestTopics {
                name: TOPIC,
                topic_id,
                partition_indexes: vec![0, 1],
            }]),
            ..Default::default()
        }],
        ..Default::default()
    };
    add(captures, &fetch);
    let delete = OffsetDeleteRequest {
        group_id: GROUP,
        topics: vec![OffsetDeleteRequestTopic {
            name: TOPIC,
            partitions: vec![OffsetDeleteRequestPartition { partition_index: 0 }],
        }],
    };
    add(captures, &delete);
}

pub(super) fn admin(captures: &mut Vec<Capture>) {
    let describe = DescribeGroupsRequest {
        groups: vec![GROUP],
        ..Default::default()
    };
    add(captures, &describe);
    let list = ListGroupsRequest {
        states_filter: vec!["Stable"],
        ..Default::default()
    };
    add(captures, &list);
    let delete = DeleteGroupsRequest {
        groups_names: vec![GROUP],
    };
    add(captures, &delete);
}

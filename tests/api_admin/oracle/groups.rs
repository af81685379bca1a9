//! The APIs of consumer groups.

use bytes::Bytes;
use corelane::base::TopicId;
use corelane::kafka::messages::{offset_commit, offset_fetch};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetCommitResponse, OffsetDeleteRequest, OffsetFetchRequest, OffsetFetchResponse,
    SyncGroupRequest,
};

use super::{Client, World, text};

/// The group whose offsets are committed.
const COMMITTER: &str = "committer";
/// What comes with a committed offset.
const NOTE: &str = "a note";
const INSTANCE: &str = "instance";
const METADATA: &[u8] = b"what it subscribes to";
const ASSIGNMENT: &[u8] = b"what it gets";

pub fn group(name: &str) -> GroupId {
    text(name).into()
}

/// A connection to the node of a group's coordinator.
pub fn coordinator(world: &mut World, group: &str) -> Client {
    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group)]);
    let response = world.ask(6, &request);
    let found = &response.coordinators[0];
    assert_eq!(found.error_code, 0);
    let node = u16::try_from(found.node_id.0).unwrap();
    Client::connect(world.broker.address(node))
}

pub fn find_coordinator(world: &mut World, version: i16) {
    let mut request = FindCoordinatorRequest::default();
    match version >= 4 {
        true => request.coordinator_keys = vec![text(COMMITTER), text("other")],
        false => request.key = text(COMMITTER),
    }
    let response = world.ask(version, &request);
    let nodes: Vec<_> = match version >= 4 {
        true => response
            .coordinators
            .iter()
            .map(|found| {
                assert_eq!(found.error_code, 0, "{:?}", found.error_message);
                (found.node_id, found.host.clone(), found.port)
            })
            .collect(),
        false => {
            assert_eq!(response.error_code, 0, "{:?}", response.error_message);
            vec![(response.node_id, response.host, response.port)]
        }
    };
    assert_eq!(nodes.len(), if version >= 4 { 2 } else { 1 });
    for (node, host, port) in nodes {
        let address = world.broker.address(u16::try_from(node.0).unwrap());
        assert_eq!(
            (host.as_str(), port),
            ("127.0.0.1", i32::from(address.port()))
        );
    }
}

pub fn offset_commit(world: &mut World, version: i16) {
    let mut client = coordinator(world, COMMITTER);
    let partitions = [0, 1].map(|index| {
        let mut partition = OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(i64::from(index) + 5)
            .with_committed_metadata(Some(text(NOTE)));
        if version >= 6 {
            partition.committed_leader_epoch = 1;
        }
        partition
    });
    let topic = OffsetCommitRequestTopic::default()
        .with_name(world.topic.clone())
        .with_partitions(partitions.to_vec());
    let mut request = OffsetCommitRequest::default()
        .with_group_id(group(COMMITTER))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    if (2..=4).contains(&version) {
        request.retention_time_ms = 3_600_000;
    }
    // Version 10 is not in the oracle's requests: those are ours.
    let response: OffsetCommitResponse = match version {
        10 => client.ask_in_our_words(version, &commit_by_id(world)),
        _ => client.ask(version, &request),
    };
    let topic = &response.topics[0];
    match version {
        10 => assert_eq!(topic.topic_id, world.created.topic_id),
        _ => assert_eq!(topic.name, world.topic),
    }
    let answers = topic.partitions.iter();
    assert!(
        answers
            .map(|p| (p.partition_index, p.error_code))
            .eq([(0, 0), (1, 0)])
    );
}

/// The same in version 10, which has the topic's id.
fn commit_by_id(world: &World) -> offset_commit::OffsetCommitRequest<'static> {
    let partitions = [0, 1].map(|index| offset_commit::OffsetCommitRequestPartition {
        partition_index: index,
        committed_offset: i64::from(index) + 5,
        committed_leader_epoch: 1,
        committed_metadata: Some(NOTE),
    });
    let topic = offset_commit::OffsetCommitRequestTopic {
        topic_id: TopicId(world.created.topic_id.into_bytes()),
        partitions: partitions.to_vec(),
        ..Default::default()
    };
    offset_commit::OffsetCommitRequest {
        group_id: COMMITTER,
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}

/// The request of the versions that ask for several groups.
fn fetch_of_groups(world: &World) -> OffsetFetchRequest {
    let topic = OffsetFetchRequestTopics::default()
        .with_name(world.topic.clone())
        .with_partition_indexes(vec![0, 1]);
    let asked = OffsetFetchRequestGroup::default()
        .with_group_id(group(COMMITTER))
        .with_topics(Some(vec![topic]));
    OffsetFetchRequest::default().with_groups(vec![asked])
}

/// The same in version 10, which has the topic's id.
fn fetch_by_id(world: &World) -> offset_fetch::OffsetFetchRequest<'static> {
    let topic = offset_fetch::OffsetFetchRequestTopics {
        topic_id: TopicId(world.created.topic_id.into_bytes()),
        partition_indexes: vec![0, 1],
        ..Default::default()
    };
    let asked = offset_fetch::OffsetFetchRequestGroup {
        group_id: COMMITTER,
        member_epoch: -1,
        topics: Some(vec![topic]),
        ..Default::default()
    };
    offset_fetch::OffsetFetchRequest {
        groups: vec![asked],
        require_stable: true,
        ..Default::default()
    }
}

pub fn offset_fetch(world: &mut World, version: i16) {
    let mut client = coordinator(world, COMMITTER);
    let mut found = Vec::new();
    if version < 8 {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(world.topic.clone())
            .with_partition_indexes(vec![0, 1]);
        let request = OffsetFetchRequest::default()
            .with_group_id(group(COMMITTER))
            .with_topics(Some(vec![topic]))
            .with_require_stable(version >= 7);
        let response = client.ask(version, &request);
        assert_eq!(response.error_code, 0);
        assert_eq!(response.topics[0].name, world.topic);
        for p in &response.topics[0].partitions {
            let epoch = p.committed_leader_epoch;
            found.push((p.error_code, p.committed_offset, epoch, p.metadata.clone()));
        }
    } else {
        let response: OffsetFetchResponse = match version {
            10 => client.ask_in_our_words(version, &fetch_by_id(world)),
            _ => client.ask(version, &fetch_of_groups(world).with_require_stable(true)),
        };
        let answer = &response.groups[0];
        assert_eq!(
            (answer.error_code, &answer.group_id),
            (0, &group(COMMITTER))
        );
        match version {
            10 => assert_eq!(answer.topics[0].topic_id, world.created.topic_id),
            _ => assert_eq!(answer.topics[0].name, world.topic),
        }
        for p in &answer.topics[0].partitions {
            let epoch = p.committed_leader_epoch;
            found.push((p.error_code, p.committed_offset, epoch, p.metadata.clone()));
        }
    }
    let epoch = if version >= 5 { 1 } else { -1 };
    let expected = [5, 6].map(|offset| (0, offset, epoch, Some(text(NOTE))));
    assert_eq!(found, expected, "OffsetFetch v{version}");
}

pub fn offset_delete(world: &mut World, version: i16) {
    let mut client = coordinator(world, COMMITTER);
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(1);
    let topic = OffsetDeleteRequestTopic::default()
        .with_name(world.topic.clone())
        .with_partitions(vec![partition]);
    let request = OffsetDeleteRequest::default()
        .with_group_id(group(COMMITTER))
        .with_topics(vec![topic]);
    let response = client.ask(version, &request);
    assert_eq!(response.error_code, 0);
    assert_eq!(response.topics[0].name, world.topic);
    let deleted = &response.topics[0].partitions[0];
    assert_eq!((deleted.partition_index, deleted.error_code), (1, 0));
}

/// Joins a group, alone: the member is its leader.
fn join(client: &mut Client, name: &str, version: i16) -> JoinGroupResponse {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(METADATA));
    let mut request = JoinGroupRequest::default()
        .with_group_id(group(name))
        .with_session_timeout_ms(30_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    if version >= 1 {
        request.rebalance_timeout_ms = 30_000;
    }
    if version >= 5 {
        request.group_instance_id = Some(text(INSTANCE));
    }
    if version >= 8 {
        request.reason = Some(text("to see"));
    }
    let mut response = client.ask(version, &request);
    if version == 4 {
        // Such a member learns its name first.
        const MEMBER_ID_REQUIRED: i16 = 79;
        assert_eq!(response.error_code, MEMBER_ID_REQUIRED);
        request.member_id = response.member_id;
        response = client.ask(version, &request);
    }
    assert_eq!(response.error_code, 0, "JoinGroup v{version}");
    response
}

/// Joins and hands itself an assignment.
fn settled(client: &mut Client, name: &str, version: i16) -> JoinGroupResponse {
    let joined = join(client, name, 9);
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(Bytes::from_static(ASSIGNMENT));
    let mut request = SyncGroupRequest::default()
        .with_group_id(group(name))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![assignment]);
    if version >= 3 {
        request.group_instance_id = Some(text(INSTANCE));
    }
    if version >= 5 {
        request.protocol_type = Some(text("consumer"));
        request.protocol_name = Some(text("range"));
    }
    let response = client.ask(version, &request);
    assert_eq!(response.error_code, 0, "SyncGroup v{version}");
    assert_eq!(response.assignment, ASSIGNMENT);
    if version >= 5 {
        assert_eq!(response.protocol_type, Some(text("consumer")));
        assert_eq!(response.protocol_name, Some(text("range")));
    }
    joined
}

pub fn join_group(world: &mut World, version: i16) {
    let name = format!("joined-{version}");
    let mut client = coordinator(world, &name);
    let joined = join(&mut client, &name, version);
    assert_eq!(
        (joined.generation_id, &joined.leader),
        (1, &joined.member_id)
    );
    assert_eq!(joined.protocol_name, Some(text("range")));
    if version >= 7 {
        assert_eq!(joined.protocol_type, Some(text("consumer")));
    }
    let member = &joined.members[0];
    assert_eq!(member.metadata, METADATA);
    let instance = (version >= 5).then(|| text(INSTANCE));
    assert_eq!(member.group_instance_id, instance);
}

pub fn sync_group(world: &mut World, version: i16) {
    let name = format!("settled-{version}");
    let mut client = coordinator(world, &name);
    settled(&mut client, &name, version);
}

pub fn heartbeat(world: &mut World, version: i16) {
    let name = format!("beats-{version}");
    let mut client = coordinator(world, &name);
    let member = settled(&mut client, &name, 5);
    let mut request = HeartbeatRequest::default()
        .with_group_id(group(&name))
        .with_generation_id(member.generation_id)
        .with_member_id(member.member_id);
    if version >= 3 {
        request.group_instance_id = Some(text(INSTANCE));
    }
    assert_eq!(client.ask(version, &request).error_code, 0);
}

pub fn describe_groups(world: &mut World, version: i16) {
    let name = "settled-5";
    let mut client = coordinator(world, name);
    let mut request = DescribeGroupsRequest::default().with_groups(vec![group(name)]);
    if version >= 3 {
        request.include_authorized_operations = true;
    }
    let response = client.ask(version, &request);
    let described = &response.groups[0];
    assert_eq!(
        (described.error_code, &described.group_id),
        (0, &group(name))
    );
    assert_eq!(described.group_state.as_str(), "Stable");
    assert_eq!(described.protocol_type.as_str(), "consumer");
    assert_eq!(described.protocol_data.as_str(), "range");
    let member = &described.members[0];
    let instance = (version >= 4).then(|| text(INSTANCE));
    assert_eq!(member.group_instance_id, instance);
    assert_eq!(member.client_id.as_str(), "oracle");
    assert_eq!(member.member_metadata, METADATA);
    assert_eq!(member.member_assignment, ASSIGNMENT);
}

pub fn list_groups(world: &mut World, version: i16) {
    let name = "settled-5";
    let mut client = coordinator(world, name);
    let mut request = ListGroupsRequest::default();
    if version >= 4 {
        request.states_filter = vec![text("Stable")];
    }
    if version >= 5 {
        request.types_filter = vec![text("classic")];
    }
    let response = client.ask(version, &request);
    assert_eq!(response.error_code, 0);
    let mut groups = response.groups.iter();
    let found = groups
        .find(|listed| listed.group_id == group(name))
        .unwrap();
    assert_eq!(found.protocol_type.as_str(), "consumer");
    let state = if version >= 4 { "Stable" } else { "" };
    assert_eq!(found.group_state.as_str(), state);
    let kind = if version >= 5 { "classic" } else { "" };
    assert_eq!(found.group_type.as_str(), kind);
}

pub fn leave_group(world: &mut World, version: i16) {
    let name = format!("left-{version}");
    let mut client = coordinator(world, &name);
    let member = settled(&mut client, &name, 5);
    let mut request = LeaveGroupRequest::default().with_group_id(group(&name));
    if version >= 3 {
        let mut leaving = MemberIdentity::default()
            .with_member_id(member.member_id.clone())
            .with_group_instance_id(Some(text(INSTANCE)));
        if version >= 5 {
            leaving.reason = Some(text("seen enough"));
        }
        request.members = vec![leaving];
    } else {
        request.member_id = member.member_id.clone();
    }
    let response = client.ask(version, &request);
    assert_eq!(response.error_code, 0, "LeaveGroup v{version}");
    if version >= 3 {
        let left = &response.members[0];
        assert_eq!((left.error_code, &left.member_id), (0, &member.member_id));
        assert_eq!(left.group_instance_id, Some(text(INSTANCE)));
    }
}

pub fn delete_groups(world: &mut World, version: i16) {
    const NON_EMPTY_GROUP: i16 = 68;
    let (empty, full) = (format!("left-{version}"), "settled-5");
    for (name, error_code) in [(empty.as_str(), 0), (full, NON_EMPTY_GROUP)] {
        let mut client = coordinator(world, name);
        let request = DeleteGroupsRequest::default().with_groups_names(vec![group(name)]);
        let response = client.ask(version, &request);
        let result = &response.results[0];
        assert_eq!(
            (&result.group_id, result.error_code),
            (&group(name), error_code)
        );
    }
}

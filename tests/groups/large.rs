//! Groups whose members say much about themselves, and commits of very many partitions.

use std::collections::BTreeMap;

use corelane::kafka::ErrorCode;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use corelane::kafka::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use corelane::kafka::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};

use crate::common::broker::Broker;
use crate::common::client::{Client, newest};
use crate::common::groups::{COMMIT_BY_NAME, Committed, Member, fetch_commits};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::create_topic;
use crate::rig::{coordinator, options, start};

matrix! {
    own shards, "they go from one number of shards to another":
        members_with_large_subscriptions_are_there_after_a_crash,
        a_commit_of_ten_thousand_offsets_is_there_after_a_crash;
}

const MEMBERS: usize = 5;
const METADATA_BYTES: usize = 100 << 10;
const SESSION_MS: i32 = 60_000;

fn metadata(member: usize) -> Vec<u8> {
    (0..METADATA_BYTES)
        .map(|at| (at % 251 + member) as u8)
        .collect()
}

fn send_join(client: &mut Client, member: &Member, metadata: &[u8]) {
    let request = JoinGroupRequest {
        group_id: &member.group,
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: SESSION_MS,
        member_id: &member.id,
        protocol_type: "consumer",
        protocols: vec![JoinGroupRequestProtocol {
            name: "range",
            metadata,
        }],
        ..Default::default()
    };
    client.send(newest(ApiKey::JoinGroup), &request);
}

/// What the group knows of each member: what it said, and what it got.
fn describe(broker: &Broker) -> BTreeMap<String, (Vec<u8>, Vec<u8>)> {
    let request = DescribeGroupsRequest {
        groups: vec!["g"],
        ..Default::default()
    };
    let frame = coordinator(broker, "g").call(newest(ApiKey::DescribeGroups), &request);
    let response: DescribeGroupsResponse<'_> = frame.decode();
    let group = &response.groups[0];
    assert_eq!(
        (group.error_code, &*group.group_state),
        (ErrorCode::NONE, "Stable")
    );
    let member = |m: &corelane::kafka::messages::describe_groups::DescribedGroupMember<'_>| {
        let (metadata, assignment) = (m.member_metadata, m.member_assignment);
        (
            m.member_id.to_string(),
            (metadata.to_vec(), assignment.to_vec()),
        )
    };
    group.members.iter().map(member).collect()
}

fn members_with_large_subscriptions_are_there_after_a_crash(setup: Setup) {
    let mut options = options(setup);
    // Long enough for all of them to be in the first generation.
    options.extra = vec!["--group-initial-rebalance-delay-ms=1500".to_owned()];
    let mut broker = Broker::start_with(options);
    let mut members: Vec<Member> = (0..MEMBERS).map(|_| Member::of("g")).collect();
    let mut clients: Vec<Client> = members.iter().map(|_| coordinator(&broker, "g")).collect();
    for expected in [ErrorCode::MEMBER_ID_REQUIRED, ErrorCode::NONE] {
        for (i, (member, client)) in members.iter().zip(&mut clients).enumerate() {
            send_join(client, member, &metadata(i));
        }
        for (member, client) in members.iter_mut().zip(&mut clients) {
            assert_eq!(member.receive_join(client), expected);
        }
    }
    for (member, client) in members.iter().zip(&mut clients) {
        member.send_sync(client);
    }
    let mut expected = BTreeMap::new();
    for (i, (member, client)) in members.iter().zip(&mut clients).enumerate() {
        let share = member.receive_sync(client).unwrap();
        assert_eq!(share, member.id.as_bytes());
        expected.insert(member.id.clone(), (metadata(i), share));
    }
    for cores in [2, 5, 1] {
        assert!(describe(&broker) == expected, "before {cores}");
        broker.kill();
        broker.options().cores = cores;
        broker.start_again();
        for member in &members {
            let alive = member.heartbeat(&mut coordinator(&broker, "g"));
            assert_eq!(alive, ErrorCode::NONE, "{cores}");
        }
    }
    assert!(describe(&broker) == expected);
}

fn a_commit_of_ten_thousand_offsets_is_there_after_a_crash(setup: Setup) {
    const PARTITIONS: i32 = 10_000;
    let mut broker = start(setup);
    create_topic(&mut broker.client(), "t", PARTITIONS, &[]);
    let notes: Vec<String> = (0..PARTITIONS).map(|n| format!("note {n}")).collect();
    let partitions = (0..PARTITIONS).zip(&notes);
    let partitions = partitions.map(|(partition_index, note)| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: i64::from(partition_index) * 3,
        committed_leader_epoch: 2,
        committed_metadata: Some(note),
    });
    let request = OffsetCommitRequest {
        group_id: "g",
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: "t",
            partitions: partitions.collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let frame = coordinator(&broker, "g").call(COMMIT_BY_NAME, &request);
    let response: OffsetCommitResponse<'_> = frame.decode();
    let answers = &response.topics[0].partitions;
    assert_eq!(answers.len(), PARTITIONS as usize);
    assert!(answers.iter().all(|p| p.error_code == ErrorCode::NONE));
    let expected: BTreeMap<_, _> = (0..PARTITIONS)
        .zip(notes.iter().cloned())
        .map(|(partition, note)| {
            let committed = Committed {
                offset: i64::from(partition) * 3,
                leader_epoch: 2,
                metadata: Some(note),
            };
            (("t".to_owned(), partition), committed)
        })
        .collect();
    for cores in [2, 4, 1] {
        broker.kill();
        broker.options().cores = cores;
        broker.start_again();
        let found = fetch_commits(&mut coordinator(&broker, "g"), "g").unwrap();
        assert!(found == expected, "{} on {cores}", found.len());
    }
}

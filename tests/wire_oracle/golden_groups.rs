//! Messages of groups written out by hand, byte by byte: the requests with topic ids, which
//! the oracle lacks, and what may be null in some versions and not in others.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use corelane::base::TopicId;
use corelane::kafka::messages::{
    consumer_group_heartbeat::{Assignment, ConsumerGroupHeartbeatResponse, TopicPartitions},
    find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse},
    join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse},
    offset_commit::*,
    offset_fetch::*,
};
use corelane::kafka::{ErrorCode, Reader, Rope, Version, Wire, WireError};

const ID: TopicId = TopicId([0xab; 16]);

fn plain(number: i16) -> Version {
    let flexible = false;
    Version { number, flexible }
}

fn flexible(number: i16) -> Version {
    let flexible = true;
    Version { number, flexible }
}

fn written<'a>(value: &impl Wire<'a>, version: Version) -> Bytes {
    let mut scratch = BytesMut::new();
    let mut rope = Rope::new(&mut scratch);
    value.write(&mut rope, version);
    rope.finish().body()
}

fn both_ways<'a, T: Wire<'a> + PartialEq + Debug>(version: Version, value: &T, bytes: &'a Bytes) {
    assert_eq!(written(value, version), bytes);
    let read = T::read(&mut Reader::new(bytes), version);
    assert_eq!(read.as_ref(), Ok(value));
}

fn bytes(parts: &[&[u8]]) -> Bytes {
    parts.concat().into()
}

#[test]
fn offset_commit_9_and_10() {
    let sent = |name, topic_id| OffsetCommitRequest {
        group_id: "g",
        generation_id_or_member_epoch: 3,
        member_id: "m",
        topics: vec![OffsetCommitRequestTopic {
            name,
            topic_id,
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: 4,
                committed_offset: 5,
                committed_leader_epoch: 6,
                committed_metadata: None,
            }],
        }],
        ..Default::default()
    };
    let start = [2, b'g', 0, 0, 0, 3, 2, b'm', 0, 2]; // no instance id, one topic
    let partition = [
        2, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 6, 0, // no metadata
        0, 0, 0, // tags of partition, topic and request
    ];
    let named = bytes(&[&start, &[2, b't'], &partition]);
    both_ways(flexible(9), &sent("t", TopicId::ZERO), &named);
    let by_id = bytes(&[&start, &ID.0, &partition]);
    both_ways(flexible(10), &sent("", ID), &by_id);

    let answer = OffsetCommitResponse {
        throttle_time_ms: 1,
        topics: vec![OffsetCommitResponseTopic {
            topic_id: ID,
            partitions: vec![OffsetCommitResponsePartition {
                partition_index: 4,
                error_code: ErrorCode::UNKNOWN_TOPIC_ID,
            }],
            ..Default::default()
        }],
    };
    let partition = [2, 0, 0, 0, 4, 0, 100, 0, 0, 0];
    let wire = bytes(&[&[0, 0, 0, 1, 2], &ID.0, &partition]);
    both_ways(flexible(10), &answer, &wire);
}

#[test]
fn offset_fetch_10() {
    let topic = OffsetFetchRequestTopics {
        topic_id: ID,
        partition_indexes: vec![7],
        ..Default::default()
    };
    let sent = OffsetFetchRequest {
        groups: vec![
            OffsetFetchRequestGroup {
                group_id: "g",
                member_id: Some("m"),
                member_epoch: 8,
                topics: Some(vec![topic]),
            },
            OffsetFetchRequestGroup {
                group_id: "h",
                topics: None,
                ..Default::default()
            },
        ],
        require_stable: true,
        ..Default::default()
    };
    let wire = bytes(&[
        &[3, 2, b'g', 2, b'm', 0, 0, 0, 8, 2], // two groups; id, member, epoch; one topic
        &ID.0,
        &[2, 0, 0, 0, 7, 0, 0], // its partition, tags of topic and group
        &[2, b'h', 0, 0xff, 0xff, 0xff, 0xff, 0, 0], // no member, all topics
        &[1, 0],
    ]);
    both_ways(flexible(10), &sent, &wire);
}

#[test]
fn offset_fetch_asks_for_all_topics_from_version_2() {
    let asks = |topics| OffsetFetchRequest {
        group_id: "g",
        topics,
        ..Default::default()
    };
    let none = bytes(&[&[0, 1, b'g', 0, 0, 0, 0]]);
    let all = bytes(&[&[0, 1, b'g', 0xff, 0xff, 0xff, 0xff]]);
    both_ways(plain(1), &asks(Some(vec![])), &none);
    both_ways(plain(2), &asks(None), &all);
    both_ways(flexible(7), &asks(None), &bytes(&[&[2, b'g', 0, 0, 0]]));
    let refused = OffsetFetchRequest::read(&mut Reader::new(&all), plain(1));
    assert_eq!(refused, Err(WireError::Null));
    assert_eq!(written(&asks(None), plain(1)), none);
    // From version 8 on the fields of the one group are gone.
    assert_eq!(written(&asks(None), flexible(8)), bytes(&[&[1, 0, 0]]));
}

#[test]
fn find_coordinator_of_one_key_and_of_several() {
    let one = FindCoordinatorRequest {
        key: "g",
        ..Default::default()
    };
    both_ways(plain(0), &one, &bytes(&[&[0, 1, b'g']]));
    both_ways(plain(1), &one, &bytes(&[&[0, 1, b'g', 0]]));
    both_ways(flexible(3), &one, &bytes(&[&[2, b'g', 0, 0]]));
    let several = FindCoordinatorRequest {
        coordinator_keys: vec!["g", "h"],
        ..Default::default()
    };
    let wire = bytes(&[&[0, 3, 2, b'g', 2, b'h', 0]]);
    both_ways(flexible(4), &several, &wire);

    let refusal = FindCoordinatorResponse {
        error_code: ErrorCode::COORDINATOR_NOT_AVAILABLE,
        error_message: None,
        node_id: -1,
        port: -1,
        ..Default::default()
    };
    let node = [0xff, 0xff, 0xff, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(written(&refusal, plain(0)), bytes(&[&[0, 15], &node]));
    let wire = bytes(&[&[0, 0, 0, 0, 0, 15, 0xff, 0xff], &node]);
    both_ways(plain(1), &refusal, &wire);
}

/// A client of an old version expects an empty name where a newer one expects null.
#[test]
fn join_group_names_no_protocol_after_an_error() {
    let refusal = JoinGroupResponse {
        error_code: ErrorCode::MEMBER_ID_REQUIRED,
        protocol_name: None,
        member_id: "m".into(),
        ..Default::default()
    };
    let generation = [0xff; 4];
    let wire = bytes(&[&[0, 79], &generation, &[0, 0, 0, 0, 0, 1, b'm', 0, 0, 0, 0]]);
    assert_eq!(written(&refusal, plain(0)), wire);
    let throttle = [0; 4];
    let wire = bytes(&[&throttle, &[0, 79], &generation, &[1, 1, 2, b'm', 1, 0]]);
    assert_eq!(written(&refusal, flexible(6)), wire);
    let wire = bytes(&[&throttle, &[0, 79], &generation, &[0, 0, 1, 2, b'm', 1, 0]]);
    both_ways(flexible(7), &refusal, &wire);
    let null_name = bytes(&[&throttle, &[0, 79], &generation, &[0, 1, 2, b'm', 1, 0]]);
    let refused = JoinGroupResponse::read(&mut Reader::new(&null_name), flexible(6));
    assert_eq!(refused, Err(WireError::Null));
}

#[test]
fn join_group_0_has_no_rebalance_timeout() {
    let wire = bytes(&[
        &[0, 1, b'g', 0, 0, 0x17, 0x70, 0, 0], // session timeout 6000, no member id
        &[0, 1, b'c', 0, 0, 0, 1, 0, 1, b'p', 0, 0, 0, 2, 8, 9],
    ]);
    let sent = JoinGroupRequest {
        group_id: "g",
        session_timeout_ms: 6000,
        protocol_type: "c",
        protocols: vec![JoinGroupRequestProtocol {
            name: "p",
            metadata: &[8, 9],
        }],
        ..Default::default()
    };
    assert_eq!(sent.rebalance_timeout_ms, -1);
    both_ways(plain(0), &sent, &wire);
}

/// An assignment of nothing is not the same as no news.
#[test]
fn consumer_group_heartbeat_with_and_without_an_assignment() {
    let answer = |assignment| ConsumerGroupHeartbeatResponse {
        member_epoch: 1,
        heartbeat_interval_ms: 5000,
        assignment,
        ..Default::default()
    };
    let start: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0x13, 0x88];
    let unchanged = bytes(&[start, &[0xff, 0]]);
    both_ways(flexible(0), &answer(None), &unchanged);
    let nothing = Assignment {
        topic_partitions: vec![],
    };
    both_ways(
        flexible(0),
        &answer(Some(nothing)),
        &bytes(&[start, &[1, 1, 0, 0]]),
    );
    let assignment = Assignment {
        topic_partitions: vec![TopicPartitions {
            topic_id: ID,
            partitions: vec![2].into(),
        }],
    };
    let wire = bytes(&[start, &[1, 2], &ID.0, &[2, 0, 0, 0, 2, 0, 0, 0]]);
    both_ways(flexible(1), &answer(Some(assignment)), &wire);
}

//! Messages written out by hand, byte by byte: ListOffsets 11, which the oracle lacks,
//! and the corners of flexible versions that broke other brokers.

use bytes::{Bytes, BytesMut};
use corelane::base::TopicId;
use corelane::kafka::messages::{
    api_versions::{ApiVersion, ApiVersionsResponse},
    common::{LeaderIdAndEpoch, NodeEndpoint},
    delete_topics::{
        DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
    },
    describe_topic_partitions::{Cursor, DescribeTopicPartitionsRequest, TopicRequest},
    fetch::{FetchPartition, FetchRequest, FetchTopic, ReplicaState},
    list_offsets::*,
    metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic},
    produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse},
};
use corelane::kafka::{ErrorCode, Reader, Request, Response, Rope, WireError};

fn request<'a, R: Request<'a> + PartialEq + std::fmt::Debug>(
    version: i16,
    value: &R,
    bytes: &'a Bytes,
) {
    let mut scratch = BytesMut::new();
    let mut rope = Rope::new(&mut scratch);
    value.write(&mut rope, R::API.version(version));
    assert_eq!(rope.finish().body(), bytes);
    assert_eq!(
        R::decode(&mut Reader::new(bytes), version).as_ref(),
        Ok(value)
    );
}

/// `bytes` with the header: a correlation id of 9, then its tagged fields if it has any.
fn response<'a, R: Response<'a> + PartialEq + std::fmt::Debug>(
    version: i16,
    value: R,
    bytes: &'a Bytes,
) {
    assert_eq!(value.encode(&mut BytesMut::new(), version, 9).body(), bytes);
    assert_eq!(R::decode(&mut Reader::new(bytes), version), Ok((9, value)));
}

fn bytes(parts: &[&[u8]]) -> Bytes {
    parts.concat().into()
}

const ID: TopicId = TopicId([0xab; 16]);

#[test]
fn list_offsets_10_and_11() {
    let sent = ListOffsetsRequest {
        isolation_level: 1,
        topics: vec![ListOffsetsTopic {
            name: "t",
            partitions: vec![ListOffsetsPartition {
                partition_index: 3,
                current_leader_epoch: 4,
                timestamp: EARLIEST_PENDING_UPLOAD_TIMESTAMP,
            }],
        }],
        timeout_ms: 500,
        ..Default::default()
    };
    let wire = bytes(&[
        &[0xff, 0xff, 0xff, 0xff, 1], // replica id, isolation level
        &[2, 2, b't', 2],             // one topic, its name, one partition
        &[0, 0, 0, 3, 0, 0, 0, 4],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa], // -6
        &[0, 0, 0, 0, 1, 0xf4, 0], // tags of partition and topic, timeout, tags
    ]);
    request(10, &sent, &wire);
    request(11, &sent, &wire);

    let answer = || ListOffsetsResponse {
        throttle_time_ms: 1,
        topics: vec![ListOffsetsTopicResponse {
            name: "t".into(),
            partitions: vec![ListOffsetsPartitionResponse {
                partition_index: 3,
                error_code: ErrorCode::OFFSET_NOT_AVAILABLE,
                offset: 7,
                ..Default::default()
            }],
        }],
    };
    let wire = bytes(&[
        &[0, 0, 0, 9, 0, 0, 0, 0, 1], // header, throttle time
        &[2, 2, b't', 2, 0, 0, 0, 3, 0, 78],
        &[0xff; 8],
        &[0, 0, 0, 0, 0, 0, 0, 7],
        &[0xff, 0xff, 0xff, 0xff, 0, 0, 0], // leader epoch, three times tags
    ]);
    response(10, answer(), &wire);
    response(11, answer(), &wire);
}

#[test]
fn api_versions_has_a_plain_header_in_every_version() {
    let answer = || ApiVersionsResponse {
        api_keys: vec![ApiVersion {
            api_key: 18,
            min_version: 0,
            max_version: 4,
        }],
        ..Default::default()
    };
    let header = [0, 0, 0, 9];
    let api = [0, 18, 0, 0, 0, 4];
    let version_0 = bytes(&[&header, &[0, 0, 0, 0, 0, 1], &api]);
    response(0, answer(), &version_0);
    let version_3 = bytes(&[&header, &[0, 0, 2], &api, &[0, 0, 0, 0, 0, 0]]);
    response(3, answer(), &version_3);

    let refusal = ApiVersionsResponse::unsupported_version();
    let version_0 = bytes(&[&header, &[0, 35, 0, 0, 0, 1], &api]);
    response(0, refusal, &version_0);
}

#[test]
fn delete_topics_4_and_6() {
    let named = DeleteTopicsRequest {
        topic_names: vec!["a"],
        timeout_ms: 1,
        ..Default::default()
    };
    request(3, &named, &bytes(&[&[0, 0, 0, 1, 0, 1, b'a', 0, 0, 0, 1]]));
    request(4, &named, &bytes(&[&[2, 2, b'a', 0, 0, 0, 1, 0]]));
    let by_id = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: None,
            topic_id: ID,
        }],
        ..Default::default()
    };
    request(6, &by_id, &bytes(&[&[2, 0], &ID.0, &[0, 0, 0, 0, 0, 0]]));
}

#[test]
fn null_arrays_of_metadata() {
    let all = MetadataRequest {
        topics: None,
        ..Default::default()
    };
    let none = MetadataRequest {
        topics: Some(vec![]),
        ..Default::default()
    };
    request(1, &all, &bytes(&[&[0xff; 4]]));
    request(1, &none, &bytes(&[&[0; 4]]));
    request(12, &all, &bytes(&[&[0, 1, 0, 0]]));
    request(0, &none, &bytes(&[&[0; 4]]));
    assert!(none.asks_for_all(0) && !none.asks_for_all(1) && all.asks_for_all(1));

    let null = Bytes::from_static(&[0xff; 4]);
    let refused = MetadataRequest::decode(&mut Reader::new(&null), 0);
    assert_eq!(refused, Err(WireError::Null));
    // A null name is for ids, from version 10.
    let named_null = Bytes::from_static(&[2, 0, 0, 1, 0, 0, 0]);
    let refused = MetadataRequest::decode(&mut Reader::new(&named_null), 9);
    assert_eq!(refused, Err(WireError::Null));
    let by_id = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            topic_id: ID,
            name: None,
        }]),
        ..Default::default()
    };
    request(12, &by_id, &bytes(&[&[2], &ID.0, &[0, 0, 1, 0, 0]]));
}

#[test]
fn fetch_18_of_a_follower() {
    let sent = FetchRequest {
        topics: vec![FetchTopic {
            topic_id: ID,
            partitions: vec![FetchPartition {
                partition: 5,
                replica_directory_id: TopicId([7; 16]),
                high_watermark: 6,
                ..Default::default()
            }],
            ..Default::default()
        }],
        replica_state: ReplicaState {
            replica_id: 1,
            replica_epoch: 2,
        },
        ..Default::default()
    };
    let wire = bytes(&[
        &[0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0], // wait, min, max, isolation
        &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 2],             // session, one topic
        &ID.0,
        &[2, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff], // one partition, leader epoch
        &[0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], // offset, last fetched epoch
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], // log start, max bytes
        &[2, 0, 16],
        &[7; 16],                           // two tagged fields: directory id
        &[1, 8, 0, 0, 0, 0, 0, 0, 0, 6, 0], // high watermark; tags of the topic
        &[1, 1],                            // nothing forgotten, no rack
        &[1, 1, 13, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0], // replica state
    ]);
    request(18, &sent, &wire);
    // Version 17 knows no tag 1: it is skipped like any unknown one.
    let read = FetchRequest::decode(&mut Reader::new(&wire), 17).unwrap();
    assert_eq!(read.topics[0].partitions[0].high_watermark, i64::MAX);
    assert_eq!(
        read.topics[0].partitions[0].replica_directory_id,
        TopicId([7; 16])
    );
}

#[test]
fn produce_10_tells_the_leader() {
    let answer = || ProduceResponse {
        responses: vec![TopicProduceResponse {
            name: "t".into(),
            partition_responses: vec![PartitionProduceResponse {
                error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
                base_offset: -1,
                current_leader: LeaderIdAndEpoch {
                    leader_id: 2,
                    leader_epoch: 3,
                },
                ..Default::default()
            }],
            ..Default::default()
        }],
        node_endpoints: vec![NodeEndpoint {
            node_id: 2,
            host: "h".into(),
            port: 9092,
            rack: None,
        }],
        ..Default::default()
    };
    let partition = [&[0, 0, 0, 0, 0, 6][..], &[0xff; 24], &[1, 0]].concat();
    let leader = [1, 0, 9, 0, 0, 0, 2, 0, 0, 0, 3, 0];
    let endpoint = [0, 0, 0, 2, 2, b'h', 0, 0, 0x23, 0x84, 0, 0];
    let start: &[u8] = &[0, 0, 0, 9, 0, 2, 2, b't', 2];
    let wire = bytes(&[
        start,
        &partition,
        &leader,
        &[0, 0, 0, 0, 0, 1, 0, 13, 2], // tags of the topic, throttle time, tag 0
        &endpoint,
    ]);
    response(10, answer(), &wire);
    // Version 9 has no tags to tell it in.
    let wire = bytes(&[start, &partition, &[0, 0, 0, 0, 0, 0, 0]]);
    assert_eq!(answer().encode(&mut BytesMut::new(), 9, 9).body(), wire);
}

#[test]
fn a_struct_that_may_be_null() {
    let first = DescribeTopicPartitionsRequest {
        topics: vec![TopicRequest { name: "t" }],
        response_partition_limit: 1,
        cursor: None,
    };
    request(0, &first, &bytes(&[&[2, 2, b't', 0, 0, 0, 0, 1, 0xff, 0]]));
    let next = DescribeTopicPartitionsRequest {
        cursor: Some(Cursor {
            topic_name: "t".into(),
            partition_index: 4,
        }),
        ..first
    };
    request(
        0,
        &next,
        &bytes(&[&[2, 2, b't', 0, 0, 0, 0, 1, 1, 2, b't', 0, 0, 0, 4, 0, 0]]),
    );
}

/// The oracle writes and reads null in every version: these ranges it does not check.
#[test]
fn names_are_null_for_unknown_ids_only() {
    let mut scratch = BytesMut::new();
    for version in 0..=13 {
        let topic = MetadataResponseTopic {
            name: None,
            ..Default::default()
        };
        let sent = MetadataResponse {
            topics: vec![topic],
            ..Default::default()
        };
        let frame = sent.encode(&mut scratch, version, 9).body();
        let (_, read) = MetadataResponse::decode(&mut Reader::new(&frame), version).unwrap();
        assert_eq!(read.topics[0].name.is_none(), version >= 12);
    }
    for version in 1..=6 {
        let topic = DeletableTopicResult {
            name: None,
            ..Default::default()
        };
        let sent = DeleteTopicsResponse {
            responses: vec![topic],
            ..Default::default()
        };
        let frame = sent.encode(&mut scratch, version, 9).body();
        let (_, read) = DeleteTopicsResponse::decode(&mut Reader::new(&frame), version).unwrap();
        assert_eq!(read.responses[0].name.is_none(), version >= 6);
    }
}

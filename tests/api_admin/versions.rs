//! Every version of every API is decoded, handled and answered.

use bytes::Bytes;
use corelane::base::TopicId;
use corelane::kafka::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use corelane::kafka::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use corelane::kafka::messages::{
    alter_configs, api_versions, consumer_group_describe, consumer_group_heartbeat,
    create_partitions, create_topics, delete_groups, delete_records, delete_topics,
    describe_cluster, describe_configs, describe_groups, describe_log_dirs, describe_producers,
    describe_topic_partitions, elect_leaders, find_coordinator, get_telemetry_subscriptions,
    heartbeat, incremental_alter_configs, init_producer_id, join_group, leave_group,
    list_config_resources, list_groups, list_offsets, list_partition_reassignments, metadata,
    offset_commit, offset_delete, offset_fetch, offset_for_leader_epoch, push_telemetry,
    sync_group,
};
use corelane::kafka::record::BatchBuilder;
use corelane::kafka::{ApiKey, ErrorCode, Reader, Response};

use super::rig::{Broker, Client};
use crate::common::matrix::{Setup, matrix};

matrix! {
    every cell: every_version_of_every_api_is_answered, a_newer_client_learns_what_is_served;
}

/// Sends the default request of each API in each version, and expects a response to it.
macro_rules! ask_all {
    ($client:ident; $($api:ident: $module:ident, $request:ident, $response:ident;)*) => {{
        let mut asked = produce_and_fetch(&mut $client);
        $(
            let spec = ApiKey::$api.spec();
            for version in spec.min..=spec.max {
                let request = $module::$request::default();
                let _response: $module::$response = $client.ask(version, &request);
            }
            asked.push(ApiKey::$api);
        )*
        asked.sort();
        assert_eq!(asked, ApiKey::ALL, "an API is missing here");
    }};
}

/// Appends a batch with each version of Produce, and reads it with each of Fetch.
fn produce_and_fetch(client: &mut Client) -> Vec<ApiKey> {
    let topic_id = client.create(&[("every-version", 1)])[0];
    let (produce, fetch) = (ApiKey::Produce.spec(), ApiKey::Fetch.spec());
    for (offset, version) in (0..).zip(produce.min..=produce.max) {
        let batch = BatchBuilder::new(5).record(0, None, Some(b"value")).build();
        let request = produce_request(topic_id, batch);
        let response: ProduceResponse<'_> = client.ask(version, &request);
        let partition = &response.responses[0].partition_responses[0];
        let answer = (partition.error_code, partition.base_offset);
        assert_eq!(answer, (ErrorCode::NONE, offset), "Produce v{version}");
    }
    for version in fetch.min..=fetch.max {
        let request = fetch_request(topic_id);
        let response: FetchResponse<'_> = client.ask(version, &request);
        let partition = &response.responses[0].partitions[0];
        assert_eq!(partition.error_code, ErrorCode::NONE, "Fetch v{version}");
        assert!(!partition.records.is_empty(), "Fetch v{version}");
    }
    vec![ApiKey::Produce, ApiKey::Fetch]
}

/// Names the topic both ways: each version takes its own.
fn produce_request<'a>(topic_id: TopicId, batch: Bytes) -> ProduceRequest<'a> {
    ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: "every-version",
            topic_id,
            partition_data: vec![PartitionProduceData {
                index: 0,
                records: Some(batch),
            }],
        }],
        ..ProduceRequest::default()
    }
}

fn fetch_request<'a>(topic_id: TopicId) -> FetchRequest<'a> {
    FetchRequest {
        max_wait_ms: 10_000,
        min_bytes: 1,
        topics: vec![FetchTopic {
            topic: "every-version",
            topic_id,
            partitions: vec![FetchPartition {
                partition_max_bytes: 1 << 20,
                ..FetchPartition::default()
            }],
        }],
        ..FetchRequest::default()
    }
}

fn every_version_of_every_api_is_answered(setup: Setup) {
    let broker = Broker::start(setup);
    let mut client = broker.client();
    ask_all! { client;
        ListOffsets: list_offsets, ListOffsetsRequest, ListOffsetsResponse;
        Metadata: metadata, MetadataRequest, MetadataResponse;
        OffsetCommit: offset_commit, OffsetCommitRequest, OffsetCommitResponse;
        OffsetFetch: offset_fetch, OffsetFetchRequest, OffsetFetchResponse;
        FindCoordinator: find_coordinator, FindCoordinatorRequest, FindCoordinatorResponse;
        JoinGroup: join_group, JoinGroupRequest, JoinGroupResponse;
        Heartbeat: heartbeat, HeartbeatRequest, HeartbeatResponse;
        LeaveGroup: leave_group, LeaveGroupRequest, LeaveGroupResponse;
        SyncGroup: sync_group, SyncGroupRequest, SyncGroupResponse;
        DescribeGroups: describe_groups, DescribeGroupsRequest, DescribeGroupsResponse;
        ListGroups: list_groups, ListGroupsRequest, ListGroupsResponse;
        ApiVersions: api_versions, ApiVersionsRequest, ApiVersionsResponse;
        CreateTopics: create_topics, CreateTopicsRequest, CreateTopicsResponse;
        DeleteTopics: delete_topics, DeleteTopicsRequest, DeleteTopicsResponse;
        DeleteRecords: delete_records, DeleteRecordsRequest, DeleteRecordsResponse;
        InitProducerId: init_producer_id, InitProducerIdRequest, InitProducerIdResponse;
        OffsetForLeaderEpoch: offset_for_leader_epoch, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
        DescribeConfigs: describe_configs, DescribeConfigsRequest, DescribeConfigsResponse;
        AlterConfigs: alter_configs, AlterConfigsRequest, AlterConfigsResponse;
        DescribeLogDirs: describe_log_dirs, DescribeLogDirsRequest, DescribeLogDirsResponse;
        CreatePartitions: create_partitions, CreatePartitionsRequest, CreatePartitionsResponse;
        DeleteGroups: delete_groups, DeleteGroupsRequest, DeleteGroupsResponse;
        ElectLeaders: elect_leaders, ElectLeadersRequest, ElectLeadersResponse;
        IncrementalAlterConfigs: incremental_alter_configs, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
        ListPartitionReassignments: list_partition_reassignments, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
        OffsetDelete: offset_delete, OffsetDeleteRequest, OffsetDeleteResponse;
        DescribeCluster: describe_cluster, DescribeClusterRequest, DescribeClusterResponse;
        DescribeProducers: describe_producers, DescribeProducersRequest, DescribeProducersResponse;
        ConsumerGroupHeartbeat: consumer_group_heartbeat, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
        ConsumerGroupDescribe: consumer_group_describe, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
        GetTelemetrySubscriptions: get_telemetry_subscriptions, GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse;
        PushTelemetry: push_telemetry, PushTelemetryRequest, PushTelemetryResponse;
        ListConfigResources: list_config_resources, ListConfigResourcesRequest, ListConfigResourcesResponse;
        DescribeTopicPartitions: describe_topic_partitions, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
    }
    broker.stop();
}

fn a_newer_client_learns_what_is_served(setup: Setup) {
    let broker = Broker::start(setup);
    let mut client = broker.client();
    // ApiVersions 5, correlation id 77, a client id, and whatever its body may be.
    let body = [0, 18, 0, 5, 0, 0, 0, 77, 0, 1, b'c', 0, 9, 9, 9];
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend(body);
    let answer = client.ask_raw(&frame);
    let mut reader = Reader::new(&answer);
    let (correlation_id, response) =
        api_versions::ApiVersionsResponse::decode(&mut reader, 0).unwrap();
    assert_eq!(correlation_id, 77);
    assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
    let told = response.api_keys.iter();
    let told: Vec<_> = told
        .map(|api| (api.api_key, api.min_version, api.max_version))
        .collect();
    assert_eq!(told, [(18, 0, 4)]);
    // The connection goes on.
    let request = api_versions::ApiVersionsRequest {
        client_software_name: "test",
        client_software_version: "1.0",
    };
    let response: api_versions::ApiVersionsResponse<'_> = client.ask(4, &request);
    assert_eq!(response.error_code, ErrorCode::NONE);
    let advertised = response
        .api_keys
        .iter()
        .find(|api| api.api_key == 0)
        .unwrap();
    assert_eq!((advertised.min_version, advertised.max_version), (0, 13));
    assert_eq!(response.api_keys.len(), ApiKey::ALL.len());
    broker.stop();
}

//! The nodes, and the APIs whose answers never change.

use std::collections::BTreeSet;

use corelane::base::TopicId;
use corelane::kafka::ErrorCode;
use corelane::kafka::messages::describe_cluster::{
    DescribeClusterRequest, DescribeClusterResponse,
};
use corelane::kafka::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, TopicPartitions,
};
use corelane::kafka::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse,
};
use corelane::kafka::messages::get_telemetry_subscriptions::{
    GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse,
};
use corelane::kafka::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use corelane::kafka::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use corelane::kafka::messages::produce::ProduceResponse;
use corelane::kafka::messages::push_telemetry::{PushTelemetryRequest, PushTelemetryResponse};

use super::rig::Broker;
use crate::common::batches::one;
use crate::common::broker::Options;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{PRODUCE_BY_NAME, produce_request};

matrix! {
    every cell: every_node_tells_the_same_cluster, no_producer_id_is_given_out_twice,
        nobody_is_elected_and_no_metrics_are_wanted;
    every pair: the_file_says_what_clients_are_told, without_auto_creation_nothing_is_created;
}

fn cluster(broker: &Broker, node: i32) -> DescribeClusterResponse<'static> {
    let request = DescribeClusterRequest {
        include_cluster_authorized_operations: true,
        ..Default::default()
    };
    broker.node(node).ask(2, &request)
}

fn every_node_tells_the_same_cluster(setup: Setup) {
    let mut broker = Broker::start(setup);
    let told = cluster(&broker, 0);
    assert_eq!(told.brokers.len(), usize::from(setup.nodes()));
    assert!(told.cluster_authorized_operations > 0);
    for node in 1..broker.nodes() {
        assert_eq!(cluster(&broker, node), told);
    }
    for node in &told.brokers {
        assert_eq!((&*node.host, node.is_fenced), ("127.0.0.1", false));
    }
    broker.restart();
    assert_eq!(cluster(&broker, 0).cluster_id, told.cluster_id);
    broker.stop();
}

/// A configuration file with these lines, and the broker's options with it.
fn with_file(setup: Setup, lines: &str) -> (tempfile::NamedTempFile, Options) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, lines).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    (file, setup.options().with("--config", &path))
}

fn the_file_says_what_clients_are_told(setup: Setup) {
    let file = "advertise = \"broker.example:19092\"\nlog-level = \"warn\"\n";
    let (_file, options) = with_file(setup, file);
    let broker = Broker::start_with(setup, options);
    let mut client = broker.client();
    client.create(&[("told", 4)]);
    let port = |node: i32| if setup.single { 19092 } else { 19092 + node };
    let expected: Vec<_> = (0..broker.nodes())
        .map(|node| (node, "broker.example".to_owned(), port(node)))
        .collect();
    let mut told: Vec<_> = cluster(&broker, 0)
        .brokers
        .iter()
        .map(|node| (node.broker_id, node.host.to_string(), node.port))
        .collect();
    told.sort();
    assert_eq!(told, expected, "DescribeCluster");
    let metadata: MetadataResponse<'_> = client.ask(13, &MetadataRequest::default());
    let mut told: Vec<_> = metadata
        .brokers
        .iter()
        .map(|node| (node.node_id, node.host.to_string(), node.port))
        .collect();
    told.sort();
    assert_eq!(told, expected, "Metadata");
    let groups: Vec<String> = (0..20).map(|number| format!("group-{number}")).collect();
    let request = FindCoordinatorRequest {
        coordinator_keys: groups.iter().map(String::as_str).collect(),
        ..Default::default()
    };
    let found: FindCoordinatorResponse<'_> = client.ask(6, &request);
    assert_eq!(found.coordinators.len(), groups.len());
    for coordinator in &found.coordinators {
        let told = (
            coordinator.node_id,
            coordinator.host.to_string(),
            coordinator.port,
        );
        assert!(expected.contains(&told), "FindCoordinator: {coordinator:?}");
    }
    assert!(!broker.log().contains(" INFO "), "{}", broker.log());
    broker.stop();
}

fn without_auto_creation_nothing_is_created(setup: Setup) {
    let (_file, options) = with_file(setup, "auto-create-topics = false\n");
    let broker = Broker::start_with(setup, options);
    for node in 0..broker.nodes() {
        let mut client = broker.node(node);
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some("unasked"),
                ..Default::default()
            }]),
            allow_auto_topic_creation: true,
            ..Default::default()
        };
        let response: MetadataResponse<'_> = client.ask(12, &request);
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(response.topics[0].error_code, unknown);
        let request = produce_request("unasked", 0, one(b"value"));
        let response: ProduceResponse<'_> = client.ask(PRODUCE_BY_NAME, &request);
        let result = &response.responses[0].partition_responses[0];
        assert_eq!(result.error_code, unknown);
    }
    let all: MetadataResponse<'_> = broker.client().ask(12, &MetadataRequest::default());
    assert!(all.topics.is_empty(), "{:?}", all.topics);
    assert!(broker.log().contains(" INFO "), "the level is a default");
    broker.stop();
}

fn no_producer_id_is_given_out_twice(setup: Setup) {
    let mut broker = Broker::start(setup);
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        for node in 0..broker.nodes() {
            let mut client = broker.node(node);
            for version in 0..=5 {
                let request = InitProducerIdRequest::default();
                let response: InitProducerIdResponse = client.ask(version, &request);
                assert_eq!(
                    (response.error_code, response.producer_epoch),
                    (ErrorCode::NONE, 0)
                );
                assert!(response.producer_id >= 0 && seen.insert(response.producer_id));
            }
        }
        broker.restart();
    }
    let transactional = InitProducerIdRequest {
        transactional_id: Some("t"),
        transaction_timeout_ms: 1000,
        ..Default::default()
    };
    let response: InitProducerIdResponse = broker.client().ask(5, &transactional);
    assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(response.producer_id, -1);
    broker.stop();
}

fn nobody_is_elected_and_no_metrics_are_wanted(setup: Setup) {
    let broker = Broker::start(setup);
    let mut client = broker.client();
    client.create(&[("t", 2)]);
    let request = ElectLeadersRequest {
        topic_partitions: Some(vec![TopicPartitions {
            topic: "t",
            partitions: vec![1, 2],
        }]),
        ..Default::default()
    };
    let response: ElectLeadersResponse<'_> = client.ask(2, &request);
    let results = &response.replica_election_results[0].partition_result;
    let errors: Vec<_> = results.iter().map(|result| result.error_code).collect();
    let expected = [
        ErrorCode::ELECTION_NOT_NEEDED,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ];
    assert_eq!(errors, expected);

    let request = GetTelemetrySubscriptionsRequest::default();
    let first: GetTelemetrySubscriptionsResponse<'_> = client.ask(0, &request);
    let second: GetTelemetrySubscriptionsResponse<'_> = client.ask(0, &request);
    assert_ne!(first.client_instance_id, TopicId::ZERO);
    assert_ne!(first.client_instance_id, second.client_instance_id);
    assert!(first.requested_metrics.is_empty());
    for (subscription_id, error) in [
        (first.subscription_id, ErrorCode::NONE),
        (
            first.subscription_id + 1,
            ErrorCode::UNKNOWN_SUBSCRIPTION_ID,
        ),
    ] {
        let push = PushTelemetryRequest {
            client_instance_id: first.client_instance_id,
            subscription_id,
            terminating: true,
            metrics: b"metrics",
            ..Default::default()
        };
        let response: PushTelemetryResponse = client.ask(0, &push);
        assert_eq!(response.error_code, error);
    }
    broker.stop();
}

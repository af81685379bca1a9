//! Configs of topics are changed on one node and seen on every other; those of brokers
//! are only to be read.

use corelane::kafka::ErrorCode;
use corelane::kafka::messages::alter_configs::{self, AlterConfigsRequest, AlterConfigsResponse};
use corelane::kafka::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use corelane::kafka::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse, DescribeConfigsResult,
};
use corelane::kafka::messages::incremental_alter_configs::{
    self, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use corelane::kafka::messages::list_config_resources::{
    ListConfigResourcesRequest, ListConfigResourcesResponse,
};

use super::rig::{Broker, Client};
use crate::common::matrix::{Setup, matrix};

matrix! {
    every cell: configs_of_topics_change_on_every_node, configs_of_brokers_are_read_only,
        tiered_storage_is_refused_as_by_a_kafka_without_it,
        a_compacted_topic_is_accepted_with_one_warning;
}

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

fn describe(client: &mut Client, resource_type: i8, name: &str) -> DescribeConfigsResult<'static> {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type,
            resource_name: name,
            configuration_keys: None,
        }],
        include_synonyms: true,
        include_documentation: true,
    };
    let response: DescribeConfigsResponse<'_> = client.ask(4, &request);
    response.results.into_iter().next().unwrap()
}

/// Value and source of a topic's config.
fn value(client: &mut Client, topic: &str, config: &str) -> (String, i8) {
    let described = describe(client, TOPIC, topic);
    let found = described.configs.iter().find(|c| c.name == config).unwrap();
    assert!(found.documentation.is_some());
    (
        found.value.clone().unwrap().into_owned(),
        found.config_source,
    )
}

fn alter(
    client: &mut Client,
    resource_type: i8,
    name: &str,
    configs: &[(&str, &str)],
) -> ErrorCode {
    let config = |&(name, value)| alter_configs::AlterableConfig {
        name,
        value: Some(value),
    };
    let request = AlterConfigsRequest {
        resources: vec![alter_configs::AlterConfigsResource {
            resource_type,
            resource_name: name,
            configs: configs.iter().map(config).collect(),
        }],
        validate_only: false,
    };
    let response: AlterConfigsResponse<'_> = client.ask(2, &request);
    response.responses[0].error_code
}

fn change(client: &mut Client, topic: &str, ops: &[(&str, i8, Option<&str>)]) -> ErrorCode {
    let op = |&(name, config_operation, value)| incremental_alter_configs::AlterableConfig {
        name,
        config_operation,
        value,
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![incremental_alter_configs::AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: topic,
            configs: ops.iter().map(op).collect(),
        }],
        validate_only: false,
    };
    let response: IncrementalAlterConfigsResponse<'_> = client.ask(1, &request);
    response.responses[0].error_code
}

fn check_bounds_on_timestamps(admin: &mut Client, other: &mut Client) {
    let told = |text: &str, source| (text.to_owned(), source);
    let (before, after) = (
        "message.timestamp.before.max.ms",
        "message.timestamp.after.max.ms",
    );
    assert_eq!(value(other, "t", before), told(&i64::MAX.to_string(), 5));
    assert_eq!(value(other, "t", after), told("3600000", 5));
    let ops = [(before, 0, Some("86400000")), (after, 0, Some("0"))];
    assert_eq!(change(admin, "t", &ops), ErrorCode::NONE);
    assert_eq!(value(other, "t", before), told("86400000", 1));
    assert_eq!(value(other, "t", after), told("0", 1));
    let refused = change(admin, "t", &[(after, 0, Some("-1"))]);
    assert_eq!(refused, ErrorCode::INVALID_CONFIG);
    // Of Kafka 3; Kafka 4 does not know it.
    let gone = ("message.timestamp.difference.max.ms", 0, Some("1"));
    assert_eq!(change(admin, "t", &[gone]), ErrorCode::INVALID_CONFIG);
}

fn configs_of_topics_change_on_every_node(setup: Setup) {
    let mut broker = Broker::start(setup);
    broker.announce(NOT_COMPACTED);
    let mut admin = broker.node(1);
    admin.create(&[("t", 1)]);
    let told = |text: &str, source| (text.to_owned(), source);
    let mut other = broker.node(2);
    assert_eq!(value(&mut other, "t", "retention.ms"), told("604800000", 5));
    assert_eq!(
        value(&mut other, "t", "max.message.bytes"),
        told("1048588", 5)
    );
    assert_eq!(value(&mut other, "t", "retention.bytes"), told("-1", 5));
    check_bounds_on_timestamps(&mut admin, &mut other);

    let ops = [
        ("retention.ms", 0, Some("1000")),
        ("cleanup.policy", 2, Some("compact")),
    ];
    assert_eq!(change(&mut admin, "t", &ops), ErrorCode::NONE);
    assert_eq!(value(&mut other, "t", "retention.ms"), told("1000", 1));
    assert_eq!(
        value(&mut other, "t", "cleanup.policy"),
        told("delete,compact", 1)
    );
    let ops = [
        ("retention.ms", 1, None),
        ("cleanup.policy", 3, Some("compact")),
    ];
    assert_eq!(change(&mut admin, "t", &ops), ErrorCode::NONE);
    assert_eq!(value(&mut other, "t", "retention.ms"), told("604800000", 5));

    for (config, text, error) in [
        ("retention.ms", "soon", ErrorCode::INVALID_CONFIG),
        ("no.such.config", "1", ErrorCode::INVALID_CONFIG),
        ("compression.type", "gzip", ErrorCode::INVALID_CONFIG),
    ] {
        assert_eq!(change(&mut admin, "t", &[(config, 0, Some(text))]), error);
    }
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(
        change(&mut admin, "gone", &[("retention.ms", 1, None)]),
        unknown
    );

    // The older API replaces everything.
    assert_eq!(
        change(&mut admin, "t", &[("retention.ms", 0, Some("1000"))]),
        ErrorCode::NONE
    );
    assert_eq!(
        alter(&mut admin, TOPIC, "t", &[("retention.bytes", "5000")]),
        ErrorCode::NONE
    );
    broker.restart();
    let mut client = broker.client();
    assert_eq!(value(&mut client, "t", "retention.bytes"), told("5000", 1));
    assert_eq!(
        value(&mut client, "t", "retention.ms"),
        told("604800000", 5)
    );
    broker.stop();
}

/// What CreateTopics says to a topic with this config.
fn create(client: &mut Client, name: &str, config: (&str, &str)) -> (ErrorCode, Option<String>) {
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name,
            num_partitions: 1,
            replication_factor: 1,
            configs: vec![CreatableTopicConfig {
                name: config.0,
                value: Some(config.1),
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let response: CreateTopicsResponse<'_> = client.ask(7, &request);
    let topic = &response.topics[0];
    let message = topic.error_message.as_deref().map(str::to_owned);
    (topic.error_code, message)
}

fn tiered_storage_is_refused_as_by_a_kafka_without_it(setup: Setup) {
    let broker = Broker::start(setup);
    let mut admin = broker.node(1);
    let enable = "remote.storage.enable";
    let (error, message) = create(&mut admin, "tiered", (enable, "true"));
    assert_eq!(error, ErrorCode::INVALID_CONFIG);
    let message = message.unwrap();
    assert!(message.contains(enable), "{message}");
    assert!(message.contains("tiered storage is disabled"), "{message}");
    let (error, _) = create(&mut admin, "local", (enable, "false"));
    assert_eq!(error, ErrorCode::NONE);
    let invalid = ErrorCode::INVALID_CONFIG;
    assert_eq!(
        alter(&mut admin, TOPIC, "local", &[(enable, "true")]),
        invalid
    );
    assert_eq!(
        change(&mut admin, "local", &[(enable, 0, Some("TRUE"))]),
        invalid
    );
    assert_eq!(value(&mut admin, "local", enable), ("false".to_owned(), 1));
    broker.stop();
}

const NOT_COMPACTED: &str = "cleanup.policy has 'compact', which this broker does not do yet";

/// Connect, Streams and schema registries make topics with it, so it is no error; what it does
/// not do is told, to whoever reads the log, once for each topic.
fn a_compacted_topic_is_accepted_with_one_warning(setup: Setup) {
    let mut broker = Broker::start(setup);
    broker.announce(NOT_COMPACTED);
    let mut admin = broker.node(1);
    let policy = "cleanup.policy";
    let (error, _) = create(&mut admin, "born", (policy, "compact"));
    assert_eq!(error, ErrorCode::NONE);
    admin.create(&[("made", 1), ("never", 1)]);
    for ops in [
        [(policy, 0, Some("delete,compact"))],
        // What is so already, and another config.
        [(policy, 2, Some("compact"))],
        [("retention.ms", 0, Some("1000"))],
    ] {
        assert_eq!(change(&mut admin, "made", &ops), ErrorCode::NONE);
    }
    let ops = [("retention.ms", 0, Some("1000"))];
    assert_eq!(change(&mut admin, "never", &ops), ErrorCode::NONE);
    let told = |text: &str, source| (text.to_owned(), source);
    assert_eq!(value(&mut admin, "born", policy), told("compact", 1));
    assert_eq!(value(&mut admin, "made", policy), told("delete,compact", 1));
    broker.restart();
    let mut admin = broker.client();
    assert_eq!(value(&mut admin, "born", policy), told("compact", 1));
    for (topic, times) in [("born", 1), ("made", 1), ("never", 0)] {
        let words = [NOT_COMPACTED, &format!("topic=\"{topic}\"")];
        assert_eq!(broker.times_logged(&words), times, "{topic}");
    }
    broker.stop();
}

fn configs_of_brokers_are_read_only(setup: Setup) {
    let broker = Broker::start(setup);
    let mut client = broker.client();
    let nodes: Vec<String> = (0..=broker.nodes()).map(|node| node.to_string()).collect();
    let (absent, nodes) = nodes.split_last().unwrap();
    for node in nodes {
        let described = describe(&mut client, BROKER, node);
        assert_eq!(described.error_code, ErrorCode::NONE);
        let id = described
            .configs
            .iter()
            .find(|c| c.name == "node.id")
            .unwrap();
        assert_eq!(id.value.as_deref(), Some(node.as_str()));
        assert!(described.configs.iter().all(|config| config.read_only));
    }
    assert_eq!(
        describe(&mut client, BROKER, absent).error_code,
        ErrorCode::INVALID_REQUEST
    );
    let refused = alter(&mut client, BROKER, "0", &[("log.retention.ms", "1")]);
    assert_eq!(refused, ErrorCode::INVALID_REQUEST);
    client.create(&[("t", 1)]);
    let request = ListConfigResourcesRequest::default();
    let listed: ListConfigResourcesResponse<'_> = client.ask(1, &request);
    let listed = listed.config_resources.iter();
    let listed: Vec<_> = listed
        .map(|r| (&*r.resource_name, r.resource_type))
        .collect();
    let mut expected = vec![("t", TOPIC)];
    expected.extend(nodes.iter().map(|node| (node.as_str(), BROKER)));
    assert_eq!(listed, expected);
    broker.stop();
}

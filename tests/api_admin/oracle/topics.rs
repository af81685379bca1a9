//! The APIs of topics and their configs.

use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    AlterConfigsRequest, BrokerId, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteTopicsRequest, DescribeConfigsRequest, DescribeLogDirsRequest,
    DescribeTopicPartitionsRequest, ElectLeadersRequest, IncrementalAlterConfigsRequest,
    ListPartitionReassignmentsRequest, MetadataRequest, alter_configs_request,
    describe_topic_partitions_request, incremental_alter_configs_request,
};

use super::{Client, World, text, topic};

/// `ConfigResource.Type` of Kafka.
const TOPIC: i8 = 2;
/// `ELECTION_NOT_NEEDED`: there is one replica, and it leads.
const ELECTION_NOT_NEEDED: i16 = 84;

/// Creates a topic of two partitions with a config of its own: as the broker tells of it.
pub fn create(client: &mut Client, name: &str, version: i16) -> CreatableTopicResult {
    let config = CreatableTopicConfig::default()
        .with_name(text("retention.ms"))
        .with_value(Some(text("86400000")));
    let created = CreatableTopic::default()
        .with_name(topic(name))
        .with_num_partitions(2)
        .with_replication_factor(1)
        .with_configs(vec![config]);
    let request = CreateTopicsRequest::default()
        .with_topics(vec![created])
        .with_timeout_ms(10_000);
    let mut response = client.ask(version, &request);
    let result = response.topics.remove(0);
    assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    assert_eq!(result.name.as_str(), name);
    result
}

pub fn create_topics(world: &mut World, version: i16) {
    let name = format!("created-{version}");
    let result = create(&mut world.client, &name, version);
    if version >= 5 {
        assert_eq!((result.num_partitions, result.replication_factor), (2, 1));
        let configs = result.configs.unwrap();
        let own = configs.iter().find(|c| c.name.as_str() == "retention.ms");
        let value = own.unwrap().value.as_ref().map(|value| value.as_str());
        assert_eq!(value, Some("86400000"));
    }
    // With replicas chosen by the client, and only to see whether it would go well.
    let assignments = [0, 1, 2].map(|index| {
        CreatableReplicaAssignment::default()
            .with_partition_index(index)
            .with_broker_ids(vec![BrokerId(0)])
    });
    let assigned = CreatableTopic::default()
        .with_name(topic(&format!("assigned-{version}")))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments(assignments.to_vec());
    let request = CreateTopicsRequest::default()
        .with_topics(vec![assigned])
        .with_timeout_ms(10_000)
        .with_validate_only(true);
    let response = world.ask(version, &request);
    let result = &response.topics[0];
    assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    if version >= 5 {
        assert_eq!(result.num_partitions, 3);
    }
}

pub fn metadata(world: &mut World, version: i16) {
    let wanted = MetadataRequestTopic::default().with_name(Some(world.topic.clone()));
    let mut request = MetadataRequest::default().with_topics(Some(vec![wanted]));
    request.allow_auto_topic_creation = true;
    if version >= 4 {
        request.allow_auto_topic_creation = false;
    }
    if version >= 8 {
        request.include_topic_authorized_operations = true;
    }
    if (8..=10).contains(&version) {
        request.include_cluster_authorized_operations = true;
    }
    let response = world.ask(version, &request);
    let found = &response.topics[0];
    assert_eq!(found.error_code, 0);
    assert_eq!(found.name.as_ref(), Some(&world.topic));
    if version >= 10 {
        assert_eq!(found.topic_id, world.created.topic_id);
    }
    assert_eq!(found.partitions.len(), 2);
    for partition in &found.partitions {
        assert_eq!(partition.error_code, 0);
        assert_eq!(partition.replica_nodes, [partition.leader_id]);
        assert_eq!(partition.isr_nodes, [partition.leader_id]);
        assert!(
            response
                .brokers
                .iter()
                .any(|b| b.node_id == partition.leader_id)
        );
    }
    for broker in &response.brokers {
        let node = u16::try_from(broker.node_id.0).unwrap();
        assert_eq!(broker.port, i32::from(world.broker.address(node).port()));
    }
}

pub fn create_partitions(world: &mut World, version: i16) {
    let assignments =
        vec![CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(0)])];
    let grown = CreatePartitionsTopic::default()
        .with_name(topic("created-2"))
        .with_count(i32::from(version) + 3)
        .with_assignments(Some(assignments));
    let request = CreatePartitionsRequest::default()
        .with_topics(vec![grown])
        .with_timeout_ms(10_000);
    let response = world.ask(version, &request);
    let result = &response.results[0];
    assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    assert_eq!(result.name.as_str(), "created-2");
}

pub fn delete_topics(world: &mut World, version: i16) {
    let created = create(&mut world.client, "deleted", 7);
    let mut request = DeleteTopicsRequest::default().with_timeout_ms(10_000);
    let by_name = DeleteTopicState::default().with_name(Some(topic("created-7")));
    let by_id = DeleteTopicState::default().with_topic_id(created.topic_id);
    match version >= 6 {
        true => request.topics = vec![by_id, by_name],
        false => request.topic_names = vec![topic("deleted")],
    }
    let response = world.ask(version, &request);
    assert_eq!(response.responses.len(), request.topics.len().max(1));
    let deleted = &response.responses[0];
    assert!(
        response
            .responses
            .iter()
            .all(|result| result.error_code == 0)
    );
    assert_eq!(deleted.name.as_ref(), Some(&topic("deleted")));
    if version >= 6 {
        assert_eq!(deleted.topic_id, created.topic_id);
    }
}

pub fn describe_log_dirs(world: &mut World, version: i16) {
    let asked = DescribableLogDirTopic::default()
        .with_topic(world.topic.clone())
        .with_partitions(vec![0, 1]);
    let request = DescribeLogDirsRequest::default().with_topics(Some(vec![asked]));
    // Each node tells of what it has.
    let mut partitions = Vec::new();
    for node in 0..world.nodes {
        let mut client = Client::connect(world.broker.address(node));
        let response = client.ask(version, &request);
        assert_eq!(response.error_code, 0);
        for result in response.results {
            assert_eq!(result.error_code, 0);
            assert!(!result.log_dir.is_empty());
            assert_eq!(result.total_bytes > 0, version >= 4);
            for found in result.topics {
                assert_eq!(found.name, world.topic);
                assert!(found.partitions.iter().all(|p| p.partition_size > 0));
                partitions.extend(found.partitions.iter().map(|p| p.partition_index));
            }
        }
    }
    partitions.sort_unstable();
    assert_eq!(partitions, [0, 1]);
}

/// The config of the topic that the tests set.
fn described(world: &mut World, version: i16) -> Option<String> {
    let keys = ["retention.ms", "max.message.bytes"].map(text);
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(world.topic.clone().into())
        .with_configuration_keys(Some(keys.to_vec()));
    let mut request = DescribeConfigsRequest::default()
        .with_resources(vec![resource])
        .with_include_synonyms(true);
    if version >= 3 {
        request.include_documentation = true;
    }
    let response = world.ask(version, &request);
    let result = &response.results[0];
    assert_eq!((result.error_code, result.resource_type), (0, TOPIC));
    assert_eq!(result.configs.len(), 2);
    for config in &result.configs {
        assert!(!config.synonyms.is_empty(), "{}", config.name.as_str());
        assert_eq!(config.config_type != 0, version >= 3);
    }
    let mut configs = result.configs.iter();
    let own = configs.find(|config| config.name.as_str() == "retention.ms");
    own.unwrap().value.as_ref().map(|value| value.to_string())
}

pub fn describe_configs(world: &mut World, version: i16) {
    assert_eq!(described(world, version).as_deref(), Some("86400000"));
}

pub fn alter_configs(world: &mut World, version: i16) {
    let value = format!("{}", 90_000_000 + i32::from(version));
    let config = alter_configs_request::AlterableConfig::default()
        .with_name(text("retention.ms"))
        .with_value(Some(text(&value)));
    let resource = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(world.topic.clone().into())
        .with_configs(vec![config]);
    let request = AlterConfigsRequest::default().with_resources(vec![resource]);
    let response = world.ask(version, &request);
    let result = &response.responses[0];
    assert_eq!((result.error_code, result.resource_type), (0, TOPIC));
    assert_eq!(described(world, 4), Some(value));
}

pub fn incremental_alter_configs(world: &mut World, version: i16) {
    const SET: i8 = 0;
    let value = format!("{}", 95_000_000 + i32::from(version));
    let config = incremental_alter_configs_request::AlterableConfig::default()
        .with_name(text("retention.ms"))
        .with_config_operation(SET)
        .with_value(Some(text(&value)));
    let resource = incremental_alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(world.topic.clone().into())
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let response = world.ask(version, &request);
    let result = &response.responses[0];
    assert_eq!((result.error_code, result.resource_type), (0, TOPIC));
    assert_eq!(described(world, 4), Some(value));
}

pub fn elect_leaders(world: &mut World, version: i16) {
    let wanted = TopicPartitions::default()
        .with_topic(world.topic.clone())
        .with_partitions(vec![0, 1]);
    let mut request = ElectLeadersRequest::default()
        .with_topic_partitions(Some(vec![wanted]))
        .with_timeout_ms(10_000);
    if version >= 1 {
        request.election_type = 1;
    }
    let response = world.ask(version, &request);
    assert_eq!(response.error_code, 0);
    let results = &response.replica_election_results[0];
    assert_eq!(results.topic, world.topic);
    let errors = results.partition_result.iter().map(|p| p.error_code);
    assert!(errors.eq([ELECTION_NOT_NEEDED; 2]), "{results:?}");
}

pub fn list_partition_reassignments(world: &mut World, version: i16) {
    let wanted = ListPartitionReassignmentsTopics::default()
        .with_name(world.topic.clone())
        .with_partition_indexes(vec![0, 1]);
    let request = ListPartitionReassignmentsRequest::default()
        .with_timeout_ms(10_000)
        .with_topics(Some(vec![wanted]));
    let response = world.ask(version, &request);
    assert_eq!(response.error_code, 0);
    assert!(response.topics.is_empty(), "nothing is ever on its way");
}

pub fn describe_topic_partitions(world: &mut World, version: i16) {
    let names = ["created-3", "filled"].map(|name| {
        describe_topic_partitions_request::TopicRequest::default().with_name(topic(name))
    });
    let mut request = DescribeTopicPartitionsRequest::default()
        .with_topics(names.to_vec())
        .with_response_partition_limit(3);
    let first = world.ask(version, &request);
    let counts = first.topics.iter().map(|found| {
        assert_eq!(found.error_code, 0);
        found.partitions.len()
    });
    assert!(counts.eq([2, 1]), "three partitions are the limit");
    let next = first.next_cursor.expect("there is more");
    assert_eq!((&next.topic_name, next.partition_index), (&world.topic, 1));
    let cursor = describe_topic_partitions_request::Cursor::default()
        .with_topic_name(next.topic_name)
        .with_partition_index(next.partition_index);
    request.cursor = Some(cursor);
    let rest = world.ask(version, &request);
    assert_eq!(rest.topics.len(), 1);
    assert_eq!(rest.topics[0].topic_id, world.created.topic_id);
    assert_eq!(rest.topics[0].partitions[0].partition_index, 1);
    assert!(rest.next_cursor.is_none());
}

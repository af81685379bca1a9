//! A valid request of every API in every version, as our codec writes it. None of them
//! changes anything but the topic [`TOPIC`].

mod groups;

use std::borrow::Cow;

use bytes::Bytes;
use corelane::base::TopicId;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::{self, Request};

use crate::common::batches::one;
use crate::common::client::Client;

/// The topic that the requests are about.
pub const TOPIC: &str = "captures";

/// One request on the wire.
pub struct Capture {
    /// What it asks.
    pub api: ApiKey,
    /// In which version.
    pub version: i16,
    /// All its bytes, the length in front included.
    pub frame: Vec<u8>,
}

/// Every API of the table in every version.
pub fn all(topic_id: TopicId) -> Vec<Capture> {
    let mut captures = Vec::new();
    data(&mut captures, topic_id);
    lookups(&mut captures, topic_id);
    topics(&mut captures, topic_id);
    configs(&mut captures);
    cluster(&mut captures, topic_id);
    groups::members(&mut captures);
    groups::consumers(&mut captures, topic_id);
    groups::offsets(&mut captures, topic_id);
    groups::admin(&mut captures);
    for &api in ApiKey::ALL {
        assert!(
            captures.iter().any(|capture| capture.api == api),
            "no capture of {api:?}"
        );
    }
    captures
}

/// As [`all`], only the oldest and the newest version of each API.
pub fn ends(topic_id: TopicId) -> Vec<Capture> {
    let mut captures = all(topic_id);
    captures.retain(|c| [c.api.spec().min, c.api.spec().max].contains(&c.version));
    captures
}

fn add<'a, Q: Request<'a>>(captures: &mut Vec<Capture>, request: &Q) {
    for version in Q::API.spec().min..=Q::API.spec().max {
        captures.push(Capture {
            api: Q::API,
            version,
            frame: Client::encode(version, 7, request),
        });
    }
}

fn data(captures: &mut Vec<Capture>, topic_id: TopicId) {
    use messages::fetch::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
    use messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
    let partition = |index| PartitionProduceData {
        index,
        records: Some(one(b"captured")),
    };
    let produce = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 100,
        topic_data: vec![TopicProduceData {
            name: TOPIC,
            topic_id,
            partition_data: vec![partition(0), partition(1)],
        }],
    };
    add(captures, &produce);
    let partition = |partition| FetchPartition {
        partition,
        partition_max_bytes: 1000,
        ..Default::default()
    };
    let fetch = FetchRequest {
        max_wait_ms: 1,
        min_bytes: 1,
        max_bytes: 1000,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic: TOPIC,
            topic_id,
            partitions: vec![partition(0), partition(1)],
        }],
        forgotten_topics_data: vec![ForgottenTopic {
            topic: TOPIC,
            topic_id,
            partitions: vec![0, 1],
        }],
        rack_id: "rack",
        ..Default::default()
    };
    add(captures, &fetch);
}

fn lookups(captures: &mut Vec<Capture>, topic_id: TopicId) {
    use messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
    use messages::metadata::{MetadataRequest, MetadataRequestTopic};
    use messages::offset_for_leader_epoch::{
        OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
    };
    let offsets = ListOffsetsRequest {
        topics: vec![ListOffsetsTopic {
            name: TOPIC,
            partitions: vec![ListOffsetsPartition {
                timestamp: -1,
                ..Default::default()
            }],
        }],
        timeout_ms: 100,
        ..Default::default()
    };
    add(captures, &offsets);
    let metadata = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            topic_id,
            name: Some(TOPIC),
        }]),
        ..Default::default()
    };
    add(captures, &metadata);
    let epochs = OffsetForLeaderEpochRequest {
        topics: vec![OffsetForLeaderTopic {
            topic: TOPIC,
            partitions: vec![OffsetForLeaderPartition::default()],
        }],
        ..Default::default()
    };
    add(captures, &epochs);
    let describe = messages::describe_topic_partitions::DescribeTopicPartitionsRequest {
        topics: vec![messages::describe_topic_partitions::TopicRequest { name: TOPIC }],
        cursor: Some(messages::describe_topic_partitions::Cursor {
            topic_name: Cow::Borrowed(TOPIC),
            partition_index: 1,
        }),
        ..Default::default()
    };
    add(captures, &describe);
    let producers = messages::describe_producers::DescribeProducersRequest {
        topics: vec![messages::describe_producers::TopicRequest {
            name: TOPIC,
            partition_indexes: vec![0, 1],
        }],
    };
    add(captures, &producers);
}

fn topics(captures: &mut Vec<Capture>, topic_id: TopicId) {
    use messages::create_partitions::{
        CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
    };
    use messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
    use messages::delete_records::{
        DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
    };
    use messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
    let create = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: "captured",
            num_partitions: 1,
            replication_factor: 1,
            configs: vec![CreatableTopicConfig {
                name: "retention.ms",
                value: Some("1000"),
            }],
            ..Default::default()
        }],
        timeout_ms: 100,
        validate_only: true,
    };
    add(captures, &create);
    let grow = CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name: TOPIC,
            count: 3,
            assignments: Some(vec![CreatePartitionsAssignment {
                broker_ids: vec![0],
            }]),
        }],
        timeout_ms: 100,
        validate_only: true,
    };
    add(captures, &grow);
    let delete = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: None,
            topic_id: TopicId([7; 16]),
        }],
        topic_names: vec!["absent"],
        timeout_ms: 100,
    };
    add(captures, &delete);
    let delete_records = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: TOPIC,
            partitions: vec![DeleteRecordsPartition::default()],
        }],
        timeout_ms: 100,
    };
    add(captures, &delete_records);
    let _ = topic_id;
}

fn configs(captures: &mut Vec<Capture>) {
    use messages::{alter_configs, describe_configs, incremental_alter_configs};
    const TOPIC_RESOURCE: i8 = 2;
    let describe = describe_configs::DescribeConfigsRequest {
        resources: vec![describe_configs::DescribeConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: TOPIC,
            configuration_keys: Some(vec!["retention.ms"]),
        }],
        ..Default::default()
    };
    add(captures, &describe);
    let alter = alter_configs::AlterConfigsRequest {
        resources: vec![alter_configs::AlterConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: TOPIC,
            configs: vec![alter_configs::AlterableConfig {
                name: "retention.ms",
                value: Some("1000"),
            }],
        }],
        validate_only: true,
    };
    add(captures, &alter);
    let incremental = incremental_alter_configs::IncrementalAlterConfigsRequest {
        resources: vec![incremental_alter_configs::AlterConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: TOPIC,
            configs: vec![incremental_alter_configs::AlterableConfig {
                name: "retention.ms",
                config_operation: 0,
                value: Some("1000"),
            }],
        }],
        validate_only: true,
    };
    add(captures, &incremental);
    let list = messages::list_config_resources::ListConfigResourcesRequest {
        resource_types: vec![TOPIC_RESOURCE],
    };
    add(captures, &list);
}

fn cluster(captures: &mut Vec<Capture>, topic_id: TopicId) {
    use messages::{describe_log_dirs, elect_leaders, list_partition_reassignments};
    add(
        captures,
        &messages::api_versions::ApiVersionsRequest {
            client_software_name: "capture",
            client_software_version: "1",
        },
    );
    add(
        captures,
        &messages::init_producer_id::InitProducerIdRequest {
            transaction_timeout_ms: 1000,
            ..Default::default()
        },
    );
    add(
        captures,
        &messages::describe_cluster::DescribeClusterRequest::default(),
    );
    let dirs = describe_log_dirs::DescribeLogDirsRequest {
        topics: Some(vec![describe_log_dirs::DescribableLogDirTopic {
            topic: TOPIC,
            partitions: vec![0, 1],
        }]),
    };
    add(captures, &dirs);
    let elect = elect_leaders::ElectLeadersRequest {
        topic_partitions: Some(vec![elect_leaders::TopicPartitions {
            topic: TOPIC,
            partitions: vec![0],
        }]),
        timeout_ms: 100,
        ..Default::default()
    };
    add(captures, &elect);
    let reassignments = list_partition_reassignments::ListPartitionReassignmentsRequest {
        timeout_ms: 100,
        topics: Some(vec![
            list_partition_reassignments::ListPartitionReassignmentsTopics {
                name: TOPIC,
                partition_indexes: vec![0],
            },
        ]),
    };
    add(captures, &reassignments);
    let subscriptions = messages::get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest {
        client_instance_id: topic_id,
    };
    add(captures, &subscriptions);
    let metrics = Bytes::from_static(b"metrics");
    let push = messages::push_telemetry::PushTelemetryRequest {
        client_instance_id: topic_id,
        subscription_id: 1,
        metrics: &metrics,
        ..Default::default()
    };
    add(captures, &push);
}

//! Topics come, grow and go, and every node knows at once.

use corelane::base::TopicId;
use corelane::kafka::ErrorCode;
use corelane::kafka::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use corelane::kafka::messages::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use corelane::kafka::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
};
use corelane::kafka::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};

use super::rig::{Broker, Client};
use crate::common::matrix::{Setup, matrix};

matrix! {
    every cell: a_topic_lives_on_every_node_at_once, topics_are_created_when_asked_for,
        thousands_of_partitions_in_one_answer_and_in_pages;
}

/// Asks for names, with or without leave to create them: name, error and partition count.
fn metadata(client: &mut Client, names: &[&str], create: bool) -> Vec<(String, ErrorCode, usize)> {
    let topic = |name: &&str| (*name).to_owned();
    let names: Vec<String> = names.iter().map(topic).collect();
    let request = MetadataRequest {
        topics: Some(
            names
                .iter()
                .map(|name| MetadataRequestTopic {
                    name: Some(name),
                    ..Default::default()
                })
                .collect(),
        ),
        allow_auto_topic_creation: create,
        ..Default::default()
    };
    let response: MetadataResponse<'_> = client.ask(12, &request);
    let topics = response.topics.into_iter();
    topics
        .map(|t| {
            (
                t.name.unwrap().into_owned(),
                t.error_code,
                t.partitions.len(),
            )
        })
        .collect()
}

fn grow(client: &mut Client, name: &str, count: i32, validate_only: bool) -> ErrorCode {
    let request = CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name,
            count,
            assignments: None,
        }],
        validate_only,
        ..Default::default()
    };
    let response: CreatePartitionsResponse<'_> = client.ask(3, &request);
    response.results[0].error_code
}

fn delete(client: &mut Client, name: Option<&str>, topic_id: TopicId) -> ErrorCode {
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState { name, topic_id }],
        ..Default::default()
    };
    let response: DeleteTopicsResponse<'_> = client.ask(6, &request);
    response.responses[0].error_code
}

fn a_topic_lives_on_every_node_at_once(setup: Setup) {
    let broker = Broker::start(setup);
    // Through the last node, so that the change is forwarded in topology per-core.
    let last = broker.nodes() - 1;
    let mut admin = broker.node(last);
    let ids = admin.create(&[("a", 7), ("b", 1)]);
    assert_ne!(ids[0], ids[1]);
    let again = admin.try_create(&[("a", 7), ("x.y", 1), ("x_y", 1), ("bad/name", 1), ("c", 0)]);
    let errors: Vec<_> = again.iter().map(|result| result.error_code).collect();
    let expected = [
        ErrorCode::TOPIC_ALREADY_EXISTS,
        ErrorCode::NONE,
        ErrorCode::INVALID_TOPIC_EXCEPTION,
        ErrorCode::INVALID_TOPIC_EXCEPTION,
        ErrorCode::INVALID_PARTITIONS,
    ];
    assert_eq!(errors, expected);
    assert_eq!(again[1].replication_factor, 1, "three were asked for");
    for node in 0..=last {
        let mut client = broker.node(node);
        let topic = client.topic("a");
        assert_eq!(
            (topic.error_code, topic.topic_id),
            (ErrorCode::NONE, ids[0])
        );
        let mut leaders: Vec<_> = topic.partitions.iter().map(|p| p.leader_id).collect();
        leaders.sort_unstable();
        leaders.dedup();
        assert_eq!(
            leaders,
            (0..=last).collect::<Vec<_>>(),
            "every node leads some"
        );
        // Whatever was asked for, there is one replica: the leader.
        for partition in &topic.partitions {
            let only = [partition.leader_id];
            assert_eq!(*partition.replica_nodes, only);
            assert_eq!(*partition.isr_nodes, only);
            assert!(partition.offline_replicas.is_empty());
        }
    }
    assert_eq!(grow(&mut admin, "a", 9, true), ErrorCode::NONE);
    assert_eq!(
        grow(&mut admin, "a", 7, false),
        ErrorCode::INVALID_PARTITIONS
    );
    assert_eq!(admin.topic("a").partitions.len(), 7);
    assert_eq!(grow(&mut admin, "a", 9, false), ErrorCode::NONE);
    assert_eq!(
        grow(&mut admin, "gone", 9, false),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    for node in 0..=last {
        assert_eq!(broker.node(node).topic("a").partitions.len(), 9);
    }
    assert_eq!(delete(&mut admin, None, ids[0]), ErrorCode::NONE);
    assert_eq!(
        delete(&mut admin, None, ids[0]),
        ErrorCode::UNKNOWN_TOPIC_ID
    );
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(delete(&mut admin, Some("a"), TopicId::ZERO), unknown);
    for node in 0..=last {
        assert_eq!(broker.node(node).topic("a").error_code, unknown);
    }
    let reborn = admin.create(&[("a", 1)]);
    assert_ne!(reborn[0], ids[0]);
    broker.stop();
}

fn topics_are_created_when_asked_for(setup: Setup) {
    let broker = Broker::start(setup);
    let mut client = broker.node(1);
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let new = |error, partitions| ("new".to_owned(), error, partitions);
    assert_eq!(metadata(&mut client, &["new"], false), [new(unknown, 0)]);
    assert_eq!(
        metadata(&mut client, &["new", "new"], true),
        [new(ErrorCode::NONE, 1)]
    );
    assert_eq!(
        metadata(&mut broker.node(2), &["new"], false),
        [new(ErrorCode::NONE, 1)]
    );
    let told = metadata(&mut client, &["__consumer_offsets", "a b", "new"], true);
    let errors: Vec<_> = told.iter().map(|(_, error, _)| *error).collect();
    let expected = [unknown, ErrorCode::INVALID_TOPIC_EXCEPTION, ErrorCode::NONE];
    assert_eq!(errors, expected);
    let all = MetadataRequest {
        topics: None,
        ..Default::default()
    };
    let all: MetadataResponse<'_> = client.ask(9, &all);
    let names: Vec<_> = all
        .topics
        .iter()
        .map(|t| t.name.as_deref().unwrap())
        .collect();
    assert_eq!(names, ["new"]);
    assert_eq!(all.brokers.len(), usize::from(setup.nodes()));
    broker.stop();
}

fn thousands_of_partitions_in_one_answer_and_in_pages(setup: Setup) {
    let broker = Broker::start(setup);
    let mut client = broker.client();
    client.create(&[("large", 4500), ("small", 3)]);
    let topic = client.topic("large");
    let indexes = topic.partitions.iter().map(|p| p.partition_index);
    assert!(indexes.eq(0..4500));
    let mut cursor: Option<Cursor<'_>> = None;
    let mut pages = Vec::new();
    loop {
        let request = DescribeTopicPartitionsRequest {
            response_partition_limit: 5000,
            cursor,
            ..Default::default()
        };
        let page: DescribeTopicPartitionsResponse<'_> = client.ask(0, &request);
        let sizes = page
            .topics
            .iter()
            .map(|t| (t.name.clone().unwrap(), t.partitions.len()));
        pages.push(sizes.collect::<Vec<_>>());
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let large = |count| ("large".into(), count);
    let expected = [
        vec![large(2000)],
        vec![large(2000)],
        vec![large(500), ("small".into(), 3)],
    ];
    assert_eq!(pages, expected);
    broker.stop();
}

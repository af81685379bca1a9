//! The APIs of records.

use corelane::kafka::record::BatchBuilder;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::fetch_request::{
    FetchPartition, FetchTopic, ForgottenTopic, ReplicaState,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, DeleteRecordsRequest, DescribeProducersRequest, FetchRequest, InitProducerIdRequest,
    ListOffsetsRequest, OffsetForLeaderEpochRequest, ProduceRequest, ProducerId,
};

use super::{World, text};

/// Versions of Produce, each of which appends one record to each partition.
const RECORDS: i64 = 11;

pub fn produce(world: &mut World, version: i16) {
    let offset = i64::from(version) - 3;
    // The first is of an idempotent producer, for who looks for producers.
    let batch = |value: &[u8]| {
        let builder = BatchBuilder::new(5);
        let builder = match version {
            3 => builder.producer(4_000_000, 0, 0),
            _ => builder,
        };
        builder.record(0, Some(b"key"), Some(value)).build()
    };
    let partitions = [0, 1].map(|index| {
        PartitionProduceData::default()
            .with_index(index)
            .with_records(Some(batch(b"value")))
    });
    let mut topic = TopicProduceData::default().with_partition_data(partitions.to_vec());
    match version {
        13 => topic.topic_id = world.created.topic_id,
        _ => topic.name = world.topic.clone(),
    }
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic]);
    let response = world.ask(version, &request);
    let answers = &response.responses[0].partition_responses;
    assert_eq!(answers.len(), 2);
    for answer in answers {
        assert_eq!((answer.error_code, answer.base_offset), (0, offset));
        assert_eq!(answer.log_append_time_ms, -1);
        assert_eq!(answer.log_start_offset, if version >= 5 { 0 } else { -1 });
    }
}

pub fn fetch(world: &mut World, version: i16) {
    let partitions = [0, 1].map(|partition| {
        let mut wanted = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(1)
            .with_partition_max_bytes(1 << 20);
        if version >= 9 {
            wanted.current_leader_epoch = 1;
        }
        if version >= 12 {
            wanted.last_fetched_epoch = 1;
        }
        wanted
    });
    let mut topic = FetchTopic::default().with_partitions(partitions.to_vec());
    let mut forgotten = ForgottenTopic::default().with_partitions(vec![0]);
    match version >= 13 {
        true => {
            (topic.topic_id, forgotten.topic_id) = (world.created.topic_id, world.created.topic_id)
        }
        false => (topic.topic, forgotten.topic) = (world.topic.clone(), world.topic.clone()),
    }
    let mut request = FetchRequest::default()
        .with_max_wait_ms(1000)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_isolation_level(1)
        .with_topics(vec![topic]);
    if version >= 7 {
        // A new session, which has nothing to forget yet.
        request.session_epoch = 0;
        request.forgotten_topics_data = vec![forgotten];
    }
    if version >= 11 {
        request.rack_id = text("rack");
    }
    if version >= 15 {
        request.replica_state = ReplicaState::default().with_replica_id(BrokerId(-1));
    }
    let response = world.ask(version, &request);
    assert_eq!(response.error_code, 0, "Fetch v{version}");
    assert_eq!(response.session_id != 0, version >= 7, "Fetch v{version}");
    let found = &response.responses[0];
    match version >= 13 {
        true => assert_eq!(found.topic_id, world.created.topic_id),
        false => assert_eq!(found.topic, world.topic),
    }
    assert_eq!(found.partitions.len(), 2);
    for partition in &found.partitions {
        assert_eq!(partition.error_code, 0, "Fetch v{version}");
        assert_eq!(partition.high_watermark, RECORDS);
        assert_eq!(partition.last_stable_offset, RECORDS);
        let records = partition.records.as_ref().unwrap();
        assert_eq!(records[..8], 1i64.to_be_bytes(), "Fetch v{version}");
    }
}

pub fn list_offsets(world: &mut World, version: i16) {
    let partitions = [0, 1].map(|index| {
        let mut wanted = ListOffsetsPartition::default()
            .with_partition_index(index)
            .with_timestamp(-1);
        if version >= 4 {
            wanted.current_leader_epoch = 1;
        }
        wanted
    });
    let topic = ListOffsetsTopic::default()
        .with_name(world.topic.clone())
        .with_partitions(partitions.to_vec());
    let mut request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![topic]);
    if version >= 2 {
        request.isolation_level = 1;
    }
    if version >= 10 {
        request.timeout_ms = 5000;
    }
    let response = world.ask(version, &request);
    let topic = &response.topics[0];
    assert_eq!((&topic.name, topic.partitions.len()), (&world.topic, 2));
    for found in &topic.partitions {
        assert_eq!((found.error_code, found.offset), (0, RECORDS));
        assert_eq!(found.leader_epoch, if version >= 4 { 1 } else { -1 });
    }
}

pub fn offset_for_leader_epoch(world: &mut World, version: i16) {
    let partition = OffsetForLeaderPartition::default()
        .with_partition(1)
        .with_current_leader_epoch(1)
        .with_leader_epoch(1);
    let topic = OffsetForLeaderTopic::default()
        .with_topic(world.topic.clone())
        .with_partitions(vec![partition]);
    let mut request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
    if version >= 3 {
        request.replica_id = BrokerId(-1);
    }
    let response = world.ask(version, &request);
    let topic = &response.topics[0];
    assert_eq!(topic.topic, world.topic);
    let end = &topic.partitions[0];
    assert_eq!((end.error_code, end.partition), (0, 1));
    assert_eq!((end.leader_epoch, end.end_offset), (1, RECORDS));
}

pub fn init_producer_id(world: &mut World, version: i16) {
    let mut request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000);
    let given = world.ask(version, &request);
    assert_eq!((given.error_code, given.producer_epoch), (0, 0));
    assert!(given.producer_id.0 >= 0);
    if version >= 3 {
        // Who has one already asks for its next epoch, or for another one.
        request.producer_id = ProducerId(given.producer_id.0);
        request.producer_epoch = given.producer_epoch;
        let again = world.ask(version, &request);
        assert_eq!(again.error_code, 0);
        assert_ne!(
            (again.producer_id, again.producer_epoch),
            (given.producer_id, given.producer_epoch)
        );
    }
}

pub fn describe_producers(world: &mut World, version: i16) {
    let topic = TopicRequest::default()
        .with_name(world.topic.clone())
        .with_partition_indexes(vec![0, 1]);
    let request = DescribeProducersRequest::default().with_topics(vec![topic]);
    let response = world.ask(version, &request);
    let topic = &response.topics[0];
    assert_eq!((&topic.name, topic.partitions.len()), (&world.topic, 2));
    for partition in &topic.partitions {
        assert_eq!(partition.error_code, 0);
        let producer = &partition.active_producers[0];
        assert_eq!(producer.producer_id.0, 4_000_000);
        assert_eq!((producer.producer_epoch, producer.last_sequence), (0, 0));
        assert_eq!(producer.current_txn_start_offset, -1);
    }
}

pub fn delete_records(world: &mut World, version: i16) {
    let offset = i64::from(version) + 1;
    let partition = DeleteRecordsPartition::default()
        .with_partition_index(1)
        .with_offset(offset);
    let topic = DeleteRecordsTopic::default()
        .with_name(world.topic.clone())
        .with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(10_000);
    let response = world.ask(version, &request);
    let topic = &response.topics[0];
    assert_eq!(topic.name, world.topic);
    let result = &topic.partitions[0];
    assert_eq!((result.partition_index, result.error_code), (1, 0));
    assert_eq!(result.low_watermark, offset);
}

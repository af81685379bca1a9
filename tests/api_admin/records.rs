//! Questions about records: offsets by time and by name, epochs, producers, sizes; and
//! the deletion of records.

use corelane::kafka::ErrorCode;
use corelane::kafka::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use corelane::kafka::messages::describe_log_dirs::{
    DescribeLogDirsRequest, DescribeLogDirsResponse,
};
use corelane::kafka::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, TopicRequest,
};
use corelane::kafka::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use corelane::kafka::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use corelane::kafka::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopic,
};
use corelane::kafka::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use corelane::kafka::record::BatchBuilder;

use super::rig::{Broker, Client};
use crate::common::matrix::{Setup, matrix};

matrix! {
    every cell: offsets_by_time_and_by_name, deleted_records_stay_deleted,
        leader_epochs_rise_with_every_start, producers_and_sizes;
}

/// Enough for some of them to belong to other shards than the one that is asked.
const PARTITIONS: i32 = 3;

/// Appends a batch; its base offset.
fn produce(client: &mut Client, partition: i32, batch: BatchBuilder) -> i64 {
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: "t",
            partition_data: vec![PartitionProduceData {
                index: partition,
                records: Some(batch.build()),
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let response: ProduceResponse<'_> = client.ask(9, &request);
    let result = &response.responses[0].partition_responses[0];
    assert_eq!(result.error_code, ErrorCode::NONE);
    result.base_offset
}

/// A batch of records at these times.
fn batch(times: &[i64]) -> BatchBuilder {
    let empty = BatchBuilder::new(times[0]);
    let add = |batch: BatchBuilder, time: &i64| batch.record(*time, None, Some(b"value"));
    times.iter().fold(empty, add)
}

/// Error, offset and timestamp for a time or its name.
fn offset(
    client: &mut Client,
    version: i16,
    partition: i32,
    timestamp: i64,
) -> (ErrorCode, i64, i64) {
    let request = ListOffsetsRequest {
        topics: vec![ListOffsetsTopic {
            name: "t",
            partitions: vec![ListOffsetsPartition {
                partition_index: partition,
                timestamp,
                ..Default::default()
            }],
        }],
        ..Default::default()
    };
    let response: ListOffsetsResponse<'_> = client.ask(version, &request);
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.offset, found.timestamp)
}

fn offsets_by_time_and_by_name(setup: Setup) {
    let mut broker = Broker::start(setup);
    let mut client = broker.client();
    client.create(&[("t", PARTITIONS)]);
    for partition in 0..PARTITIONS {
        assert_eq!(produce(&mut client, partition, batch(&[100, 300, 200])), 0);
        assert_eq!(produce(&mut client, partition, batch(&[400])), 3);
        assert_eq!(produce(&mut client, partition, batch(&[150, 160])), 4);
    }
    let none = ErrorCode::NONE;
    for round in 0..2 {
        for partition in 0..PARTITIONS {
            for (version, timestamp, expected) in [
                (1, -1, (none, 6, -1)),
                (11, -1, (none, 6, -1)),
                (11, -2, (none, 0, -1)),
                (7, -3, (none, 3, 400)),
                (6, -3, (ErrorCode::UNSUPPORTED_VERSION, -1, -1)),
                (8, -4, (none, 0, -1)),
                (9, -5, (none, -1, -1)),
                (11, -6, (none, -1, -1)),
                (10, -6, (ErrorCode::UNSUPPORTED_VERSION, -1, -1)),
                (11, -7, (ErrorCode::UNSUPPORTED_VERSION, -1, -1)),
                (11, 0, (none, 0, 100)),
                (11, 101, (none, 1, 300)),
                (11, 301, (none, 3, 400)),
                (11, 401, (none, -1, -1)),
            ] {
                let found = offset(&mut client, version, partition, timestamp);
                assert_eq!(
                    found, expected,
                    "{timestamp} in version {version}, round {round}"
                );
            }
        }
        let unknown = (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1, -1);
        assert_eq!(offset(&mut client, 11, 99, -1), unknown);
        // Once more with the records in the WAL alone.
        broker.restart();
        client = broker.client();
    }
    broker.stop();
}

fn delete(client: &mut Client, offset: i64) -> (ErrorCode, i64) {
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: "t",
            partitions: vec![DeleteRecordsPartition {
                partition_index: 0,
                offset,
            }],
        }],
        timeout_ms: 10_000,
    };
    let response: DeleteRecordsResponse<'_> = client.ask(2, &request);
    let result = &response.topics[0].partitions[0];
    (result.error_code, result.low_watermark)
}

fn deleted_records_stay_deleted(setup: Setup) {
    let mut broker = Broker::start(setup);
    let mut client = broker.client();
    client.create(&[("t", 1)]);
    produce(&mut client, 0, batch(&[1, 2, 3, 4]));
    assert_eq!(delete(&mut client, 2), (ErrorCode::NONE, 2));
    assert_eq!(delete(&mut client, 1), (ErrorCode::NONE, 2));
    for offset in [5, -2] {
        assert_eq!(
            delete(&mut client, offset),
            (ErrorCode::OFFSET_OUT_OF_RANGE, -1)
        );
    }
    assert_eq!(offset(&mut client, 11, 0, -2), (ErrorCode::NONE, 2, -1));
    broker.restart();
    let mut client = broker.client();
    assert_eq!(offset(&mut client, 11, 0, -2), (ErrorCode::NONE, 2, -1));
    assert_eq!(delete(&mut client, -1), (ErrorCode::NONE, 4));
    assert_eq!(offset(&mut client, 11, 0, -2), (ErrorCode::NONE, 4, -1));
    broker.stop();
}

/// Error, epoch and end of what is asked about.
fn epoch_end(
    client: &mut Client,
    current_leader_epoch: i32,
    leader_epoch: i32,
) -> (ErrorCode, i32, i64) {
    let request = OffsetForLeaderEpochRequest {
        replica_id: -1,
        topics: vec![OffsetForLeaderTopic {
            topic: "t",
            partitions: vec![OffsetForLeaderPartition {
                partition: 0,
                current_leader_epoch,
                leader_epoch,
            }],
        }],
    };
    let response: OffsetForLeaderEpochResponse<'_> = client.ask(4, &request);
    let end = &response.topics[0].partitions[0];
    (end.error_code, end.leader_epoch, end.end_offset)
}

fn leader_epochs_rise_with_every_start(setup: Setup) {
    let mut broker = Broker::start(setup);
    let mut client = broker.client();
    client.create(&[("t", 1)]);
    produce(&mut client, 0, batch(&[1, 2]));
    let first = client.topic("t").partitions[0].leader_epoch;
    broker.restart();
    let mut client = broker.client();
    produce(&mut client, 0, batch(&[3]));
    let second = client.topic("t").partitions[0].leader_epoch;
    assert!(second > first);
    assert_eq!(
        epoch_end(&mut client, -1, first),
        (ErrorCode::NONE, first, 2)
    );
    assert_eq!(
        epoch_end(&mut client, second, second),
        (ErrorCode::NONE, second, 3)
    );
    assert_eq!(
        epoch_end(&mut client, first, first),
        (ErrorCode::FENCED_LEADER_EPOCH, -1, -1)
    );
    let newer = epoch_end(&mut client, second + 1, first);
    assert_eq!(newer, (ErrorCode::UNKNOWN_LEADER_EPOCH, -1, -1));
    broker.stop();
}

fn producers_and_sizes(setup: Setup) {
    let broker = Broker::start(setup);
    let mut client = broker.node(1);
    client.create(&[("t", PARTITIONS), ("empty", 1)]);
    let id: InitProducerIdResponse = client.ask(4, &InitProducerIdRequest::default());
    for partition in 0..PARTITIONS {
        produce(
            &mut client,
            partition,
            batch(&[10, 20]).producer(id.producer_id, 0, 0),
        );
    }
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: "t",
            partition_indexes: (0..=PARTITIONS).collect(),
        }],
    };
    let response: DescribeProducersResponse<'_> = client.ask(0, &request);
    let (missing, described) = response.topics[0].partitions.split_last().unwrap();
    assert_eq!(missing.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    for partition in described {
        let producers = partition.active_producers.iter();
        let told: Vec<_> = producers
            .map(|p| (p.producer_id, p.producer_epoch, p.last_sequence))
            .collect();
        assert_eq!(told, [(id.producer_id, 0, 1)]);
    }
    // Each node tells of its own partitions; together they tell of each once.
    let mut told = Vec::new();
    for node in 0..broker.nodes() {
        let request = DescribeLogDirsRequest { topics: None };
        let response: DescribeLogDirsResponse<'_> = broker.node(node).ask(4, &request);
        let dir = &response.results[0];
        assert!(dir.log_dir.starts_with('/'), "{}", dir.log_dir);
        assert!(dir.total_bytes > 0 && (0..=dir.total_bytes).contains(&dir.usable_bytes));
        for topic in &dir.topics {
            let sizes = topic.partitions.iter();
            told.extend(sizes.map(|p| {
                (
                    topic.name.to_string(),
                    p.partition_index,
                    p.partition_size > 0,
                )
            }));
        }
    }
    told.sort();
    let mut expected = vec![("empty".to_owned(), 0, false)];
    expected.extend((0..PARTITIONS).map(|p| ("t".to_owned(), p, true)));
    assert_eq!(told, expected);
    broker.stop();
}

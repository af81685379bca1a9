//! Ten thousand partitions on one broker: created, written, restarted, read.

use std::time::Instant;

use corelane::base::TopicId;
use corelane::kafka::ErrorCode;
use corelane::kafka::messages::create_topics::{
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse,
};
use corelane::kafka::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use corelane::kafka::messages::metadata::{MetadataRequest, MetadataResponse};
use corelane::kafka::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};

use crate::common::batches::one;
use crate::common::broker::{Broker, Options};
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{FETCH_BY_NAME, PRODUCE_BY_NAME, fetch};

matrix! {
    own shards, "it goes from one number of shards to another": ten_thousand_partitions;
}

const TOPICS: usize = 100;
const PARTITIONS: i32 = 100;

fn name(topic: usize) -> String {
    format!("many-{topic}")
}

/// Creates all topics with one request.
fn create(client: &mut Client) -> Vec<TopicId> {
    let names: Vec<String> = (0..TOPICS).map(name).collect();
    let topics = names.iter().map(|name| CreatableTopic {
        name,
        num_partitions: PARTITIONS,
        replication_factor: 1,
        ..Default::default()
    });
    let request = CreateTopicsRequest {
        topics: topics.collect(),
        ..Default::default()
    };
    let frame = client.call(7, &request);
    let response: CreateTopicsResponse<'_> = frame.decode();
    let created = response.topics.iter().map(|topic| {
        assert_eq!(topic.error_code, ErrorCode::NONE);
        topic.topic_id
    });
    created.collect()
}

/// Writes one record to every partition, a request for each topic.
fn write(client: &mut Client, round: i64) {
    for topic in 0..TOPICS {
        let name = name(topic);
        let partition = |index| PartitionProduceData {
            index,
            records: Some(one(format!("{topic}/{index}/{round}").as_bytes())),
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 10_000,
            topic_data: vec![TopicProduceData {
                name: &name,
                partition_data: (0..PARTITIONS).map(partition).collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let frame = client.call(PRODUCE_BY_NAME, &request);
        let response: ProduceResponse<'_> = frame.decode();
        let answers = &response.responses[0].partition_responses;
        assert_eq!(answers.len() as i32, PARTITIONS);
        for answer in answers {
            assert_eq!(answer.error_code, ErrorCode::NONE);
            assert_eq!(answer.base_offset, round);
        }
    }
}

/// Reads every partition of each topic.
fn check(client: &mut Client, rounds: i64) {
    for topic in 0..TOPICS {
        for partition in 0..PARTITIONS {
            let found = fetch(client, &name(topic), partition, 0);
            let values: Vec<_> = found.batches().iter().flat_map(|b| b.values()).collect();
            let expected =
                (0..rounds).map(|round| Some(format!("{topic}/{partition}/{round}").into_bytes()));
            assert!(values.into_iter().eq(expected), "{topic}/{partition}");
        }
    }
}

/// Reads every partition with one fetch, which begins a session, and then only what is new.
fn check_session(client: &mut Client, rounds: i64) {
    let names: Vec<String> = (0..TOPICS).map(name).collect();
    let wanted = |offset| {
        let partition = move |partition| FetchPartition {
            partition,
            fetch_offset: offset,
            partition_max_bytes: 1 << 20,
            ..Default::default()
        };
        let topics = names.iter().map(move |name| FetchTopic {
            topic: name,
            partitions: (0..PARTITIONS).map(partition).collect(),
            ..Default::default()
        });
        topics.collect::<Vec<_>>()
    };
    let mut ask = |(id, epoch), topics| {
        let request = FetchRequest {
            min_bytes: 1,
            max_bytes: 50 << 20,
            session_id: id,
            session_epoch: epoch,
            topics,
            ..Default::default()
        };
        let frame = client.call(FETCH_BY_NAME, &request);
        let response: FetchResponse<'_> = frame.decode();
        assert_eq!(response.error_code, ErrorCode::NONE);
        let found = response
            .responses
            .iter()
            .flat_map(|topic| &topic.partitions);
        let batches = found.map(|partition| {
            assert_eq!(partition.error_code, ErrorCode::NONE);
            partition.records.len()
        });
        (response.session_id, batches.collect::<Vec<_>>())
    };
    let (id, found) = ask((0, 0), wanted(0));
    assert_ne!(id, 0, "there is room for a session of all");
    assert_eq!(found.len(), TOPICS * PARTITIONS as usize);
    assert!(found.iter().all(|bytes| *bytes > 0), "each has a record");
    let (again, found) = ask((id, 1), wanted(rounds));
    assert_eq!((again, found.len()), (id, 0), "all has been said");
    let one_more = FetchTopic {
        topic: &names[7],
        partitions: vec![FetchPartition {
            partition: 3,
            fetch_offset: 0,
            partition_max_bytes: 1 << 20,
            ..Default::default()
        }],
        ..Default::default()
    };
    let (again, found) = ask((id, 2), vec![one_more]);
    assert_eq!((again, found.len()), (id, 1));
}

fn check_metadata(client: &mut Client) {
    let request = MetadataRequest {
        topics: None,
        ..Default::default()
    };
    let frame = client.call(12, &request);
    let response: MetadataResponse<'_> = frame.decode();
    let partitions: usize = response.topics.iter().map(|t| t.partitions.len()).sum();
    assert_eq!(partitions, TOPICS * PARTITIONS as usize);
}

fn ten_thousand_partitions(setup: Setup) {
    let mut broker = Broker::start_with(Options {
        memory_mib: 256,
        wal_disk_mib: 512,
        ..setup.options()
    });
    let resident = |broker: &Broker| broker.resident_bytes() >> 20;
    println!("empty: {} MiB resident", resident(&broker));
    let mut client = broker.client();
    let began = Instant::now();
    create(&mut client);
    println!(
        "10,000 partitions created in {:.1?}: {} MiB resident",
        began.elapsed(),
        resident(&broker)
    );
    let mut round = 0;
    for (kill, cores) in [(false, 2), (true, 2), (true, 3)] {
        let mut client = broker.client();
        let began = Instant::now();
        write(&mut client, round);
        round += 1;
        println!(
            "a record to each in {:.1?}: {} MiB resident",
            began.elapsed(),
            resident(&broker)
        );
        if kill {
            broker.kill();
        } else {
            broker.stop();
        }
        broker.options().cores = cores;
        let began = Instant::now();
        broker.start_again();
        println!(
            "started with {cores} cores in {:.1?}: {} MiB resident",
            began.elapsed(),
            resident(&broker)
        );
        let mut client = broker.client();
        check_metadata(&mut client);
        check(&mut client, round);
        let began = Instant::now();
        check_session(&mut client, round);
        println!("a session of all in {:.1?}", began.elapsed());
        // Less than half of it is in use, and most of that are the WAL's buffers.
        assert!(resident(&broker) <= u64::from(broker.memory_mib()));
    }
    broker.stop();
}

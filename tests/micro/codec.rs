//! What the codec costs per message on the paths that every record takes.
//! `cargo bench --bench codec`.

use std::borrow::Cow;
use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use corelane::base::TopicId;
use corelane::kafka::messages::fetch::*;
use corelane::kafka::messages::metadata::*;
use corelane::kafka::messages::produce::*;
use corelane::kafka::{ApiKey, Reader, Records, Request, RequestHeader, Response};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const KIB: usize = 1024;
const TOPIC: TopicId = TopicId([7; 16]);

fn produce_request(record_bytes: usize, version: i16) -> Bytes {
    let records = Some(Bytes::from(vec![1; record_bytes]));
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: "soak",
            topic_id: TOPIC,
            partition_data: vec![PartitionProduceData { index: 3, records }],
        }],
        ..Default::default()
    };
    let api = ApiKey::Produce;
    let header = RequestHeader {
        api,
        version,
        correlation_id: 1,
        client_id: Some("bench"),
    };
    request.encode(&mut BytesMut::new(), &header).body()
}

fn decode_produce(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode produce request");
    for (size, name) in [(KIB, "1 KiB"), (64 * KIB, "64 KiB")] {
        for version in [9, 13] {
            let frame = produce_request(size, version);
            group.throughput(Throughput::Bytes(frame.len() as u64));
            group.bench_function(format!("{name}, v{version}"), |b| {
                b.iter(|| {
                    let mut reader = Reader::new(black_box(&frame));
                    let header = RequestHeader::decode(&mut reader).ok();
                    black_box((header, ProduceRequest::decode(&mut reader, version).ok()));
                })
            });
        }
    }
}

fn encode_produce(c: &mut Criterion) {
    let mut scratch = BytesMut::with_capacity(64 * KIB);
    c.bench_function("encode produce response", |b| {
        b.iter(|| {
            let response = ProduceResponse {
                responses: vec![TopicProduceResponse {
                    topic_id: TOPIC,
                    partition_responses: vec![PartitionProduceResponse {
                        index: 3,
                        base_offset: 1_000_000,
                        log_start_offset: 0,
                        ..Default::default()
                    }],
                    ..Default::default()
                }],
                ..Default::default()
            };
            black_box(response.encode(&mut scratch, 13, 1))
        })
    });
}

/// A response of as many partitions, each with one batch of 64 KiB.
fn fetch_response(partitions: i32) -> FetchResponse<'static> {
    let batch = Bytes::from(vec![1; 64 * KIB]);
    let partition = |partition_index| PartitionData {
        partition_index,
        records: Records(vec![batch.clone()]),
        ..Default::default()
    };
    FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic_id: TOPIC,
            partitions: (0..partitions).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn encode_fetch(c: &mut Criterion) {
    let mut scratch = BytesMut::with_capacity(64 * KIB);
    for partitions in [1, 16] {
        let response = fetch_response(partitions);
        c.bench_function(
            &format!("encode fetch response, {partitions} x 64 KiB"),
            |b| b.iter(|| black_box(response.encode(&mut scratch, 17, 1))),
        );
    }
}

fn decode_fetch_request(c: &mut Criterion) {
    let partition = |partition| FetchPartition {
        partition,
        ..Default::default()
    };
    let partitions = (0..100).map(partition).collect();
    let request = FetchRequest {
        topics: vec![FetchTopic {
            topic_id: TOPIC,
            partitions,
            ..Default::default()
        }],
        ..Default::default()
    };
    let (api, version) = (ApiKey::Fetch, 17);
    let header = RequestHeader {
        api,
        version,
        correlation_id: 1,
        client_id: None,
    };
    let frame = request.encode(&mut BytesMut::new(), &header).body();
    c.bench_function("decode fetch request, 100 partitions", |b| {
        b.iter(|| {
            let mut reader = Reader::new(black_box(&frame));
            let header = RequestHeader::decode(&mut reader).ok();
            black_box((header, FetchRequest::decode(&mut reader, version).ok()));
        })
    });
}

fn encode_metadata(c: &mut Criterion) {
    let nodes = [0, 1, 2, 3];
    let mut scratch = BytesMut::with_capacity(256 * KIB);
    c.bench_function("encode metadata response, 1000 partitions", |b| {
        b.iter(|| {
            let partition = |index: i32| {
                let replica = nodes
                    .get(index as usize % 4..)
                    .and_then(|rest| rest.get(..1));
                let replica = Cow::Borrowed(replica.unwrap_or_default());
                MetadataResponsePartition {
                    partition_index: index,
                    leader_id: index % 4,
                    leader_epoch: 1,
                    replica_nodes: replica.clone(),
                    isr_nodes: replica,
                    ..Default::default()
                }
            };
            let topic = MetadataResponseTopic {
                name: Some("soak".into()),
                topic_id: TOPIC,
                partitions: (0..1000).map(partition).collect(),
                ..Default::default()
            };
            let response = MetadataResponse {
                topics: vec![topic],
                ..Default::default()
            };
            black_box(response.encode(&mut scratch, 12, 1))
        })
    });
}

criterion_group!(
    codec,
    decode_produce,
    encode_produce,
    encode_fetch,
    decode_fetch_request,
    encode_metadata
);
criterion_main!(codec);

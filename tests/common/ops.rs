//! What tests do all the time, in one call each.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use corelane::base::TopicId;
use corelane::kafka::ErrorCode;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use corelane::kafka::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use corelane::kafka::messages::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use corelane::kafka::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use corelane::kafka::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use corelane::kafka::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use corelane::kafka::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use corelane::kafka::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};

use super::batches::{Stored, split};
use super::client::{Client, Frame, newest};

/// The newest version of Produce that names topics.
pub const PRODUCE_BY_NAME: i16 = 12;
/// The newest version of Fetch that names topics.
pub const FETCH_BY_NAME: i16 = 12;
/// How long the broker may hold a produce back, milliseconds.
pub const PRODUCE_TIMEOUT_MS: i32 = 10_000;

/// Creates a topic, which must succeed.
pub fn create_topic(
    client: &mut Client,
    name: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> TopicId {
    let configs = configs.iter().map(|&(name, value)| CreatableTopicConfig {
        name,
        value: Some(value),
    });
    let topic = CreatableTopic {
        name,
        num_partitions: partitions,
        replication_factor: 1,
        assignments: Vec::new(),
        configs: configs.collect(),
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        ..Default::default()
    };
    let frame = client.call(newest(ApiKey::CreateTopics), &request);
    let response: CreateTopicsResponse<'_> = frame.decode();
    let result = &response.topics[0];
    assert_eq!(
        result.error_code,
        ErrorCode::NONE,
        "{name}: {:?}",
        result.error_message
    );
    result.topic_id
}

/// Deletes a topic, which must succeed.
pub fn delete_topic(client: &mut Client, name: &str) {
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: Some(name),
            topic_id: TopicId::ZERO,
        }],
        timeout_ms: 10_000,
        ..Default::default()
    };
    let frame = client.call(newest(ApiKey::DeleteTopics), &request);
    let response: DeleteTopicsResponse<'_> = frame.decode();
    assert_eq!(response.responses[0].error_code, ErrorCode::NONE, "{name}");
}

/// Deletes records below `offset` (-1: all): the log start then, or the error.
pub fn delete_records(
    client: &mut Client,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<i64, ErrorCode> {
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: topic,
            partitions: vec![DeleteRecordsPartition {
                partition_index: partition,
                offset,
            }],
        }],
        timeout_ms: 10_000,
    };
    let frame = client.call(newest(ApiKey::DeleteRecords), &request);
    let response: DeleteRecordsResponse<'_> = frame.decode();
    let result = &response.topics[0].partitions[0];
    match result.error_code {
        ErrorCode::NONE => Ok(result.low_watermark),
        error => Err(error),
    }
}

/// The leader's node id of every partition of a topic, which must exist.
pub fn leaders(client: &mut Client, topic: &str) -> Vec<i32> {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(topic),
            ..Default::default()
        }]),
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    let frame = client.call(newest(ApiKey::Metadata), &request);
    let response: MetadataResponse<'_> = frame.decode();
    let topic = &response.topics[0];
    assert_eq!(topic.error_code, ErrorCode::NONE);
    let mut partitions: Vec<_> = topic
        .partitions
        .iter()
        .map(|p| (p.partition_index, p.leader_id))
        .collect();
    partitions.sort_unstable();
    partitions.into_iter().map(|(_, leader)| leader).collect()
}

/// A producer id and its epoch.
pub fn init_producer_id(client: &mut Client) -> (i64, i16) {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        ..Default::default()
    };
    let frame = client.call(newest(ApiKey::InitProducerId), &request);
    let response: InitProducerIdResponse = frame.decode();
    assert_eq!(response.error_code, ErrorCode::NONE);
    (response.producer_id, response.producer_epoch)
}

/// What one partition said to a produce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Produced {
    /// What happened.
    pub error: ErrorCode,
    /// Offset of the first record.
    pub base_offset: i64,
    /// Under LogAppendTime, else -1.
    pub log_append_time_ms: i64,
    /// Log start offset.
    pub log_start_offset: i64,
    /// Why, in words.
    pub message: Option<String>,
    /// The records that caused it, by their index in the batch.
    pub bad_records: Vec<i32>,
}

/// A request to append one batch.
pub fn produce_request<'a>(topic: &'a str, partition: i32, batch: Bytes) -> ProduceRequest<'a> {
    ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: PRODUCE_TIMEOUT_MS,
        topic_data: vec![TopicProduceData {
            name: topic,
            partition_data: vec![PartitionProduceData {
                index: partition,
                records: Some(batch),
            }],
            ..Default::default()
        }],
    }
}

/// The answer about the only partition of a produce request.
pub fn produced(frame: &Frame) -> Produced {
    let response: ProduceResponse<'_> = frame.decode();
    let partition = &response.responses[0].partition_responses[0];
    Produced {
        error: partition.error_code,
        base_offset: partition.base_offset,
        log_append_time_ms: partition.log_append_time_ms,
        log_start_offset: partition.log_start_offset,
        message: partition.error_message.as_ref().map(Cow::to_string),
        bad_records: partition
            .record_errors
            .iter()
            .map(|r| r.batch_index)
            .collect(),
    }
}

/// Appends one batch, with acks -1.
pub fn produce(client: &mut Client, topic: &str, partition: i32, batch: Bytes) -> Produced {
    let request = produce_request(topic, partition, batch);
    produced(&client.call(PRODUCE_BY_NAME, &request))
}

/// Appends one batch, which must succeed: its base offset.
pub fn must_produce(client: &mut Client, topic: &str, partition: i32, batch: Bytes) -> i64 {
    let produced = produce(client, topic, partition, batch);
    assert_eq!(produced.error, ErrorCode::NONE, "{:?}", produced.message);
    produced.base_offset
}

/// What one partition gave to a fetch.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// What happened.
    pub error: ErrorCode,
    /// High watermark.
    pub high_watermark: i64,
    /// Log start offset.
    pub log_start_offset: i64,
    /// The record set.
    pub records: Bytes,
}

impl Fetched {
    /// The batches.
    pub fn batches(&self) -> Vec<Stored> {
        split(&self.records)
    }
}

/// A request to read one partition, without waiting, up to 1 MiB.
pub fn fetch_request(topic: &str, partition: i32, offset: i64) -> FetchRequest<'_> {
    FetchRequest {
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![FetchTopic {
            topic,
            partitions: vec![FetchPartition {
                partition,
                fetch_offset: offset,
                partition_max_bytes: 1 << 20,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// The answer about the only partition of a fetch request.
pub fn fetched(frame: &Frame) -> Fetched {
    let response: FetchResponse<'_> = frame.decode();
    assert_eq!(response.error_code, ErrorCode::NONE);
    let partition = &response.responses[0].partitions[0];
    let mut records = BytesMut::new();
    let parts = &partition.records.0;
    parts
        .iter()
        .for_each(|part| records.extend_from_slice(part));
    Fetched {
        error: partition.error_code,
        high_watermark: partition.high_watermark,
        log_start_offset: partition.log_start_offset,
        records: records.freeze(),
    }
}

/// Reads from one partition without waiting.
pub fn fetch(client: &mut Client, topic: &str, partition: i32, offset: i64) -> Fetched {
    fetched(&client.call(FETCH_BY_NAME, &fetch_request(topic, partition, offset)))
}

/// Everything in a partition from `offset` to the high watermark; offsets must have no gap.
/// The first batch may begin before `offset`.
pub fn read_all(client: &mut Client, topic: &str, partition: i32, offset: i64) -> Vec<Stored> {
    let mut batches: Vec<Stored> = Vec::new();
    let mut next = offset;
    loop {
        let fetched = fetch(client, topic, partition, next);
        assert_eq!(
            fetched.error,
            ErrorCode::NONE,
            "{topic}-{partition} at {next}"
        );
        if next >= fetched.high_watermark {
            return batches;
        }
        let more = fetched.batches();
        assert!(
            !more.is_empty(),
            "nothing at {next} below the high watermark"
        );
        for batch in more {
            let begins = batch.header.base_offset;
            let fits = begins == next || batches.is_empty() && begins < next && next < batch.end();
            assert!(
                fits,
                "{topic}-{partition}: a batch at {begins}, {next} expected"
            );
            next = batch.end();
            batches.push(batch);
        }
    }
}

/// One offset by timestamp or special name: the offset and the timestamp found.
pub fn list_offset(client: &mut Client, topic: &str, partition: i32, timestamp: i64) -> (i64, i64) {
    let request = ListOffsetsRequest {
        topics: vec![ListOffsetsTopic {
            name: topic,
            partitions: vec![ListOffsetsPartition {
                partition_index: partition,
                timestamp,
                ..Default::default()
            }],
        }],
        ..Default::default()
    };
    let frame = client.call(newest(ApiKey::ListOffsets), &request);
    let response: ListOffsetsResponse<'_> = frame.decode();
    let found = &response.topics[0].partitions[0];
    assert_eq!(found.error_code, ErrorCode::NONE, "{topic}-{partition}");
    (found.offset, found.timestamp)
}

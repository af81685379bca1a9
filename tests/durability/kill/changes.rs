//! Topics that come, grow, change and go, and records that are deleted, until the broker
//! dies: what was acknowledged holds, and of what was not at most the one change under way.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::AtomicBool;

use corelane::kafka::ErrorCode;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use corelane::kafka::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use corelane::kafka::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use corelane::kafka::messages::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use corelane::kafka::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse,
};
use corelane::kafka::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use corelane::kafka::messages::metadata::{MetadataRequest, MetadataResponse};

use super::load::{check_end, pause};
use super::{PARTITIONS, TOPIC};
use crate::common::batches::one;
use crate::common::client::{Client, newest};
use crate::common::ops::{PRODUCE_BY_NAME, list_offset, produce_request, produced};
use crate::common::random::Random;

/// Names are used again, so that a deleted topic's records could come back.
const NAMES: [&str; 6] = ["some-a", "some-b", "some-c", "some-d", "some-e", "some-f"];
const PARTITIONS_MAX: i32 = 8;
const CONFIG: &str = "segment.bytes";
/// Kafka's `ConfigResource.Type` of a topic.
const IS_TOPIC: i8 = 2;

/// What is known of one topic.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Topic {
    partitions: i32,
    config: String,
    /// Log start and end of partition 0.
    log: (i64, i64),
}

#[derive(Clone, Debug)]
enum Change {
    Create(&'static str, i32, String),
    Delete(&'static str),
    Grow(&'static str, i32),
    Alter(&'static str, String),
    /// Appends one record to partition 0.
    Append(&'static str),
    /// Deletes the records of partition 0 below an offset.
    Shorten(&'static str, i64),
    /// The same in a partition under load.
    Trim(i32, i64),
}

/// What must be so.
#[derive(Clone, PartialEq, Eq, Debug)]
struct State {
    topics: BTreeMap<&'static str, Topic>,
    /// Log starts of the partitions under load.
    log_starts: BTreeMap<i32, i64>,
}

impl State {
    fn apply(&mut self, change: &Change) {
        let topic = |topics, name| -> &mut Topic { existing(topics, name) };
        match change {
            Change::Create(name, partitions, config) => {
                let created = Topic {
                    partitions: *partitions,
                    config: config.clone(),
                    log: (0, 0),
                };
                assert!(self.topics.insert(name, created).is_none());
            }
            Change::Delete(name) => assert!(self.topics.remove(name).is_some()),
            Change::Grow(name, to) => topic(&mut self.topics, name).partitions = *to,
            Change::Alter(name, value) => topic(&mut self.topics, name).config.clone_from(value),
            Change::Append(name) => topic(&mut self.topics, name).log.1 += 1,
            Change::Shorten(name, to) => topic(&mut self.topics, name).log.0 = *to,
            Change::Trim(partition, to) => {
                self.log_starts.insert(*partition, *to);
            }
        }
    }
}

fn existing<'a>(topics: &'a mut BTreeMap<&'static str, Topic>, name: &str) -> &'a mut Topic {
    topics.get_mut(name).expect("a change of what is there")
}

/// The client that makes the changes.
pub struct Changes {
    random: Random,
    state: State,
    pending: Option<Change>,
    /// Changes acknowledged.
    pub acknowledged: u64,
    /// Changes that were cut off and had happened.
    pub survived: u64,
}

impl Changes {
    pub fn new(random: Random) -> Changes {
        Changes {
            random,
            state: State {
                topics: BTreeMap::new(),
                log_starts: (0..PARTITIONS).map(|partition| (partition, 0)).collect(),
            },
            pending: None,
            acknowledged: 0,
            survived: 0,
        }
    }

    /// Where the log of a partition under load begins.
    pub fn log_start(&self, partition: i32) -> i64 {
        self.state.log_starts[&partition]
    }

    /// The log start was moved by another.
    pub fn note_log_start(&mut self, partition: i32, offset: i64) {
        self.state.log_starts.insert(partition, offset);
    }

    /// Makes changes until the broker dies. `ends` is what may be deleted under load.
    pub fn run(&mut self, mut client: Client, ends: &[i64], killed: &AtomicBool) {
        loop {
            pause(&mut self.random);
            let change = self.choose(ends);
            self.pending = Some(change.clone());
            match make(&mut client, &change) {
                Ok(()) => {
                    self.state.apply(&change);
                    self.acknowledged += 1;
                    self.pending = None;
                }
                Err(error) => return check_end(&error, killed),
            }
        }
    }

    fn choose(&mut self, ends: &[i64]) -> Change {
        let random = &mut self.random;
        let name = NAMES[random.below(NAMES.len() as u64) as usize];
        let value = (1 << 20) + random.below(1 << 20);
        let Some(topic) = self.state.topics.get(name) else {
            let partitions = 1 + random.below(3) as i32;
            return Change::Create(name, partitions, value.to_string());
        };
        let (start, end) = topic.log;
        match random.below(8) {
            0 => Change::Delete(name),
            1 if topic.partitions < PARTITIONS_MAX => {
                Change::Grow(name, topic.partitions + 1 + random.below(2) as i32)
            }
            2 => Change::Alter(name, value.to_string()),
            3 if end > start => Change::Shorten(name, between(random, start, end)),
            4 => {
                let partition = random.below(PARTITIONS as u64) as i32;
                let start = self.state.log_starts[&partition];
                let end = ends[partition as usize].max(start);
                // Little by little: most of the log is to be checked again and again.
                Change::Trim(partition, between(random, start, start + (end - start) / 8))
            }
            _ => Change::Append(name),
        }
    }

    /// Checks what the broker makes of all this after its death.
    pub fn check(&mut self, client: &mut Client) {
        let found = State {
            topics: found_topics(client),
            log_starts: (0..PARTITIONS)
                .map(|partition| (partition, found_log(client, TOPIC, partition).0))
                .collect(),
        };
        if let Some(change) = self.pending.take()
            && found != self.state
        {
            self.state.apply(&change);
            assert_eq!(found, self.state, "{change:?} was under way");
            self.survived += 1;
        }
        assert_eq!(found, self.state);
    }
}

/// An offset, the first excluded where there is any other.
fn between(random: &mut Random, start: i64, end: i64) -> i64 {
    end - random.below((end - start).max(1) as u64) as i64
}

/// Makes a change, which must succeed if it is answered at all.
fn make(client: &mut Client, change: &Change) -> io::Result<()> {
    let error = match change {
        Change::Create(name, partitions, config) => create(client, name, *partitions, config)?,
        Change::Delete(name) => delete(client, name)?,
        Change::Grow(name, to) => grow(client, name, *to)?,
        Change::Alter(name, value) => alter(client, name, value)?,
        Change::Append(name) => {
            let request = produce_request(name, 0, one(b"value"));
            client.try_send(PRODUCE_BY_NAME, &request)?;
            produced(&client.try_receive()?).error
        }
        Change::Shorten(name, to) => delete_records(client, name, 0, *to)?,
        Change::Trim(partition, to) => delete_records(client, TOPIC, *partition, *to)?,
    };
    assert_eq!(error, ErrorCode::NONE, "{change:?}");
    Ok(())
}

fn create(client: &mut Client, name: &str, partitions: i32, config: &str) -> io::Result<ErrorCode> {
    let topic = CreatableTopic {
        name,
        num_partitions: partitions,
        replication_factor: 1,
        configs: vec![CreatableTopicConfig {
            name: CONFIG,
            value: Some(config),
        }],
        ..Default::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        ..Default::default()
    };
    client.try_send(newest(ApiKey::CreateTopics), &request)?;
    let frame = client.try_receive()?;
    let response: CreateTopicsResponse<'_> = frame.decode();
    Ok(response.topics[0].error_code)
}

fn delete(client: &mut Client, name: &str) -> io::Result<ErrorCode> {
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: Some(name),
            ..Default::default()
        }],
        ..Default::default()
    };
    client.try_send(newest(ApiKey::DeleteTopics), &request)?;
    let frame = client.try_receive()?;
    let response: DeleteTopicsResponse<'_> = frame.decode();
    Ok(response.responses[0].error_code)
}

fn grow(client: &mut Client, name: &str, count: i32) -> io::Result<ErrorCode> {
    let request = CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name,
            count,
            assignments: None,
        }],
        ..Default::default()
    };
    client.try_send(newest(ApiKey::CreatePartitions), &request)?;
    let frame = client.try_receive()?;
    let response: CreatePartitionsResponse<'_> = frame.decode();
    Ok(response.results[0].error_code)
}

fn alter(client: &mut Client, name: &str, value: &str) -> io::Result<ErrorCode> {
    let request = IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: IS_TOPIC,
            resource_name: name,
            configs: vec![AlterableConfig {
                name: CONFIG,
                config_operation: 0,
                value: Some(value),
            }],
        }],
        ..Default::default()
    };
    client.try_send(newest(ApiKey::IncrementalAlterConfigs), &request)?;
    let frame = client.try_receive()?;
    let response: IncrementalAlterConfigsResponse<'_> = frame.decode();
    Ok(response.responses[0].error_code)
}

fn delete_records(
    client: &mut Client,
    name: &str,
    partition: i32,
    offset: i64,
) -> io::Result<ErrorCode> {
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name,
            partitions: vec![DeleteRecordsPartition {
                partition_index: partition,
                offset,
            }],
        }],
        timeout_ms: 10_000,
    };
    client.try_send(newest(ApiKey::DeleteRecords), &request)?;
    let frame = client.try_receive()?;
    let response: DeleteRecordsResponse<'_> = frame.decode();
    Ok(response.topics[0].partitions[0].error_code)
}

/// All topics but that under load, as the broker tells them.
fn found_topics(client: &mut Client) -> BTreeMap<&'static str, Topic> {
    let request = MetadataRequest {
        topics: None,
        ..Default::default()
    };
    let frame = client.call(newest(ApiKey::Metadata), &request);
    let response: MetadataResponse<'_> = frame.decode();
    let mut topics = BTreeMap::new();
    for topic in &response.topics {
        let found = topic.name.as_deref().expect("a name");
        assert_eq!(topic.error_code, ErrorCode::NONE, "{found}");
        let name = NAMES.into_iter().find(|name| *name == found);
        let Some(name) = name else {
            assert_eq!(found, TOPIC);
            continue;
        };
        let config = found_config(client, name);
        let found = Topic {
            partitions: topic.partitions.len() as i32,
            config,
            log: found_log(client, name, 0),
        };
        topics.insert(name, found);
    }
    topics
}

/// Log start and end of a partition.
fn found_log(client: &mut Client, name: &str, partition: i32) -> (i64, i64) {
    const LATEST: i64 = -1;
    const EARLIEST: i64 = -2;
    let [start, end] = [EARLIEST, LATEST].map(|at| list_offset(client, name, partition, at).0);
    (start, end)
}

fn found_config(client: &mut Client, name: &str) -> String {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: IS_TOPIC,
            resource_name: name,
            configuration_keys: Some(vec![CONFIG]),
        }],
        ..Default::default()
    };
    let frame = client.call(newest(ApiKey::DescribeConfigs), &request);
    let response: DescribeConfigsResponse<'_> = frame.decode();
    let value = response.results[0].configs[0].value.as_deref();
    value.expect("a config with a value").to_owned()
}

//! Requests that another implementation of the protocol has filled in, of every API in every
//! version, about what the broker really has; and its own reading of the answers, to the last
//! byte. What the codec makes of single messages is `tests/wire_oracle`; this is the running
//! broker.

mod cluster;
mod consumer_groups;
mod data;
mod groups;
mod topics;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::{Buf, Bytes, BytesMut};
use corelane::kafka::ApiKey;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::{RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

use crate::common::broker::Broker;
use crate::common::client::ANSWER_MAX;
use crate::common::matrix::{Setup, matrix};

matrix! {
    every pair: every_api_answers_the_oracle_in_every_version;
}

/// What an API's requests are about.
struct World {
    broker: Broker,
    /// How many nodes clients see.
    nodes: u16,
    client: Client,
    /// A topic of two partitions with a few records.
    topic: TopicName,
    /// The same, as the broker has told of it.
    created: CreatableTopicResult,
}

/// One connection.
struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

/// Asks the API in this version, and checks what it answers.
type Ask = fn(&mut World, i16);

/// Every API, in an order in which each finds what those before have left.
const APIS: [(ApiKey, Ask); 36] = [
    (ApiKey::ApiVersions, cluster::api_versions),
    (ApiKey::Metadata, topics::metadata),
    (ApiKey::CreateTopics, topics::create_topics),
    (ApiKey::CreatePartitions, topics::create_partitions),
    (ApiKey::Produce, data::produce),
    (ApiKey::Fetch, data::fetch),
    (ApiKey::ListOffsets, data::list_offsets),
    (ApiKey::OffsetForLeaderEpoch, data::offset_for_leader_epoch),
    (ApiKey::InitProducerId, data::init_producer_id),
    (ApiKey::DescribeProducers, data::describe_producers),
    (ApiKey::DeleteRecords, data::delete_records),
    (ApiKey::DescribeLogDirs, topics::describe_log_dirs),
    (ApiKey::DescribeConfigs, topics::describe_configs),
    (ApiKey::AlterConfigs, topics::alter_configs),
    (
        ApiKey::IncrementalAlterConfigs,
        topics::incremental_alter_configs,
    ),
    (ApiKey::ElectLeaders, topics::elect_leaders),
    (
        ApiKey::ListPartitionReassignments,
        topics::list_partition_reassignments,
    ),
    (
        ApiKey::DescribeTopicPartitions,
        topics::describe_topic_partitions,
    ),
    (ApiKey::DescribeCluster, cluster::describe_cluster),
    (
        ApiKey::GetTelemetrySubscriptions,
        cluster::get_telemetry_subscriptions,
    ),
    (ApiKey::PushTelemetry, cluster::push_telemetry),
    (ApiKey::ListConfigResources, cluster::list_config_resources),
    (ApiKey::FindCoordinator, groups::find_coordinator),
    (ApiKey::OffsetCommit, groups::offset_commit),
    (ApiKey::OffsetFetch, groups::offset_fetch),
    (ApiKey::OffsetDelete, groups::offset_delete),
    (ApiKey::JoinGroup, groups::join_group),
    (ApiKey::SyncGroup, groups::sync_group),
    (ApiKey::Heartbeat, groups::heartbeat),
    (ApiKey::DescribeGroups, groups::describe_groups),
    (ApiKey::ListGroups, groups::list_groups),
    (ApiKey::LeaveGroup, groups::leave_group),
    (ApiKey::DeleteGroups, groups::delete_groups),
    (ApiKey::ConsumerGroupHeartbeat, consumer_groups::heartbeat),
    (ApiKey::ConsumerGroupDescribe, consumer_groups::describe),
    (ApiKey::DeleteTopics, topics::delete_topics),
];

fn every_api_answers_the_oracle_in_every_version(setup: Setup) {
    let options = setup
        .options()
        .with("--group-initial-rebalance-delay-ms", "0");
    let broker = Broker::start_with(options);
    let mut client = Client::connect(broker.address(0));
    let created = topics::create(&mut client, "filled", 7);
    let mut world = World {
        broker,
        nodes: setup.nodes(),
        client,
        topic: topic("filled"),
        created,
    };
    for (api, ask) in APIS {
        let spec = api.spec();
        for version in spec.min..=spec.max {
            ask(&mut world, version);
        }
    }
    let mut asked = APIS.map(|(api, _)| api);
    asked.sort_unstable();
    assert_eq!(asked.as_slice(), ApiKey::ALL, "an API is missing here");
    world.broker.stop();
}

fn text(text: &str) -> StrBytes {
    text.to_owned().into()
}

fn topic(name: &str) -> TopicName {
    text(name).into()
}

/// The version in which the oracle, which is of Kafka 4.1, knows the layout of `version`.
fn known(api: ApiKey, version: i16) -> i16 {
    match (api, version) {
        (ApiKey::ListOffsets, 11) => 10,
        _ => version,
    }
}

impl World {
    /// Asks the first node.
    fn ask<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        self.client.ask(version, request)
    }
}

impl Client {
    fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream,
            correlation_id: 100,
        }
    }

    /// Sends a request as the oracle writes it, and has it read the answer.
    fn ask<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        let api = ApiKey::try_from(Q::KEY).unwrap();
        let known = known(api, version);
        self.correlation_id += 1;
        let mut header = RequestHeader::default();
        header.request_api_key = Q::KEY;
        header.request_api_version = version;
        header.correlation_id = self.correlation_id;
        header.client_id = Some(text("oracle"));
        let mut frame = BytesMut::new();
        let written = header
            .encode(&mut frame, Q::header_version(known))
            .and_then(|()| request.encode(&mut frame, known));
        written.unwrap_or_else(|error| panic!("{api:?} v{version}: {error}"));
        let answer = self.exchange(&frame);
        self.read::<Q::Response>(api, version, answer)
    }

    /// The same with a request of ours, in a version that the oracle knows the answers of only.
    fn ask_in_our_words<'q, Q: corelane::kafka::Request<'q>, S: Decodable + HeaderVersion>(
        &mut self,
        version: i16,
        request: &Q,
    ) -> S {
        self.correlation_id += 1;
        let header = corelane::kafka::RequestHeader {
            api: Q::API,
            version,
            correlation_id: self.correlation_id,
            client_id: Some("ours"),
        };
        let frame = request.encode(&mut BytesMut::new(), &header).body();
        let answer = self.exchange(&frame);
        self.read(Q::API, version, answer)
    }

    /// Sends what stands behind the length of a request; what stands there in the answer.
    fn exchange(&mut self, frame: &[u8]) -> Bytes {
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&length, frame].concat()).unwrap();
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut body).unwrap();
        body.into()
    }

    fn read<S: Decodable + HeaderVersion>(
        &self,
        api: ApiKey,
        version: i16,
        mut answer: Bytes,
    ) -> S {
        let known = known(api, version);
        let header = ResponseHeader::decode(&mut answer, S::header_version(known)).unwrap();
        assert_eq!(header.correlation_id, self.correlation_id);
        let response = S::decode(&mut answer, known);
        let response = response.unwrap_or_else(|error| panic!("{api:?} v{version}: {error}"));
        assert_eq!(answer.remaining(), 0, "bytes behind {api:?} v{version}");
        response
    }
}

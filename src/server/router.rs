//! From a frame to its answer: reads the header, finds the API, checks the version,
//! and has the API's own file do the rest.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};

use super::Services;
use super::api;
use crate::base::Lsn;
use crate::kafka::ErrorCode;
use crate::kafka::api::ApiKey;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::{self, Request, Response};
use crate::kafka::reader::{Reader, WireError};
use crate::kafka::rope::EncodedFrame;
use crate::runtime::units::Held;

/// What a request leads to.
pub enum Answer {
    /// A response that may leave once everything up to its LSN is durable.
    Ready(Ready),
    /// A produce whose batches are on their way on other shards.
    Produce(api::produce::InFlight),
    /// A response that waits for other clients, like those of a group; the request itself is
    /// needed no more.
    Waiting(Pin<Box<dyn Future<Output = EncodedFrame>>>),
    /// Nothing is to be sent (`acks=0`).
    Nothing,
    /// Nothing is to be sent, and the connection is to be closed, for this error: the client
    /// does not read answers.
    Close(ErrorCode),
}

impl Answer {
    /// Bytes of the response that are in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Answer::Ready(ready) => ready.frame.len(),
            Answer::Produce(_) | Answer::Waiting(_) | Answer::Nothing | Answer::Close(_) => 0,
        }
    }
}

/// A response and what it waits for.
pub struct Ready {
    /// The whole response.
    pub frame: EncodedFrame,
    /// It may leave once this is durable.
    pub after: Lsn,
    /// Memory that is free again once it has left.
    pub held: Option<Held>,
}

impl Ready {
    pub(super) fn at_once(frame: EncodedFrame) -> Answer {
        Answer::Ready(Ready {
            frame,
            after: Lsn::default(),
            held: None,
        })
    }
}

/// Whether the request's own memory is kept until the WAL has copied it, which is soon: a
/// produce. Any other is decoded and done with, but that may take its time.
pub fn is_kept_by_the_wal(frame: &[u8]) -> bool {
    let key = frame.first_chunk().map(|key| i16::from_be_bytes(*key));
    key == Some(ApiKey::Produce.key())
}

/// Answers one frame, which `peer` has sent. An error means that the connection must be closed.
pub async fn answer(
    services: &Services,
    frame: &Bytes,
    scratch: &mut BytesMut,
    peer: IpAddr,
) -> Result<Answer, WireError> {
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader)?;
    if !header.is_served() {
        return unserved(&header, scratch);
    }
    if header.api == ApiKey::Produce {
        return api::produce::handle(services, &header, &mut reader, scratch).await;
    }
    if header.api == ApiKey::Fetch {
        return api::fetch::answer(services, &header, &mut reader, scratch).await;
    }
    if header.api == ApiKey::JoinGroup {
        return api::join_group::answer(services, &header, &mut reader, peer);
    }
    if header.api == ApiKey::SyncGroup {
        return api::sync_group::answer(services, &header, &mut reader);
    }
    if header.api == ApiKey::DescribeGroups {
        let answer = api::describe_groups::answer(services, &header, &mut reader, scratch);
        return answer.await.map(Ready::at_once);
    }
    if header.api == ApiKey::ConsumerGroupHeartbeat {
        let answer =
            api::consumer_group_heartbeat::answer(services, &header, &mut reader, scratch, peer);
        return answer.await.map(Ready::at_once);
    }
    if header.api == ApiKey::ConsumerGroupDescribe {
        let answer = api::consumer_group_describe::answer(services, &header, &mut reader, scratch);
        return answer.await.map(Ready::at_once);
    }
    dispatch(services, &header, &mut reader, scratch)
        .await
        .map(Ready::at_once)
}

/// Decodes, handles and encodes in the request's version. Each row: the API, its module
/// here and among the messages, and its request.
macro_rules! serve {
    ($services:ident, $header:ident, $reader:ident, $scratch:ident;
     $($api:ident: $module:ident, $request:ident;)*) => {
        match $header.api {
            ApiKey::Produce
            | ApiKey::Fetch
            | ApiKey::JoinGroup
            | ApiKey::SyncGroup
            | ApiKey::DescribeGroups
            | ApiKey::ConsumerGroupHeartbeat
            | ApiKey::ConsumerGroupDescribe => unreachable!("answered before"),
            $(ApiKey::$api => {
                let request = messages::$module::$request::decode($reader, $header.version)?;
                let response = api::$module::handle($services, &request, $header).await;
                Ok(response.encode($scratch, $header.version, $header.correlation_id))
            })*
        }
    };
}

async fn dispatch(
    services: &Services,
    header: &RequestHeader<'_>,
    reader: &mut Reader<'_>,
    scratch: &mut BytesMut,
) -> Result<EncodedFrame, WireError> {
    serve! { services, header, reader, scratch;
        ListOffsets: list_offsets, ListOffsetsRequest;
        Metadata: metadata, MetadataRequest;
        OffsetCommit: offset_commit, OffsetCommitRequest;
        OffsetFetch: offset_fetch, OffsetFetchRequest;
        FindCoordinator: find_coordinator, FindCoordinatorRequest;
        Heartbeat: heartbeat, HeartbeatRequest;
        LeaveGroup: leave_group, LeaveGroupRequest;
        ListGroups: list_groups, ListGroupsRequest;
        ApiVersions: api_versions, ApiVersionsRequest;
        CreateTopics: create_topics, CreateTopicsRequest;
        DeleteTopics: delete_topics, DeleteTopicsRequest;
        DeleteRecords: delete_records, DeleteRecordsRequest;
        InitProducerId: init_producer_id, InitProducerIdRequest;
        OffsetForLeaderEpoch: offset_for_leader_epoch, OffsetForLeaderEpochRequest;
        DescribeConfigs: describe_configs, DescribeConfigsRequest;
        AlterConfigs: alter_configs, AlterConfigsRequest;
        DescribeLogDirs: describe_log_dirs, DescribeLogDirsRequest;
        CreatePartitions: create_partitions, CreatePartitionsRequest;
        DeleteGroups: delete_groups, DeleteGroupsRequest;
        ElectLeaders: elect_leaders, ElectLeadersRequest;
        IncrementalAlterConfigs: incremental_alter_configs, IncrementalAlterConfigsRequest;
        ListPartitionReassignments: list_partition_reassignments, ListPartitionReassignmentsRequest;
        OffsetDelete: offset_delete, OffsetDeleteRequest;
        DescribeCluster: describe_cluster, DescribeClusterRequest;
        DescribeProducers: describe_producers, DescribeProducersRequest;
        GetTelemetrySubscriptions: get_telemetry_subscriptions, GetTelemetrySubscriptionsRequest;
        PushTelemetry: push_telemetry, PushTelemetryRequest;
        ListConfigResources: list_config_resources, ListConfigResourcesRequest;
        DescribeTopicPartitions: describe_topic_partitions, DescribeTopicPartitionsRequest;
    }
}

/// ApiVersions of a version we do not have is answered in version 0 with the table
/// (KIP-511), so that the client can choose; anything else cannot be answered.
fn unserved(header: &RequestHeader<'_>, scratch: &mut BytesMut) -> Result<Answer, WireError> {
    if header.api != ApiKey::ApiVersions {
        return Err(WireError::Version(header.api.key(), header.version));
    }
    let response = messages::api_versions::ApiVersionsResponse::unsupported_version();
    let frame = response.encode(scratch, 0, header.correlation_id);
    Ok(Ready::at_once(frame))
}

//! One file per API: its request, its response, the versions served and what each
//! changed. Fields carry their versions in Kafka's notation; see
//! [`schema`](super::schema). Requests borrow from the frame they came in.
//!
//! A message is a [`Request`] or a [`Response`] when its API stands in the
//! [table](super::api), so when it is served.

pub mod alter_configs;
pub mod api_versions;
pub mod common;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_topic_partitions;
pub mod elect_leaders;
pub mod fetch;
pub mod find_coordinator;
pub mod get_telemetry_subscriptions;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod push_telemetry;
pub mod sync_group;

use bytes::BytesMut;

use super::api::ApiKey;
use super::frame::{self, RequestHeader};
use super::reader::{Reader, WireError};
use super::rope::{EncodedFrame, Rope};
use super::wire::Wire;

/// The body of a request.
pub trait Request<'a>: Wire<'a> {
    /// The API it asks.
    const API: ApiKey;

    /// Reads the body in a served version. Bytes after it are left alone: Kafka
    /// tolerates them, and some clients send them.
    fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        served(Self::API, version)?;
        Self::read(reader, Self::API.version(version))
    }

    /// The whole request, header and length included, as a client sends it.
    /// `version` must be a served one.
    fn encode(&self, scratch: &mut BytesMut, header: &RequestHeader<'_>) -> EncodedFrame {
        debug_assert!(header.api == Self::API && header.is_served());
        let mut rope = Rope::new(scratch);
        header.encode(&mut rope);
        self.write(&mut rope, Self::API.version(header.version));
        rope.finish()
    }
}

/// The body of a response.
pub trait Response<'a>: Wire<'a> {
    /// The API that answers.
    const API: ApiKey;

    /// The whole response, header and length included. `version` is the request's,
    /// and must be a served one.
    fn encode(&self, scratch: &mut BytesMut, version: i16, correlation_id: i32) -> EncodedFrame {
        debug_assert!(Self::API.serves(version));
        let mut rope = Rope::new(scratch);
        frame::write_response_header(&mut rope, Self::API, version, correlation_id);
        self.write(&mut rope, Self::API.version(version));
        rope.finish()
    }

    /// Reads a response, header included, as a client does: the correlation id and
    /// the body.
    fn decode(reader: &mut Reader<'a>, version: i16) -> Result<(i32, Self), WireError> {
        served(Self::API, version)?;
        let correlation_id = frame::read_response_header(reader, Self::API, version)?;
        Ok((
            correlation_id,
            Self::read(reader, Self::API.version(version))?,
        ))
    }
}

fn served(api: ApiKey, version: i16) -> Result<(), WireError> {
    if api.serves(version) {
        Ok(())
    } else {
        Err(WireError::Version(api.key(), version))
    }
}

/// Ties a request and a response struct to their API.
macro_rules! messages {
    ($(
        $module:ident: $api:ident,
        $request:ident $(<$q:lifetime>)?, $response:ident $(<$s:lifetime>)?;
    )*) => {$(
        impl<'a> Request<'a> for $module::$request $(<$q>)? {
            const API: ApiKey = ApiKey::$api;
        }
        impl<'a> Response<'a> for $module::$response $(<$s>)? {
            const API: ApiKey = ApiKey::$api;
        }
    )*};
}

messages! {
    produce: Produce, ProduceRequest<'a>, ProduceResponse<'a>;
    fetch: Fetch, FetchRequest<'a>, FetchResponse<'a>;
    list_offsets: ListOffsets, ListOffsetsRequest<'a>, ListOffsetsResponse<'a>;
    metadata: Metadata, MetadataRequest<'a>, MetadataResponse<'a>;
    offset_commit: OffsetCommit, OffsetCommitRequest<'a>, OffsetCommitResponse<'a>;
    offset_fetch: OffsetFetch, OffsetFetchRequest<'a>, OffsetFetchResponse<'a>;
    find_coordinator: FindCoordinator, FindCoordinatorRequest<'a>, FindCoordinatorResponse<'a>;
    join_group: JoinGroup, JoinGroupRequest<'a>, JoinGroupResponse<'a>;
    heartbeat: Heartbeat, HeartbeatRequest<'a>, HeartbeatResponse;
    leave_group: LeaveGroup, LeaveGroupRequest<'a>, LeaveGroupResponse<'a>;
    sync_group: SyncGroup, SyncGroupRequest<'a>, SyncGroupResponse<'a>;
    describe_groups: DescribeGroups, DescribeGroupsRequest<'a>, DescribeGroupsResponse<'a>;
    list_groups: ListGroups, ListGroupsRequest<'a>, ListGroupsResponse<'a>;
    delete_groups: DeleteGroups, DeleteGroupsRequest<'a>, DeleteGroupsResponse<'a>;
    offset_delete: OffsetDelete, OffsetDeleteRequest<'a>, OffsetDeleteResponse<'a>;
    api_versions: ApiVersions, ApiVersionsRequest<'a>, ApiVersionsResponse<'a>;
    create_topics: CreateTopics, CreateTopicsRequest<'a>, CreateTopicsResponse<'a>;
    delete_topics: DeleteTopics, DeleteTopicsRequest<'a>, DeleteTopicsResponse<'a>;
    delete_records: DeleteRecords, DeleteRecordsRequest<'a>, DeleteRecordsResponse<'a>;
    init_producer_id: InitProducerId, InitProducerIdRequest<'a>, InitProducerIdResponse;
    offset_for_leader_epoch: OffsetForLeaderEpoch,
        OffsetForLeaderEpochRequest<'a>, OffsetForLeaderEpochResponse<'a>;
    describe_configs: DescribeConfigs, DescribeConfigsRequest<'a>, DescribeConfigsResponse<'a>;
    alter_configs: AlterConfigs, AlterConfigsRequest<'a>, AlterConfigsResponse<'a>;
    describe_log_dirs: DescribeLogDirs, DescribeLogDirsRequest<'a>, DescribeLogDirsResponse<'a>;
    create_partitions: CreatePartitions, CreatePartitionsRequest<'a>, CreatePartitionsResponse<'a>;
    elect_leaders: ElectLeaders, ElectLeadersRequest<'a>, ElectLeadersResponse<'a>;
    incremental_alter_configs: IncrementalAlterConfigs,
        IncrementalAlterConfigsRequest<'a>, IncrementalAlterConfigsResponse<'a>;
    list_partition_reassignments: ListPartitionReassignments,
        ListPartitionReassignmentsRequest<'a>, ListPartitionReassignmentsResponse<'a>;
    describe_cluster: DescribeCluster, DescribeClusterRequest, DescribeClusterResponse<'a>;
    describe_producers: DescribeProducers,
        DescribeProducersRequest<'a>, DescribeProducersResponse<'a>;
    consumer_group_heartbeat: ConsumerGroupHeartbeat,
        ConsumerGroupHeartbeatRequest<'a>, ConsumerGroupHeartbeatResponse<'a>;
    consumer_group_describe: ConsumerGroupDescribe,
        ConsumerGroupDescribeRequest<'a>, ConsumerGroupDescribeResponse<'a>;
    get_telemetry_subscriptions: GetTelemetrySubscriptions,
        GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse<'a>;
    push_telemetry: PushTelemetry, PushTelemetryRequest<'a>, PushTelemetryResponse;
    list_config_resources: ListConfigResources,
        ListConfigResourcesRequest, ListConfigResourcesResponse<'a>;
    describe_topic_partitions: DescribeTopicPartitions,
        DescribeTopicPartitionsRequest<'a>, DescribeTopicPartitionsResponse<'a>;
}

//! Requests from strangers, of every API in every version served.
//!
//! The first byte chooses. 0: the rest is a stream of frames, headers and all. Otherwise the
//! first two are the API and its version, and the rest is the body. No bytes may make the
//! decoder panic, or take memory out of proportion; and what it has understood it
//! understands again from what it writes itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::{Bytes, BytesMut};
use corelane::kafka::frame::split_frame;
use corelane::kafka::{ApiKey, Reader, Request, RequestHeader, messages};

/// Memory that decoding may take for each byte of the message: small elements on the wire
/// are structs of several slices, and a growing array has its old place as well as its new.
const BYTES_PER_BYTE_MAX: usize = 128;
/// Memory that it may take at once: a few arrays of which the first elements are expected.
const BYTES_AT_ONCE_MAX: usize = 64 * 1024;

/// Checks one input.
pub fn check(data: &[u8]) {
    match data {
        [0, stream @ ..] => frames(stream),
        [api, version, body @ ..] => {
            let all = ApiKey::ALL;
            let api = all[usize::from(*api) % all.len()];
            let spec = api.spec();
            let versions = (spec.max - spec.min + 1) as u8;
            let version = spec.min + i16::from(version % versions);
            one(api, version, &Bytes::copy_from_slice(body));
        }
        _ => {}
    }
}

/// As a session reads them.
fn frames(stream: &[u8]) {
    let mut buffered = BytesMut::from(stream);
    while let Ok(Some(frame)) = split_frame(&mut buffered) {
        let mut reader = Reader::new(&frame);
        let Ok(header) = RequestHeader::decode(&mut reader) else {
            return;
        };
        if header.is_served() {
            let body = frame.slice(frame.len() - reader.remaining()..);
            one(header.api, header.version, &body);
        }
    }
}

/// Each row: the API, its module among the messages, and its request. An API that is missing
/// here does not compile.
macro_rules! requests {
    ($($api:ident: $module:ident, $request:ident;)*) => {
        fn one(api: ApiKey, version: i16, body: &Bytes) {
            match api {
                $(ApiKey::$api => {
                    let mut reader = Reader::new(body);
                    let before = Taken::begin();
                    let decoded = messages::$module::$request::decode(&mut reader, version);
                    before.check(body.len());
                    let Ok(request) = decoded else { return };
                    let header = RequestHeader {
                        api,
                        version,
                        correlation_id: 7,
                        client_id: None,
                    };
                    let frame = request.encode(&mut BytesMut::new(), &header).body();
                    let mut reader = Reader::new(&frame);
                    assert_eq!(RequestHeader::decode(&mut reader), Ok(header));
                    let again = messages::$module::$request::decode(&mut reader, version);
                    assert_eq!(again.as_ref(), Ok(&request), "{api:?} v{version}");
                    assert_eq!(reader.remaining(), 0, "{request:?}");
                })*
            }
        }
    };
}

requests! {
    Produce: produce, ProduceRequest;
    Fetch: fetch, FetchRequest;
    ListOffsets: list_offsets, ListOffsetsRequest;
    Metadata: metadata, MetadataRequest;
    OffsetCommit: offset_commit, OffsetCommitRequest;
    OffsetFetch: offset_fetch, OffsetFetchRequest;
    FindCoordinator: find_coordinator, FindCoordinatorRequest;
    JoinGroup: join_group, JoinGroupRequest;
    Heartbeat: heartbeat, HeartbeatRequest;
    LeaveGroup: leave_group, LeaveGroupRequest;
    SyncGroup: sync_group, SyncGroupRequest;
    DescribeGroups: describe_groups, DescribeGroupsRequest;
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
    ConsumerGroupHeartbeat: consumer_group_heartbeat, ConsumerGroupHeartbeatRequest;
    ConsumerGroupDescribe: consumer_group_describe, ConsumerGroupDescribeRequest;
    GetTelemetrySubscriptions: get_telemetry_subscriptions, GetTelemetrySubscriptionsRequest;
    PushTelemetry: push_telemetry, PushTelemetryRequest;
    ListConfigResources: list_config_resources, ListConfigResourcesRequest;
    DescribeTopicPartitions: describe_topic_partitions, DescribeTopicPartitionsRequest;
}

thread_local! {
    /// Bytes that this thread has allocated and not freed, and the most there were.
    static TAKEN: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// The system's allocator, which counts for each thread.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: isize) {
    // A thread that ends frees after its variables are gone.
    let _ = TAKEN.try_with(|taken| {
        let (now, most) = taken.get();
        taken.set((now + bytes, most.max(now + bytes)));
    });
}

#[allow(unsafe_code, reason = "there is no safe way to count allocations")]
// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

/// What was taken when something began.
struct Taken(isize);

impl Taken {
    fn begin() -> Taken {
        let (now, _) = TAKEN.get();
        TAKEN.set((now, now));
        Taken(now)
    }

    /// Fails if more was taken meanwhile than `len` bytes of input may.
    fn check(self, len: usize) {
        let (_, most) = TAKEN.get();
        let taken = (most - self.0) as usize;
        let allowed = BYTES_AT_ONCE_MAX + BYTES_PER_BYTE_MAX * len;
        assert!(taken <= allowed, "{taken} bytes for {len}");
    }
}

//! Fetch (1), versions 4-18: reads record batches, waiting for them if asked to.
//!
//! - 4: isolation level, aborted transactions. 5: log start offset (followers').
//! - 6: as 5. 7: incremental fetch sessions (KIP-227). 8: as 7.
//! - 9: current leader epoch (KIP-320). 10: zstd allowed (KIP-110). 11: rack (KIP-392).
//! - 12: flexible; last fetched epoch, diverging epoch, current leader.
//! - 13: topic ids (KIP-516). 14: tiered storage errors (KIP-405).
//! - 15: replica state in a tag (KIP-903). 16: node endpoints (KIP-951).
//! - 17: directory id of a follower (KIP-853). 18: high watermark of a follower (KIP-1166).

use std::borrow::Cow;

use super::common::{LeaderIdAndEpoch, NodeEndpoint};
use crate::base::TopicId;
use crate::kafka::{ErrorCode, Records};
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct FetchRequest<'a> {
        /// -1 for a consumer.
        [4-14] replica_id: i32 = -1,
        /// How long to wait for `min_bytes`, milliseconds.
        [4+] max_wait_ms: i32,
        /// Bytes to wait for.
        [4+] min_bytes: i32,
        /// Bytes to stop at; the first batch is returned whole all the same (KIP-74).
        [4+] max_bytes: i32 = i32::MAX,
        /// 0 read uncommitted, 1 read committed.
        [4+] isolation_level: i8,
        /// The fetch session, 0 for none (KIP-227).
        [7+] session_id: i32,
        /// 0 opens a session, -1 closes it, else the request's number in it.
        [7+] session_epoch: i32 = -1,
        /// What to fetch; within a session only what changed.
        [4+] topics: Vec<FetchTopic<'a>>,
        /// What leaves the session.
        [7+] forgotten_topics_data: Vec<ForgottenTopic<'a>>,
        /// The consumer's rack.
        [11+] rack_id: &'a str,
        /// Sent by followers only.
        [12+ tag 0] cluster_id: Option<&'a str>,
        /// Takes the place of `replica_id`.
        [15+ tag 1] replica_state: ReplicaState,
    }
}

wire_struct! {
    /// Which replica asks; the default is a consumer.
    pub struct ReplicaState {
        /// -1 for a consumer.
        [15+] replica_id: i32 = -1,
        /// The follower's epoch.
        [15+] replica_epoch: i64 = -1,
    }
}

wire_struct! {
    /// One topic of the request, named up to version 12, by id from 13.
    pub struct FetchTopic<'a> {
        /// The topic's name.
        [4-12] topic: &'a str,
        /// The topic's id.
        [13+] topic_id: TopicId,
        /// Its partitions.
        [4+] partitions: Vec<FetchPartition>,
    }
}

wire_struct! {
    /// One partition of the request.
    pub struct FetchPartition {
        /// The partition's index.
        [4+] partition: i32,
        /// The leader epoch the client knows, -1 to skip the check.
        [9+] current_leader_epoch: i32 = -1,
        /// Offset of the first record wanted.
        [4+] fetch_offset: i64,
        /// Epoch of the last record the client has, -1 to skip the check.
        [12+] last_fetched_epoch: i32 = -1,
        /// A follower's log start offset, -1 from a consumer.
        [5+] log_start_offset: i64 = -1,
        /// Bytes to stop at in this partition.
        [4+] partition_max_bytes: i32,
        /// A follower's directory.
        [17+ tag 0] replica_directory_id: TopicId,
        /// The high watermark a follower knows.
        [18+ tag 1] high_watermark: i64 = i64::MAX,
    }
}

wire_struct! {
    /// One topic whose partitions leave the session.
    pub struct ForgottenTopic<'a> {
        /// The topic's name.
        [7-12] topic: &'a str,
        /// The topic's id.
        [13+] topic_id: TopicId,
        /// Indexes of the partitions.
        [7+] partitions: Vec<i32>,
    }
}

wire_struct! {
    /// The response.
    pub struct FetchResponse<'a> {
        /// How long the client should pause, milliseconds.
        [4+] throttle_time_ms: i32,
        /// An error of the request or of its session as a whole.
        [7+] error_code: ErrorCode,
        /// The session, 0 for none.
        [7+] session_id: i32,
        /// Within a session only the partitions that have something to tell.
        [4+] responses: Vec<FetchableTopicResponse<'a>>,
        /// Where the leaders named in the partitions can be reached.
        [16+ tag 0] node_endpoints: Vec<NodeEndpoint<'a>>,
    }
}

wire_struct! {
    /// One topic of the response.
    pub struct FetchableTopicResponse<'a> {
        /// The topic's name.
        [4-12] topic: Cow<'a, str>,
        /// The topic's id.
        [13+] topic_id: TopicId,
        /// Its partitions.
        [4+] partitions: Vec<PartitionData>,
    }
}

wire_struct! {
    /// One partition of the response.
    pub struct PartitionData {
        /// The partition's index.
        [4+] partition_index: i32,
        /// What happened.
        [4+] error_code: ErrorCode,
        /// The high watermark, -1 after an error.
        [4+] high_watermark: i64,
        /// The last stable offset, -1 after an error.
        [4+] last_stable_offset: i64 = -1,
        /// The log start offset, -1 after an error.
        [5+] log_start_offset: i64 = -1,
        /// Aborted transactions in these records; null under read uncommitted.
        [4+] aborted_transactions: Option<Vec<AbortedTransaction>>,
        /// The follower to read from instead, or -1.
        [11+] preferred_read_replica: i32 = -1,
        /// Whole batches, uncopied.
        [4+] records: Records,
        /// Where the client's log parts from ours (KIP-595).
        [12+ tag 0] diverging_epoch: EpochEndOffset,
        /// The leader to turn to after NOT_LEADER_OR_FOLLOWER.
        [12+ tag 1] current_leader: LeaderIdAndEpoch,
        /// The snapshot to fetch instead; only KRaft's own log has one.
        [12+ tag 2] snapshot_id: SnapshotId,
    }
}

wire_struct! {
    /// An aborted transaction in the fetched range.
    pub struct AbortedTransaction {
        /// Its producer.
        [4+] producer_id: i64,
        /// Offset of its first record.
        [4+] first_offset: i64,
    }
}

wire_struct! {
    /// The largest epoch not above the client's and where it ends; the default is "none".
    pub struct EpochEndOffset {
        /// The epoch.
        [12+] epoch: i32 = -1,
        /// Exclusive end.
        [12+] end_offset: i64 = -1,
    }
}

wire_struct! {
    /// Identity of a KRaft snapshot; the default is "none".
    pub struct SnapshotId {
        /// Exclusive end.
        [4+] end_offset: i64 = -1,
        /// The epoch.
        [4+] epoch: i32 = -1,
    }
}

//! What crosses cores: owned domain types and `Bytes`, nothing else. A request
//! goes to the shard that owns its partitions (or to shard 0 for the catalogue)
//! and is answered by the one reply of the same name, once what the answer
//! depends on is durable.

use bytes::Bytes;

use crate::base::{SegmentId, TopicPartition, limits};
use crate::catalog::{CatalogReply, CatalogRequest};
use crate::group::{GroupReply, GroupRequest};
use crate::kafka::ErrorCode;
use crate::partition::BadTimestamps;

/// One shard's question to another.
#[derive(Debug)]
pub enum ShardRequest {
    /// Append one batch to each of these partitions.
    Produce(Vec<ProduceEntry>),
    /// Read from these partitions what is there now.
    Fetch(FetchRead),
    /// Answer once `bytes` more became readable in these partitions, or at the deadline.
    Watch(Watch),
    /// The sender waits no more for its watch of this number, which may have ended by itself.
    Unwatch(u64),
    /// Look up offsets.
    ListOffsets(Vec<ListOffsetsEntry>),
    /// Raise log start offsets; -1 means the high watermark (KIP-107).
    DeleteRecords(Vec<(TopicPartition, i64)>),
    /// Where leader epochs end (KIP-101).
    EpochEnd(Vec<EpochEndEntry>),
    /// Active idempotent producers (KIP-664).
    DescribeProducers(Vec<TopicPartition>),
    /// Bytes held by each partition.
    LogSizes(Vec<TopicPartition>),
    /// Change the catalogue; only shard 0 decides.
    Catalog(CatalogRequest),
    /// Replay these encoded catalogue records; sent by shard 0 in log order.
    ApplyCatalog(Vec<Bytes>),
    /// Have the coordinator of this partition of `__consumer_offsets` take a request.
    Group {
        /// Its partition, see [`group_partition`](super::group_partition).
        partition: i32,
        /// What is asked.
        request: GroupRequest,
    },
    /// The sender no longer needs this segment of a WAL that this shard keeps.
    ReleaseSegment(SegmentId),
    /// Stop taking connections, answer what is under way, and end.
    Shutdown,
}

/// What a request waits for. Requests of one kind, however many, must not keep those of another
/// from being sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// Nothing that takes long.
    Quick,
    /// The disk, which may be behind.
    Produce,
    /// Records that are yet to come.
    Watch,
    /// Members of a group that are yet to join.
    Group,
}

impl Lane {
    /// All there are.
    pub const ALL: [Lane; 4] = [Lane::Quick, Lane::Produce, Lane::Watch, Lane::Group];

    /// Most requests of one shard that are under way.
    pub fn places(self) -> usize {
        match self {
            Lane::Quick => limits::MAILBOX_REQUESTS_MAX,
            Lane::Produce => limits::MAILBOX_PRODUCES_MAX,
            Lane::Watch => limits::MAILBOX_WATCHES_MAX,
            Lane::Group => limits::MAILBOX_GROUP_WAITS_MAX,
        }
    }
}

impl ShardRequest {
    /// What it may have to wait for.
    pub fn lane(&self) -> Lane {
        match self {
            ShardRequest::Produce(_) => Lane::Produce,
            ShardRequest::Watch(_) => Lane::Watch,
            ShardRequest::Group { request, .. } if request.may_wait_long() => Lane::Group,
            _ => Lane::Quick,
        }
    }
}

/// The answer to the [`ShardRequest`] of the same name, entries in the same order.
#[derive(Debug)]
pub enum ShardReply {
    /// See [`ShardRequest::Produce`].
    Produce(Vec<ProduceResult>),
    /// See [`ShardRequest::Fetch`].
    Fetch(Vec<FetchResult>),
    /// See [`ShardRequest::ListOffsets`].
    ListOffsets(Vec<ListOffsetsResult>),
    /// See [`ShardRequest::DeleteRecords`]: the new log start offset.
    DeleteRecords(Vec<Result<i64, ErrorCode>>),
    /// See [`ShardRequest::EpochEnd`].
    EpochEnd(Vec<EpochEndResult>),
    /// See [`ShardRequest::DescribeProducers`].
    DescribeProducers(Vec<Result<Vec<ProducerState>, ErrorCode>>),
    /// See [`ShardRequest::LogSizes`]: bytes, 0 for a partition that is not here.
    LogSizes(Vec<u64>),
    /// See [`ShardRequest::Group`]: the coordinator's own answer, or why it gives none.
    Group(Result<GroupReply, ErrorCode>),
    /// See [`ShardRequest::Catalog`].
    Catalog(CatalogReply),
    /// Done; nothing more to say (watches, applies, releases, shutdown).
    Done,
}

/// One batch for one partition.
#[derive(Clone, Debug)]
pub struct ProduceEntry {
    /// Where it goes.
    pub tp: TopicPartition,
    /// Exactly one record batch as the client sent it.
    pub batch: Bytes,
}

/// What became of a [`ProduceEntry`].
#[derive(Clone, Debug)]
pub struct ProduceResult {
    /// `NONE` or why nothing was appended.
    pub error: ErrorCode,
    /// Words for the client beside the error.
    pub message: Option<String>,
    /// Which records caused INVALID_TIMESTAMP.
    pub bad_timestamps: Option<Box<BadTimestamps>>,
    /// Offset of the first record, -1 on error.
    pub base_offset: i64,
    /// Time of the append under LogAppendTime, else -1.
    pub log_append_time_ms: i64,
    /// Log start offset, -1 on error.
    pub log_start_offset: i64,
}

impl ProduceResult {
    /// A refusal without words.
    pub fn error(error: ErrorCode) -> Self {
        ProduceResult {
            error,
            message: None,
            bad_timestamps: None,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
        }
    }
}

/// A read over several partitions of one shard.
#[derive(Clone, Debug)]
pub struct FetchRead {
    /// In the order in which the bytes are to be given out.
    pub entries: Vec<FetchEntry>,
    /// Bytes in all.
    pub max_bytes: usize,
    /// Whether the first batch is given whole even if larger (KIP-74).
    pub first_whole: bool,
}

/// One partition of a [`FetchRead`].
#[derive(Clone, Copy, Debug)]
pub struct FetchEntry {
    /// What to read.
    pub tp: TopicPartition,
    /// First offset wanted.
    pub offset: i64,
    /// Bytes for this partition.
    pub max_bytes: usize,
    /// The leader epoch that the client knows, -1 for none (KIP-320).
    pub current_leader_epoch: i32,
    /// Epoch of the last record that the client has, -1 for none (KIP-595).
    pub last_fetched_epoch: i32,
}

/// One partition's part of a fetch.
#[derive(Clone, Debug)]
pub struct FetchResult {
    /// `NONE` or why there is nothing.
    pub error: ErrorCode,
    /// End of what may be read, exclusive; -1 on error.
    pub high_watermark: i64,
    /// End of what read_committed may read, exclusive; -1 on error.
    pub last_stable_offset: i64,
    /// First offset kept; -1 on error.
    pub log_start_offset: i64,
    /// Where the client's history leaves ours: epoch and its end offset (KIP-595).
    pub diverging: Option<(i32, i64)>,
    /// Whole record batches in offset order.
    pub records: Vec<Bytes>,
    /// With more than [`FetchRead::max_bytes`] there would be more records.
    pub cut_short: bool,
}

impl FetchResult {
    /// A refusal.
    pub fn error(error: ErrorCode) -> Self {
        FetchResult {
            error,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging: None,
            records: Vec::new(),
            cut_short: false,
        }
    }

    /// Bytes of records.
    pub fn bytes(&self) -> usize {
        self.records.iter().map(Bytes::len).sum()
    }
}

/// A wish to be told of new records.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The asking shard's own number for it.
    pub id: u64,
    /// Where they may come, with the first offset not yet read.
    pub entries: Vec<(TopicPartition, i64)>,
    /// How many bytes must have come.
    pub bytes: usize,
    /// Milliseconds to wait at most.
    pub wait_ms: u64,
}

/// One partition of a ListOffsets.
#[derive(Clone, Copy, Debug)]
pub struct ListOffsetsEntry {
    /// Where to look.
    pub tp: TopicPartition,
    /// A time in milliseconds, or Kafka's negative names (-1 latest, -2 earliest, ...).
    pub timestamp: i64,
    /// The leader epoch that the client knows, -1 for none.
    pub current_leader_epoch: i32,
}

/// Its answer.
#[derive(Clone, Copy, Debug)]
pub struct ListOffsetsResult {
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// Timestamp of the record found, -1 for none.
    pub timestamp: i64,
    /// Its offset, -1 for none.
    pub offset: i64,
    /// Its leader epoch, -1 for none.
    pub leader_epoch: i32,
}

/// One partition of an OffsetForLeaderEpoch.
#[derive(Clone, Copy, Debug)]
pub struct EpochEndEntry {
    /// Where to look.
    pub tp: TopicPartition,
    /// The leader epoch that the client knows, -1 for none.
    pub current_leader_epoch: i32,
    /// The epoch asked about.
    pub leader_epoch: i32,
}

/// Its answer.
#[derive(Clone, Copy, Debug)]
pub struct EpochEndResult {
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// Largest epoch not above the one asked, -1 for none.
    pub leader_epoch: i32,
    /// Where it ends, exclusive; -1 for none.
    pub end_offset: i64,
}

/// One active producer of a partition.
#[derive(Clone, Copy, Debug)]
pub struct ProducerState {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Sequence of its last record.
    pub last_sequence: i32,
    /// Time of its last append, milliseconds.
    pub last_timestamp: i64,
}

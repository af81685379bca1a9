//! What one shard knows, and its simplest questions.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::groups::Groups;
use super::index_memory::IndexMemory;
use super::producer_limit::ProducerLimit;
use super::readers::ColdReaders;
use super::refused::RefusedProducers;
use super::segments::SegmentNeeds;
use super::tail::TailQueue;
use super::waiters::{WaiterId, Waiters};
use crate::base::{LogConfig, Lsn, SegmentId, ShardId, TopicId, TopicPartition};
use crate::catalog::{Catalog, placement};
use crate::group::GroupConfig;
use crate::partition::Partition;
use crate::wal::{AdoptedWal, Wal};

/// What a shard is told at start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardConfig {
    /// Its number.
    pub id: ShardId,
    /// How many there are.
    pub shards: u16,
    /// The number of this start of the broker.
    pub leader_epoch: i32,
    /// Bytes for the index of batches, before it takes from the tail's.
    pub index_bytes: usize,
    /// Most bytes of recent batches to keep in memory.
    pub tail_bytes: usize,
    /// Bytes for what is read ahead for consumers that are far behind.
    pub read_ahead_bytes: usize,
    /// How long an idle producer is remembered, milliseconds
    /// (Kafka: `producer.id.expiration.ms`).
    pub producer_expiration_ms: u64,
    /// Most producers remembered, all partitions together; the longest idle goes first.
    pub producers_max: usize,
    /// How consumer groups are kept.
    pub groups: GroupConfig,
}

/// One shard. See the module for what it is and is not.
#[derive(Debug)]
pub struct Shard {
    pub(super) config: ShardConfig,
    pub(super) wal: Wal,
    /// WALs of shards that are no more, which this shard empties.
    pub(super) adopted: BTreeMap<u16, AdoptedWal>,
    pub(super) catalog: Catalog,
    /// Another number after every change of topics that groups should look at.
    pub(super) topics_version: u64,
    pub(super) partitions: HashMap<TopicPartition, Held>,
    /// Partitions whose state is still to be written to the own WAL.
    pub(super) adoptions: Vec<TopicPartition>,
    /// Work on segment files that was looked at and not handed out yet.
    pub(super) segment_work: Option<(u16, crate::wal::SegmentWork)>,
    pub(super) tail: TailQueue,
    pub(super) index_memory: IndexMemory,
    pub(super) waiters: Waiters,
    pub(super) producers: ProducerLimit,
    pub(super) refused: RefusedProducers,
    pub(super) readers: ColdReaders,
    pub(super) needs: SegmentNeeds,
    /// Segments of WALs that this shard keeps, which other shards still need.
    pub(super) lent: BTreeMap<SegmentId, u16>,
    /// Segments of other shards' WALs that this shard needs no more.
    pub(super) releases: VecDeque<(ShardId, SegmentId)>,
    /// A checkpoint that would have freed a segment found no room.
    pub(super) checkpoints_starved: bool,
    /// The coordinators of its groups.
    pub(super) groups: Groups,
    /// The catalogue's log is being written again, or about to be.
    pub(super) rewriting_catalog: bool,
    /// Buffers of written blocks that wait for an earlier block.
    pub(super) written: BTreeMap<Lsn, bytes::Bytes>,
    /// The newest block that holds anything; everything appended is durable when it is.
    pub(super) last_lsn: Lsn,
}

/// A partition and what the shard must remember about it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) log: Partition,
    /// The oldest segment of the own WAL whose records are needed to rebuild what is not
    /// data: everything before its last checkpoint is not.
    pub(super) state_since: Option<SegmentId>,
    /// A checkpoint or a log start is on its way to the disk.
    pub(super) log_start_pending: bool,
    pub(super) checkpoint_pending: bool,
}

impl Held {
    pub(super) fn new(log: Partition) -> Held {
        Held {
            log,
            state_since: None,
            log_start_pending: false,
            checkpoint_pending: false,
        }
    }
}

impl Shard {
    /// Its number.
    pub fn id(&self) -> ShardId {
        self.config.id
    }

    /// Its replica of the catalogue.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The shard that owns `tp`.
    pub fn owner(&self, tp: TopicPartition) -> ShardId {
        owner(tp, self.config.shards)
    }

    /// Everything appended so far is durable once this is.
    pub fn last_lsn(&self) -> Lsn {
        self.last_lsn
    }

    /// Bytes of record batches in `tp`; 0 if it is not here.
    pub fn log_size(&self, tp: TopicPartition) -> u64 {
        self.partitions
            .get(&tp)
            .map_or(0, |held| held.log.log_bytes())
    }

    /// The figures of its WAL.
    pub fn wal_stats(&self) -> crate::wal::WalStats {
        self.wal.stats()
    }

    /// Whether the index has all the memory that it may have: batches that are not durable
    /// yet come on top, which the WAL bounds.
    pub fn is_index_full(&self) -> bool {
        self.index_memory.is_full(self.needs.batches_in_all())
    }

    /// Whether anybody waits for news of its partitions.
    pub fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// Whether a segment is kept for a read under way.
    pub fn has_reads(&self) -> bool {
        self.needs.has_reads()
    }

    /// The next long poll to answer.
    pub fn poll_woken(&mut self) -> Option<WaiterId> {
        self.waiters.poll_woken()
    }

    pub(super) fn create_partition(&mut self, tp: TopicPartition, config: LogConfig) {
        if self.owner(tp) == self.config.id {
            let epoch = self.config.leader_epoch;
            let held = self.partitions.entry(tp);
            held.or_insert_with(|| Held::new(Partition::new(tp, config, epoch)));
            if tp.topic == TopicId::OFFSETS {
                self.groups.host(tp.partition);
            }
        }
    }
}

/// Which of `shards` shards owns `tp`. The catalogue's own log is shard 0's.
pub(super) fn owner(tp: TopicPartition, shards: u16) -> ShardId {
    if tp == CATALOG_LOG {
        ShardId(0)
    } else {
        placement::owner(tp, shards)
    }
}

/// The catalogue's records are a partition like any other, which no client sees.
pub(super) const CATALOG_LOG: TopicPartition = TopicPartition {
    topic: crate::base::TopicId::CATALOG,
    partition: 0,
};

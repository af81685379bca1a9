//! The partition itself: its offsets, what happens when a batch becomes
//! durable, and the invariants.

use bytes::Bytes;

use crate::base::{LogConfig, LogPosition, Now, TopicPartition};
use crate::kafka::batch::BatchHeader;

use super::epochs::Epochs;
use super::index::{Index, IndexEntry};
use super::producers::{ProducerView, Producers};
use super::tail::{Tail, TailBatch};
use super::waiters::Waiters;

/// One partition's log, on the shard that owns it.
#[derive(Clone, Debug)]
pub struct Partition {
    topic_partition: TopicPartition,
    config: LogConfig,
    leader_epoch: i32,
    pub(super) log_start: i64,
    /// The log start offset of the newest record given to the WAL, not below
    /// `log_start`: what a checkpoint must say, since it follows that record.
    pub(super) planned_log_start: i64,
    high_watermark: i64,
    log_end: i64,
    pub(super) index: Index,
    pub(super) tail: Tail,
    pub(super) producers: Producers,
    pub(super) epochs: Epochs,
    waiters: Waiters,
}

/// A batch that became durable: what the WAL knows of it.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// As [`super::Appended::max_timestamp`] gave it: the header's own field may be
    /// less, and recovery would differ.
    pub max_timestamp: i64,
    /// Where the batch's first byte lies.
    pub position: LogPosition,
    /// Size of the whole batch, bytes.
    pub len: u32,
    /// The batch in memory, for the tail. `None` where there is none to spare:
    /// the tail then begins anew after this batch.
    pub bytes: Option<Bytes>,
}

impl Placed {
    /// The batch that `header` begins, as stored at `position`.
    pub fn new(header: &BatchHeader, position: LogPosition, bytes: Option<Bytes>) -> Placed {
        Placed {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.newest_timestamp(),
            position,
            len: header.total_bytes() as u32,
            bytes,
        }
    }
}

/// What [`Partition::on_durable`] changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Durable<'a> {
    /// The high watermark now.
    pub high_watermark: i64,
    /// Bytes that a fetch at the old high watermark can now read.
    pub bytes: u32,
    /// The fetches that wait for them. They stay registered.
    pub waiters: &'a [u64],
}

impl Partition {
    /// An empty partition.
    pub fn new(topic_partition: TopicPartition, config: LogConfig, leader_epoch: i32) -> Self {
        Partition {
            topic_partition,
            config,
            leader_epoch,
            log_start: 0,
            planned_log_start: 0,
            high_watermark: 0,
            log_end: 0,
            index: Index::default(),
            tail: Tail::default(),
            producers: Producers::default(),
            epochs: Epochs::default(),
            waiters: Waiters::default(),
        }
    }

    /// Which partition this is.
    pub fn topic_partition(&self) -> TopicPartition {
        self.topic_partition
    }

    /// The settings in force.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Changes the settings, for what is appended or expires from now on.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// The epoch stamped on what is appended.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// Offset of the first record that may be read.
    pub fn log_start(&self) -> i64 {
        self.log_start
    }

    /// End of what is durable and may be read; exclusive.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// End of what read_committed may read; exclusive. It is the high
    /// watermark as long as there are no transactions.
    pub fn last_stable(&self) -> i64 {
        self.high_watermark
    }

    /// The offset that the next record gets.
    pub fn log_end(&self) -> i64 {
        self.log_end
    }

    /// Sizes of all durable batches together, as DescribeLogDirs tells it.
    pub fn log_bytes(&self) -> u64 {
        self.index.batch_bytes()
    }

    /// Makes `placed` readable. Batches become durable in the order of their offsets.
    ///
    /// # Panics
    /// If `placed` is not the next batch that was appended: the shard and the
    /// WAL then disagree on what is in the log.
    pub fn on_durable(&mut self, placed: Placed) -> Durable<'_> {
        let Placed {
            base_offset,
            last_offset,
            max_timestamp,
            position,
            len,
            bytes,
        } = placed;
        assert_eq!(base_offset, self.high_watermark, "durable out of order");
        assert!(last_offset < self.log_end, "durable before it was appended");
        self.index.push(IndexEntry {
            base_offset,
            last_offset,
            max_timestamp,
            position,
            len,
        });
        match bytes {
            Some(bytes) => {
                assert_eq!(
                    bytes.len(),
                    len as usize,
                    "the tail must hold whole batches"
                );
                self.tail.push(TailBatch {
                    base_offset,
                    last_offset,
                    position,
                    bytes,
                });
            }
            None => self.tail.clear(),
        }
        self.high_watermark = last_offset + 1;
        self.assert_invariants();
        Durable {
            high_watermark: self.high_watermark,
            bytes: len,
            waiters: self.waiters.ids(),
        }
    }

    /// Drops the batches in memory that lie wholly below `offset`. Returns their bytes.
    pub fn evict_tail_before(&mut self, offset: i64) -> usize {
        let evicted = self.tail.evict_before(offset);
        self.assert_invariants();
        evicted
    }

    /// Drops the oldest batch in memory. Returns its bytes, 0 if there is none.
    pub fn evict_tail_first(&mut self) -> usize {
        let evicted = self.tail.evict_first();
        self.assert_invariants();
        evicted
    }

    /// Bytes of the batches in memory.
    pub fn tail_bytes(&self) -> usize {
        self.tail.bytes()
    }

    /// Heap bytes of everything but the batches in memory, about.
    pub fn memory_bytes(&self) -> usize {
        self.index.memory_bytes()
            + self.tail.memory_bytes()
            + self.producers.memory_bytes()
            + self.epochs.memory_bytes()
            + self.waiters.memory_bytes()
    }

    /// Has [`Partition::on_durable`] name `waiter`. Registering twice is once.
    pub fn register_waiter(&mut self, waiter: u64) {
        self.waiters.register(waiter);
    }

    /// Undoes [`Partition::register_waiter`]. Returns whether it was registered.
    pub fn deregister_waiter(&mut self, waiter: u64) -> bool {
        self.waiters.deregister(waiter)
    }

    /// Every fetch that waits: to be answered when the partition is deleted.
    pub fn waiters(&self) -> &[u64] {
        self.waiters.ids()
    }

    /// The idempotent producers remembered, by id, for DescribeProducers.
    pub fn producers(&self) -> impl ExactSizeIterator<Item = ProducerView> {
        self.producers.views()
    }

    /// Bytes of the durable batches from `offset` on, where one begins; counted no further than
    /// `enough`.
    pub fn bytes_since(&self, offset: i64, enough: usize) -> usize {
        let mut bytes = 0;
        for entry in self.index.starting_at(offset) {
            bytes += entry.len as usize;
            if bytes >= enough {
                break;
            }
        }
        bytes
    }

    /// How many producers are remembered.
    pub fn producer_count(&self) -> usize {
        self.producers.iter().len()
    }

    /// When each producer remembered last appended, monotonic milliseconds, and its id.
    pub fn active_producers(&self) -> impl Iterator<Item = (u64, i64)> {
        let producers = self.producers.iter();
        producers.map(|(id, producer)| (producer.active_mono_ms, id))
    }

    /// Forgets one producer: its next batch is like that of a new one. Whether it was known.
    pub fn forget_producer(&mut self, id: i64) -> bool {
        self.producers.forget(id)
    }

    /// Forgets the producers that appended nothing for `expiration_ms`
    /// (Kafka's `producer.id.expiration.ms`, a day by default). Returns how many.
    pub fn expire_producers(&mut self, now: Now, expiration_ms: u64) -> usize {
        self.producers.expire(now.mono_ms, expiration_ms)
    }

    /// Takes the offsets of a batch stamped with the log end and its epoch.
    pub(super) fn take_offsets(&mut self, header: &BatchHeader) {
        assert_eq!(header.base_offset, self.log_end, "offsets are dense");
        self.epochs
            .on_append(header.leader_epoch, header.base_offset);
        self.log_end = header.last_offset() + 1;
    }

    /// In recovery: nothing below `offset` exists any more but as state.
    pub(super) fn skip_to(&mut self, offset: i64) {
        self.index = Index::default();
        self.log_end = offset;
        self.high_watermark = offset;
    }

    /// In recovery: what was read is durable.
    pub(super) fn recover_entry(&mut self, entry: IndexEntry) {
        self.index.push(entry);
        self.high_watermark = entry.last_offset + 1;
    }

    /// At the end of recovery: from here on batches get this epoch.
    pub(super) fn begin_epoch(&mut self, leader_epoch: i32) {
        self.leader_epoch = leader_epoch;
    }

    /// What holds after every change. Cheap enough to stay on.
    pub(super) fn assert_invariants(&self) {
        let (log_start, high_watermark) = (self.log_start, self.high_watermark);
        assert!(
            0 <= log_start && log_start <= high_watermark,
            "log start beyond what is durable"
        );
        let planned = self.planned_log_start;
        assert!(
            log_start <= planned && planned <= high_watermark,
            "a log start planned outside the log"
        );
        assert!(high_watermark <= self.log_end, "durable beyond the end");
        match (self.index.first_offset(), self.index.end()) {
            (Some(first), Some(end)) => {
                assert!(
                    first <= log_start && log_start < end,
                    "the index misses the log start"
                );
                assert_eq!(end, high_watermark, "the index misses what is durable");
            }
            _ => assert_eq!(
                log_start, high_watermark,
                "readable records that are not indexed"
            ),
        }
        if let (Some(first), Some(end)) = (self.tail.first_offset(), self.tail.end()) {
            assert_eq!(end, high_watermark, "the tail is not the end of the log");
            assert!(
                self.index
                    .first_offset()
                    .is_some_and(|index| index <= first),
                "a tail unindexed"
            );
            assert!(
                self.tail.bytes() as u64 <= self.index.batch_bytes(),
                "the tail exceeds the log"
            );
        }
        if let Some(last) = self.epochs.last() {
            assert!(last.epoch <= self.leader_epoch, "an epoch from the future");
            assert!(last.start <= self.log_end, "an epoch beyond the end");
        }
    }
}

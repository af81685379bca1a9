//! Idempotent producers (KIP-98): for each producer id the last batches it
//! appended, by which a repetition is recognised and a gap refused. The rules
//! are those of Kafka's `ProducerStateManager` and `ProducerAppendInfo`.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BinaryHeap};

use crate::base::limits::PRODUCERS_PER_PARTITION_MAX;
use crate::base::mark::mark;
use crate::kafka::batch::BatchHeader;

use super::append::Origin;
use super::error::AppendError;
use super::producer::{Producer, RecentBatch};

/// The producers that one partition remembers.
#[derive(Clone, Default, Debug)]
pub(super) struct Producers {
    /// Ordered, so that checkpoints and descriptions come out the same every
    /// time; boxed, because a tree's node reserves room for eleven.
    by_id: BTreeMap<i64, Box<Producer>>,
    /// One entry per producer with a last offset at or below its present one,
    /// smallest first, to find the longest idle without a scan. Exists only
    /// once the partition has been full.
    idle: Option<BinaryHeap<Reverse<(i64, i64)>>>,
}

/// Where a batch stands in its producer's sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sequenced {
    /// Next in order, or without a producer.
    InOrder,
    /// Of a producer that is not known.
    Unknown,
    /// One of the batches remembered.
    Duplicate(RecentBatch),
}

/// What tells a batch of an idempotent producer from its others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerBatch {
    /// The producer's id.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Sequence of the first record.
    pub sequence: i32,
}

impl ProducerBatch {
    pub(super) fn of(header: &BatchHeader) -> ProducerBatch {
        ProducerBatch {
            producer_id: header.producer_id,
            epoch: header.producer_epoch,
            sequence: header.base_sequence,
        }
    }

    /// What a batch that was refused says of itself, which need not be right.
    pub fn of_refused(batch: &[u8]) -> Option<ProducerBatch> {
        let header = BatchHeader::decode(batch).ok()?;
        let has_order =
            header.has_producer() && header.producer_epoch >= 0 && header.base_sequence >= 0;
        has_order.then(|| ProducerBatch::of(&header))
    }
}

/// What DescribeProducers (KIP-664) tells of one producer. There are no
/// transactions yet: its coordinator epoch and transaction start are -1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerView {
    /// The producer's id.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Sequence of its last record.
    pub last_sequence: i32,
    /// Largest timestamp of its last batch, milliseconds.
    pub last_timestamp: i64,
    /// Epoch of its transaction coordinator, or -1.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction, or -1.
    pub current_txn_start_offset: i64,
}

impl Producers {
    /// Whether `header` is next in its producer's sequence.
    pub(super) fn check(
        &self,
        header: &BatchHeader,
        origin: Origin,
    ) -> Result<Sequenced, AppendError> {
        if !header.has_producer() {
            return Ok(Sequenced::InOrder);
        }
        // Of an unknown producer Kafka accepts any epoch and sequence: its
        // state may have expired while it was idle (KIP-360).
        let Some(producer) = self.by_id.get(&header.producer_id) else {
            return Ok(Sequenced::Unknown);
        };
        let (current, found) = (producer.epoch, header.producer_epoch);
        if origin == Origin::Client
            && let Some(original) = producer.original_of(header)
        {
            mark!("partition.producer.duplicate");
            return Ok(Sequenced::Duplicate(original));
        }
        let producer_id = header.producer_id;
        if found < current {
            mark!("partition.producer.old-epoch");
            return Err(AppendError::InvalidProducerEpoch {
                producer_id,
                current,
                found,
            });
        }
        if origin == Origin::Internal {
            return Ok(Sequenced::InOrder);
        }
        let expected = if found == current {
            producer.next_sequence()
        } else {
            0
        };
        if header.base_sequence != expected {
            mark!("partition.producer.out-of-order");
            let found = header.base_sequence;
            return Err(AppendError::OutOfOrderSequence {
                producer_id,
                expected,
                found,
            });
        }
        Ok(Sequenced::InOrder)
    }

    /// Whether a batch with this id is judged by those before it.
    pub(super) fn knows(&self, producer_id: i64) -> bool {
        self.by_id.contains_key(&producer_id)
    }

    /// Remembers a batch that is in the log. Live, it passed [`Producers::check`];
    /// in recovery it did when it was appended, so a jump in the sequence means
    /// that the producer had been forgotten in between, and is again.
    pub(super) fn apply(&mut self, header: &BatchHeader, log_append_time: i64, mono_ms: u64) {
        if !header.has_producer() || header.base_sequence < 0 {
            return;
        }
        let batch = RecentBatch::of(header, log_append_time);
        if !self.by_id.contains_key(&header.producer_id) {
            self.make_room();
            if let Some(idle) = &mut self.idle {
                idle.push(Reverse((batch.last_offset, header.producer_id)));
            }
        }
        let producer = match self.by_id.entry(header.producer_id) {
            Entry::Vacant(entry) => {
                entry.insert(Box::new(Producer::new(header.producer_epoch, batch)))
            }
            Entry::Occupied(entry) => {
                let producer = entry.into_mut();
                if producer.epoch == header.producer_epoch
                    && producer.next_sequence() == header.base_sequence
                {
                    producer.push(batch);
                } else {
                    **producer = Producer::new(header.producer_epoch, batch);
                }
                producer
            }
        };
        producer.last_timestamp = header.newest_timestamp();
        producer.active_mono_ms = mono_ms;
    }

    /// Evicts the longest idle producer of a full partition. The last offset is
    /// the clock: it is the same after a recovery.
    fn make_room(&mut self) {
        if self.by_id.len() < PRODUCERS_PER_PARTITION_MAX {
            return;
        }
        let by_id = &mut self.by_id;
        let idle = self.idle.get_or_insert_with(|| {
            by_id
                .iter()
                .map(|(id, p)| Reverse((p.last().last_offset, *id)))
                .collect()
        });
        // Every producer has its one entry, so the heap is never empty here.
        while by_id.len() >= PRODUCERS_PER_PARTITION_MAX
            && let Some(Reverse((last_offset, id))) = idle.pop()
        {
            match by_id.get(&id).map(|producer| producer.last().last_offset) {
                Some(later) if later > last_offset => idle.push(Reverse((later, id))),
                _ => {
                    by_id.remove(&id);
                }
            }
        }
    }

    /// Forgets the producers that were idle for `expiration_ms`
    /// (`producer.id.expiration.ms`). Returns how many.
    pub(super) fn expire(&mut self, mono_ms: u64, expiration_ms: u64) -> usize {
        let before = self.by_id.len();
        self.by_id
            .retain(|_, p| mono_ms.saturating_sub(p.active_mono_ms) < expiration_ms);
        let expired = before - self.by_id.len();
        if expired > 0 {
            self.idle = None;
        }
        expired
    }

    /// Forgets one producer. Whether it was known.
    pub(super) fn forget(&mut self, id: i64) -> bool {
        let was_known = self.by_id.remove(&id).is_some();
        if was_known {
            // Each of its entries is that of a producer.
            self.idle = None;
        }
        was_known
    }

    /// Restarts every producer's idle clock.
    pub(super) fn touch_all(&mut self, mono_ms: u64) {
        for producer in self.by_id.values_mut() {
            producer.active_mono_ms = mono_ms;
        }
    }

    /// All producers, by id.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (i64, &Producer)> {
        self.by_id.iter().map(|(id, producer)| (*id, &**producer))
    }

    /// All producers as DescribeProducers tells them.
    pub(super) fn views(&self) -> impl ExactSizeIterator<Item = ProducerView> {
        self.iter().map(|(producer_id, producer)| ProducerView {
            producer_id,
            epoch: producer.epoch,
            last_sequence: producer.last().last_sequence,
            last_timestamp: producer.last_timestamp,
            coordinator_epoch: -1,
            current_txn_start_offset: -1,
        })
    }

    /// Puts back a producer from a checkpoint.
    pub(super) fn restore(&mut self, id: i64, producer: Producer) {
        self.by_id.insert(id, Box::new(producer));
    }

    /// Heap bytes held, about.
    pub(super) fn memory_bytes(&self) -> usize {
        let idle = self.idle.as_ref().map_or(0, BinaryHeap::capacity);
        self.by_id.len() * (size_of::<Producer>() + 32) + idle * 16
    }
}

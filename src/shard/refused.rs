//! Producers that were refused before their partition knew them. Of an unknown producer
//! any sequence is taken for the first, since its state may have expired; so one of the
//! batches that it has in flight behind the refused one might get in first, and its order
//! would be lost for good. Kafka has this hole.
//!
//! Until the refused batch comes again, those behind it are refused as well, with an error
//! that is retried as it is: librdkafka and Kafka's own producer then send all of them
//! again, in order, under the same producer id. (Out of order, the answer to a known
//! producer, would have librdkafka take a new id each time.)
//!
//! A batch that was refused for what it is need not come from who it says. So it counts only if
//! its checksum is right, and such batches get half of the room: whatever a client makes up,
//! those that found no room on the disk are noted. Should there be too many of these even so,
//! producers that do not begin at 0 have to wait, but only for as long as one is waited for:
//! then it is as with Kafka.
//!
//! Nothing of this is on disk. After a restart every connection is new, and a producer
//! begins with its oldest batch.

use std::collections::HashMap;

use crate::base::TopicPartition;
use crate::base::limits::{PRODUCER_REFUSED_MS_MAX, REFUSED_PRODUCERS_MAX};
use crate::partition::ProducerBatch;

/// Producers up to which there is room for what batches merely say of themselves.
const CLAIMED_MAX: usize = REFUSED_PRODUCERS_MAX / 2;

/// The producers of one shard that have to begin with a certain batch.
#[derive(Default, Debug)]
pub(super) struct RefusedProducers {
    by_producer: HashMap<(TopicPartition, i64), Refused>,
    /// When producers could not be noted any more, milliseconds.
    overflowed_at_ms: Option<u64>,
}

/// The earliest batch that was refused.
#[derive(Clone, Copy, Debug)]
struct Refused {
    epoch: i16,
    sequence: i32,
    at_ms: u64,
}

impl Refused {
    fn allows(&self, batch: &ProducerBatch) -> bool {
        match batch.epoch.cmp(&self.epoch) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => !is_behind(batch.sequence, self.sequence),
            // A new epoch begins at 0, and never looks back.
            std::cmp::Ordering::Greater => batch.sequence == 0,
        }
    }
}

impl RefusedProducers {
    /// Whether a batch of a producer that `tp` does not know may be its first there.
    pub(super) fn may_begin(&self, now_ms: u64, tp: TopicPartition, batch: &ProducerBatch) -> bool {
        match self.by_producer.get(&(tp, batch.producer_id)) {
            Some(refused) if is_recent(now_ms, refused.at_ms) => refused.allows(batch),
            // One of those that could not be noted, perhaps: only the very first is safe.
            _ => {
                batch.sequence == 0
                    || !self
                        .overflowed_at_ms
                        .is_some_and(|at| is_recent(now_ms, at))
            }
        }
    }

    /// Notes that a batch of a producer that `tp` does not know was refused, if it is not
    /// behind another.
    pub(super) fn note(&mut self, now_ms: u64, tp: TopicPartition, batch: &ProducerBatch) {
        if !self.may_begin(now_ms, tp, batch) {
            return;
        }
        if !self.has_room(tp, batch, REFUSED_PRODUCERS_MAX) {
            // Not again and again: others could be kept out for ever.
            self.overflowed_at_ms.get_or_insert(now_ms);
            return;
        }
        self.insert(now_ms, tp, batch);
    }

    /// The same for a batch that was refused for what it is, or where there is no partition.
    pub(super) fn note_claimed(&mut self, now_ms: u64, tp: TopicPartition, batch: &ProducerBatch) {
        let may_begin = self.may_begin(now_ms, tp, batch);
        if may_begin && self.has_room(tp, batch, CLAIMED_MAX) {
            self.insert(now_ms, tp, batch);
        }
    }

    fn has_room(&self, tp: TopicPartition, batch: &ProducerBatch, most: usize) -> bool {
        let producers = &self.by_producer;
        producers.len() < most || producers.contains_key(&(tp, batch.producer_id))
    }

    fn insert(&mut self, now_ms: u64, tp: TopicPartition, batch: &ProducerBatch) {
        let refused = Refused {
            epoch: batch.epoch,
            sequence: batch.sequence,
            at_ms: now_ms,
        };
        self.by_producer.insert((tp, batch.producer_id), refused);
    }

    /// The producer is known to `tp` from here on, which judges its order by itself.
    pub(super) fn forget(&mut self, tp: TopicPartition, producer_id: i64) {
        if !self.by_producer.is_empty() {
            self.by_producer.remove(&(tp, producer_id));
        }
    }

    /// Forgets the producers that have not tried again for so long that they never will.
    pub(super) fn expire(&mut self, now_ms: u64) {
        self.by_producer
            .retain(|_, refused| is_recent(now_ms, refused.at_ms));
        if self.by_producer.is_empty() {
            self.by_producer.shrink_to_fit();
        }
        // It does not begin again at once: who was kept out gets in meanwhile.
        let is_over = |at: u64| now_ms.saturating_sub(at) >= 2 * PRODUCER_REFUSED_MS_MAX;
        if self.by_producer.len() < REFUSED_PRODUCERS_MAX
            && self.overflowed_at_ms.is_some_and(is_over)
        {
            self.overflowed_at_ms = None;
        }
    }
}

fn is_recent(now_ms: u64, at_ms: u64) -> bool {
    now_ms.saturating_sub(at_ms) < PRODUCER_REFUSED_MS_MAX
}

/// Whether `sequence` comes after `first`; 0 follows `i32::MAX`, so what is more than half
/// the way round is before it.
fn is_behind(sequence: i32, first: i32) -> bool {
    let ahead = sequence.wrapping_sub(first) & i32::MAX;
    (1..=i32::MAX / 2).contains(&ahead)
}

#[cfg(test)]
mod tests;

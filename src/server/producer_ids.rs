//! Producer ids, which must never be given out twice: each core counts for itself, and
//! the number of the start, which is on disk before any shard runs, keeps the ids of
//! earlier runs apart. So an id costs no I/O and no message to another core.

use std::cell::Cell;

use crate::base::ShardId;
use crate::base::limits::SHARDS_MAX;

/// Widths of an id's parts, from the top: the sign bit, which stays 0, the number of the
/// start, the shard, the count. A part that runs over begins anew: after a million starts,
/// or after 8.6 billion ids of one shard in one run, which takes a day at 100,000 ids per
/// second. Partitions have forgotten the producers of so long ago.
const START_BITS: u32 = 20;
/// See [`START_BITS`].
const SHARD_BITS: u32 = 10;
/// See [`START_BITS`].
const COUNT_BITS: u32 = 33;

const _: () = assert!(1 + START_BITS + SHARD_BITS + COUNT_BITS == 64);
const _: () = assert!(SHARDS_MAX as u32 <= 1 << SHARD_BITS);

/// The producer ids of one core.
#[derive(Debug)]
pub struct ProducerIds {
    first: i64,
    count: Cell<i64>,
}

impl ProducerIds {
    /// Ids of start number `start` on `shard`.
    pub fn new(start: i32, shard: ShardId) -> Self {
        let start = i64::from(start) & low_bits(START_BITS);
        let first = start << (SHARD_BITS + COUNT_BITS) | i64::from(shard.0) << COUNT_BITS;
        ProducerIds {
            first,
            count: Cell::new(0),
        }
    }

    /// An id that was not given out before.
    pub fn next(&self) -> i64 {
        let count = self.count.get();
        self.count.set((count + 1) & low_bits(COUNT_BITS));
        self.first | count
    }
}

const fn low_bits(count: u32) -> i64 {
    (1 << count) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn starts_shards_and_counts_do_not_meet() {
        let mut seen = BTreeSet::new();
        for start in [1, 2, 3, (1 << START_BITS) - 1] {
            for shard in [0, 1, SHARDS_MAX - 1] {
                let ids = ProducerIds::new(start, ShardId(shard));
                for _ in 0..100 {
                    let id = ids.next();
                    assert!(id > 0, "{id}");
                    assert!(seen.insert(id), "{id} twice");
                }
            }
        }
    }

    #[test]
    fn parts_that_run_over_begin_anew_within_their_bits() {
        let ids = ProducerIds::new(1, ShardId(1));
        let first = ids.next();
        ids.count.set(low_bits(COUNT_BITS));
        assert_eq!(ids.next(), first + low_bits(COUNT_BITS));
        assert_eq!(ids.next(), first);
        let later = ProducerIds::new(1 + (1 << START_BITS), ShardId(1));
        assert_eq!(later.next(), first);
        assert!(ProducerIds::new(i32::MAX, ShardId(SHARDS_MAX - 1)).next() > 0);
    }
}

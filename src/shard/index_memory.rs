//! What the index of a shard's batches takes of its memory. It has a share of its own, and
//! beyond that takes from the tail's: a reader is slower without a tail, and nothing is found
//! without an index. Where the tail has no more to give, producers wait until something
//! expires, as they do when the disk is full.

use crate::base::limits::{INDEX_BYTES_PER_BATCH, TAIL_PARTS_KEPT_IN};

/// The memory that index and tail share, bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexMemory {
    own_bytes: usize,
    tail_bytes: usize,
}

impl IndexMemory {
    /// `own_bytes` are the index's alone; the tail may have `tail_bytes` while it needs no more.
    pub(super) fn new(own_bytes: usize, tail_bytes: usize) -> IndexMemory {
        IndexMemory {
            own_bytes,
            tail_bytes,
        }
    }

    /// What the tail may have beside the index of this many batches.
    pub(super) fn tail_bytes_max(&self, batches: u64) -> usize {
        let borrowed = index_bytes(batches).saturating_sub(self.own_bytes);
        self.tail_bytes - borrowed.min(self.lendable())
    }

    /// Whether no batch more can be indexed.
    pub(super) fn is_full(&self, batches: u64) -> bool {
        index_bytes(batches) >= self.own_bytes.saturating_add(self.lendable())
    }

    fn lendable(&self) -> usize {
        self.tail_bytes - self.tail_bytes / TAIL_PARTS_KEPT_IN
    }
}

fn index_bytes(batches: u64) -> usize {
    usize::try_from(batches)
        .unwrap_or(usize::MAX)
        .saturating_mul(INDEX_BYTES_PER_BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::tests::{Bench, NOW, TP, batch, config};
    use crate::shard::{Blocked, ShardConfig};

    #[test]
    fn the_index_borrows_from_the_tail_up_to_a_bound() {
        let batches = |n: u64| n * 1000;
        let kb = INDEX_BYTES_PER_BATCH * 1000;
        let memory = IndexMemory::new(100 * kb, 800 * kb);
        for (used, tail, full) in [
            (0, 800, false),
            (100, 800, false),
            (101, 799, false),
            (799, 101, false),
            (800, 100, true),
            (5000, 100, true),
        ] {
            assert_eq!(memory.tail_bytes_max(batches(used)), tail * kb, "{used}");
            assert_eq!(memory.is_full(batches(used)), full, "{used}");
        }
        assert!(memory.is_full(u64::MAX));
    }

    #[test]
    fn producers_wait_when_the_index_is_full_and_go_on_when_something_is_deleted() {
        let mut bench = Bench::new(ShardConfig {
            index_bytes: 3 * INDEX_BYTES_PER_BATCH,
            ..config()
        });
        for expected in 0..3 {
            assert_eq!(bench.append(b"value"), expected);
        }
        let append = |bench: &mut Bench| bench.shard.append(NOW, TP, &batch(b"value"));
        assert_eq!(append(&mut bench).unwrap_err(), Blocked::Full);
        let message = bench.shard.no_room().message.unwrap_or_default();
        assert!(message.contains("--memory"), "{message}");
        bench.shard.delete_records(TP, 1).unwrap().unwrap();
        bench.drain();
        assert_eq!(bench.append(b"value"), 3, "there is room again");
        assert_eq!(append(&mut bench).unwrap_err(), Blocked::Full);
    }
}

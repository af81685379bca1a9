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
    use bytes::Bytes;

    use super::*;
    use crate::base::limits::WAL_SEGMENT_BYTES_MIN;
    use crate::base::{LogConfig, Now, ShardId, TopicId, TopicPartition};
    use crate::catalog::BrokerDefaults;
    use crate::kafka::record::BatchBuilder;
    use crate::shard::{Assembly, Blocked, Shard, ShardConfig};
    use crate::wal::{Recovered, SegmentWork, WalConfig};

    const NOW: Now = Now {
        wall_ms: 0,
        mono_ms: 0,
    };
    const TP: TopicPartition = TopicPartition {
        topic: TopicId([1; 16]),
        partition: 0,
    };

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

    /// A shard with one partition and an index for as many batches as these bytes hold.
    fn shard(index_bytes: usize) -> Shard {
        let config = ShardConfig {
            id: ShardId(0),
            shards: 1,
            leader_epoch: 1,
            index_bytes,
            tail_bytes: 0,
            read_ahead_bytes: 0,
            producer_expiration_ms: 1000,
            groups: crate::group::GroupConfig::default(),
        };
        let recovered = Assembly::default().finish(BrokerDefaults::default(), NOW, &[config]);
        let segment_bytes = WAL_SEGMENT_BYTES_MIN as u32;
        let wal_config = WalConfig {
            wal: 0,
            segment_bytes,
            disk_bytes_max: 4 * u64::from(segment_bytes),
            run_seed: 1,
        };
        let recovered = recovered.unwrap().remove(0);
        let mut shard = recovered
            .open(wal_config, Recovered::fresh(0), Vec::new())
            .unwrap();
        shard.create_partition(TP, LogConfig::default());
        drain(&mut shard);
        shard
    }

    /// Carries out all work on a disk that does what it is told.
    fn drain(shard: &mut Shard) {
        while let Some((wal, work)) = shard.poll_segment() {
            match work {
                SegmentWork::Prepare { slot, .. } => shard.on_prepared(slot),
                SegmentWork::WriteHeader { slot, .. } => shard.on_header_written(slot),
                SegmentWork::WriteManifest { .. } => shard.on_manifest_written(wal),
                SegmentWork::Shorten { slot, .. } => shard.on_shortened(wal, slot),
                SegmentWork::Delete { slot } => shard.on_deleted(wal, slot),
            }
        }
        while let Some(plan) = shard.poll_write() {
            let mut block = vec![0; plan.bytes];
            plan.copy_to(&mut block);
            shard.on_written(NOW, plan.lsn, Bytes::from(block));
        }
    }

    #[test]
    fn producers_wait_when_the_index_is_full_and_go_on_when_something_is_deleted() {
        let mut shard = shard(3 * INDEX_BYTES_PER_BATCH);
        let batch = BatchBuilder::new(0).record(0, None, Some(b"value")).build();
        for expected in 0..3 {
            let appended = shard.append(NOW, TP, &batch).expect("there is room");
            assert_eq!(appended.result.base_offset, expected);
            drain(&mut shard);
        }
        assert_eq!(shard.append(NOW, TP, &batch).unwrap_err(), Blocked::Full);
        let message = shard.no_room().message.unwrap_or_default();
        assert!(message.contains("--memory"), "{message}");
        shard.delete_records(TP, 1).unwrap().unwrap();
        drain(&mut shard);
        let appended = shard.append(NOW, TP, &batch).expect("there is room again");
        assert_eq!(appended.result.base_offset, 3);
        drain(&mut shard);
        assert_eq!(shard.append(NOW, TP, &batch).unwrap_err(), Blocked::Full);
    }
}

//! Who reads on where it stopped gets what follows read ahead: one block at first, twice as
//! many each time it comes back.

use std::collections::HashMap;

use super::plan::plan_read;
use crate::base::TopicPartition;
use crate::base::limits::{
    COLD_READER_IDLE_MS, COLD_READERS_MAX, OBJECT_MARK_BYTES, STORE_GET_BYTES_MAX,
};
use crate::object::manifest::{Block, PartitionMap};

/// Most blocks read ahead for one reader: those of one large request.
pub const READ_AHEAD_BLOCKS_MAX: usize = (STORE_GET_BYTES_MAX / OBJECT_MARK_BYTES) as usize;

/// The places at which consumers are expected who read from the store.
#[derive(Default, Debug)]
pub struct StoreReaders {
    expected: HashMap<(TopicPartition, i64), Expected>,
}

#[derive(Clone, Copy, Debug)]
struct Expected {
    blocks: usize,
    since_ms: u64,
}

impl StoreReaders {
    /// Somebody has read a partition from `offset` to `next`; gives what to read ahead.
    pub fn on_read(
        &mut self,
        now_ms: u64,
        tp: TopicPartition,
        map: &PartitionMap,
        offset: i64,
        next: i64,
    ) -> Vec<Block> {
        let before = self.expected.remove(&(tp, offset));
        let before = before.filter(|e| now_ms.saturating_sub(e.since_ms) <= COLD_READER_IDLE_MS);
        if next >= map.end() || next <= offset {
            return Vec::new();
        }
        if self.expected.len() >= COLD_READERS_MAX {
            self.expire(now_ms);
        }
        // The first time nobody knows whether it will come back.
        let blocks = before.map_or(0, |e| (e.blocks * 2).clamp(1, READ_AHEAD_BLOCKS_MAX));
        if self.expected.len() < COLD_READERS_MAX {
            self.expected.insert(
                (tp, next),
                Expected {
                    blocks,
                    since_ms: now_ms,
                },
            );
        }
        if blocks == 0 {
            return Vec::new();
        }
        let mut plan = plan_read(map, next, u64::from(STORE_GET_BYTES_MAX));
        plan.blocks.truncate(blocks);
        plan.blocks
    }

    /// Forgets who has not come back.
    pub fn expire(&mut self, now_ms: u64) {
        self.expected
            .retain(|_, e| now_ms.saturating_sub(e.since_ms) <= COLD_READER_IDLE_MS);
    }

    /// How many are expected.
    pub fn len(&self) -> usize {
        self.expected.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.expected.is_empty()
    }
}

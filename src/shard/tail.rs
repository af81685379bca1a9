//! Which WAL blocks are still in memory: the tail cache's order and budget. The
//! partitions hold slices of these blocks; this queue decides whose go first.

use std::collections::VecDeque;

use crate::base::TopicPartition;

/// The blocks of one shard's tail, oldest first.
#[derive(Debug)]
pub struct TailQueue {
    blocks: VecDeque<TailBlock>,
    bytes: usize,
    bytes_max: usize,
}

/// One block in memory and the last offset that it holds of each partition.
#[derive(Debug)]
pub struct TailBlock {
    /// Memory that goes when the block goes.
    pub bytes: usize,
    /// The partitions in it, each with the offset after its last batch in the block.
    pub ends: Vec<(TopicPartition, i64)>,
}

impl TailQueue {
    /// An empty tail of at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        TailQueue {
            blocks: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Adds the newest block.
    pub fn push(&mut self, block: TailBlock) {
        self.bytes += block.bytes;
        self.blocks.push_back(block);
    }

    /// The next block to let go of while the budget is passed. Blocks are dropped
    /// oldest first, so each partition loses a prefix of its tail.
    pub fn poll_evict(&mut self) -> Option<TailBlock> {
        if self.bytes <= self.bytes_max {
            return None;
        }
        let block = self.blocks.pop_front()?;
        self.bytes -= block.bytes;
        Some(block)
    }
}

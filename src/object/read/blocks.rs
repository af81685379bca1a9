//! Blocks in memory: everybody who wants the same one waits for one request, and what was
//! read is kept as long as the budget allows, the longest unused going first.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use crate::object::manifest::Block;

/// What becomes of a wish for a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Want {
    /// It is here.
    Have(Bytes),
    /// It is being read already: wait to be named by [`BlockCache::on_read`].
    Wait,
    /// Read it, and report it; then wait likewise.
    Read,
    /// Nothing more can be read now, for nobody waits for it yet.
    NotNow,
}

/// The blocks of one shard, of all its partitions.
#[derive(Debug)]
pub struct BlockCache {
    budget: usize,
    /// Bytes of blocks that are kept, and of those that are being read.
    bytes: usize,
    /// Those of blocks that are being read.
    reading: usize,
    blocks: HashMap<Block, State>,
    /// Kept blocks by when they were used last.
    used: BTreeMap<u64, Block>,
    clock: u64,
}

#[derive(Debug)]
enum State {
    Reading { waiters: Vec<u64> },
    Kept { bytes: Bytes, used: u64 },
}

impl BlockCache {
    /// Empty. `budget` is in bytes (`--read-cache`).
    pub fn new(budget: usize) -> BlockCache {
        BlockCache {
            budget,
            bytes: 0,
            reading: 0,
            blocks: HashMap::new(),
            used: BTreeMap::new(),
            clock: 0,
        }
    }

    /// `waiter` wants a block: with `None` it is to be read ahead, for which there must be room
    /// that no block under way has. A wish of somebody who waits is never refused.
    pub fn want(&mut self, block: Block, waiter: Option<u64>) -> Want {
        match self.blocks.get_mut(&block) {
            Some(State::Kept { bytes, used }) => {
                let bytes = bytes.clone();
                self.used.remove(used);
                self.clock += 1;
                *used = self.clock;
                self.used.insert(self.clock, block);
                return Want::Have(bytes);
            }
            Some(State::Reading { waiters }) => {
                waiters.extend(waiter);
                return Want::Wait;
            }
            None => {}
        }
        let size = block.bytes as usize;
        if waiter.is_none() && self.reading + size > self.budget {
            return Want::NotNow;
        }
        self.bytes += size;
        self.reading += size;
        self.evict();
        let waiters = waiter.into_iter().collect();
        self.blocks.insert(block, State::Reading { waiters });
        Want::Read
    }

    /// A read has ended; `None` if it failed, or gave something else than was put. Gives who
    /// waits for it: to whom the bytes are to be handed, which may be too many to be kept. They
    /// must have been verified.
    pub fn on_read(&mut self, block: Block, read: Option<Bytes>) -> Vec<u64> {
        let Some(State::Reading { waiters }) = self.blocks.remove(&block) else {
            return Vec::new();
        };
        self.reading -= block.bytes as usize;
        match read {
            Some(bytes) => {
                self.clock += 1;
                let used = self.clock;
                self.used.insert(used, block);
                self.blocks.insert(block, State::Kept { bytes, used });
                self.evict();
            }
            None => self.bytes -= block.bytes as usize,
        }
        waiters
    }

    /// A waiter has gone away. The read goes on, for others may want it.
    pub fn on_gone(&mut self, block: Block, waiter: u64) {
        if let Some(State::Reading { waiters }) = self.blocks.get_mut(&block) {
            waiters.retain(|other| *other != waiter);
        }
    }

    fn evict(&mut self) {
        while self.bytes > self.budget
            && let Some((_, block)) = self.used.pop_first()
        {
            self.blocks.remove(&block);
            self.bytes -= block.bytes as usize;
        }
    }

    /// Bytes of blocks that are kept or being read.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

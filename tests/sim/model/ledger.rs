//! What the WALs were asked to write and what is on the disk by now: durability as the disk
//! sees it, whatever the broker believes.

use std::collections::BTreeMap;

use corelane::base::{Lsn, SegmentId};

/// One block.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    pub segment: SegmentId,
    pub slot: u32,
    pub offset: u32,
    pub bytes: usize,
    /// What the block says is durable.
    pub attests: Lsn,
    pub written: bool,
}

/// The blocks of one WAL.
#[derive(Default, Debug)]
pub struct Ledger {
    blocks: BTreeMap<Lsn, Block>,
    durable: Lsn,
    /// The highest LSN that something on the disk attests.
    attested: Lsn,
}

impl Ledger {
    /// Everything up to here is on the disk.
    pub fn durable(&self) -> Lsn {
        self.durable
    }

    /// A block is about to be written.
    pub fn on_sent(&mut self, lsn: Lsn, block: Block) {
        assert!(
            block.attests <= self.durable,
            "block {lsn:?} says that {:?} is durable, the disk has {:?}",
            block.attests,
            self.durable
        );
        let before = self.blocks.insert(lsn, block);
        assert!(before.is_none(), "block {lsn:?} is written twice");
    }

    /// It is on the disk.
    pub fn on_written(&mut self, lsn: Lsn) {
        let block = self.blocks.get_mut(&lsn).expect("a block that was sent");
        block.written = true;
        self.attested = self.attested.max(block.attests);
        while self
            .blocks
            .get(&self.durable.next())
            .is_some_and(|block| block.written)
        {
            self.durable = self.durable.next();
        }
    }

    /// A manifest that is on the disk says that this is durable.
    pub fn on_manifest(&mut self, durable: Lsn) {
        assert!(durable <= self.durable, "a manifest attests too much");
        self.attested = self.attested.max(durable);
    }

    /// A start found everything before `next`.
    pub fn on_recovered(&mut self, wal: u16, next: Lsn) {
        assert!(
            next > self.durable,
            "WAL {wal}: recovery ends at {next:?}, but {:?} was durable",
            self.durable
        );
        self.blocks.retain(|lsn, _| *lsn < next);
        for block in self.blocks.values_mut() {
            block.written = true;
        }
        self.durable = Lsn(next.0 - 1);
    }

    /// Where a block is.
    pub fn block(&self, lsn: Lsn) -> Option<&Block> {
        self.blocks.get(&lsn)
    }

    /// The blocks that something on the disk attests.
    pub fn attested(&self) -> Vec<Block> {
        let range = self.blocks.range(..=self.attested);
        range.map(|(_, block)| *block).collect()
    }
}

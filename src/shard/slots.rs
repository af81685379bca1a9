//! Which file holds which segment, as far as one shard must know: those of its own WAL to
//! write and read, those of other WALs that hold its partitions' older records to read.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::{SegmentId, ShardId};

/// The files of the segments that one shard reads and writes.
#[derive(Debug)]
pub struct SegmentSlots {
    own: u16,
    /// Of earlier starts, for all WALs.
    found: Arc<HashMap<SegmentId, u32>>,
    /// Of this one, for the own WAL.
    written: HashMap<SegmentId, u32>,
}

impl SegmentSlots {
    /// `found` is what recovery knows of all WALs.
    pub fn new(shard: ShardId, found: Arc<HashMap<SegmentId, u32>>) -> SegmentSlots {
        SegmentSlots {
            own: shard.0,
            found,
            written: HashMap::new(),
        }
    }

    /// A block of `segment` goes to the file in `slot` of the own WAL.
    pub fn on_write(&mut self, segment: SegmentId, slot: u32) {
        if self.written.get(&segment) != Some(&slot) {
            // A new life of the file; what it held before was reclaimed.
            self.written.retain(|_, other| *other != slot);
            self.written.insert(segment, slot);
        }
    }

    /// The slot of the file that holds `segment`, in its WAL.
    pub fn holding(&self, segment: SegmentId) -> Option<u32> {
        let written = self.written.get(&segment);
        written.or_else(|| self.found.get(&segment)).copied()
    }

    /// Forgets a life that is over. The slot of its file, if that is another WAL's: nothing
    /// here needs it open any more.
    pub fn forget(&mut self, segment: SegmentId) -> Option<u32> {
        self.written.remove(&segment);
        let foreign = self.found.get(&segment).copied();
        foreign.filter(|_| segment.wal != self.own)
    }
}

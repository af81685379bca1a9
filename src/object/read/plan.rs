//! Which bytes of which objects a fetch needs.

use std::ops::Range;

use crate::base::limits::STORE_GET_BYTES_MAX;
use crate::object::key::ObjectId;
use crate::object::manifest::{Block, PartitionMap};

/// What to read for one partition of a fetch.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct StorePlan {
    /// The blocks, in the order of offsets; the first has the offset asked for. None if the
    /// store does not have that.
    pub blocks: Vec<Block>,
}

/// One request to the store, for neighbouring blocks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Get {
    /// The object.
    pub object: ObjectId,
    /// Which of its bytes.
    pub range: Range<u64>,
    /// Which of the blocks given are in it, in order, without a gap.
    pub blocks: Range<usize>,
}

/// Plans a read of about `bytes_max` from `offset` on: a block at least, and no block that is
/// not needed for so many bytes. How many bytes of the first block lie before `offset` is not
/// known, so a fetch may get fewer bytes than it asked for, but never nothing.
pub fn plan_read(map: &PartitionMap, offset: i64, bytes_max: u64) -> StorePlan {
    let mut plan = StorePlan::default();
    let mut bytes = 0;
    let mut next = offset;
    for extent in map.extents_from(offset) {
        // An extent may begin within the one before it.
        for block in extent.blocks_from(next) {
            if !plan.blocks.is_empty() && bytes + u64::from(block.bytes) > bytes_max {
                return plan;
            }
            bytes += u64::from(block.bytes);
            next = block.end;
            plan.blocks.push(block);
        }
    }
    plan
}

/// Joins blocks that follow each other in one object into requests of up to
/// [`STORE_GET_BYTES_MAX`], a larger single block aside. Order is kept, and every block is in
/// exactly one request.
pub fn join_blocks(blocks: &[Block]) -> Vec<Get> {
    let mut gets: Vec<Get> = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let begins = u64::from(block.position);
        let end = begins + u64::from(block.bytes);
        match gets.last_mut() {
            Some(get)
                if get.object == block.object
                    && get.range.end == begins
                    && end - get.range.start <= u64::from(STORE_GET_BYTES_MAX) =>
            {
                get.range.end = end;
                get.blocks.end = at + 1;
            }
            _ => gets.push(Get {
                object: block.object,
                range: begins..end,
                blocks: at..at + 1,
            }),
        }
    }
    gets
}

//! Reading from the store: which blocks, in which requests, for whom they are kept, and
//! what is taken out of them. What arrives is believed only after a look at every batch.

mod ahead;
mod batches;
mod blocks;
mod plan;

pub use ahead::{READ_AHEAD_BLOCKS_MAX, StoreReaders};
pub use batches::{BlockError, Taken, take_batches};
pub use blocks::{BlockCache, Want};
pub use plan::{Get, StorePlan, join_blocks, plan_read};

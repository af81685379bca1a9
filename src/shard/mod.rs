//! One core's whole mind: the only place where log, WAL and catalogue meet. Takes
//! requests as data, says what to write, read and tell whom, and is told what came
//! of it. One per core; never performs I/O, reads a clock or waits.

mod ahead;
mod append;
mod catalog_log;
mod catalog_task;
mod durable;
mod fetch;
mod fetch_shares;
mod files;
mod group_rewrite;
mod group_topics;
mod groups;
mod hold;
mod index_memory;
mod lookup;
mod own_log;
mod producer_limit;
mod readers;
mod reclaim;
mod recovery;
mod refused;
mod request;
mod segments;
mod slots;
mod state;
mod tail;
mod upkeep;
mod waiters;

pub use ahead::ReadAhead;
pub use append::{Appended, Blocked};
pub use catalog_log::CatalogChange;
pub use catalog_task::{CatalogStep, CatalogTask};
pub use fetch::FetchPlan;
pub use fetch_shares::FetchShares;
pub use group_rewrite::{GroupRewrite, GroupRewriteStep};
pub use groups::{GroupAnswer, group_partition};
pub use hold::{Hold, Wait};
pub use lookup::ListOffsetsPlan;
pub use recovery::{
    Assembly, RecoveredShard, RecoveryError, SEQUENCES_PER_START, ShardWals, deal_wals, earliest,
};
pub use request::{
    EpochEndEntry, EpochEndResult, FetchEntry, FetchRead, FetchResult, Lane, ListOffsetsEntry,
    ListOffsetsResult, ProduceEntry, ProduceResult, ProducerState, ShardReply, ShardRequest, Watch,
};
pub use slots::SegmentSlots;
pub use state::{Shard, ShardConfig};
pub use upkeep::{Due, Upkeep};
pub use waiters::WaiterId;

#[cfg(test)]
mod tests;

//! One partition's log: offsets, validation of what is appended, idempotent
//! producers, leader epochs, the index of what is durable, the tail in memory,
//! read plans, offsets by time, waiters, retention, and the checkpoint from
//! which all of it is rebuilt.
//!
//! A [`Partition`] exists on the shard that owns it and nowhere else. It never
//! performs I/O, reads a clock or logs, and it never holds a record that the
//! WAL has not been given: the shard hands it time and positions, and carries
//! out the plans it returns. Nothing here is allocated before it is needed, so
//! that ten thousand idle partitions cost a few megabytes.

mod append;
mod checkpoint;
mod chunk;
mod cold;
mod epochs;
mod error;
mod index;
mod list_offsets;
mod log;
mod producer;
mod producers;
mod read;
mod recovery;
mod retention;
mod tail;
mod timestamp_bounds;
mod validate;
mod waiters;

pub use append::{Appended, Candidate, Duplicate, Origin, Outcome, Verdict};
pub use checkpoint::CheckpointError;
pub use cold::{ColdRead, DiskRead, group_cold, verify_cold};
pub use epochs::EpochEnd;
pub use error::{AppendError, EpochError, ReadError};
pub use list_offsets::{ListTarget, Listed, OffsetAnswer, TimeScan, resolve_scan, timestamps};
pub use log::{Durable, Partition, Placed};
pub use producers::{ProducerBatch, ProducerView};
pub use read::{Piece, ReadPlan};
pub use recovery::{Recovered, Recovery, RecoveryError};
pub use retention::{Released, ReleasedSegment, SegmentUse};
pub use timestamp_bounds::BadTimestamps;

#[cfg(test)]
mod tests;

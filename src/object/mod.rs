//! The log's long-term home, without its I/O: objects that hold a chunk of each of many
//! partitions, and the manifest that says which object holds which offsets.
//! `FORMAT.md` has the bytes, the names, and what happens on dying between any two steps.
//!
//! Owns the format of objects, their names, the manifest's records and state, and the plans
//! for uploading, merging, removing and reading. A driver carries the plans out.
//!
//! What holds always:
//! - An object is written once, under a name that nobody else ever chooses.
//! - The extents of a partition follow each other without a gap, from its log start to its
//!   stored end.
//! - What the manifest says is in the store is there: an object goes after the last record of
//!   the manifest, and the last snapshot of it, that wanted it.
//!
//! It never reads a clock, performs I/O, looks into records beyond the header of a batch, or
//! knows the WAL: the shard tells it what is durable.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod format;
pub mod key;
pub mod manifest;
pub mod merge;
mod numbers;
pub mod read;
pub mod retention;
pub mod upload;

pub use key::{ClusterId, Key, ObjectId, SnapshotId};
pub use numbers::Numbers;

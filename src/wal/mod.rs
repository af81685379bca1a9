//! The write-ahead log of one shard, without its I/O: every byte a client was
//! promised is in a durable block of it. `FORMAT.md` is the format on disk.
//!
//! Owns group commit, segments and their reuse, the manifest, and recovery.
//! Each shard has one [`Wal`], on its own core; an [`AdoptedWal`] is what a
//! shard that is no more has left behind. A driver polls for work
//! (`poll_write`, `poll_segment`), performs it, and reports it back (`on_*`).
//!
//! What holds always:
//! - A block is handed out only for a life of a file that a durable manifest
//!   names, and each place of a file is written once in a life.
//! - Durability is reported in LSN order without gaps, whatever the order of
//!   completions.
//! - Nothing is given out by recovery that was not verified to the last byte,
//!   and nothing that was durable goes missing without an error.
//! - No segment is reused before its owner has given it up, the manifest
//!   without it is durable, and its last reader is done.
//!
//! It never reads a clock, never looks into records beyond the header of a
//! batch, never retries a failed write and never discards data to make room.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod adopted;
mod batcher;
mod block;
mod config;
pub mod inspect;
mod log;
mod manifest;
mod names;
mod plan;
mod record;
pub mod recovery;
mod segment;
mod segments;
mod work;

pub use adopted::AdoptedWal;
pub use batcher::{DurableBlock, DurableRecord};
pub use block::{BLOCK_HEADER_BYTES, BLOCK_MAGIC, BlockError, BlockHeader};
pub use config::{WalConfig, WalConfigError};
pub use log::{AppendError, Priority, Wal};
pub use manifest::{
    Entry, EntryContent, Life, MANIFEST_BYTES_MAX, MANIFEST_MAGIC, Manifest, ManifestError,
};
pub use names::{
    FilePath, MANIFEST_FILE, MANIFEST_TMP_FILE, WAL_ROOT_DIR, dir_name, parse_dir_name,
    parse_segment_file_name, segment_file_name,
};
pub use plan::BlockPlan;
pub use record::{BatchOffsets, RECORD_HEADER_BYTES, Record, RecordKind, decode_log_start};
pub use recovery::{
    ListedFile, ReadPlan, Recovered, RecoveredRecord, Recovery, RecoveryError, RecoveryStep,
};
pub use segment::{
    FORMAT_VERSION, SEGMENT_BYTES_FLOOR, SEGMENT_HEADER_BYTES, SEGMENT_MAGIC, SegmentHeader,
    SegmentHeaderError, is_segment_size,
};
pub use segments::ReclaimError;
pub use work::{LiveSegment, SegmentWork, WalStats};

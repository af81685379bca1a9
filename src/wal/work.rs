//! What a WAL says about its files: the work that it wants done, the segments
//! that hold blocks, and figures.

use super::segment::SEGMENT_HEADER_BYTES;
use crate::base::{Lsn, SegmentId};

/// Work on the files of one WAL, for its driver. Each is reported back when it is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SegmentWork {
    /// Create the file of `slot` anew, fill it with `bytes` zeroes, and make that and its name
    /// durable: then [`Wal::on_prepared`](super::Wal::on_prepared). Without room: [`Wal::on_prepare_failed`](super::Wal::on_prepare_failed).
    Prepare {
        /// The file's slot.
        slot: u32,
        /// The file's size.
        bytes: u32,
    },
    /// Write these 4 KiB, durably, at the start of the file of `slot`: then
    /// [`Wal::on_header_written`](super::Wal::on_header_written).
    WriteHeader {
        /// The file's slot.
        slot: u32,
        /// The header.
        bytes: Box<[u8; SEGMENT_HEADER_BYTES]>,
    },
    /// Replace the manifest by these bytes, atomically and durably (write another file, flush it,
    /// rename it, flush the directory): then [`Wal::on_manifest_written`](super::Wal::on_manifest_written). Without room for the
    /// other file: [`Wal::on_manifest_failed`](super::Wal::on_manifest_failed).
    WriteManifest {
        /// The whole manifest.
        bytes: Vec<u8>,
    },
    /// Cut the file of `slot` off behind its first `bytes` bytes, durably: then
    /// [`Wal::on_shortened`](super::Wal::on_shortened). Without the room that even this may take:
    /// [`Wal::on_shorten_failed`](super::Wal::on_shorten_failed).
    Shorten {
        /// The file's slot.
        slot: u32,
        /// The size that it is to have, at most the one that it has.
        bytes: u32,
    },
    /// Remove the file of `slot`, if there is one: then [`Wal::on_deleted`](super::Wal::on_deleted).
    Delete {
        /// The file's slot.
        slot: u32,
    },
}

/// A segment that holds blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LiveSegment {
    /// The life that holds them.
    pub id: SegmentId,
    /// The slot of its file.
    pub slot: u32,
    /// Its first LSN.
    pub first_lsn: Lsn,
    /// One past its last LSN; `None` while it takes blocks.
    pub end_lsn: Option<Lsn>,
    /// Bytes in use, its header included.
    pub bytes_used: u32,
}

/// The state of a WAL in figures, for metrics and the operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WalStats {
    /// Bytes of all its files.
    pub disk_bytes: u64,
    /// The disk budget in bytes.
    pub disk_bytes_max: u64,
    /// Segments that hold blocks.
    pub live_segments: usize,
    /// Segments ready, or nearly, to take blocks.
    pub spare_segments: usize,
    /// Files without a life.
    pub free_segments: usize,
    /// Bytes appended that are not durable yet.
    pub pending_bytes: usize,
    /// Block writes handed out and not reported back.
    pub writes_in_flight: usize,
    /// Segments that data may still roll into: below 1, data is refused.
    pub data_headroom_segments: i64,
}

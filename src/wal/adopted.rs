//! A WAL without a shard: its number is beyond the current count of shards,
//! because the broker was restarted with fewer. Its records are read like any
//! others; nothing is appended, and its segments are deleted as they are
//! reclaimed.

use super::recovery::Recovered;
use super::segments::{ReclaimError, Segments};
use super::{LiveSegment, SegmentWork, WalConfig, WalStats};
use crate::base::{Lsn, SegmentId, limits};

/// A WAL that is only emptied.
#[derive(Debug)]
pub struct AdoptedWal {
    segments: Segments,
    next_lsn: Lsn,
}

impl AdoptedWal {
    /// Takes over what recovery found in the directory of `wal`. The files of `recovered.sync`
    /// must have been flushed before.
    pub fn open(wal: u16, recovered: &Recovered) -> AdoptedWal {
        let config = WalConfig {
            wal,
            segment_bytes: limits::WAL_SEGMENT_BYTES_MIN as u32,
            disk_bytes_max: 0,
            run_seed: 0,
        };
        let segments = Segments::open(config, true, recovered);
        AdoptedWal {
            segments,
            next_lsn: recovered.next_lsn,
        }
    }

    /// The WAL's number.
    pub fn wal(&self) -> u16 {
        self.segments.config.wal
    }

    /// The next manifest to write, or file to shorten or delete; nothing else is ever asked for.
    pub fn poll_segment(&mut self) -> Option<SegmentWork> {
        self.segments.poll(self.next_lsn, Lsn(self.next_lsn.0 - 1))
    }

    /// [`SegmentWork::WriteManifest`] is done.
    pub fn on_manifest_written(&mut self) {
        self.segments.on_manifest_written();
    }

    /// [`SegmentWork::WriteManifest`] found no room; it is written again after
    /// [`retry`](Self::retry).
    pub fn on_manifest_failed(&mut self) {
        self.segments.on_manifest_failed();
    }

    /// [`SegmentWork::Shorten`] is done.
    pub fn on_shortened(&mut self, slot: u32) {
        self.segments.on_shortened(slot);
    }

    /// [`SegmentWork::Shorten`] found no room; it is tried again after [`retry`](Self::retry).
    pub fn on_shorten_failed(&mut self, slot: u32) {
        self.segments.on_shorten_failed(slot);
    }

    /// [`SegmentWork::Delete`] is done.
    pub fn on_deleted(&mut self, slot: u32) {
        self.segments.on_deleted(slot);
    }

    /// Tries again what found no room on the disk.
    pub fn retry(&mut self) {
        self.segments.retry();
    }

    /// Gives up a segment in which nothing is live; its file is deleted.
    ///
    /// # Errors
    /// See [`ReclaimError`].
    pub fn reclaim(&mut self, segment: SegmentId) -> Result<(), ReclaimError> {
        self.segments.reclaim(segment, Lsn(self.next_lsn.0 - 1))
    }

    /// As [`Wal::pin`](super::Wal::pin).
    pub fn pin(&mut self, segment: SegmentId) -> Option<u32> {
        self.segments.pin(segment)
    }

    /// As [`Wal::unpin`](super::Wal::unpin).
    ///
    /// # Panics
    /// When the slot is not pinned.
    pub fn unpin(&mut self, slot: u32) {
        self.segments.unpin(slot);
    }

    /// The segments that hold blocks, in LSN order.
    pub fn live_segments(&self) -> impl Iterator<Item = LiveSegment> + '_ {
        self.segments.live()
    }

    /// Whether no segment file is left: then the directory may go, its manifest first.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.segments.is_manifest_current()
    }

    /// The state in figures.
    pub fn stats(&self) -> WalStats {
        self.segments.stats()
    }
}

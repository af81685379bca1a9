//! Giving back what the last run left unused of the files that it was writing.
//! Every start begins a new segment, so without this each would cost a whole
//! segment of the disk budget, however little was written.
//!
//! The manifest comes first: it seals the segment and names the size that its
//! file is going to have. Only when that is durable is the file shortened, so
//! whatever the crash, a sealed segment's file has at least the size that the
//! manifest names, and one that has more is shortened by the next start. The
//! file is no segment of the configured size any more: it goes when it is
//! reclaimed, instead of having another life.

use super::Segments;
use super::slot::{Slot, State};
use crate::base::limits;
use crate::base::mark::mark;
use crate::wal::SegmentWork;
use crate::wal::recovery::RecoveredSegment;

/// The size that a recovered file is to have: never more than the manifest says already.
pub(super) fn bytes_to_keep(found: &RecoveredSegment) -> u32 {
    let unused = found.file_bytes - found.bytes_used;
    let is_wasteful = unused > found.file_bytes / limits::WAL_UNUSED_ONE_IN;
    if is_wasteful {
        found.bytes_used
    } else {
        found.file_bytes
    }
}

impl Segments {
    /// Takes over a segment with blocks.
    pub(super) fn insert_recovered(&mut self, found: &RecoveredSegment, state: State) {
        let file = Slot {
            listed_bytes: bytes_to_keep(found),
            ..Slot::new(found.found_bytes, state)
        };
        if file.bytes > file.listed_bytes {
            mark!("wal.segments.to-shorten");
            self.to_shorten.push_back(found.slot);
        }
        self.insert_file(found.slot, file);
    }

    /// The next file to shorten, once this run has a durable manifest: from its first on, each
    /// names the new size. It counts as being read until that is done, so that nobody removes it
    /// meanwhile, or gives its slot to another file.
    pub(super) fn poll_shorten(&mut self) -> Option<SegmentWork> {
        if self.durable_generation == 0 || self.shortening.is_some() || self.shorten_stalled {
            return None;
        }
        while let Some(slot) = self.to_shorten.pop_front() {
            let Some(file) = self.slots.get_mut(&slot) else {
                continue;
            };
            // One that was given up meanwhile goes as it is.
            let is_live = matches!(file.state, State::Sealed { .. });
            if is_live && file.bytes > file.listed_bytes {
                file.pins += 1;
                self.shortening = Some(slot);
                let bytes = file.listed_bytes;
                return Some(SegmentWork::Shorten { slot, bytes });
            }
        }
        None
    }

    /// The file in `slot` has the size that was asked for, durably.
    pub fn on_shortened(&mut self, slot: u32) {
        self.end_shortening(slot);
        self.change(slot, |file| {
            file.bytes = file.listed_bytes;
            file.is_stuck = false;
        });
        self.unpin(slot);
    }

    /// The disk has no room for what shortening the file in `slot` takes. It counts as long as it
    /// was until it is done, and so do those that wait behind it.
    pub fn on_shorten_failed(&mut self, slot: u32) {
        mark!("wal.segments.shorten-failed");
        self.end_shortening(slot);
        self.to_shorten.push_back(slot);
        for slot in self.to_shorten.clone() {
            self.change(slot, |file| file.is_stuck = true);
        }
        self.shorten_stalled = true;
        self.unpin(slot);
    }

    fn end_shortening(&mut self, slot: u32) {
        let ended = self.shortening.take();
        assert_eq!(ended, Some(slot), "another file is being shortened");
    }
}

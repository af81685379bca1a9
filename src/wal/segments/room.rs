//! How much room the disk budget leaves, counted in segments. The counts
//! follow every change of a file's state, so asking costs nothing.

use super::slot::{Slot, State};
use crate::base::limits;
use crate::base::mark::mark;
use crate::wal::{Priority, WalConfig, WalStats};

/// Segments that a WAL can get hold of when it is opened, whatever its budget: one to write to and
/// the reserve.
pub(super) const SEGMENTS_AT_OPEN: usize = 1 + limits::WAL_RESERVE_SEGMENTS;

/// The files of one WAL, counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Room {
    /// Spares: ready, or waiting for a manifest or a header only.
    pub claimed: i64,
    /// Files that may be claimed as they are.
    pub free: i64,
    /// Files being created.
    pub filling: i64,
    /// Segments with blocks.
    live: i64,
    /// Reclaimed files of the right size.
    reclaimed: i64,
    files: i64,
    /// Bytes of all files.
    bytes: i64,
    /// Bytes of the files that are neither reclaimed nor on their way out, each as it will be
    /// once it is shortened.
    staying_bytes: i64,
    budget: i64,
    segment_bytes: i64,
    /// Bytes over the budget that this run may use, so that even a WAL whose budget is used up
    /// can write the records that free space.
    overdraft: i64,
    /// Spares, free files, and those that are about to be.
    obtainable: i64,
    /// Files that the budget has room for; negative when there are too many already.
    creatable: i64,
    /// The same with what may be overdrawn.
    creatable_overdrawn: i64,
}

impl Room {
    /// The room of a WAL without files.
    pub fn new(config: &WalConfig) -> Room {
        Room {
            claimed: 0,
            free: 0,
            filling: 0,
            live: 0,
            reclaimed: 0,
            files: 0,
            bytes: 0,
            staying_bytes: 0,
            budget: i64::try_from(config.disk_bytes_max).unwrap_or(i64::MAX / 2),
            segment_bytes: i64::from(config.segment_bytes),
            overdraft: 0,
            obtainable: 0,
            creatable: 0,
            creatable_overdrawn: 0,
        }
    }

    /// Lets the broker's own records get hold of `segments` more, over the budget if they must:
    /// what frees space is itself a record.
    pub fn overdraw(&mut self, segments: usize) {
        self.conclude();
        let missing = segments as i64 - self.obtainable - self.creatable.max(0);
        let overdrawn = (self.lasting_bytes() - self.budget).max(0);
        if missing > 0 {
            mark!("wal.segments.overdrawn");
            let wanted = overdrawn + missing * self.segment_bytes;
            self.overdraft = self.overdraft.max(wanted);
        } else if overdrawn == 0 {
            self.overdraft = 0;
        }
        self.conclude();
    }

    /// A file is there, or is in another state than before.
    pub fn add(&mut self, file: &Slot) {
        self.count(file, 1);
    }

    /// A file is gone, or about to be in another state.
    pub fn remove(&mut self, file: &Slot) {
        self.count(file, -1);
    }

    fn count(&mut self, file: &Slot, by: i64) {
        let (count, stays) = match file.state {
            State::Filling => (Some(&mut self.filling), true),
            State::Free => (Some(&mut self.free), true),
            State::Listing { .. } | State::Heading { .. } | State::Ready { .. } => {
                (Some(&mut self.claimed), true)
            }
            State::Active { .. } | State::Sealed { .. } => (Some(&mut self.live), true),
            State::Reclaimed { .. } if file.is_of(self.segment_bytes as u32) => {
                (Some(&mut self.reclaimed), false)
            }
            State::Reclaimed { .. } | State::Deleting => (None, false),
        };
        if let Some(count) = count {
            *count += by;
        }
        self.files += by;
        self.bytes += i64::from(file.bytes) * by;
        if stays {
            self.staying_bytes += i64::from(file.lasting_bytes()) * by;
        }
        self.conclude();
    }

    /// What follows from the counts. Every append asks for it, so it is ready.
    fn conclude(&mut self) {
        self.obtainable = self.claimed + self.free + self.filling + self.keepable();
        self.creatable = self.creatable_within(self.budget);
        self.creatable_overdrawn = self.creatable_within(self.budget + self.overdraft);
    }

    /// Reclaimed files of the right size that the budget allows to be kept for another life. The
    /// others are deleted.
    pub fn keepable(&self) -> i64 {
        let room = (self.budget - self.staying_bytes).max(0) / self.segment_bytes;
        self.reclaimed.min(room)
    }

    /// Bytes of all files that are to stay.
    fn lasting_bytes(&self) -> i64 {
        self.staying_bytes + self.keepable() * self.segment_bytes
    }

    fn creatable_within(&self, budget: i64) -> i64 {
        let slots_left = limits::WAL_SEGMENTS_MAX as i64 - self.files;
        let fitting = (budget - self.lasting_bytes()).div_euclid(self.segment_bytes);
        fitting.min(slots_left)
    }

    /// Whether one more file may be created.
    pub fn may_create(&self) -> bool {
        self.files < limits::WAL_SEGMENTS_MAX as i64
            && self.bytes + self.segment_bytes <= self.budget + self.overdraft
    }

    /// Segments that records of this priority may still roll into, or that they could once they
    /// are created, unless creation is `stalled`. The broker's own records may use what was
    /// overdrawn at the start, data may not.
    pub fn headroom(&self, priority: Priority, stalled: bool) -> i64 {
        let creatable = match priority {
            Priority::Data => self.creatable,
            Priority::Internal => self.creatable_overdrawn.max(0),
        };
        let coming = if stalled { creatable.min(0) } else { creatable };
        self.obtainable + coming
    }

    /// What concerns files in the figures of the WAL.
    pub fn stats(&self) -> WalStats {
        WalStats {
            disk_bytes: self.bytes as u64,
            disk_bytes_max: self.budget as u64,
            live_segments: self.live as usize,
            spare_segments: self.claimed as usize,
            free_segments: self.free as usize,
            ..WalStats::default()
        }
    }
}

//! How much room the disk budget leaves, counted in segments.

use super::Priority;
use super::segments::{Segments, State};
use crate::base::limits;

/// The files of one WAL, counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Room {
    /// Spares: ready, or waiting for a manifest or a header only.
    pub claimed: usize,
    /// Files that may be claimed as they are.
    pub free: usize,
    /// Segments with blocks.
    pub live: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes over the budget that this run may use, so that even a WAL whose budget is used up
    /// can write the records that free space.
    overdraft: u64,
    budget: u64,
    segment_bytes: u64,
    files: usize,
    /// Spares, free files, and those that are about to be.
    obtainable: i64,
    /// Bytes of all files that are not about to be deleted.
    lasting_bytes: u64,
    stalled: bool,
}

impl Room {
    /// The room of a WAL that has just been opened: an active segment and the reserve must be
    /// obtainable, whatever the budget says.
    pub fn at_open(segments: &Segments) -> Room {
        let room = Room::default().recounted(segments);
        let wanted = 1 + limits::WAL_RESERVE_SEGMENTS as i64;
        let missing = wanted - room.obtainable - room.creatable(room.budget).max(0);
        let overdrawn = room.lasting_bytes.saturating_sub(room.budget);
        let bytes = u64::try_from(missing).unwrap_or(0) * room.segment_bytes;
        Room {
            overdraft: if bytes > 0 { bytes + overdrawn } else { 0 },
            ..room
        }
    }

    /// The same budget with the files counted again.
    pub fn recounted(&self, segments: &Segments) -> Room {
        let size = segments.config.segment_bytes;
        let mut room = Room {
            overdraft: self.overdraft,
            budget: segments.config.disk_bytes_max,
            segment_bytes: u64::from(size),
            files: segments.slots.len(),
            stalled: segments.is_fill_stalled(),
            ..Room::default()
        };
        for file in segments.slots.values() {
            let bytes = u64::from(file.bytes);
            room.bytes += bytes;
            room.lasting_bytes += bytes;
            match file.state {
                State::Listing { .. } | State::Heading { .. } | State::Ready { .. } => {
                    room.claimed += 1;
                }
                State::Free => room.free += 1,
                State::Active { .. } | State::Sealed { .. } => room.live += 1,
                State::Filling => room.obtainable += 1,
                State::Reclaimed { .. } if file.bytes == size => room.obtainable += 1,
                State::Reclaimed { .. } | State::Deleting { .. } => room.lasting_bytes -= bytes,
            }
        }
        room.obtainable += (room.claimed + room.free) as i64;
        room
    }

    /// Whether one more file may be created.
    pub fn may_create(&self) -> bool {
        self.files < limits::WAL_SEGMENTS_MAX
            && self.bytes + self.segment_bytes <= self.budget + self.overdraft
    }

    /// Whether a reclaimed file is kept: not while there are more than the budget allows.
    pub fn may_recycle(&self) -> bool {
        self.lasting_bytes <= self.budget + self.overdraft
    }

    /// Segments that records of this priority may still roll into. The broker's own may use what
    /// was overdrawn at the start, data may not.
    pub fn headroom(&self, priority: Priority) -> i64 {
        let creatable = match priority {
            Priority::Data => self.creatable(self.budget),
            Priority::Internal => self.creatable(self.budget + self.overdraft).max(0),
        };
        self.obtainable
            + if self.stalled {
                creatable.min(0)
            } else {
                creatable
            }
    }

    /// Files that this budget has room for; negative when there are too many already.
    fn creatable(&self, budget: u64) -> i64 {
        let slots_left =
            (limits::WAL_SEGMENTS_MAX - self.files.min(limits::WAL_SEGMENTS_MAX)) as i64;
        let bytes_left = budget as i64 - self.lasting_bytes as i64;
        bytes_left
            .div_euclid(self.segment_bytes as i64)
            .min(slots_left)
    }
}

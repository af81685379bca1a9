//! One segment file, and what holds for it now.

use thiserror::Error;

use crate::base::{Lsn, SegmentId};
use crate::wal::manifest::Life;

/// What holds for a file now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::wal) enum State {
    /// Being created and zero-filled; in no manifest.
    Filling,
    /// Holds nothing and may have a new life.
    Free,
    /// Waits for the manifest to be durable that names its life.
    Listing { life: Life },
    /// Waits for its header to be durable.
    Heading { life: Life },
    /// A spare: may become active at once.
    Ready { life: Life },
    /// Takes the blocks.
    Active { life: Life, first_lsn: Lsn },
    /// Full, or of an earlier run.
    Sealed {
        life: Life,
        first_lsn: Lsn,
        end_lsn: Lsn,
        bytes_used: u32,
    },
    /// Given up. Waits for the manifest of this generation, and for its readers.
    Reclaimed { generation: u64 },
    /// Waits for its removal.
    Deleting,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::wal) struct Slot {
    /// Bytes that the file has.
    pub bytes: u32,
    /// Bytes that the manifest says it has: fewer while it is to be shortened.
    pub listed_bytes: u32,
    /// Its shortening found no room on the disk, and nobody knows when it will.
    pub is_stuck: bool,
    pub pins: u32,
    pub state: State,
}

impl Slot {
    /// A file that is as large as the manifest says.
    pub fn new(bytes: u32, state: State) -> Slot {
        Slot {
            bytes,
            listed_bytes: bytes,
            is_stuck: false,
            pins: 0,
            state,
        }
    }

    /// Bytes that it goes on having as long as it holds what it holds.
    pub fn lasting_bytes(&self) -> u32 {
        if self.is_stuck {
            self.bytes
        } else {
            self.listed_bytes
        }
    }

    /// Whether it has this size and is to keep it, so that it can have another life.
    pub fn is_of(&self, segment_bytes: u32) -> bool {
        self.bytes == segment_bytes && self.listed_bytes == segment_bytes
    }
}

/// The segment that takes the blocks, and where its next block begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::wal) struct Active {
    pub id: SegmentId,
    pub slot: u32,
    pub incarnation: u64,
    pub file_bytes: u32,
    pub next_offset: u32,
}

/// A segment that may become active at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::wal) struct Spare {
    pub slot: u32,
    pub life: Life,
    pub file_bytes: u32,
}

/// Why a segment cannot be reclaimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReclaimError {
    /// No live segment has this identity: never, or no more.
    #[error("no live segment has this identity")]
    Unknown,
    /// It still takes blocks, or some of its blocks are not durable yet.
    #[error("the segment is in use")]
    InUse,
}

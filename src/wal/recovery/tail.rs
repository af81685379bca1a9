//! The end of the log: where the first block is missing, and whether that is
//! the tail of a crash or damage.

use super::error::RecoveryError;
use super::found::Cut;
use crate::base::Lsn;
use crate::base::mark::mark;
use crate::wal::block::BlockError;
use crate::wal::names::FilePath;

/// What is known about the end of the log so far.
#[derive(Debug)]
pub(super) struct Tail {
    /// The highest LSN that a block or the manifest attests to be durable.
    durable: Lsn,
    hole: Option<Hole>,
    /// Blocks that are there but do not follow.
    void_blocks: u64,
    /// Whether anything but leftovers of earlier lives lies behind the last block.
    has_remains: bool,
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    slot: u32,
    offset: u32,
    error: BlockError,
    /// Whether this is the first place where the missing block could be, at the end of one
    /// segment, and the start of the next is the second.
    is_at_end: bool,
}

impl Tail {
    pub fn new(durable: Lsn) -> Tail {
        Tail {
            durable,
            hole: None,
            void_blocks: 0,
            has_remains: false,
        }
    }

    pub fn durable(&self) -> Lsn {
        self.durable
    }

    /// An intact header says that everything up to `durable` was durable.
    pub fn attest(&mut self, durable: Lsn) {
        self.durable = self.durable.max(durable);
    }

    pub fn count_void(&mut self) {
        mark!("wal.recovery.void-block");
        self.void_blocks += 1;
    }

    /// The next file begins.
    pub fn enter(&mut self) {
        if let Some(hole) = &mut self.hole {
            hole.is_at_end = self.void_blocks == 0;
        }
    }

    /// Whether the expected block is taken where it was found: straight behind the one before, or
    /// as the first of a segment, since the one before may have been the last that fitted.
    pub fn may_continue(&self, is_first: bool) -> bool {
        self.hole.is_none() || (is_first && self.void_blocks == 0)
    }

    /// The expected block was found.
    pub fn continued(&mut self) {
        self.hole = None;
        self.has_remains = false;
    }

    /// The expected block is not at this place.
    pub fn miss(&mut self, slot: u32, offset: u32, error: BlockError) {
        let never_written = matches!(error, BlockError::Absent | BlockError::Stale);
        self.has_remains |= !never_written;
        let here = Hole {
            slot,
            offset,
            error,
            is_at_end: false,
        };
        match &mut self.hole {
            None => {
                mark!("wal.recovery.hole");
                self.hole = Some(here);
            }
            // The missing block was the first of this segment rather than one more of the last.
            Some(hole) if hole.is_at_end => {
                mark!("wal.recovery.hole-between-segments");
                let moves = matches!(hole.error, BlockError::Absent | BlockError::Stale);
                hole.is_at_end = false;
                if moves && !never_written {
                    mark!("wal.recovery.hole-moves-to-next-segment");
                    *hole = here;
                }
            }
            Some(_) => {}
        }
    }

    /// Everything has been read and `expected` is the LSN after the last block that follows.
    pub fn check(&self, wal: u16, expected: Lsn) -> Result<(), RecoveryError> {
        if self.durable < expected {
            return Ok(());
        }
        let (slot, offset, error) = match self.hole {
            Some(hole) => (Some(hole.slot), hole.offset, hole.error),
            None => (None, 0, BlockError::Absent),
        };
        mark!("wal.recovery.hole-below-durable");
        let path = FilePath { wal, slot };
        Err(RecoveryError::Corrupt {
            path,
            offset,
            lsn: expected,
            durable: self.durable,
            error,
        })
    }

    /// Where the log was cut, if anything lies behind.
    pub fn cut(&self, lsn: Lsn) -> Option<Cut> {
        let hole = self
            .hole
            .filter(|_| self.has_remains || self.void_blocks > 0)?;
        mark!("wal.recovery.cut");
        let Hole { slot, offset, .. } = hole;
        Some(Cut {
            lsn,
            slot,
            offset,
            void_blocks: self.void_blocks,
        })
    }
}

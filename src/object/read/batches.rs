//! Taking batches out of a block that was read, uncopied, once it is known to be what
//! the manifest says.

use bytes::Bytes;
use thiserror::Error;

use crate::kafka::batch::{self, BatchHeader};
use crate::object::manifest::Block;

/// The store gave other bytes than were put there. They must never be served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BlockError {
    /// Too few or too many.
    #[error("{found} bytes of a block of {expected}")]
    Length {
        /// What the manifest says.
        expected: u32,
        /// What came.
        found: usize,
    },
    /// No batch begins here, or one of other offsets.
    #[error("byte {position} of the block: not the batch at offset {offset}")]
    Batch {
        /// Bytes from the start of the block.
        position: usize,
        /// The offset expected.
        offset: i64,
    },
    /// A batch does not match its CRC.
    #[error("byte {position} of the block: the batch at offset {offset} does not match its CRC")]
    Crc {
        /// Bytes from the start of the block.
        position: usize,
        /// Its first offset.
        offset: i64,
    },
}

/// Batches of one block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// The batches, whole, back to back.
    pub bytes: Bytes,
    /// The offset to go on from: behind the last of them.
    pub next_offset: i64,
}

/// The batches of a block from the one with `offset` on, up to `bytes_max`, but at least one
/// if `at_least_one`. All of the block is verified, so what is kept of it may be trusted.
///
/// # Errors
/// See [`BlockError`].
pub fn take_batches(
    block: &Block,
    bytes: &Bytes,
    offset: i64,
    bytes_max: usize,
    at_least_one: bool,
) -> Result<Taken, BlockError> {
    if bytes.len() != block.bytes as usize {
        return Err(BlockError::Length {
            expected: block.bytes,
            found: bytes.len(),
        });
    }
    let mut position = 0;
    let mut expected = block.base;
    let mut taken = None;
    let mut next_offset = offset;
    let mut is_full = false;
    while let Some(rest) = bytes.get(position..).filter(|rest| !rest.is_empty()) {
        let offset_here = expected;
        let wrong = BlockError::Batch {
            position,
            offset: offset_here,
        };
        let header = BatchHeader::decode(rest).map_err(|_| wrong)?;
        let whole = rest.get(..header.total_bytes()).ok_or(wrong)?;
        let end = header.last_offset().checked_add(1).ok_or(wrong)?;
        if header.base_offset != expected || end <= expected || end > block.end {
            return Err(wrong);
        }
        if !batch::crc_matches(whole) {
            let offset = expected;
            return Err(BlockError::Crc { position, offset });
        }
        expected = end;
        let after = position + whole.len();
        let begins = taken
            .as_ref()
            .map_or(position, |taken: &std::ops::Range<usize>| taken.start);
        is_full |= after - begins > bytes_max && (taken.is_some() || !at_least_one);
        if end > offset && !is_full {
            taken = Some(begins..after);
            next_offset = end;
        }
        position = after;
    }
    if expected != block.end {
        return Err(BlockError::Batch {
            position,
            offset: expected,
        });
    }
    Ok(Taken {
        bytes: bytes.slice(taken.unwrap_or(0..0)),
        next_offset,
    })
}

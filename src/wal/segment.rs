//! The first 4 KiB of a segment file: who wrote it, as which life of the file.
//!
//! Recovery goes by the manifest, which names the same life; the header is
//! there so that a file alone can be inspected, and that one put in another's
//! place is noticed.

use bytes::{Buf, BufMut};
use thiserror::Error;

use super::block;
use crate::base::{SegmentId, checksum, limits};

/// Version of everything this module puts on disk.
pub const FORMAT_VERSION: u32 = 1;
/// Bytes of the header; the first block follows.
pub const SEGMENT_HEADER_BYTES: usize = limits::WAL_ALIGN;
/// First eight bytes of every segment file in use.
pub const SEGMENT_MAGIC: [u8; 8] = *b"CLWALSEG";
/// Smallest file that can be a segment: a header and one block of the smallest size.
pub const SEGMENT_BYTES_FLOOR: u32 = 2 * limits::WAL_ALIGN as u32;

const FIELDS_BYTES: usize = 36;
const ENCODED_BYTES: usize = FIELDS_BYTES + 4;

/// What a segment file says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentHeader {
    /// The WAL and the sequence of this life.
    pub id: SegmentId,
    /// Unique to this life of the file; seeds every CRC in it.
    pub incarnation: u64,
    /// Size of the file in bytes.
    pub file_bytes: u32,
}

/// Why bytes are not the header of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SegmentHeaderError {
    /// No magic: never used, or not a segment at all.
    #[error("no segment header")]
    Absent,
    /// The CRC is wrong.
    #[error("the segment header is damaged")]
    Damaged,
    /// Written by another version of the program.
    #[error("segment format version {0}, this program reads {FORMAT_VERSION}")]
    Version(u32),
}

impl SegmentHeader {
    /// The header's 4 KiB.
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let (covered, mut rest) = bytes.split_at_mut(FIELDS_BYTES);
        let mut fields = &mut *covered;
        fields.put_slice(&SEGMENT_MAGIC);
        fields.put_u32_le(FORMAT_VERSION);
        fields.put_u32_le(u32::from(self.id.wal));
        fields.put_u64_le(self.id.sequence);
        fields.put_u64_le(self.incarnation);
        fields.put_u32_le(self.file_bytes);
        rest.put_u32_le(crc(self.incarnation, covered));
        bytes
    }

    /// Decodes the header at the start of `bytes`.
    ///
    /// # Errors
    /// See [`SegmentHeaderError`].
    pub fn decode(bytes: &[u8]) -> Result<SegmentHeader, SegmentHeaderError> {
        let bytes: &[u8; ENCODED_BYTES] = bytes.first_chunk().ok_or(SegmentHeaderError::Absent)?;
        let mut input = bytes.as_slice();
        let mut magic = [0; 8];
        input.copy_to_slice(&mut magic);
        if magic != SEGMENT_MAGIC {
            return Err(SegmentHeaderError::Absent);
        }
        let version = input.get_u32_le();
        let wal = input.get_u32_le();
        let sequence = input.get_u64_le();
        let incarnation = input.get_u64_le();
        let file_bytes = input.get_u32_le();
        if input.get_u32_le() != crc(incarnation, bytes.split_at(FIELDS_BYTES).0) {
            return Err(SegmentHeaderError::Damaged);
        }
        if version != FORMAT_VERSION {
            return Err(SegmentHeaderError::Version(version));
        }
        let wal = u16::try_from(wal).map_err(|_| SegmentHeaderError::Damaged)?;
        Ok(SegmentHeader {
            id: SegmentId { wal, sequence },
            incarnation,
            file_bytes,
        })
    }
}

fn crc(incarnation: u64, fields: &[u8]) -> u32 {
    checksum::crc32c_append(block::seed(incarnation), fields)
}

/// Whether a segment file may have this size: whole blocks, a header and at least one block, no
/// more than [`limits::WAL_SEGMENT_BYTES_MAX`].
pub fn is_segment_size(bytes: u64) -> bool {
    let (min, max) = (
        u64::from(SEGMENT_BYTES_FLOOR),
        limits::WAL_SEGMENT_BYTES_MAX as u64,
    );
    (min..=max).contains(&bytes) && bytes.is_multiple_of(limits::WAL_ALIGN as u64)
}

/// The incarnation of the life `sequence` in a run of the broker: never the same twice in one
/// run, and as unlikely to be guessed as `run_seed`.
pub(super) fn incarnation(run_seed: u64, sequence: u64) -> u64 {
    // An odd factor and a bijective finaliser (as in splitmix64): distinct for each sequence.
    let mut x = run_seed ^ sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_back_or_named() {
        let header = SegmentHeader {
            id: SegmentId {
                wal: 1023,
                sequence: 1 << 40,
            },
            incarnation: 0xdead_beef,
            file_bytes: 512 << 20,
        };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        assert_eq!(
            SegmentHeader::decode(&bytes[..39]),
            Err(SegmentHeaderError::Absent)
        );
        assert_eq!(
            SegmentHeader::decode(&[0; 4096]),
            Err(SegmentHeaderError::Absent)
        );
        for bit in 0..ENCODED_BYTES * 8 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            let named = if bit < 64 {
                SegmentHeaderError::Absent
            } else {
                SegmentHeaderError::Damaged
            };
            assert_eq!(SegmentHeader::decode(&bytes), Err(named), "bit {bit}");
        }
        let mut other = bytes;
        other[8] = 2;
        let sum = crc(header.incarnation, &other[..36]);
        other[36..40].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(
            SegmentHeader::decode(&other),
            Err(SegmentHeaderError::Version(2))
        );
    }

    #[test]
    fn sizes_are_whole_blocks_within_bounds() {
        let good = [8192, 4 << 20, 512 << 20];
        let bad = [
            0,
            4096,
            8193,
            12_000,
            (512 << 20) + 4096,
            u64::from(u32::MAX),
            1 << 40,
        ];
        assert!(good.into_iter().all(is_segment_size));
        assert!(!bad.into_iter().any(is_segment_size));
    }

    #[test]
    fn incarnations_differ() {
        let runs = [0, 1, u64::MAX];
        let all: std::collections::BTreeSet<u64> = runs
            .into_iter()
            .flat_map(|run| (1..1000).map(move |sequence| incarnation(run, sequence)))
            .collect();
        assert_eq!(all.len(), 3 * 999);
    }
}

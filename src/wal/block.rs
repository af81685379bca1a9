//! A block: the unit of writing. Its header, and the verified walk over the
//! records of one block's bytes. `FORMAT.md` has the diagrams.

use bytes::{Buf, BufMut};
use thiserror::Error;

use super::record::{self, RECORD_HEADER_BYTES, RecordHeader, RecordKind};
use crate::base::{Lsn, TopicPartition, checksum, limits};
use crate::kafka::batch::{self, BatchHeader};

/// Bytes of a block's header.
pub const BLOCK_HEADER_BYTES: usize = 44;
/// First four bytes of every block.
pub const BLOCK_MAGIC: [u8; 4] = *b"CLWB";

const CRC_AT: usize = BLOCK_HEADER_BYTES - 4;

const _: () = assert!(
    BLOCK_HEADER_BYTES + RECORD_HEADER_BYTES + limits::BATCH_BYTES_MAX
        <= limits::WAL_BLOCK_BYTES_MAX
);

/// `bytes` rounded up to the alignment of WAL writes.
pub(super) const fn align_up(bytes: usize) -> usize {
    bytes.next_multiple_of(limits::WAL_ALIGN)
}

/// The CRC state that every checksum in a life of a segment begins with, so that nothing of an
/// earlier life of the file validates.
pub(super) fn seed(incarnation: u64) -> u32 {
    checksum::crc32c(&incarnation.to_le_bytes())
}

/// The first 44 bytes of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockHeader {
    /// Bytes in use, this header included, padding excluded.
    pub bytes_used: u32,
    /// Number of records.
    pub record_count: u32,
    /// Number of the block in its WAL.
    pub lsn: Lsn,
    /// Highest LSN known to be durable, with all before it, when this block was handed out.
    pub durable: Lsn,
    /// Which life of which file it was written in.
    pub incarnation: u64,
    /// CRC-32C of the records' headers and covered bytes.
    pub records_crc: u32,
}

/// Why bytes are not a block of the life they are read as, or not an intact one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BlockError {
    /// Neither the magic nor the incarnation: never written in this life of the file.
    #[error("no block")]
    Absent,
    /// A block of an earlier life of the file.
    #[error("a block of an earlier life of the file")]
    Stale,
    /// The magic or the incarnation is there, but not the other, or the header's CRC is wrong.
    #[error("the block header is damaged")]
    Header,
    /// A header that is intact but names a size or an LSN that cannot be.
    #[error("the block header is impossible")]
    Impossible,
    /// The records are not those that the header was written for.
    #[error("the block's records do not match its CRC")]
    Records,
    /// A record's size or count does not add up.
    #[error("the block's records do not add up to its size")]
    Layout,
    /// A kind that this version does not know.
    #[error("a record of unknown kind {0}, perhaps of a newer version")]
    Kind(u8),
    /// A record batch that is not one, or of another size than its record.
    #[error("a record batch is malformed")]
    Batch,
    /// A record batch's own CRC is wrong.
    #[error("a record batch does not match its CRC")]
    BatchCrc,
}

impl BlockHeader {
    /// The header's bytes, its own CRC included.
    pub fn encode(&self) -> [u8; BLOCK_HEADER_BYTES] {
        let mut bytes = [0; BLOCK_HEADER_BYTES];
        let (covered, mut crc) = bytes.split_at_mut(CRC_AT);
        let mut fields = &mut *covered;
        fields.put_slice(&BLOCK_MAGIC);
        fields.put_u32_le(self.bytes_used);
        fields.put_u32_le(self.record_count);
        fields.put_u32_le(self.records_crc);
        fields.put_u64_le(self.lsn.0);
        fields.put_u64_le(self.durable.0);
        fields.put_u64_le(self.incarnation);
        crc.put_u32_le(header_crc(self.incarnation, covered));
        bytes
    }

    /// Decodes the header at the start of `bytes`, as one of the life `incarnation`.
    ///
    /// # Errors
    /// Every [`BlockError`] that concerns the header alone.
    pub fn decode(bytes: &[u8], incarnation: u64) -> Result<BlockHeader, BlockError> {
        let bytes: &[u8; BLOCK_HEADER_BYTES] = bytes.first_chunk().ok_or(BlockError::Absent)?;
        let mut input = bytes.as_slice();
        let mut magic = [0; 4];
        input.copy_to_slice(&mut magic);
        let header = BlockHeader {
            bytes_used: input.get_u32_le(),
            record_count: input.get_u32_le(),
            records_crc: input.get_u32_le(),
            lsn: Lsn(input.get_u64_le()),
            durable: Lsn(input.get_u64_le()),
            incarnation: input.get_u64_le(),
        };
        let intact = input.get_u32_le() == header_crc(header.incarnation, bytes.split_at(CRC_AT).0);
        match (magic == BLOCK_MAGIC, header.incarnation == incarnation) {
            (true, true) if intact => header.check(),
            (true, false) if intact => Err(BlockError::Stale),
            (false, false) => Err(BlockError::Absent),
            _ => Err(BlockError::Header),
        }
    }

    /// Bytes the block takes up in its file, padding included.
    pub fn aligned_bytes(&self) -> usize {
        align_up(self.bytes_used as usize)
    }

    fn check(self) -> Result<BlockHeader, BlockError> {
        let used = self.bytes_used as usize;
        let records_max = used.saturating_sub(BLOCK_HEADER_BYTES) / RECORD_HEADER_BYTES;
        let possible = (BLOCK_HEADER_BYTES..=limits::WAL_BLOCK_BYTES_MAX).contains(&used)
            && self.record_count as usize <= records_max
            && self.durable < self.lsn
            && self.lsn.0 < u64::MAX;
        if possible {
            Ok(self)
        } else {
            Err(BlockError::Impossible)
        }
    }
}

fn header_crc(incarnation: u64, covered: &[u8]) -> u32 {
    checksum::crc32c_append(seed(incarnation), covered)
}

/// One record in a block's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RecordSpan {
    pub kind: RecordKind,
    pub tp: TopicPartition,
    /// Where the payload begins, from the start of the block.
    pub payload_at: usize,
    pub payload_bytes: usize,
}

/// Verifies every byte of a block and returns its records. `block` is exactly the bytes in use
/// of the block that `header` was decoded from.
///
/// # Errors
/// Every [`BlockError`] that concerns the records.
pub(super) fn verify(header: &BlockHeader, block: &[u8]) -> Result<Vec<RecordSpan>, BlockError> {
    let mut spans = Vec::new();
    let mut crc = seed(header.incarnation);
    let mut at = BLOCK_HEADER_BYTES;
    while at < block.len() {
        if spans.len() == header.record_count as usize {
            return Err(BlockError::Layout);
        }
        let (span, covered) = record_at(block, at)?;
        crc = checksum::crc32c_append(crc, covered);
        at = span.payload_at + span.payload_bytes;
        spans.push(span);
    }
    if crc != header.records_crc {
        return Err(BlockError::Records);
    }
    if spans.len() != header.record_count as usize || block.len() != header.bytes_used as usize {
        return Err(BlockError::Layout);
    }
    for span in &spans {
        let payload = block.get(span.payload_at..span.payload_at + span.payload_bytes);
        verify_payload(span.kind, payload.ok_or(BlockError::Layout)?)?;
    }
    Ok(spans)
}

/// The record at `at` with the bytes that the block's CRC covers. Nothing of it is verified yet.
fn record_at(block: &[u8], at: usize) -> Result<(RecordSpan, &[u8]), BlockError> {
    let rest = block.get(at..).ok_or(BlockError::Layout)?;
    let header = RecordHeader::decode(rest.first_chunk().ok_or(BlockError::Layout)?)
        .map_err(BlockError::Kind)?;
    let payload_bytes = header.payload_bytes as usize;
    let covered_bytes = header.covered_bytes();
    if covered_bytes > payload_bytes || rest.len() - RECORD_HEADER_BYTES < payload_bytes {
        return Err(BlockError::Layout);
    }
    let covered = rest
        .get(..RECORD_HEADER_BYTES + covered_bytes)
        .ok_or(BlockError::Layout)?;
    let payload_at = at + RECORD_HEADER_BYTES;
    Ok((
        RecordSpan {
            kind: header.kind,
            tp: header.tp,
            payload_at,
            payload_bytes,
        },
        covered,
    ))
}

fn verify_payload(kind: RecordKind, payload: &[u8]) -> Result<(), BlockError> {
    match kind {
        RecordKind::Batch => verify_batch(payload),
        RecordKind::LogStart => match record::decode_log_start(payload) {
            Some(_) => Ok(()),
            None => Err(BlockError::Layout),
        },
        RecordKind::PartitionState => Ok(()),
    }
}

fn verify_batch(payload: &[u8]) -> Result<(), BlockError> {
    let header = BatchHeader::decode(payload).map_err(|_| BlockError::Batch)?;
    if header.total_bytes() != payload.len() {
        return Err(BlockError::Batch);
    }
    if batch::crc_matches(payload) {
        Ok(())
    } else {
        Err(BlockError::BatchCrc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TopicId;
    use crate::kafka::batch::HEADER_BYTES;

    const LIFE: u64 = 77;

    fn header() -> BlockHeader {
        BlockHeader {
            bytes_used: 44,
            record_count: 0,
            lsn: Lsn(9),
            durable: Lsn(5),
            incarnation: LIFE,
            records_crc: seed(LIFE),
        }
    }

    #[test]
    fn headers_are_read_back_or_named() {
        let good = header();
        let max = limits::WAL_BLOCK_BYTES_MAX as u32;
        let cases = [
            (good, Ok(good)),
            (
                BlockHeader {
                    incarnation: 78,
                    ..good
                },
                Err(BlockError::Stale),
            ),
            (
                BlockHeader {
                    bytes_used: 43,
                    ..good
                },
                Err(BlockError::Impossible),
            ),
            (
                BlockHeader {
                    bytes_used: max + 1,
                    ..good
                },
                Err(BlockError::Impossible),
            ),
            (
                BlockHeader {
                    record_count: 1,
                    ..good
                },
                Err(BlockError::Impossible),
            ),
            (
                BlockHeader {
                    durable: Lsn(9),
                    ..good
                },
                Err(BlockError::Impossible),
            ),
        ];
        for (header, expected) in cases {
            assert_eq!(
                BlockHeader::decode(&header.encode(), LIFE),
                expected,
                "{header:?}"
            );
        }
        let bytes = good.encode();
        assert_eq!(
            BlockHeader::decode(&bytes[..43], LIFE),
            Err(BlockError::Absent)
        );
        assert_eq!(BlockHeader::decode(&[0; 44], LIFE), Err(BlockError::Absent));
        assert_eq!(
            BlockHeader::decode(&[0; 44], 0),
            Err(BlockError::Header),
            "not even then"
        );
        for bit in 0..44 * 8 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                BlockHeader::decode(&bytes, LIFE),
                Err(BlockError::Header),
                "bit {bit}"
            );
        }
    }

    fn record(kind: u8, payload: &[u8], claimed: usize) -> Vec<u8> {
        let tp = TopicPartition {
            topic: TopicId([3; 16]),
            partition: 4,
        };
        let kind_is = RecordKind::LogStart;
        let mut bytes = RecordHeader {
            kind: kind_is,
            payload_bytes: claimed as u32,
            tp,
        }
        .encode();
        bytes[0] = kind;
        [&bytes[..], payload].concat()
    }

    fn a_batch() -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES + 3];
        bytes[11] = (HEADER_BYTES + 3 - 12) as u8;
        bytes[16] = 2;
        let crc = checksum::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    #[test]
    fn records_are_verified_each_in_its_way() {
        let good = a_batch();
        let changed = |at: usize| {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            bytes
        };
        let cases = [
            (record(1, &good, 64), Ok(1)),
            (record(2, &[0; 8], 8), Ok(1)),
            (record(3, &[], 0), Ok(1)),
            ([record(3, &[], 0), record(1, &good, 64)].concat(), Ok(2)),
            (Vec::new(), Ok(0)),
            (record(1, &changed(62), 64), Err(BlockError::BatchCrc)),
            (record(1, &changed(16), 64), Err(BlockError::Batch)),
            (record(1, &changed(11), 64), Err(BlockError::Batch)),
            (record(2, &[0; 7], 7), Err(BlockError::Layout)),
            (record(1, &good[..60], 60), Err(BlockError::Layout)),
            (record(1, &good, 65), Err(BlockError::Layout)),
            (record(3, &[0; 5], usize::MAX), Err(BlockError::Layout)),
            (vec![3; 20], Err(BlockError::Layout)),
            (record(0, &[], 0), Err(BlockError::Kind(0))),
            (record(9, &[], 0), Err(BlockError::Kind(9))),
        ];
        for (i, (records, expected)) in cases.into_iter().enumerate() {
            let block = [&[0; 44], &records[..]].concat();
            // The CRC that would be right, if the walk gets as far as that.
            let mut crc = seed(LIFE);
            let mut at = 44;
            let mut record_count = 0;
            while let Ok((span, covered)) = record_at(&block, at) {
                crc = checksum::crc32c_append(crc, covered);
                at = span.payload_at + span.payload_bytes;
                record_count += 1;
            }
            // Where it got stuck there would have to be one more.
            record_count += u32::from(at < block.len());
            let bytes_used = block.len() as u32;
            let header = BlockHeader {
                bytes_used,
                record_count,
                records_crc: crc,
                ..header()
            };
            let found = verify(&header, &block).map(|spans| spans.len());
            assert_eq!(found, expected, "case {i}");
            let Ok(_) = expected else { continue };
            let other = BlockHeader {
                records_crc: crc ^ 1,
                ..header
            };
            assert_eq!(verify(&other, &block), Err(BlockError::Records), "case {i}");
            let more = BlockHeader {
                record_count: header.record_count + 1,
                ..header
            };
            assert_eq!(verify(&more, &block), Err(BlockError::Layout), "case {i}");
        }
    }
}

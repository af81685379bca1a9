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

//! ListOffsets where the answer is inside a batch: reads it, decompresses it, and finds the record.
//!
//! Which batch to look into is the word of its header, which is its producer's. One that lies leads
//! to the next batch that says the same, and so on; so looking is bounded, and done where it keeps
//! nobody: what is large or compressed on a thread beside the shard, one compressed batch at a time,
//! in a share of the memory. Where that ends the search the answer is an offset with nothing
//! before it that was asked for: whoever reads from there reads too much rather than too little.

use std::io;

use bytes::Bytes;

use super::handle::ShardHandle;
use super::read::{Pins, Urgency, read_batches};
use crate::base::limits::{LOOKUP_BYTES_INLINE_MAX, LOOKUPS_IN_VAIN_MAX};
use crate::kafka::ErrorCode;
use crate::kafka::batch::{BatchHeader, HEADER_BYTES};
use crate::kafka::compression::{self, Codec, CompressionError};
use crate::kafka::record::RecordIter;
use crate::partition::{ColdRead, ListTarget, OffsetAnswer, Piece, TimeScan, resolve_scan};
use crate::shard::{ListOffsetsEntry, ListOffsetsPlan, ListOffsetsResult};

/// Answers each entry.
pub async fn list_offsets(
    shard: &ShardHandle,
    entries: &[ListOffsetsEntry],
) -> Vec<ListOffsetsResult> {
    let mut results = Vec::with_capacity(entries.len());
    let mut in_vain = 0;
    for entry in entries {
        results.push(list_offset(shard, entry, &mut in_vain).await);
    }
    results
}

async fn list_offset(
    shard: &ShardHandle,
    entry: &ListOffsetsEntry,
    in_vain: &mut usize,
) -> ListOffsetsResult {
    let mut from_offset = None;
    loop {
        let scan = match shard.with(|core, _| core.list_offset(entry, from_offset)) {
            ListOffsetsPlan::Known(result) => return result,
            ListOffsetsPlan::Scan(scan) => scan,
        };
        let pins = Pins::new(shard, cold(&scan).into_iter().collect());
        if let Some(offset) = from_offset
            && *in_vain >= LOOKUPS_IN_VAIN_MAX
        {
            return known(not_before(entry, offset));
        }
        let looked = look_into(shard, &scan).await;
        drop(pins);
        match looked {
            Ok(Found::Record(answer) | Found::TooLarge(answer)) => return known(answer),
            Ok(Found::Nothing) if scan.target == ListTarget::Max => {
                return known(OffsetAnswer::NONE);
            }
            // The header promised what the records do not hold.
            Ok(Found::Nothing) => {
                *in_vain += 1;
                from_offset = Some(scan.next_offset);
            }
            Err(error) => {
                tracing::error!(%error, "reading records from the WAL failed");
                let error = ErrorCode::KAFKA_STORAGE_ERROR;
                return ListOffsetsResult {
                    error,
                    ..known(OffsetAnswer::NONE)
                };
            }
        }
        super::yield_if_needed().await;
    }
}

/// What came of looking into a batch.
enum Found {
    Record(OffsetAnswer),
    /// None of its records is what was asked for.
    Nothing,
    /// It grows beyond the memory that there is: its first record that counts, and what its
    /// header says.
    TooLarge(OffsetAnswer),
}

fn cold(scan: &TimeScan) -> Option<ColdRead> {
    match &scan.piece {
        Piece::Tail(_) => None,
        Piece::Cold(read) => Some(*read),
    }
}

async fn look_into(shard: &ShardHandle, scan: &TimeScan) -> io::Result<Found> {
    let batch = match &scan.piece {
        Piece::Tail(bytes) => bytes.clone(),
        Piece::Cold(read) => {
            let mut found = read_batches(shard, &[(0, *read)], Urgency::Now).await;
            found.pop().unwrap_or_else(|| Ok(Bytes::new()))?
        }
    };
    let codec = BatchHeader::decode(&batch).map_or(0, |header| header.codec());
    if codec == 0 && batch.len() <= LOOKUP_BYTES_INLINE_MAX {
        return Ok(find(scan, &batch, batch.len()));
    }
    let units = &shard.lookup_units;
    // How much it grows to shows only when it has: it gets all there is, alone.
    let held = match codec {
        0 => None,
        _ => Some(units.take(units.all()).await),
    };
    let (scan, limit) = (scan.clone(), usize::try_from(units.all()));
    let found = glommio::executor()
        .spawn_blocking(move || find(&scan, &batch, limit.unwrap_or(usize::MAX)))
        .await;
    drop(held);
    Ok(found)
}

/// A batch that a client compressed badly holds no record that could be found.
fn find(scan: &TimeScan, batch: &Bytes, limit: usize) -> Found {
    match try_find(scan, batch, limit) {
        Ok(Some(answer)) => Found::Record(answer),
        Err(Some(header)) => Found::TooLarge(OffsetAnswer {
            offset: header.base_offset.max(scan.from_offset),
            timestamp: header.newest_timestamp(),
            leader_epoch: header.leader_epoch,
        }),
        Ok(None) | Err(None) => Found::Nothing,
    }
}

/// An error has the batch's header if all that is wrong is its size.
fn try_find(
    scan: &TimeScan,
    batch: &Bytes,
    limit: usize,
) -> Result<Option<OffsetAnswer>, Option<BatchHeader>> {
    let header = BatchHeader::decode(batch).map_err(|_| None)?;
    let section = batch.get(HEADER_BYTES..).unwrap_or_default();
    let codec = Codec::try_from(header.codec()).map_err(|_| None)?;
    let unpacked = compression::decompress_within(codec, section, limit);
    let section = unpacked.map_err(|error| match error {
        CompressionError::TooLarge => Some(header),
        CompressionError::Codec(_) | CompressionError::Damaged(_) => None,
    })?;
    let records = RecordIter::new(&section).map_while(Result::ok);
    let records = records.map(|r| (r.offset_delta, r.timestamp_delta));
    Ok(resolve_scan(scan, &header, records))
}

/// The search has ended at `offset`, with nothing before it: the first record from there on that
/// says that it is late enough.
fn not_before(entry: &ListOffsetsEntry, offset: i64) -> OffsetAnswer {
    OffsetAnswer {
        offset,
        timestamp: entry.timestamp.max(0),
        leader_epoch: -1,
    }
}

fn known(answer: OffsetAnswer) -> ListOffsetsResult {
    let OffsetAnswer {
        offset,
        timestamp,
        leader_epoch,
    } = answer;
    ListOffsetsResult {
        error: ErrorCode::NONE,
        timestamp,
        offset,
        leader_epoch,
    }
}

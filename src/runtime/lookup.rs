//! ListOffsets where the answer is inside a batch: reads it, decompresses it, and finds
//! the record.

use std::io;

use bytes::Bytes;

use super::handle::ShardHandle;
use super::read::{Pins, Urgency, read_batches};
use crate::kafka::ErrorCode;
use crate::kafka::batch::{BatchHeader, HEADER_BYTES};
use crate::kafka::compression::{self, Codec};
use crate::kafka::record::RecordIter;
use crate::partition::{ListTarget, OffsetAnswer, Piece, TimeScan, resolve_scan};
use crate::shard::{ListOffsetsEntry, ListOffsetsPlan, ListOffsetsResult};

/// Answers each entry.
pub async fn list_offsets(
    shard: &ShardHandle,
    entries: &[ListOffsetsEntry],
) -> Vec<ListOffsetsResult> {
    let mut results = Vec::with_capacity(entries.len());
    for entry in entries {
        results.push(list_offset(shard, entry).await);
    }
    results
}

async fn list_offset(shard: &ShardHandle, entry: &ListOffsetsEntry) -> ListOffsetsResult {
    let mut from_offset = None;
    loop {
        let scan = match shard.with(|core, _| core.list_offset(entry, from_offset)) {
            ListOffsetsPlan::Known(result) => return result,
            ListOffsetsPlan::Scan(scan) => scan,
        };
        match look_into(shard, &scan).await {
            Ok(Some(answer)) => return known(answer),
            Ok(None) if scan.target == ListTarget::Max => return known(OffsetAnswer::NONE),
            // The header promised what the records do not hold.
            Ok(None) => from_offset = Some(scan.next_offset),
            Err(error) => {
                tracing::error!(%error, "reading records from the WAL failed");
                let error = ErrorCode::KAFKA_STORAGE_ERROR;
                return ListOffsetsResult {
                    error,
                    ..known(OffsetAnswer::NONE)
                };
            }
        }
    }
}

async fn look_into(shard: &ShardHandle, scan: &TimeScan) -> io::Result<Option<OffsetAnswer>> {
    let batch = match &scan.piece {
        Piece::Tail(bytes) => bytes.clone(),
        Piece::Cold(read) => {
            let pins = Pins::new(shard, vec![*read]);
            let mut found = read_batches(shard, &[(0, *read)], Urgency::Now).await;
            drop(pins);
            found.pop().unwrap_or_else(|| Ok(Bytes::new()))?
        }
    };
    Ok(find(scan, &batch))
}

/// A batch that a client compressed badly holds no record that could be found.
fn find(scan: &TimeScan, batch: &Bytes) -> Option<OffsetAnswer> {
    let header = BatchHeader::decode(batch).ok()?;
    let section = batch.get(HEADER_BYTES..).unwrap_or_default();
    let codec = Codec::try_from(header.codec()).ok()?;
    let section = compression::decompress(codec, section).ok()?;
    let records = RecordIter::new(&section).map_while(Result::ok);
    resolve_scan(
        scan,
        &header,
        records.map(|r| (r.offset_delta, r.timestamp_delta)),
    )
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

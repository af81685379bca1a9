//! ListOffsets where the answer is inside a batch, as the runtime does it.

use corelane::kafka::ErrorCode;
use corelane::kafka::batch::{BatchHeader, HEADER_BYTES};
use corelane::kafka::record::RecordIter;
use corelane::partition::{ListTarget, OffsetAnswer, Piece, TimeScan, resolve_scan};
use corelane::shard::{ListOffsetsEntry, ListOffsetsPlan, ListOffsetsResult};

use crate::node::Node;

pub async fn list_offset(node: &Node, entry: &ListOffsetsEntry) -> ListOffsetsResult {
    let mut from_offset = None;
    loop {
        let scan = match node.with(|core, _| core.list_offset(entry, from_offset)) {
            ListOffsetsPlan::Known(result) => return result,
            ListOffsetsPlan::Scan(scan) => scan,
        };
        let batch = match &scan.piece {
            Piece::Tail(bytes) => Ok(bytes.clone()),
            Piece::Cold(read) => node.read_cold(*read).await,
        };
        let Ok(batch) = batch else {
            let error = ErrorCode::KAFKA_STORAGE_ERROR;
            return ListOffsetsResult {
                error,
                ..known(OffsetAnswer::NONE)
            };
        };
        match find(&scan, &batch) {
            Some(answer) => return known(answer),
            None if scan.target == ListTarget::Max => return known(OffsetAnswer::NONE),
            None => from_offset = Some(scan.next_offset),
        }
    }
}

fn find(scan: &TimeScan, batch: &[u8]) -> Option<OffsetAnswer> {
    let header = BatchHeader::decode(batch).ok()?;
    let records = RecordIter::new(&batch[HEADER_BYTES..]).map_while(Result::ok);
    resolve_scan(
        scan,
        &header,
        records.map(|r| (r.offset_delta, r.timestamp_delta)),
    )
}

fn known(answer: OffsetAnswer) -> ListOffsetsResult {
    ListOffsetsResult {
        error: ErrorCode::NONE,
        timestamp: answer.timestamp,
        offset: answer.offset,
        leader_epoch: answer.leader_epoch,
    }
}

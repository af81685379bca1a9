//! Questions about offsets and epochs. The bench's log is of epoch 3 from its first record on.

use super::*;
use crate::kafka::ErrorCode;

const CURRENT: i32 = EPOCH;

fn with_records(count: usize) -> Bench {
    let mut bench = Bench::new(config());
    for _ in 0..count {
        bench.append(b"value");
    }
    bench
}

/// A fetch at `offset` by a client that knows these epochs.
fn fetch(bench: &mut Bench, offset: i64, current: i32, last_fetched: i32) -> FetchPlan {
    let entry = FetchEntry {
        tp: TP,
        offset,
        max_bytes: 1 << 20,
        current_leader_epoch: current,
        last_fetched_epoch: last_fetched,
    };
    let read = FetchRead {
        entries: vec![entry],
        max_bytes: 1 << 20,
        first_whole: true,
    };
    bench.shard.fetch(NOW, &read).remove(0)
}

#[test]
fn a_client_with_another_epoch_is_told_so_by_every_api() {
    let mut bench = with_records(2);
    let table = [
        (-1, ErrorCode::NONE),
        (CURRENT, ErrorCode::NONE),
        (CURRENT - 1, ErrorCode::FENCED_LEADER_EPOCH),
        (CURRENT + 1, ErrorCode::UNKNOWN_LEADER_EPOCH),
    ];
    for (epoch, expected) in table {
        let fetched = fetch(&mut bench, 0, epoch, -1).result;
        assert_eq!(fetched.error, expected, "fetch, {epoch}");
        assert_eq!(fetched.high_watermark, 2, "it helps even so");
        let entry = ListOffsetsEntry {
            tp: TP,
            timestamp: -1,
            current_leader_epoch: epoch,
        };
        let ListOffsetsPlan::Known(listed) = bench.shard.list_offset(&entry, None) else {
            panic!("the end of the log is known");
        };
        let offset = if expected.is_error() { -1 } else { 2 };
        assert_eq!((listed.error, listed.offset), (expected, offset), "{epoch}");
        let entry = EpochEndEntry {
            tp: TP,
            current_leader_epoch: epoch,
            leader_epoch: CURRENT,
        };
        let end = bench.shard.epoch_ends(&[entry]).remove(0);
        let ends = match expected.is_error() {
            true => (-1, -1),
            false => (CURRENT, 2),
        };
        assert_eq!(end.error, expected, "end of epoch, {epoch}");
        assert_eq!((end.leader_epoch, end.end_offset), ends, "{epoch}");
    }
}

#[test]
fn partitions_that_are_elsewhere_are_not_known_here() {
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let mut bench = with_records(0);
    let elsewhere = TopicPartition { partition: 9, ..TP };
    let listed = ListOffsetsEntry {
        tp: elsewhere,
        timestamp: -1,
        current_leader_epoch: -1,
    };
    let ListOffsetsPlan::Known(listed) = bench.shard.list_offset(&listed, None) else {
        panic!("there is nothing to read");
    };
    assert_eq!((listed.error, listed.offset), (unknown, -1));
    let deleted = bench.shard.delete_records(elsewhere, -1);
    assert_eq!(deleted, Ok(Err(unknown)));
    let deleted = bench.shard.delete_records(TP, 1);
    assert_eq!(deleted, Ok(Err(ErrorCode::OFFSET_OUT_OF_RANGE)));
    let producers = bench.shard.describe_producers(&[elsewhere, TP]);
    assert_eq!(producers.len(), 2);
    assert!(
        matches!(&producers[..], [Err(error), Ok(none)] if *error == unknown && none.is_empty())
    );
    let entry = |partition| EpochEndEntry {
        tp: TopicPartition { partition, ..TP },
        current_leader_epoch: -1,
        leader_epoch: CURRENT,
    };
    let errors: Vec<ErrorCode> = bench
        .shard
        .epoch_ends(&[entry(9), entry(0)])
        .iter()
        .map(|end| end.error)
        .collect();
    assert_eq!(errors, [unknown, ErrorCode::NONE]);
}

#[test]
fn a_consumer_whose_history_is_another_is_told_where_it_diverged() {
    let mut bench = with_records(2);
    // Offset, epoch of its last record, and up to where both agree, or the error.
    let table = [
        (2, CURRENT, Ok(None)),
        (1, CURRENT, Ok(None)),
        (3, CURRENT, Ok(Some((CURRENT, 2)))),
        (1, CURRENT - 1, Ok(Some((CURRENT - 1, 0)))),
        (0, CURRENT - 1, Ok(None)),
        (1, CURRENT + 1, Err(ErrorCode::OFFSET_OUT_OF_RANGE)),
    ];
    for (offset, epoch, expected) in table {
        let plan = fetch(&mut bench, offset, -1, epoch);
        let found = match plan.result.error {
            ErrorCode::NONE => Ok(plan.result.diverging),
            error => Err(error),
        };
        assert_eq!(found, expected, "at {offset} of epoch {epoch}");
        let records = usize::from(expected == Ok(None)) * (2 - offset).max(0) as usize;
        assert_eq!(plan.pieces.len(), records, "at {offset} of epoch {epoch}");
    }
}

#[test]
fn a_scan_that_found_nothing_goes_on_behind_its_batch() {
    let mut bench = Bench::new(config());
    for timestamp in [10, 20, 30] {
        let batch = BatchBuilder::new(0).record(0, None, None);
        let batch = batch.record(timestamp, None, None).build();
        bench.shard.append(NOW, TP, &batch).unwrap();
    }
    bench.drain();
    let entry = ListOffsetsEntry {
        tp: TP,
        timestamp: 15,
        current_leader_epoch: -1,
    };
    // Where the scan begins, and the batch that it is to look into.
    for (from, expected) in [(None, Some(2)), (Some(4), Some(4)), (Some(6), None)] {
        let found = match bench.shard.list_offset(&entry, from) {
            ListOffsetsPlan::Scan(scan) => match scan.piece {
                crate::partition::Piece::Cold(read) => Some(read.base_offset),
                crate::partition::Piece::Tail(_) => panic!("nothing is kept in memory"),
            },
            ListOffsetsPlan::Known(result) => {
                assert_eq!((result.error, result.offset), (ErrorCode::NONE, -1));
                None
            }
        };
        assert_eq!(found, expected, "from {from:?}");
    }
}

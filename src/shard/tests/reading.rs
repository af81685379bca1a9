//! Reads under way, long polls, and what is read ahead.

use super::*;
use crate::partition::Piece;

fn read(offset: i64, max_bytes: usize) -> FetchRead {
    read_of(TP, offset, max_bytes)
}

fn read_of(tp: TopicPartition, offset: i64, max_bytes: usize) -> FetchRead {
    let entry = FetchEntry {
        tp,
        offset,
        max_bytes,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    };
    FetchRead {
        entries: vec![entry],
        max_bytes,
        first_whole: true,
    }
}

/// The pieces of plans, all of them in memory.
fn shared(plans: &[FetchPlan]) -> Vec<Bytes> {
    let pieces = plans.iter().flat_map(|plan| &plan.pieces);
    let shared = pieces.map(|piece| match piece {
        Piece::Tail(bytes) => bytes.clone(),
        Piece::Cold(cold) => panic!("{cold:?} is not in memory"),
    });
    shared.collect()
}

/// Reads what a plan names as a driver would, and ends the reads. How many there were.
fn carry_out(bench: &mut Bench, plans: &[FetchPlan]) -> usize {
    let mut reads = 0;
    for piece in plans.iter().flat_map(|plan| &plan.pieces) {
        if let Piece::Cold(cold) = piece {
            bench.shard.on_read_done(cold.position.segment);
            reads += 1;
        }
    }
    reads
}

#[test]
fn reads_and_watches_are_told_while_they_last() {
    let mut bench = Bench::new(config());
    bench.append(b"value");
    assert!(!bench.shard.has_reads() && !bench.shard.has_waiters());
    let plans = bench.shard.fetch(NOW, &read(0, 1 << 20));
    assert!(bench.shard.has_reads(), "nothing is kept in memory");
    assert_eq!(carry_out(&mut bench, &plans), 1);
    assert!(!bench.shard.has_reads());

    let watch = Watch {
        id: 0,
        entries: vec![(TP, 1)],
        bytes: 1,
        wait_ms: 1000,
    };
    let waiter = bench.shard.watch(&watch).expect("no news yet");
    assert!(bench.shard.has_waiters());
    bench.append(b"more");
    assert_eq!(bench.shard.poll_woken(), Some(waiter));
    assert_eq!(bench.shard.watch(&watch), None, "there is news already");
    bench.shard.unwatch(waiter, &watch);
    assert!(!bench.shard.has_waiters());

    // What came before the watch counts, and is not enough.
    let bytes = batch(b"more").len();
    let patient = Watch {
        bytes: 2 * bytes,
        ..watch.clone()
    };
    let waiter = bench.shard.watch(&patient).expect("not enough yet");
    bench.append(b"more");
    assert_eq!(bench.shard.poll_woken(), Some(waiter));
    assert_eq!(bench.shard.watch(&patient), None);
    bench.shard.delete_records(TP, 3).unwrap().unwrap();
    bench.drain();
    let overtaken = Watch {
        bytes: 1 << 20,
        ..watch.clone()
    };
    assert_eq!(bench.shard.watch(&overtaken), None, "deleted from there");
    let elsewhere = Watch {
        entries: vec![(TopicPartition { partition: 9, ..TP }, 0)],
        ..patient
    };
    assert_eq!(bench.shard.watch(&elsewhere), None, "no such partition");
}

#[test]
fn recent_batches_are_slices_of_the_blocks_that_were_written() {
    let mut bench = Bench::new(ShardConfig {
        tail_bytes: 1 << 20,
        ..config()
    });
    let lengths = [b"one".as_slice(), b"three"].map(|value| {
        let appended = bench.shard.append(NOW, TP, &batch(value)).unwrap();
        assert_eq!(appended.result.error, crate::kafka::ErrorCode::NONE);
        batch(value).len()
    });
    bench.drain();
    let blocks: Vec<_> = bench
        .written
        .iter()
        .map(|block| block.as_ptr_range())
        .collect();
    let found = shared(&bench.shard.fetch(NOW, &read(0, 1 << 20)));
    assert_eq!(found.iter().map(Bytes::len).collect::<Vec<_>>(), lengths);
    for batch in &found {
        let batch = batch.as_ptr_range();
        let is_around = |block: &std::ops::Range<*const u8>| {
            block.start <= batch.start && batch.end <= block.end
        };
        assert_eq!(blocks.iter().filter(|block| is_around(block)).count(), 1);
    }
    // Another consumer has the same bytes, not equal ones.
    let again = shared(&bench.shard.fetch(NOW, &read(0, 1 << 20)));
    let places = |batches: &[Bytes]| batches.iter().map(|b| b.as_ptr()).collect::<Vec<_>>();
    assert_eq!(places(&again), places(&found));
}

#[test]
fn the_bytes_of_a_result_are_those_of_all_its_batches() {
    let mut result = FetchResult::error(crate::kafka::ErrorCode::NONE);
    assert_eq!(result.bytes(), 0);
    result.records = vec![Bytes::from_static(b"abc"), Bytes::from_static(b"de")];
    assert_eq!(result.bytes(), 5);
}

#[test]
fn a_sequential_reader_finds_the_next_batches_in_memory() {
    let mut bench = Bench::new(config());
    for i in 0..9u8 {
        bench.append(&[i]);
    }
    let three = 3 * batch(&[0]).len();
    for offset in [0, 3] {
        let read = read(offset, three);
        let plans = bench.shard.fetch(NOW, &read);
        assert_eq!(carry_out(&mut bench, &plans), 3, "at {offset}");
        if offset == 0 {
            assert!(bench.shard.poll_read_ahead().is_none(), "not sequential");
        }
    }
    let wanted = read(6, three);
    assert!(!bench.shard.is_reading_ahead_for(&wanted));
    let ahead = bench.shard.poll_read_ahead().expect("it reads on");
    assert!(bench.shard.is_reading_ahead_for(&wanted));
    assert_eq!(ahead.run_lens().collect::<Vec<_>>(), [3]);
    let offsets: Vec<i64> = ahead.reads().iter().map(|read| read.base_offset).collect();
    assert_eq!(offsets, [6, 7, 8]);
    let found = (0..3).map(|_| Some(batch(&[0]))).collect();
    bench.shard.on_read_ahead(NOW, ahead, found);
    assert!(!bench.shard.has_reads());
    let plans = bench.shard.fetch(NOW, &wanted);
    assert_eq!(plans[0].pieces.len(), 3);
    assert_eq!(carry_out(&mut bench, &plans), 0, "all of it is in memory");
}

#[test]
fn what_memory_does_not_hold_now_is_read_ahead_later() {
    let len = batch(&[0]).len();
    let mut bench = Bench::new(ShardConfig {
        read_ahead_bytes: 4 * len,
        ..config()
    });
    let tps = [0, 1].map(|partition| TopicPartition { partition, ..TP });
    bench.shard.create_partition(tps[1], LogConfig::default());
    for i in 0..9u8 {
        for tp in tps {
            bench.shard.append(NOW, tp, &batch(&[i])).unwrap();
            bench.drain();
        }
    }
    for tp in tps {
        for offset in [0, 3] {
            let plans = bench.shard.fetch(NOW, &read_of(tp, offset, 3 * len));
            assert_eq!(carry_out(&mut bench, &plans), 3);
        }
    }
    // Each batch has a page of its own, so two together would be read with all between them.
    let mut read = Vec::new();
    while let Some(ahead) = bench.shard.poll_read_ahead() {
        assert_eq!(ahead.run_lens().collect::<Vec<_>>(), [1]);
        read.push(ahead.reads()[0].base_offset);
        bench
            .shard
            .on_read_ahead(NOW, ahead, vec![Some(batch(&[6]))]);
    }
    assert_eq!(read, [6, 6], "one of each");
    for tp in tps {
        let plans = bench.shard.fetch(NOW, &read_of(tp, 6, 3 * len));
        assert_eq!(plans[0].pieces.len(), 3, "{tp}");
        assert_eq!(carry_out(&mut bench, &plans), 2, "{tp}");
    }
}

//! Checkpoints and recovery: the same state again, and nothing believed.

use proptest::prelude::*;

use super::*;

fn at(sequence: u64, offset: u32) -> LogPosition {
    let segment = SegmentId { wal: 0, sequence };
    LogPosition { segment, offset }
}

fn stored(base_offset: i64, epoch: i32, spec: Spec) -> BatchHeader {
    BatchHeader {
        base_offset,
        leader_epoch: epoch,
        ..spec.header()
    }
}

fn fresh() -> Recovery {
    Recovery::new(TP, LogConfig::default())
}

/// A log with all that a checkpoint holds.
fn busy() -> Rig {
    let mut rig = Rig::new();
    rig.fill((0..7).map(|i| spec(2).by(10, 1, i * 2)));
    rig.fill([
        spec(3).by(11, 0, 5),
        spec(1),
        spec(1).by(i64::MAX, i16::MAX, i32::MAX),
    ]);
    rig.log.advance_log_start(3);
    rig
}

#[test]
fn a_recovered_partition_is_the_one_that_it_was() {
    let log = fresh().finish(2, now(0)).unwrap();
    assert_eq!((log.topic_partition(), log.leader_epoch()), (TP, 2));
}

#[test]
fn a_checkpoint_alone_keeps_the_state() {
    let mut live = busy();
    live.log.advance_log_start(live.log.high_watermark());
    let mut recovery = fresh();
    recovery.on_checkpoint(&live.log.checkpoint()).unwrap();
    let log = recovery.finish(1, now(5)).unwrap();
    assert_eq!(log.checkpoint(), live.log.checkpoint());
    assert_eq!((log.log_start(), log.log_end()), (19, 19));
    let mut rig = Rig::of(log, 0);
    let again = duplicate(rig.append(now(6), spec(2).by(10, 1, 12).build()));
    assert_eq!((again.base_offset, again.last_offset), (12, 13));
    assert!(rig.append(now(6), spec(2).by(10, 1, 15).build()).is_err());
    appended(rig.append(now(6), spec(2).by(10, 1, 14).build()));
}

#[test]
fn batches_before_and_after_a_checkpoint() {
    let mut live = busy();
    let checkpoint = live.log.checkpoint();
    let before = live.wal.len();
    live.fill([spec(2).by(10, 1, 14), spec(1).by(12, 0, 0)]);
    let mut recovery = fresh();
    for (position, bytes) in &live.wal[1..before] {
        recovery.on_batch(&header_of(bytes), *position).unwrap();
    }
    recovery.on_checkpoint(&checkpoint).unwrap();
    for (position, bytes) in &live.wal[before..] {
        recovery.on_batch(&header_of(bytes), *position).unwrap();
    }
    assert_eq!((recovery.log_start(), recovery.log_end()), (3, 22));
    let log = recovery.finish(1, now(0)).unwrap();
    assert_eq!(log.checkpoint(), live.log.checkpoint());
    assert_eq!(log.segments(), live.log.segments());
    live.log.evict_tail_before(i64::MAX);
    let read = |log: &Partition| log.plan_read(3, 1 << 20, true).unwrap();
    assert_eq!(read(&log), read(&live.log));
}

#[test]
fn recycled_segments_leave_gaps_below_the_log_start() {
    // Offsets 0-1 and 4-5 survive by chance, 2-3 do not.
    let feed = |log_start: i64| {
        let mut recovery = fresh();
        recovery
            .on_batch(&stored(0, 1, spec(2)), at(1, 100))
            .unwrap();
        recovery
            .on_batch(&stored(4, 1, spec(2)), at(3, 100))
            .unwrap();
        recovery
            .on_batch(&stored(6, 1, spec(2)), at(3, 300))
            .unwrap();
        recovery.on_log_start(log_start);
        recovery.finish(1, now(0))
    };
    for log_start in [4, 5, 7, 8] {
        let log = feed(log_start).unwrap();
        assert_eq!((log.log_start(), log.log_end()), (log_start, 8));
    }
    for log_start in 0..4 {
        let missing = RecoveryError::Missing {
            log_start,
            found: 4,
        };
        assert_eq!(feed(log_start).unwrap_err(), missing);
    }
}

#[test]
fn a_log_start_or_checkpoint_beyond_all_batches_is_the_end() {
    let mut recovery = fresh();
    recovery
        .on_batch(&stored(0, 1, spec(2)), at(1, 100))
        .unwrap();
    assert_eq!(recovery.on_log_start(9), Recovered::Applied);
    assert_eq!(recovery.on_log_start(4), Recovered::Skipped);
    recovery
        .on_batch(&stored(9, 1, spec(2)), at(2, 100))
        .unwrap();
    let log = recovery.clone().finish(1, now(0)).unwrap();
    assert_eq!((log.log_start(), log.log_end()), (9, 11));
    // A checkpoint that expects batches which are not there.
    let mut recovery = fresh();
    recovery.on_checkpoint(&busy().log.checkpoint()).unwrap();
    let missing = RecoveryError::Missing {
        log_start: 3,
        found: 19,
    };
    assert_eq!(recovery.finish(1, now(0)).unwrap_err(), missing);
}

/// The record of the log start and what it deleted may be recycled together.
#[test]
fn a_checkpoint_knows_a_log_start_that_is_under_way() {
    let mut live = busy();
    live.log.plan_log_start(12);
    live.log.plan_log_start(9);
    let checkpoint = live.log.checkpoint();
    assert_eq!(live.log.log_start(), 3, "readers see it when it is durable");
    live.log.advance_log_start(12);
    assert_eq!(live.log.checkpoint(), checkpoint);
    let mut recovery = fresh();
    for (position, bytes) in live
        .wal
        .iter()
        .filter(|(_, b)| header_of(b).base_offset >= 12)
    {
        recovery.on_batch(&header_of(bytes), *position).unwrap();
    }
    recovery.on_checkpoint(&checkpoint).unwrap();
    let log = recovery.finish(1, now(0)).unwrap();
    assert_eq!((log.log_start(), log.log_end()), (12, 19));
    assert_eq!(log.checkpoint(), checkpoint);
}

#[test]
#[should_panic(expected = "planned outside the log")]
fn a_log_start_is_planned_within_what_is_durable() {
    busy().log.plan_log_start(20);
}

#[test]
fn what_was_seen_is_skipped_and_what_contradicts_is_refused() {
    let mut recovery = fresh();
    recovery
        .on_batch(&stored(0, 4, spec(5)), at(1, 100))
        .unwrap();
    recovery
        .on_batch(&stored(5, 4, spec(5)), at(1, 300))
        .unwrap();
    let mut on = |base, epoch, count, position| {
        recovery.on_batch(&stored(base, epoch, spec(count)), position)
    };
    assert_eq!(on(0, 4, 5, at(1, 100)), Ok(Recovered::Skipped));
    assert_eq!(on(5, 4, 5, at(1, 300)), Ok(Recovered::Skipped));
    let overlap = |found| Err(RecoveryError::Overlap { found, log_end: 10 });
    assert_eq!(on(5, 4, 5, at(2, 300)), overlap(5));
    assert_eq!(on(5, 4, 4, at(1, 300)), overlap(5));
    assert_eq!(on(6, 4, 9, at(3, 100)), overlap(6));
    let back = RecoveryError::EpochBack { found: 3, last: 4 };
    assert_eq!(on(10, 3, 1, at(3, 100)), Err(back));
    let header = |base| Err(RecoveryError::Header(base));
    assert_eq!(on(-1, 4, 1, at(3, 100)), header(-1));
    assert_eq!(on(10, 4, 0, at(3, 100)), header(10));
    assert_eq!(on(10, -1, 1, at(3, 100)), header(10));
    assert_eq!(on(i64::MAX, 4, 1, at(3, 100)), header(i64::MAX));
    recovery.on_log_start(5);
    let below = recovery.on_batch(&stored(0, 1, spec(5)), at(9, 9));
    assert_eq!(below, Ok(Recovered::Skipped), "deleted anyway");
    assert_eq!(recovery.finish(3, now(0)).unwrap_err(), back);
}

#[test]
fn a_producer_that_had_been_forgotten_is_forgotten_again() {
    let mut live = Rig::new();
    live.fill([spec(2).by(5, 0, 0), spec(2).by(5, 0, 2)]);
    assert_eq!(live.log.expire_producers(now(9999), 1), 1);
    live.fill([spec(2).by(5, 0, 70), spec(2).by(5, 0, 72)]);
    let mut recovery = fresh();
    for (position, bytes) in &live.wal {
        recovery.on_batch(&header_of(bytes), *position).unwrap();
    }
    let log = recovery.finish(1, now(0)).unwrap();
    assert_eq!(log.checkpoint(), live.log.checkpoint());
}

#[test]
fn recovered_producers_count_as_active() {
    let mut recovery = fresh();
    recovery.on_checkpoint(&busy().log.checkpoint()).unwrap();
    recovery.on_log_start(19);
    let mut log = recovery.finish(1, now(5000)).unwrap();
    assert_eq!(log.expire_producers(now(5999), 1000), 0);
    assert_eq!(log.expire_producers(now(6000), 1000), 3);
}

#[test]
fn a_log_start_holds_against_an_older_one_in_a_checkpoint() {
    let live = busy();
    let mut recovery = fresh();
    for (position, bytes) in &live.wal {
        recovery.on_batch(&header_of(bytes), *position).unwrap();
    }
    recovery.on_log_start(12);
    recovery.on_checkpoint(&live.log.checkpoint()).unwrap();
    let log = recovery.finish(2, now(0)).unwrap();
    assert_eq!((log.log_start(), log.log_end()), (12, 19));
    assert_eq!(
        log.end_offset_for(0).end_offset,
        12,
        "epochs begin there too"
    );
}

#[test]
fn a_checkpoint_of_a_shorter_log_is_refused() {
    let checkpoint = busy().log.checkpoint();
    let mut recovery = fresh();
    recovery
        .on_batch(&stored(0, 1, spec(20)), at(1, 100))
        .unwrap();
    let behind = RecoveryError::CheckpointBehind {
        found: 19,
        log_end: 20,
    };
    assert_eq!(recovery.on_checkpoint(&checkpoint), Err(behind));
    let mut recovery = fresh();
    recovery
        .on_batch(&stored(0, 2, spec(2)), at(1, 100))
        .unwrap();
    let back = RecoveryError::EpochBack { found: 1, last: 2 };
    assert_eq!(recovery.on_checkpoint(&checkpoint), Err(back));
}

#[test]
fn every_cut_of_a_checkpoint_is_refused() {
    let good = busy().log.checkpoint();
    for cut in 0..good.len() {
        let error = fresh().on_checkpoint(&good[..cut]).unwrap_err();
        assert!(matches!(error, RecoveryError::Checkpoint(_)), "at {cut}");
    }
    let longer = [&good[..], &[0]].concat();
    assert!(fresh().on_checkpoint(&longer).is_err());
    let huge = vec![1; crate::base::limits::CHECKPOINT_BYTES_MAX + 1];
    assert!(fresh().on_checkpoint(&huge).is_err());
}

#[test]
fn impossible_checkpoints_are_refused() {
    let good = busy().log.checkpoint();
    // Offsets of fields as checkpoint.rs draws them; one epoch, three producers.
    let table: [(&str, usize, &[u8]); 14] = [
        ("version", 0, &[2]),
        ("log start below 0", 1, &(-1_i64).to_be_bytes()),
        ("log start past the end", 1, &20_i64.to_be_bytes()),
        ("epochs without bound", 17, &u32::MAX.to_be_bytes()),
        ("an epoch below 0", 21, &(-1_i32).to_be_bytes()),
        ("an epoch past the end", 25, &20_i64.to_be_bytes()),
        ("producers without bound", 33, &u32::MAX.to_be_bytes()),
        ("a producer below 0", 37, &(-1_i64).to_be_bytes()),
        ("a producer epoch below 0", 45, &(-1_i16).to_be_bytes()),
        ("no batches", 55, &[0]),
        ("six batches", 55, &[6]),
        ("a sequence below 0", 56, &(-1_i32).to_be_bytes()),
        ("a batch from before 0", 60, &i32::MAX.to_be_bytes()),
        ("a batch past the end", 64, &19_i64.to_be_bytes()),
    ];
    assert!(fresh().on_checkpoint(&good).is_ok());
    for (name, offset, bytes) in table {
        let mut bad = good.to_vec();
        bad[offset..offset + bytes.len()].copy_from_slice(bytes);
        assert!(fresh().on_checkpoint(&bad).is_err(), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever passes as a checkpoint gives a partition that works.
    #[test]
    fn damaged_checkpoints_never_break_the_partition(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = busy().log.checkpoint().to_vec();
        for (index, value) in damage {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        let mut recovery = fresh();
        if recovery.on_checkpoint(&bytes).is_ok() {
            let end = recovery.log_end();
            recovery.on_log_start(end);
            if let Ok(log) = recovery.finish(i32::MAX - 1, now(0)) {
                let _ = log.end_offset_for(1);
                let mut rig = Rig::of(log, 0);
                for id in [10, 11, i64::MAX] {
                    let _ = rig.append(now(0), spec(2).by(id, 1, 14).build());
                }
                rig.settle();
            }
        }
    }

    #[test]
    fn any_bytes_as_a_checkpoint(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = fresh().on_checkpoint(&bytes);
    }
}

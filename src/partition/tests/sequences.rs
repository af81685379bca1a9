//! Idempotent producers: every case of Kafka's `ProducerAppendInfo` without
//! transactions.

use super::*;
use crate::base::TimestampType;
use crate::base::limits::PRODUCERS_PER_PARTITION_MAX;

const ID: i64 = 4000;

fn send(rig: &mut Rig, epoch: i16, sequence: i32, count: i32) -> Result<Outcome, AppendError> {
    let outcome = rig.append(now(1000), spec(count).by(ID, epoch, sequence).build());
    rig.settle();
    outcome
}

fn refused(rig: &mut Rig, epoch: i16, sequence: i32, count: i32) -> AppendError {
    let before = rig.log.checkpoint();
    let error = send(rig, epoch, sequence, count).unwrap_err();
    assert_eq!(rig.log.checkpoint(), before, "a refusal changes nothing");
    error
}

fn out_of_order(expected: i32, found: i32) -> AppendError {
    AppendError::OutOfOrderSequence {
        producer_id: ID,
        expected,
        found,
    }
}

#[test]
fn sequences_in_order_are_appended() {
    let mut rig = Rig::new();
    for (sequence, count) in [(0, 1), (1, 5), (6, 2), (8, 1)] {
        appended(send(&mut rig, 0, sequence, count));
    }
    assert_eq!(rig.log.log_end(), 9);
}

#[test]
fn an_unknown_producer_may_begin_anywhere() {
    appended(send(&mut Rig::new(), 7, 12345, 3));
}

#[test]
fn gaps_and_steps_back_are_refused() {
    let mut rig = Rig::new();
    appended(send(&mut rig, 0, 10, 5));
    for (sequence, count) in [(16, 1), (14, 1), (11, 4), (0, 1), (10, 4), (i32::MAX, 1)] {
        let error = refused(&mut rig, 0, sequence, count);
        assert_eq!(error, out_of_order(15, sequence), "{sequence}+{count}");
    }
    appended(send(&mut rig, 0, 15, 1));
}

#[test]
fn the_last_five_batches_are_recognised() {
    let mut rig = Rig::new();
    let originals: Vec<Appended> = (0..7)
        .map(|i| appended(send(&mut rig, 0, i * 3, 3)))
        .collect();
    for (i, original) in originals.iter().enumerate() {
        let sequence = i as i32 * 3;
        if i < 2 {
            assert_eq!(
                refused(&mut rig, 0, sequence, 3),
                out_of_order(21, sequence)
            );
            continue;
        }
        let again = duplicate(send(&mut rig, 0, sequence, 3));
        assert_eq!(again.base_offset, original.base_offset);
        assert_eq!(again.last_offset, original.last_offset);
        assert_eq!(again.wait_for, original.last_offset + 1);
        assert_eq!((again.log_append_time, again.log_start), (-1, 0));
    }
    assert_eq!(rig.log.log_end(), 21);
}

#[test]
fn a_duplicate_waits_for_its_original() {
    let mut rig = Rig::new();
    let batch = spec(2).by(ID, 0, 0).build();
    appended(rig.append(now(1), batch.clone()));
    let again = duplicate(rig.append(now(2), batch.clone()));
    assert!(rig.log.high_watermark() < again.wait_for);
    rig.settle();
    let again = duplicate(rig.append(now(3), batch));
    assert!(rig.log.high_watermark() >= again.wait_for);
}

#[test]
fn a_duplicate_tells_the_log_append_time_of_the_original() {
    let mut rig = Rig::with(LogConfig {
        timestamp_type: TimestampType::LogAppendTime,
        ..LogConfig::default()
    });
    let batch = spec(2).by(ID, 0, 0).build();
    appended(rig.append(now(111), batch.clone()));
    assert_eq!(duplicate(rig.append(now(222), batch)).log_append_time, 111);
}

#[test]
fn sequences_wrap_to_zero() {
    let table = [
        // The last sequence is i32::MAX itself.
        (i32::MAX - 1, 2, 0),
        // The batch runs over the end.
        (i32::MAX - 1, 4, 2),
        (i32::MAX, 1, 0),
        (i32::MAX, 2, 1),
    ];
    for (base, count, next) in table {
        let mut rig = Rig::new();
        appended(send(&mut rig, 0, base, count));
        assert_eq!(duplicate(send(&mut rig, 0, base, count)).base_offset, 0);
        let wrong = next + 1;
        assert_eq!(refused(&mut rig, 0, wrong, 1), out_of_order(next, wrong));
        appended(send(&mut rig, 0, next, 1));
    }
}

#[test]
fn a_new_epoch_begins_at_zero_and_fences_the_old() {
    let mut rig = Rig::new();
    appended(send(&mut rig, 3, 0, 2));
    appended(send(&mut rig, 3, 2, 2));
    assert_eq!(refused(&mut rig, 4, 4, 1), out_of_order(0, 4));
    appended(send(&mut rig, 4, 0, 2));
    let fenced = AppendError::InvalidProducerEpoch {
        producer_id: ID,
        current: 4,
        found: 3,
    };
    assert_eq!(refused(&mut rig, 3, 4, 1), fenced);
    assert_eq!(refused(&mut rig, 3, 2, 2), fenced, "not even a duplicate");
    assert_eq!(duplicate(send(&mut rig, 4, 0, 2)).base_offset, 4);
    appended(send(&mut rig, 4, 2, 1));
}

#[test]
fn producers_do_not_touch_each_other() {
    let mut rig = Rig::new();
    rig.fill([
        spec(2).by(1, 0, 0),
        spec(2).by(2, 0, 0),
        spec(2),
        spec(2).by(1, 0, 2),
        spec(1).by(2, 5, 0),
    ]);
    let views: Vec<ProducerView> = rig.log.producers().collect();
    let told: Vec<_> = views
        .iter()
        .map(|v| (v.producer_id, v.epoch, v.last_sequence))
        .collect();
    assert_eq!(told, [(1, 0, 3), (2, 5, 0)]);
    for view in views {
        assert_eq!(view.last_timestamp, 1000);
        assert_eq!(
            (view.coordinator_epoch, view.current_txn_start_offset),
            (-1, -1)
        );
    }
}

#[test]
fn idle_producers_expire_and_may_begin_again() {
    let mut rig = Rig::new();
    rig.append(now(0), spec(1).by(1, 0, 0).build()).unwrap();
    rig.append(now(500), spec(1).by(2, 0, 0).build()).unwrap();
    rig.append(now(600), spec(1).by(2, 0, 1).build()).unwrap();
    assert_eq!(rig.log.expire_producers(now(999), 1000), 0);
    assert_eq!(rig.log.expire_producers(now(1000), 1000), 1);
    assert_eq!(rig.log.producers().next().unwrap().producer_id, 2);
    assert_eq!(rig.log.expire_producers(now(1599), 1000), 0);
    appended(rig.append(now(1599), spec(1).by(1, 0, 44).build()));
    assert_eq!(rig.log.expire_producers(now(1600), 1000), 1);
    assert_eq!(rig.log.producers().next().unwrap().last_sequence, 44);
}

fn begin(log: &mut Partition, id: i64, sequence: i32) {
    let batch = spec(1).by(id, 0, sequence).build();
    appended(log.append(now(0), batch, Origin::Client));
}

fn known(log: &Partition) -> Vec<i64> {
    log.producers().map(|view| view.producer_id).collect()
}

#[test]
fn a_full_partition_forgets_the_longest_idle_first() {
    let max = PRODUCERS_PER_PARTITION_MAX as i64;
    let mut log = Partition::new(TP, LogConfig::default(), 1);
    (0..max).for_each(|id| begin(&mut log, id, 0));
    // 0, 2 and 4 are active again, so 1 is the longest idle, then 3, then 5.
    for (id, sequence) in [(0, 1), (2, 1), (max, 0), (max + 1, 0), (4, 1), (max + 2, 0)] {
        begin(&mut log, id, sequence);
    }
    let kept = known(&log);
    assert_eq!(kept.len() as i64, max);
    assert_eq!(kept[..5], [0, 2, 4, 6, 7]);
    assert_eq!(kept[kept.len() - 3..], [max, max + 1, max + 2]);
    // Newcomers push out all that was idle since the beginning, then go by activity.
    (2 * max..3 * max - 6).for_each(|id| begin(&mut log, id, 0));
    assert_eq!(known(&log)[..6], [0, 2, 4, max, max + 1, max + 2]);
    (3 * max..3 * max + 3).for_each(|id| begin(&mut log, id, 0));
    assert_eq!(known(&log)[..4], [4, max + 1, max + 2, 2 * max]);
}

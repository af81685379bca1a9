//! Retention by time and size, DeleteRecords, and what they leave per segment.

use super::*;
use crate::base::limits::INDEX_CHUNK_ENTRIES;

fn config(retention_ms: Option<u64>, retention_bytes: Option<u64>) -> LogConfig {
    LogConfig {
        retention_ms,
        retention_bytes,
        timestamp_after_max_ms: None,
        ..LogConfig::default()
    }
}

/// Batches of 100 bytes and two records, with these timestamps.
fn rig_of(timestamps: &[i64], config: LogConfig) -> Rig {
    let mut rig = Rig::with(config);
    rig.fill(timestamps.iter().map(|t| spec(2).at(*t).bytes(100)));
    rig
}

#[test]
fn by_time_up_to_the_first_that_has_not_expired() {
    let table: [(&[i64], i64, Option<i64>); 10] = [
        (&[], 5000, None),
        (&[100, 200, 300], 1100, None),
        (&[100, 200, 300], 1101, Some(2)),
        (&[100, 200, 300], 1250, Some(4)),
        (&[100, 200, 300], 9999, Some(6)),
        // An old one behind a young one stays.
        (&[100, 900, 100], 1500, Some(2)),
        // Without a timestamp: with the next that has one.
        (&[-1, 100, -1, 900], 1500, Some(4)),
        (&[-1, -1], 1500, None),
        (&[-1, 900], 1500, None),
        // From the future: not before its time.
        (&[i64::MAX, 100], 1500, None),
    ];
    for (timestamps, wall_ms, expected) in table {
        let rig = rig_of(timestamps, config(Some(1000), None));
        let to = rig.log.expired_to(now(wall_ms));
        assert_eq!(to, expected, "{timestamps:?} at {wall_ms}");
    }
}

#[test]
fn by_size_no_more_than_needed() {
    let table = [
        (400, None),
        (399, Some(2)),
        (300, Some(2)),
        (299, Some(4)),
        (1, Some(8)),
        (0, Some(8)),
    ];
    for (retention_bytes, expected) in table {
        let rig = rig_of(&[1; 4], config(None, Some(retention_bytes)));
        let to = rig.log.expired_to(now(5000));
        assert_eq!(to, expected, "{retention_bytes} bytes");
    }
}

#[test]
fn the_stricter_rule_wins_and_is_done_once() {
    let mut rig = rig_of(&[100, 200, 300, 400], config(Some(1000), Some(300)));
    assert_eq!(rig.log.expired_to(now(1250)), Some(4));
    rig.log.advance_log_start(4);
    assert_eq!(rig.log.log_bytes(), 200);
    assert_eq!(rig.log.expired_to(now(1250)), None);
    rig.log.set_config(config(Some(1000), Some(100)));
    assert_eq!(rig.log.expired_to(now(1250)), Some(6));
    rig.log.plan_log_start(6);
    assert_eq!(rig.log.expired_to(now(1250)), None, "under way");
}

#[test]
fn what_never_expires() {
    let rig = rig_of(&[100], config(None, None));
    assert_eq!(rig.log.expired_to(now(i64::MAX)), None);
    let compacted = LogConfig {
        expires: false,
        ..config(Some(0), Some(0))
    };
    assert_eq!(
        rig_of(&[100], compacted).log.expired_to(now(i64::MAX)),
        None
    );
    let rig = rig_of(&[100], config(Some(u64::MAX), None));
    assert_eq!(rig.log.expired_to(now(i64::MAX)), None);
}

#[test]
fn only_durable_batches_expire() {
    let mut rig = rig_of(&[100], config(Some(1000), Some(0)));
    appended(rig.append(now(0), spec(2).at(100).build()));
    assert_eq!(rig.log.expired_to(now(5000)), Some(2));
}

#[test]
fn delete_records_within_the_log() {
    let mut rig = rig_of(&[1, 1, 1], LogConfig::default());
    appended(rig.append(now(0), spec(2).build()));
    rig.log.advance_log_start(2);
    let out = Err(ReadError::OffsetOutOfRange);
    let table = [
        (-1, Ok(6)),
        (-2, out),
        (0, Ok(2)),
        (2, Ok(2)),
        (5, Ok(5)),
        (6, Ok(6)),
        (7, out),
        (i64::MAX, out),
    ];
    for (offset, expected) in table {
        assert_eq!(rig.log.check_delete_records(offset), expected, "{offset}");
    }
}

#[test]
fn a_log_start_inside_a_batch_keeps_the_batch() {
    let mut rig = rig_of(&[1, 1, 1], LogConfig::default());
    let released = rig.log.advance_log_start(3);
    assert_eq!(released.tail_bytes, 100);
    assert_eq!(released.segments.iter().map(|s| s.batches).sum::<u64>(), 1);
    assert_eq!(rig.log.log_bytes(), 200);
    let plan = rig.log.plan_read(3, 100, true).unwrap();
    assert_eq!(header_of(&rig.read(&plan.pieces[0])).base_offset, 2);
    assert_eq!(rig.log.advance_log_start(3), Released::default());
    assert_eq!(rig.log.advance_log_start(1), Released::default());
    let released = rig.log.advance_log_start(6);
    assert_eq!(
        (released.segments[0].batches, released.tail_bytes),
        (2, 200)
    );
    assert_eq!((rig.log.log_start(), rig.log.log_bytes()), (6, 0));
    rig.fill([spec(1)]);
    assert_eq!(rig.log.plan_read(6, 9, true).unwrap().pieces.len(), 1);
}

#[test]
fn releases_and_uses_are_counted_per_segment() {
    let mut rig = Rig::new();
    rig.segment_bytes = 4096 + 400;
    rig.fill([spec(2).bytes(100); 10]);
    let told = |uses: Vec<SegmentUse>| -> Vec<_> {
        let all = uses.into_iter();
        all.map(|u| (u.segment.sequence, u.batches, u.bytes))
            .collect()
    };
    let uses = [(1, 3, 300), (2, 3, 300), (3, 3, 300), (4, 1, 100)];
    assert_eq!(told(rig.log.segments()), uses);
    let released = rig.log.advance_log_start(10).segments;
    let released: Vec<_> = released
        .iter()
        .map(|r| (r.segment.sequence, r.batches, r.bytes))
        .collect();
    assert_eq!(released, [(1, 3, 300), (2, 2, 200)]);
    let uses = [(2, 1, 100), (3, 3, 300), (4, 1, 100)];
    assert_eq!(told(rig.log.segments()), uses);
    rig.log.advance_log_start(20);
    assert!(rig.log.segments().is_empty());
}

#[test]
fn a_segment_with_more_batches_than_a_chunk_of_the_index_is_told_once() {
    let mut rig = Rig::new();
    let batches = INDEX_CHUNK_ENTRIES as u64 + 10;
    rig.fill(vec![spec(2).bytes(100); batches as usize]);
    let told = rig.log.segments();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].batches, told[0].bytes), (batches, 100 * batches));
    let released = rig.log.advance_log_start(2 * batches as i64 - 2).segments;
    assert_eq!(released.len(), 1);
    let gone = batches - 1;
    assert_eq!((released[0].batches, released[0].bytes), (gone, 100 * gone));
}

#[test]
#[should_panic(expected = "beyond what is durable")]
fn the_log_start_stays_within_what_is_durable() {
    let mut rig = rig_of(&[1], LogConfig::default());
    appended(rig.append(now(0), spec(2).build()));
    rig.log.advance_log_start(3);
}

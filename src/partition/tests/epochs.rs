//! Leader epochs: the answers of Kafka's `LeaderEpochFileCache`.

use super::*;

/// Epochs 2 (offsets 0-9), 5 (10-19), 6 (nothing) and 9 (20-29 so far).
fn log_of_epochs() -> Rig {
    let mut bytes = Vec::new();
    let mut log = Partition::new(TP, LogConfig::default(), 2);
    for next_epoch in [5, 6, 9] {
        let mut rig = Rig::of(log, 0);
        if next_epoch != 9 {
            rig.fill([spec(10)]);
        }
        bytes.append(&mut rig.wal);
        log = restart(&bytes, next_epoch);
    }
    let mut rig = Rig::of(log, 1);
    rig.fill([spec(10)]);
    rig.wal.extend(bytes);
    rig
}

fn restart(wal: &[(LogPosition, Bytes)], epoch: i32) -> Partition {
    let mut recovery = Recovery::new(TP, LogConfig::default());
    for (position, bytes) in wal {
        recovery.on_batch(&header_of(bytes), *position).unwrap();
    }
    recovery.finish(epoch, now(0)).unwrap()
}

fn end(epoch: i32, end_offset: i64) -> EpochEnd {
    EpochEnd { epoch, end_offset }
}

#[test]
fn where_epochs_end() {
    let rig = log_of_epochs();
    let table = [
        (-1, EpochEnd::UNKNOWN),
        (i32::MIN, EpochEnd::UNKNOWN),
        // Older than all: it ended, at the latest, where the first known began.
        (0, end(0, 0)),
        (1, end(1, 0)),
        (2, end(2, 10)),
        (3, end(2, 10)),
        (4, end(2, 10)),
        (5, end(5, 20)),
        (6, end(5, 20)),
        (8, end(5, 20)),
        (9, end(9, 30)),
        (10, EpochEnd::UNKNOWN),
        (i32::MAX, EpochEnd::UNKNOWN),
    ];
    for (epoch, expected) in table {
        assert_eq!(rig.log.end_offset_for(epoch), expected, "epoch {epoch}");
    }
}

#[test]
fn the_current_epoch_ends_at_the_high_watermark() {
    let mut rig = log_of_epochs();
    appended(rig.append(now(0), spec(4).build()));
    assert_eq!(rig.log.end_offset_for(9), end(9, 30));
    rig.settle();
    assert_eq!(rig.log.end_offset_for(9), end(9, 34));
}

#[test]
fn an_epoch_that_wrote_nothing_yet_begins_at_the_end() {
    let rig = Rig::of(restart(&log_of_epochs().wal[1..2], 4), 0);
    assert_eq!(rig.log.end_offset_for(2), end(2, 10));
    let log = Partition::new(TP, LogConfig::default(), 4);
    assert_eq!(log.end_offset_for(3), end(3, 0));
    assert_eq!(log.end_offset_for(4), end(4, 0));
    assert_eq!(log.epoch_of(0), 4);
}

#[test]
fn epochs_go_with_the_log_start() {
    let mut rig = log_of_epochs();
    rig.log.advance_log_start(4);
    assert_eq!(rig.log.end_offset_for(1), end(1, 4));
    rig.log.advance_log_start(10);
    assert_eq!(rig.log.end_offset_for(2), end(2, 10));
    assert_eq!(rig.log.end_offset_for(5), end(5, 20));
    rig.log.advance_log_start(30);
    assert_eq!(rig.log.end_offset_for(5), end(5, 30));
    assert_eq!(rig.log.end_offset_for(9), end(9, 30));
    assert_eq!(rig.log.epoch_of(30), 9);
}

#[test]
fn the_epoch_of_an_offset() {
    let rig = log_of_epochs();
    let table = [(0, 2), (9, 2), (10, 5), (19, 5), (20, 9), (29, 9), (30, 9)];
    for (offset, epoch) in table {
        assert_eq!(rig.log.epoch_of(offset), epoch, "offset {offset}");
    }
}

#[test]
fn requests_of_other_epochs_are_fenced() {
    let log = Partition::new(TP, LogConfig::default(), 5);
    let table = [
        (-1, Ok(())),
        (0, Err(EpochError::Fenced)),
        (4, Err(EpochError::Fenced)),
        (5, Ok(())),
        (6, Err(EpochError::Unknown)),
    ];
    for (epoch, expected) in table {
        assert_eq!(log.check_leader_epoch(epoch), expected, "epoch {epoch}");
    }
}

#[test]
fn a_consumer_that_read_another_log_is_told() {
    let mut rig = log_of_epochs();
    let out = Err(ReadError::OffsetOutOfRange);
    let table = [
        (-1, 99, Ok(None)),
        (9, 30, Ok(None)),
        (9, 31, Ok(Some(end(9, 30)))),
        (5, 20, Ok(None)),
        (5, 21, Ok(Some(end(5, 20)))),
        (6, 20, Ok(Some(end(5, 20)))),
        (3, 5, Ok(Some(end(2, 10)))),
        (2, 10, Ok(None)),
        (10, 5, out),
    ];
    for (epoch, offset, expected) in table {
        assert_eq!(
            rig.log.check_divergence(epoch, offset),
            expected,
            "{epoch} at {offset}"
        );
    }
    rig.log.advance_log_start(12);
    assert_eq!(rig.log.check_divergence(5, 11), out);
    assert_eq!(rig.log.check_divergence(5, 12), Ok(None));
}

#[test]
fn the_number_of_epochs_is_bounded() {
    use crate::base::limits::EPOCHS_PER_PARTITION_MAX;
    let max = EPOCHS_PER_PARTITION_MAX as i32;
    let mut recovery = Recovery::new(TP, LogConfig::default());
    let segment = SegmentId {
        wal: 0,
        sequence: 1,
    };
    for i in 0..max + 10 {
        let header = header_of(&spec(1).build_with(|h| {
            (h.base_offset, h.leader_epoch) = (i.into(), i);
        }));
        let offset = 4096 + i as u32 * 100;
        let position = LogPosition { segment, offset };
        recovery.on_batch(&header, position).unwrap();
    }
    let log = recovery.finish(max + 10, now(0)).unwrap();
    assert_eq!(log.epoch_of(9), -1, "forgotten");
    assert_eq!(log.epoch_of(10), 10);
    assert_eq!(log.end_offset_for(5), end(5, 10));
    assert!(log.checkpoint().len() < 13 * max as usize);
}

#[test]
fn an_epoch_whose_records_are_gone_gives_way_to_the_next() {
    let mut rig = Rig::new();
    rig.fill([spec(10)]);
    rig.log.advance_log_start(10);
    let mut recovery = Recovery::new(TP, LogConfig::default());
    recovery.on_checkpoint(&rig.log.checkpoint()).unwrap();
    let mut rig = Rig::of(recovery.finish(2, now(0)).unwrap(), 0);
    assert_eq!(
        (rig.log.epoch_of(10), rig.log.end_offset_for(1)),
        (2, end(1, 10))
    );
    rig.fill([spec(5)]);
    assert_eq!(
        (rig.log.epoch_of(10), rig.log.end_offset_for(1)),
        (2, end(1, 10))
    );
    let mut recovery = Recovery::new(TP, LogConfig::default());
    assert!(recovery.on_checkpoint(&rig.log.checkpoint()).is_ok());
}

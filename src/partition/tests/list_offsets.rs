//! ListOffsets: by name and by time.

use super::*;

fn known(offset: i64, timestamp: i64, leader_epoch: i32) -> Listed {
    Listed::Known(OffsetAnswer {
        offset,
        timestamp,
        leader_epoch,
    })
}

/// Batches of three records (offsets 0-2, 3-5, ...) with these largest timestamps.
fn rig_of(timestamps: &[i64]) -> Rig {
    let mut rig = Rig::new();
    rig.fill(timestamps.iter().map(|t| Spec {
        base_timestamp: t - 2,
        max_timestamp: *t,
        ..spec(3)
    }));
    rig
}

/// Answers a lookup by scanning as the shard does, for batches whose records
/// have the timestamps max-2, max-1 and max.
fn resolve(rig: &Rig, mut listed: Listed) -> OffsetAnswer {
    loop {
        let scan = match listed {
            Listed::Known(answer) => return answer,
            Listed::Scan(scan) => scan,
        };
        let header = header_of(&rig.read(&scan.piece));
        let found = resolve_scan(&scan, &header, [(0, 0), (1, 1), (2, 2)]);
        match (found, scan.target) {
            (Some(answer), _) => return answer,
            (None, ListTarget::Max) => return OffsetAnswer::NONE,
            (None, ListTarget::AtLeast(t)) => {
                listed = rig.log.list_offset_from(t, scan.next_offset)
            }
        }
    }
}

fn offset_at(rig: &Rig, timestamp: i64) -> (i64, i64) {
    let answer = resolve(rig, rig.log.list_offset(timestamp));
    (answer.offset, answer.timestamp)
}

#[test]
fn offsets_by_name() {
    let mut rig = rig_of(&[100, 200]);
    appended(rig.append(now(0), spec(5).build()));
    rig.log.advance_log_start(2);
    let none = Listed::Known(OffsetAnswer::NONE);
    let table = [
        (timestamps::LATEST, known(6, -1, 1)),
        (timestamps::EARLIEST, known(2, -1, 1)),
        (timestamps::EARLIEST_LOCAL, known(2, -1, 1)),
        (timestamps::LATEST_TIERED, none.clone()),
        (timestamps::EARLIEST_PENDING_UPLOAD, none),
    ];
    for (timestamp, expected) in table {
        assert_eq!(rig.log.list_offset(timestamp), expected, "{timestamp}");
    }
}

#[test]
fn an_empty_partition_has_ends_but_no_records() {
    let log = Partition::new(TP, LogConfig::default(), 3);
    assert_eq!(log.list_offset(timestamps::LATEST), known(0, -1, 3));
    assert_eq!(log.list_offset(timestamps::EARLIEST), known(0, -1, 3));
    let none = Listed::Known(OffsetAnswer::NONE);
    assert_eq!(log.list_offset(timestamps::MAX), none);
    assert_eq!(log.list_offset(0), none);
    assert_eq!(log.list_offset(i64::MAX), none);
}

#[test]
fn offsets_by_time() {
    let rig = rig_of(&[100, 200, 150, 300]);
    let table = [
        (0, (0, 98)),
        (98, (0, 98)),
        (99, (1, 99)),
        (100, (2, 100)),
        (101, (3, 198)),
        (199, (4, 199)),
        // The third batch lies back in time and is passed over.
        (201, (9, 298)),
        (300, (11, 300)),
        (301, (-1, -1)),
        (i64::MAX, (-1, -1)),
    ];
    for (timestamp, expected) in table {
        assert_eq!(offset_at(&rig, timestamp), expected, "at {timestamp}");
    }
}

#[test]
fn the_largest_timestamp_is_found_where_it_first_occurs() {
    assert_eq!(
        offset_at(&rig_of(&[100, 400, 150, 400]), timestamps::MAX),
        (5, 400)
    );
    assert_eq!(offset_at(&rig_of(&[1, -1]), timestamps::MAX), (2, 1));
    let mut rig = Rig::new();
    rig.fill([spec(3).at(-1)]);
    assert_eq!(offset_at(&rig, timestamps::MAX), (-1, -1));
}

#[test]
fn records_below_the_log_start_do_not_count() {
    let mut rig = rig_of(&[400, 200]);
    rig.log.advance_log_start(1);
    assert_eq!(offset_at(&rig, 0), (1, 399));
    rig.log.advance_log_start(2);
    assert_eq!(offset_at(&rig, 0), (2, 400));
    assert_eq!(offset_at(&rig, timestamps::MAX), (2, 400));
    rig.log.advance_log_start(3);
    assert_eq!(offset_at(&rig, 0), (3, 198));
    assert_eq!(offset_at(&rig, timestamps::MAX), (5, 200));
}

#[test]
fn records_that_are_not_durable_do_not_count() {
    let mut rig = rig_of(&[100]);
    appended(rig.append(now(0), spec(3).at(500).build()));
    assert_eq!(offset_at(&rig, 101), (-1, -1));
    assert_eq!(offset_at(&rig, timestamps::MAX), (2, 100));
}

#[test]
fn a_single_record_needs_no_scan() {
    let mut rig = Rig::new();
    rig.fill([spec(1).at(10), spec(1).at(30)]);
    assert_eq!(rig.log.list_offset(11), known(1, 30, 1));
    assert_eq!(rig.log.list_offset(timestamps::MAX), known(1, 30, 1));
}

#[test]
fn a_scan_reads_memory_or_disk() {
    let mut rig = rig_of(&[100, 200]);
    let scan = |rig: &Rig| match rig.log.list_offset(100) {
        Listed::Scan(scan) => scan,
        known => panic!("{known:?}"),
    };
    assert!(matches!(scan(&rig).piece, Piece::Tail(_)));
    let warm = rig.read(&scan(&rig).piece);
    rig.log.evict_tail_first();
    assert!(matches!(scan(&rig).piece, Piece::Cold(_)));
    assert_eq!(rig.read(&scan(&rig).piece), warm);
    assert_eq!(scan(&rig).target, ListTarget::AtLeast(100));
    assert_eq!((scan(&rig).from_offset, scan(&rig).next_offset), (0, 3));
}

#[test]
fn a_header_that_promised_too_much_is_passed_over() {
    let mut rig = Rig::new();
    // Records of 98, 99 and 100 under a header that says 900.
    let lying = Spec {
        base_timestamp: 98,
        max_timestamp: 900,
        ..spec(3)
    };
    let honest = Spec {
        base_timestamp: 498,
        max_timestamp: 500,
        ..spec(3)
    };
    rig.fill([lying, lying, honest]);
    assert_eq!(offset_at(&rig, 200), (6, 498));
    assert_eq!(offset_at(&rig, 501), (-1, -1));
    assert_eq!(offset_at(&rig, timestamps::MAX), (2, 100));
}

#[test]
fn log_append_time_holds_for_every_record() {
    let scan = |target, from_offset| TimeScan {
        piece: Piece::Tail(Bytes::new()),
        target,
        from_offset,
        next_offset: 13,
    };
    let header = BatchHeader {
        base_offset: 10,
        leader_epoch: 4,
        attributes: 0x08,
        base_timestamp: 999,
        max_timestamp: 500,
        ..spec(3).header()
    };
    let table = [
        (ListTarget::AtLeast(500), 0, Some(10)),
        (ListTarget::AtLeast(1), 11, Some(11)),
        (ListTarget::AtLeast(501), 0, None),
        (ListTarget::Max, 12, Some(12)),
        (ListTarget::Max, 13, None),
    ];
    for (target, from_offset, offset) in table {
        let expected = offset.map(|offset| OffsetAnswer {
            offset,
            timestamp: 500,
            leader_epoch: 4,
        });
        let found = resolve_scan(&scan(target, from_offset), &header, []);
        assert_eq!(found, expected, "{target:?} from {from_offset}");
    }
}

#[test]
fn impossible_deltas_are_ignored() {
    let scan = TimeScan {
        piece: Piece::Tail(Bytes::new()),
        target: ListTarget::AtLeast(0),
        from_offset: 0,
        next_offset: 3,
    };
    let header = spec(3).at(1000).header();
    let records = [(-1, 0), (3, 0), (i32::MAX, 0), (0, i64::MAX), (1, i64::MIN)];
    assert_eq!(resolve_scan(&scan, &header, records), None);
    let records = [(0, i64::MIN), (2, -1000)];
    let answer = resolve_scan(&scan, &header, records).unwrap();
    assert_eq!((answer.offset, answer.timestamp), (2, 0));
}

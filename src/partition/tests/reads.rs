//! Read plans: bounds, KIP-74, the passage from disk to memory, and what is
//! done with cold batches.

use super::*;

/// Four batches of 100, 200, 300 and 400 bytes at offsets 0-1, 2-3, 4-5, 6-7.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.fill([100, 200, 300, 400].map(|bytes| spec(2).bytes(bytes)));
    rig
}

fn lens(plan: &ReadPlan) -> Vec<usize> {
    plan.pieces.iter().map(Piece::len).collect()
}

#[test]
fn whole_batches_up_to_the_limit() {
    let table: [(i64, usize, bool, &[usize]); 14] = [
        (0, 1000, true, &[100, 200, 300, 400]),
        (0, 999, true, &[100, 200, 300]),
        (0, 600, true, &[100, 200, 300]),
        (0, 599, true, &[100, 200]),
        (0, 100, false, &[100]),
        (0, 99, false, &[]),
        // The first batch comes whatever its size, and nothing with it (KIP-74).
        (0, 99, true, &[100]),
        (0, 0, true, &[100]),
        (6, 1, true, &[400]),
        (0, 0, false, &[]),
        // From inside a batch: all of it.
        (3, 500, true, &[200, 300]),
        (7, 1000, true, &[400]),
        // At the end there is nothing yet.
        (8, 1000, true, &[]),
        (8, 0, false, &[]),
    ];
    let mut rig = rig();
    for cold in 0..=4 {
        for (offset, bytes_max, at_least_one, expected) in table {
            let plan = rig.log.plan_read(offset, bytes_max, at_least_one).unwrap();
            assert_eq!(lens(&plan), expected, "{offset} {bytes_max} {at_least_one}");
            assert!(!plan.pieces.iter().any(Piece::is_empty));
            assert_eq!(plan.bytes, expected.iter().sum::<usize>());
            let next = plan
                .pieces
                .last()
                .map_or(offset, |last| header_of(&rig.read(last)).last_offset() + 1);
            assert_eq!(plan.next_offset, next);
            assert_eq!((plan.log_start, plan.high_watermark), (0, 8));
            assert_eq!(plan.last_stable, 8);
        }
        assert_eq!(rig.log.evict_tail_first() > 0, cold < 4);
    }
}

#[test]
fn offsets_outside_the_log_are_refused() {
    let mut rig = rig();
    appended(rig.append(now(0), spec(2).build()));
    let read = |rig: &Rig, offset| rig.log.plan_read(offset, 1000, true).map(|p| lens(&p));
    let out = Err(ReadError::OffsetOutOfRange);
    assert_eq!(read(&rig, -1), out);
    assert_eq!(read(&rig, 8), Ok(vec![]));
    assert_eq!(read(&rig, 9), out, "appended, but not durable");
    assert_eq!(read(&rig, i64::MAX), out);
    rig.log.advance_log_start(3);
    assert_eq!(read(&rig, 2), out);
    assert_eq!(read(&rig, 3), Ok(vec![200, 300, 400]));
    let empty = Partition::new(TP, LogConfig::default(), 1);
    assert!(empty.plan_read(0, 10, true).unwrap().pieces.is_empty());
    assert!(empty.plan_read(1, 10, true).is_err());
}

#[test]
fn disk_then_memory_without_a_seam() {
    let mut rig = rig();
    assert_eq!(rig.log.evict_tail_before(4), 300);
    assert_eq!(rig.log.evict_tail_before(5), 0, "its batch goes on to 6");
    assert_eq!(rig.log.tail_bytes(), 700);
    let plan = rig.log.plan_read(0, 10_000, true).unwrap();
    let cold: Vec<bool> = plan
        .pieces
        .iter()
        .map(|p| matches!(p, Piece::Cold(_)))
        .collect();
    assert_eq!(cold, [true, true, false, false]);
    let read: Vec<u8> = plan.pieces.iter().flat_map(|p| rig.read(p)).collect();
    let written: Vec<u8> = rig.wal.iter().flat_map(|(_, b)| b.clone()).collect();
    assert_eq!(read, written);
}

#[test]
fn a_batch_that_the_log_begins_within_keeps_its_epoch() {
    let mut rig = rig();
    rig.log.evict_tail_before(10);
    let epoch = rig.log.leader_epoch();
    // Batches of two records: the log begins at the second of one.
    for log_start in [0, 1, 2, 3] {
        rig.log.advance_log_start(log_start);
        let plan = rig.log.plan_read(log_start, 1000, true).unwrap();
        for piece in &plan.pieces {
            let Piece::Cold(read) = piece else {
                panic!("nothing is in memory")
            };
            assert_eq!(read.leader_epoch, epoch, "{log_start}");
        }
        assert!(!plan.pieces.is_empty());
    }
}

#[test]
fn a_batch_without_memory_begins_the_tail_anew() {
    let mut rig = rig();
    let result = appended(rig.log.append(now(0), spec(2).build(), Origin::Client));
    let (segment, offset) = (rig.segment, 900_000);
    rig.log.on_durable(Placed {
        base_offset: result.base_offset,
        last_offset: result.last_offset,
        max_timestamp: result.max_timestamp,
        position: LogPosition { segment, offset },
        len: result.total_bytes() as u32,
        bytes: None,
    });
    assert_eq!(rig.log.tail_bytes(), 0);
    let plan = rig.log.plan_read(6, 1000, true).unwrap();
    assert!(plan.pieces.iter().all(|p| matches!(p, Piece::Cold(_))));
    assert_eq!(plan.next_offset, 10);
}

#[test]
fn the_number_of_batches_is_bounded() {
    use crate::base::limits::READ_PIECES_MAX;
    let mut rig = Rig::new();
    for _ in 0..READ_PIECES_MAX + 3 {
        appended(rig.log.append(now(0), spec(1).build(), Origin::Client));
    }
    let len = spec(1).build().len() as u32;
    for base_offset in 0..rig.log.log_end() {
        let (segment, offset) = (rig.segment, base_offset as u32 * len);
        rig.log.on_durable(Placed {
            base_offset,
            last_offset: base_offset,
            max_timestamp: 0,
            position: LogPosition { segment, offset },
            len,
            bytes: None,
        });
    }
    let plan = rig.log.plan_read(0, usize::MAX, true).unwrap();
    assert_eq!(plan.pieces.len(), READ_PIECES_MAX);
    let plan = rig
        .log
        .plan_read(plan.next_offset, usize::MAX, true)
        .unwrap();
    assert_eq!(plan.pieces.len(), 3);
}

#[test]
fn readable_bytes_stop_at_enough() {
    let mut rig = rig();
    let table = [(0, 5000, 1000), (0, 150, 300), (5, 5000, 700), (8, 5000, 0)];
    for (offset, bytes_max, expected) in table {
        assert_eq!(rig.log.readable_bytes(offset, bytes_max), expected);
    }
    rig.log.advance_log_start(4);
    assert_eq!(rig.log.readable_bytes(0, 5000), 700);
}

#[test]
fn durable_reports_who_waits_and_what_came() {
    let mut rig = Rig::new();
    for waiter in [11, 12, 11, 13] {
        rig.log.register_waiter(waiter);
    }
    assert!(rig.log.deregister_waiter(12));
    assert!(!rig.log.deregister_waiter(12));
    let result = appended(
        rig.log
            .append(now(0), spec(2).bytes(150).build(), Origin::Client),
    );
    let (segment, offset) = (rig.segment, 5000);
    let durable = rig.log.on_durable(Placed {
        base_offset: 0,
        last_offset: 1,
        max_timestamp: 1000,
        position: LogPosition { segment, offset },
        len: 150,
        bytes: Some(whole(&result)),
    });
    assert_eq!((durable.high_watermark, durable.bytes), (2, 150));
    assert_eq!(durable.waiters, [11, 13]);
    assert_eq!(rig.log.waiters(), [11, 13]);
}

#[test]
#[should_panic(expected = "durable out of order")]
fn durable_keeps_to_the_order_of_offsets() {
    let mut rig = Rig::new();
    appended(rig.append(now(0), spec(1).build()));
    appended(rig.append(now(0), spec(1).build()));
    rig.wal.remove(0);
    let (position, bytes) = rig.wal.remove(0);
    rig.log.on_durable(Placed {
        base_offset: 1,
        last_offset: 1,
        max_timestamp: 0,
        position,
        len: bytes.len() as u32,
        bytes: None,
    });
}

fn cold(segment: u64, offset: u32, len: u32) -> ColdRead {
    let segment = SegmentId {
        wal: 0,
        sequence: segment,
    };
    ColdRead {
        position: LogPosition { segment, offset },
        len,
        base_offset: 0,
        last_offset: 0,
        leader_epoch: -1,
    }
}

#[test]
fn neighbours_become_one_disk_read() {
    let reads = [
        cold(1, 100, 50),
        cold(1, 198, 50),   // 48 bytes between
        cold(1, 300, 10),   // 52 bytes between
        cold(1, 310, 500),  // adjacent, but together too long
        cold(1, 810, 5000), // longer than the limit alone
        cold(2, 5810, 10),  // another segment
        cold(2, 5000, 10),  // backwards
    ];
    let groups = group_cold(&reads, 48, 400);
    let told: Vec<_> = groups
        .iter()
        .map(|g| (g.segment.sequence, g.offset, g.len, g.reads.clone()))
        .collect();
    let expected = [
        (1, 100, 148, 0..2),
        (1, 300, 10, 2..3),
        (1, 310, 500, 3..4),
        (1, 810, 5000, 4..5),
        (2, 5810, 10, 5..6),
        (2, 5000, 10, 6..7),
    ];
    assert_eq!(told, expected);
    assert!(group_cold(&[], 48, 400).is_empty());
    let far = cold(1, u32::MAX, u32::MAX);
    assert_eq!(group_cold(&[far, far], u32::MAX, u32::MAX).len(), 2);
}

#[test]
fn what_the_disk_gives_is_verified() {
    let rig = rig();
    let (position, bytes) = rig.wal[1].clone();
    let read = ColdRead {
        position,
        len: 200,
        base_offset: 2,
        last_offset: 3,
        leader_epoch: BatchHeader::decode(&bytes).unwrap().leader_epoch,
    };
    assert!(verify_cold(&read, &bytes));
    assert!(!verify_cold(&read, &rig.wal[0].1), "another batch");
    assert!(!verify_cold(&read, &[0; 200]), "zeroes");
    assert!(!verify_cold(&read, &[]));
    assert!(!verify_cold(&read, &bytes[..199]));
    assert!(!verify_cold(&ColdRead { len: 199, ..read }, &bytes[..199]));
    let moved = ColdRead {
        base_offset: 3,
        last_offset: 4,
        ..read
    };
    assert!(!verify_cold(&moved, &bytes), "another offset");
    let longer = ColdRead {
        last_offset: 4,
        ..read
    };
    assert!(!verify_cold(&longer, &bytes), "another last offset");
    // The leader epoch (bytes 12 to 15) is not under the checksum, but known.
    let old = ColdRead {
        leader_epoch: -1,
        ..read
    };
    for byte in 0..200 {
        let mut damaged = bytes.to_vec();
        damaged[byte] ^= 0x10;
        assert!(!verify_cold(&read, &damaged), "byte {byte}");
        let in_epoch = (12..16).contains(&byte);
        assert_eq!(verify_cold(&old, &damaged), in_epoch, "byte {byte}");
    }
}

#[test]
fn cold_is_what_is_readable_and_not_in_memory() {
    let mut rig = rig();
    let cold = |rig: &Rig| {
        (-1..10)
            .filter(|at| rig.log.is_cold(*at))
            .collect::<Vec<_>>()
    };
    assert_eq!(cold(&rig), [] as [i64; 0]);
    rig.log.evict_tail_before(4);
    assert_eq!(cold(&rig), [0, 1, 2, 3]);
    rig.log.advance_log_start(3);
    assert_eq!(cold(&rig), [3]);
    rig.log.evict_tail_before(8);
    assert_eq!(cold(&rig), [3, 4, 5, 6, 7]);
}

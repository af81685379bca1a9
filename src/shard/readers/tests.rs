//! Where consumers are expected, what is read ahead for them, and that its memory comes back.

use super::*;
use crate::base::{LogPosition, SegmentId, TopicId};
use crate::partition::ColdRead;

const MEMORY: usize = 10_000;

fn tp(partition: i32) -> TopicPartition {
    TopicPartition {
        topic: TopicId([1; 16]),
        partition,
    }
}

/// One offset a batch, 100 bytes each.
fn cold(offsets: std::ops::Range<i64>) -> Vec<Piece> {
    let segment = SegmentId {
        wal: 0,
        sequence: 1,
    };
    let piece = |offset: i64| {
        Piece::Cold(ColdRead {
            position: LogPosition {
                segment,
                offset: offset as u32 * 100,
            },
            len: 100,
            base_offset: offset,
            last_offset: offset,
            leader_epoch: -1,
        })
    };
    offsets.map(piece).collect()
}

fn run(offsets: std::ops::Range<i64>) -> Run {
    offsets
        .map(|offset| (offset, Bytes::from(vec![offset as u8; 100])))
        .collect()
}

/// A reader that came from `offset - 10`, for which `offset..end` was read ahead.
fn ready(readers: &mut ColdReaders, offset: i64, end: i64) {
    readers.expect(0, (tp(0), offset), true, 5000);
    let (place, _) = readers.next_wanted().unwrap();
    let id = readers.begin(&[place], 2000);
    readers.end(0, id, 2000, [(place, run(offset..end))]);
}

/// The offsets that need not be read from the disk.
fn in_memory(pieces: &[Piece]) -> Vec<i64> {
    let offset = |piece: &Piece| match piece {
        Piece::Tail(bytes) => Some(i64::from(bytes[0])),
        Piece::Cold(_) => None,
    };
    pieces.iter().filter_map(offset).collect()
}

#[test]
fn only_who_goes_on_is_read_ahead_for() {
    let mut readers = ColdReaders::new(MEMORY);
    assert!(!readers.arrive((tp(0), 0), &mut cold(0..10)), "a stranger");
    readers.expect(0, (tp(0), 10), false, 1000);
    assert_eq!(readers.next_wanted(), None);
    assert!(!readers.arrive((tp(0), 9), &mut cold(9..10)), "elsewhere");
    assert!(!readers.arrive((tp(1), 10), &mut cold(10..11)), "another's");
    assert!(readers.arrive((tp(0), 10), &mut cold(10..20)));
    readers.expect(0, (tp(0), 20), true, 1000);
    assert_eq!(readers.next_wanted(), Some(((tp(0), 20), 1000)));
    assert_eq!(readers.next_wanted(), None);
    readers.put_back((tp(0), 20), 1000);
    // Who came before the read began reads for itself.
    assert!(readers.arrive((tp(0), 20), &mut cold(20..30)));
    assert_eq!(readers.next_wanted(), None);
    assert!(
        !readers.arrive((tp(0), 20), &mut cold(20..30)),
        "it went on"
    );
}

#[test]
fn what_was_read_ahead_is_used_as_far_as_it_goes() {
    // What was read ahead from 10 to; what is asked for; what then is in memory; what stays.
    let table: [(i64, std::ops::Range<i64>, &[i64], usize); 6] = [
        (13, 10..13, &[10, 11, 12], 0),
        (13, 10..15, &[10, 11, 12], 0),
        (13, 10..11, &[10], 200),
        (13, 10..10, &[], 300),
        (11, 10..13, &[10], 0),
        (10, 10..12, &[], 0),
    ];
    for (end, asked, expected, left) in table {
        let mut readers = ColdReaders::new(MEMORY);
        ready(&mut readers, 10, end);
        let mut pieces = cold(asked.clone());
        assert!(readers.arrive((tp(0), 10), &mut pieces));
        assert_eq!(in_memory(&pieces), expected, "{end} {asked:?}");
        assert_eq!(readers.bytes(), left, "{end} {asked:?}");
        // The rest serves whoever goes on from there.
        if left > 0 {
            readers.expect(0, (tp(0), asked.end), true, 5000);
            let mut pieces = cold(asked.end..20);
            assert!(readers.arrive((tp(0), asked.end), &mut pieces));
            assert_eq!(in_memory(&pieces).len(), left / 100);
            assert_eq!(readers.bytes(), 0);
        }
    }
}

#[test]
fn what_was_read_ahead_is_not_given_for_other_batches() {
    // Batches at these offsets are asked for at 10, where 10 to 12 were read ahead.
    let table: [(&[i64], &[i64]); 4] = [
        (&[10, 12], &[10]),
        (&[11, 12], &[]),
        (&[9, 10], &[]),
        (&[10, 11, 13], &[10, 11]),
    ];
    for (asked, expected) in table {
        let mut readers = ColdReaders::new(MEMORY);
        ready(&mut readers, 10, 13);
        let mut pieces: Vec<Piece> = asked.iter().flat_map(|&at| cold(at..at + 1)).collect();
        assert!(readers.arrive((tp(0), 10), &mut pieces));
        assert_eq!(in_memory(&pieces), expected, "{asked:?}");
    }
}

#[test]
fn consumers_at_the_same_place_share_one_read() {
    let mut readers = ColdReaders::new(MEMORY);
    readers.expect(0, (tp(0), 10), true, 5000);
    readers.expect(0, (tp(0), 10), true, 5000);
    let (place, _) = readers.next_wanted().unwrap();
    assert_eq!(readers.next_wanted(), None, "one read for both");
    let id = readers.begin(&[place], 600);
    assert!(readers.is_reading() && readers.is_being_read(place));
    readers.end(0, id, 600, [(place, run(10..13))]);
    assert!(!readers.is_reading() && !readers.is_being_read(place));
    for left in [300, 0] {
        let mut pieces = cold(10..13);
        assert!(readers.arrive(place, &mut pieces));
        assert_eq!(in_memory(&pieces), [10, 11, 12]);
        assert_eq!(readers.bytes(), left);
    }
}

#[test]
fn memory_and_reads_under_way_are_bounded() {
    let mut readers = ColdReaders::new(MEMORY);
    ready(&mut readers, 10, 13);
    assert_eq!(readers.room(), MEMORY - 300);
    let ids: Vec<_> = (0..READS_AHEAD_MAX)
        .map(|_| {
            assert!(readers.room() > 0);
            readers.begin(&[], 1000)
        })
        .collect();
    assert_eq!(readers.room(), 0, "enough are under way");
    assert_eq!(readers.bytes(), 300 + 1000 * READS_AHEAD_MAX);
    for id in ids {
        readers.end(0, id, 1000, []);
    }
    assert_eq!(readers.room(), MEMORY - 300);
}

#[test]
fn who_does_not_come_back_is_forgotten() {
    let mut readers = ColdReaders::new(MEMORY);
    ready(&mut readers, 10, 13);
    readers.expect(500, (tp(0), 20), true, 1000);
    readers.expect(500, (tp(1), 20), true, 1000);
    let (place, _) = readers.next_wanted().unwrap();
    let id = readers.begin(&[place], 600);
    readers.expire(COLD_READER_IDLE_MS - 1);
    assert_eq!(readers.bytes(), 900);
    readers.expire(COLD_READER_IDLE_MS);
    assert_eq!(readers.bytes(), 600, "what is under way stays");
    let mut pieces = cold(10..13);
    assert!(!readers.arrive((tp(0), 10), &mut pieces));
    readers.expire(500 + COLD_READER_IDLE_MS);
    assert_eq!(readers.next_wanted(), None);
    readers.end(9000, id, 600, [(place, run(20..22))]);
    assert_eq!(readers.bytes(), 200);
    readers.expire(8999 + COLD_READER_IDLE_MS);
    assert_eq!(readers.bytes(), 200, "its time begins when it is there");
    readers.expire(9000 + COLD_READER_IDLE_MS);
    assert_eq!(readers.bytes(), 0);
}

#[test]
fn nothing_is_kept_of_a_deleted_partition() {
    let mut readers = ColdReaders::new(MEMORY);
    ready(&mut readers, 10, 13);
    for partition in [0, 1] {
        readers.expect(0, (tp(partition), 20), true, 1000);
    }
    let places = [(); 2].map(|()| readers.next_wanted().unwrap().0);
    let id = readers.begin(&places, 600);
    readers.forget(tp(0));
    assert_eq!(readers.bytes(), 600);
    readers.end(0, id, 600, places.map(|place| (place, run(20..22))));
    assert_eq!(readers.bytes(), 200, "the other partition's");
    assert!(!readers.arrive((tp(0), 20), &mut cold(20..22)));
    let mut pieces = cold(20..22);
    assert!(readers.arrive((tp(1), 20), &mut pieces));
    assert_eq!(in_memory(&pieces), [20, 21]);
}

#[test]
fn a_read_that_failed_leaves_nothing() {
    let mut readers = ColdReaders::new(MEMORY);
    ready(&mut readers, 10, 10);
    assert_eq!(readers.bytes(), 0);
    let mut pieces = cold(10..12);
    assert!(readers.arrive((tp(0), 10), &mut pieces));
    assert_eq!(in_memory(&pieces), [] as [i64; 0]);
}

#[test]
fn places_are_bounded() {
    let mut readers = ColdReaders::new(MEMORY);
    for offset in 0..COLD_READERS_MAX as i64 + 5 {
        readers.expect(0, (tp(0), offset), false, 1000);
    }
    assert_eq!(readers.places.len(), COLD_READERS_MAX);
    let newest = COLD_READERS_MAX as i64 - 1;
    readers.expect(0, (tp(0), newest), true, 1000);
    assert!(readers.arrive((tp(0), newest), &mut []));
    assert!(!readers.arrive((tp(0), newest + 1), &mut []));
}

/// Whatever happens in whatever order, all memory comes back in the end.
#[test]
fn memory_always_comes_back() {
    let mut state = 1u64;
    let mut below = move |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % n
    };
    let mut readers = ColdReaders::new(MEMORY);
    let mut under_way = Vec::new();
    for step in 0..20_000u64 {
        let place = (tp(below(3) as i32), below(40) as i64);
        match below(10) {
            0..3 => readers.expect(step, place, below(4) > 0, 1000),
            3..6 => {
                let mut pieces = cold(place.1..place.1 + 1 + below(6) as i64);
                readers.arrive(place, &mut pieces);
                let found = in_memory(&pieces);
                let expected = place.1..place.1 + found.len() as i64;
                assert_eq!(found, expected.collect::<Vec<_>>());
            }
            6..8 if readers.room() >= 2000 => {
                let places: Vec<Place> =
                    std::iter::from_fn(|| readers.next_wanted().map(|(place, _)| place))
                        .take(2)
                        .collect();
                under_way.push((readers.begin(&places, 2000), places));
            }
            8 if !under_way.is_empty() => {
                let (id, places) = under_way.swap_remove(below(under_way.len() as u64) as usize);
                let runs = places
                    .into_iter()
                    .map(|place| (place, run(place.1..place.1 + 5)));
                readers.end(step, id, 2000, runs.collect::<Vec<_>>());
            }
            9 if below(20) == 0 => readers.forget(place.0),
            9 if below(20) == 0 => readers.expire(step),
            _ => {}
        }
        assert!(readers.bytes() <= MEMORY);
    }
    for (id, _) in under_way {
        readers.end(0, id, 2000, []);
    }
    for partition in 0..3 {
        readers.forget(tp(partition));
    }
    assert_eq!(readers.bytes(), 0);
    assert_eq!(readers.room(), MEMORY);
}

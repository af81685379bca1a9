//! Crash images, each made on purpose: what is left of a WAL after this or
//! that went wrong, and what must come of it.

use bytes::Bytes;
use corelane::base::{Lsn, checksum, limits::KIB};
use corelane::wal::{
    BlockHeader, EntryContent, Manifest, Priority, RecoveryError, SEGMENT_HEADER_BYTES, SegmentWork,
};

use crate::disk::{Disk, Flight};
use crate::records::{Rng, any, batch, tp};
use crate::rig::{Rig, config, recover};

pub const PAGE: usize = SEGMENT_HEADER_BYTES;
pub const SIZE: u32 = 64 * KIB as u32;

/// A WAL with `n` durable blocks of one page each, from LSN 1, at pages 1 to `n` of slot 0.
pub fn with_blocks(n: usize) -> Rig {
    let mut rig = Rig::ready(config(SIZE, 6));
    for i in 0..n {
        append(&mut rig, i as i64, 1000);
        rig.drain();
    }
    rig
}

pub fn append(rig: &mut Rig, offset: i64, body_bytes: usize) -> Lsn {
    let body = Rng(offset as u64).bytes(body_bytes);
    rig.append(batch(tp(1), offset, body), Priority::Data)
        .unwrap()
}

/// Appends blocks that are handed to the disk one by one and stay in flight.
fn in_flight(rig: &mut Rig, n: usize, body_bytes: usize) {
    for i in 0..n {
        append(rig, 1000 + i as i64, body_bytes);
        rig.pump();
    }
    assert_eq!(rig.disk.flights.len(), n, "each block is in flight");
}

/// Writes what is in flight at these places of the queue, and loses the rest.
fn keep(disk: &mut Disk, kept: &[usize]) {
    let flights = std::mem::take(&mut disk.flights);
    for &i in kept {
        let Flight::Block {
            slot,
            offset,
            bytes,
            ..
        } = &flights[i]
        else {
            continue;
        };
        let file = disk.files.get_mut(slot).unwrap();
        file[*offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

fn lsns(rig: &Rig) -> Vec<u64> {
    rig.appended.iter().map(|record| record.lsn.0).collect()
}

#[test]
fn a_torn_last_block_is_cut_wherever_it_is_torn() {
    let mut rig = with_blocks(3);
    let acked = rig.appended.clone();
    in_flight(&mut rig, 1, 9000);
    let Some(Flight::Block {
        slot,
        offset,
        bytes,
        ..
    }) = rig.disk.flights.pop()
    else {
        panic!()
    };
    let mut whole = 0;
    for sectors in 0..=bytes.len() / 512 {
        let mut disk = rig.disk.clone();
        let torn = &bytes[..sectors * 512];
        disk.files.get_mut(&slot).unwrap()[offset..offset + torn.len()].copy_from_slice(torn);
        let (records, recovered) = recover(&disk).unwrap();
        if records.len() == 4 {
            // The rest was padding, so it is not torn at all.
            assert!(sectors * 512 >= 9000 && recovered.cut.is_none());
            whole += 1;
            continue;
        }
        assert_eq!(
            (records.len(), recovered.next_lsn),
            (acked.len(), Lsn(4)),
            "{sectors}"
        );
        assert_eq!(recovered.cut.is_some(), sectors > 0);
        if let Some(cut) = recovered.cut {
            assert_eq!(
                (cut.lsn, cut.slot, cut.offset as usize),
                (Lsn(4), slot, offset)
            );
        }
    }
    assert!(whole > 0);
}

#[test]
fn a_lost_write_with_nothing_behind_it_leaves_no_trace() {
    let mut rig = with_blocks(3);
    in_flight(&mut rig, 1, 1000);
    for i in 0..4 {
        append(&mut rig, 600 + i, 900);
    }
    rig.pump();
    assert_eq!(
        rig.disk.flights.len(),
        1,
        "what is pending is not worth a second write yet"
    );
    rig.disk.flights.clear();
    let recovered = rig.restart();
    assert_eq!((recovered.next_lsn, recovered.cut), (Lsn(4), None));
    assert_eq!(lsns(&rig), [1, 2, 3]);
}

/// Several writes in flight need blocks worth a write each.
fn with_big_blocks_in_flight(segment_bytes: u32) -> Rig {
    let mut rig = Rig::ready(config(segment_bytes, 6));
    append(&mut rig, 1, 1000);
    rig.drain();
    in_flight(&mut rig, 1, 1000);
    append(&mut rig, 2001, 70 * KIB);
    rig.pump();
    append(&mut rig, 2002, 140 * KIB);
    rig.pump();
    append(&mut rig, 2003, 210 * KIB);
    rig.pump();
    rig.disk
        .flights
        .retain(|flight| matches!(flight, Flight::Block { .. }));
    assert_eq!(rig.disk.flights.len(), 4, "LSNs 2 to 5");
    rig
}

#[test]
fn later_writes_present_without_an_earlier_one_stay_void_through_more_crashes() {
    let mut rig = with_big_blocks_in_flight(1024 * KIB as u32);
    keep(&mut rig.disk, &[1, 2, 3]);
    let recovered = rig.restart();
    let cut = recovered.cut.unwrap();
    assert_eq!(
        (recovered.next_lsn, cut.lsn, cut.offset as usize),
        (Lsn(2), Lsn(2), 2 * PAGE)
    );
    assert_eq!(cut.void_blocks, 3);
    assert_eq!(
        recovered.sync,
        [0],
        "what survived is flushed before it counts"
    );

    // Nothing was written since: the next start finds the same.
    let again = rig.restart();
    assert_eq!((again.next_lsn, again.cut), (Lsn(2), recovered.cut));

    // The manifest is written, and nothing else.
    rig.pump();
    rig.complete(0);
    rig.disk.flights.clear();
    let sealed = rig.restart();
    assert_eq!(
        (sealed.next_lsn, sealed.cut),
        (Lsn(2), None),
        "the cut is final"
    );

    // A new block 2, and others that go as far as the void ones.
    rig.drain();
    for i in 0..4 {
        assert_eq!(append(&mut rig, 3000 + i, 2000), Lsn(2 + i as u64));
        rig.drain();
    }
    for _ in 0..3 {
        rig.restart();
        rig.drain();
        assert_eq!(lsns(&rig), [1, 2, 3, 4, 5]);
    }
}

#[test]
fn a_segment_that_lies_wholly_behind_the_cut_is_dropped() {
    let mut rig = with_big_blocks_in_flight(256 * KIB as u32);
    let slots: Vec<u32> = rig.disk.flights.iter().map(slot_of).collect();
    assert!(
        slots.iter().any(|&slot| slot != slots[0]),
        "{slots:?} spread over segments"
    );
    keep(&mut rig.disk, &[2, 3]);
    let recovered = rig.restart();
    assert_eq!(recovered.next_lsn, Lsn(2));
    let live: Vec<_> = recovered
        .segments
        .iter()
        .map(|s| (s.slot, s.first_lsn, s.end_lsn))
        .collect();
    assert_eq!(live, [(0, Lsn(1), Lsn(2))]);
    assert!(recovered.free.iter().any(|&(slot, _)| slot == slots[3]));
}

fn slot_of(flight: &Flight) -> u32 {
    match flight {
        Flight::Block { slot, .. } => *slot,
        Flight::Work(_) => u32::MAX,
    }
}

#[test]
fn a_write_lost_at_the_end_of_a_segment_cuts_there() {
    let mut rig = with_big_blocks_in_flight(256 * KIB as u32);
    let slots: Vec<u32> = rig.disk.flights.iter().map(slot_of).collect();
    assert_eq!(slots[1], slots[2], "the third is the last of its segment");
    assert_ne!(slots[2], slots[3]);
    keep(&mut rig.disk, &[0, 1, 3]);
    let recovered = rig.restart();
    let cut = recovered.cut.unwrap();
    assert_eq!(
        (recovered.next_lsn, cut.lsn, cut.void_blocks),
        (Lsn(4), Lsn(4), 1)
    );
    assert_eq!(cut.slot, slots[2]);
}

#[test]
fn the_void_block_with_the_next_lsn_at_the_next_place_is_still_void() {
    // Run 1 leaves block 1 out, and blocks 2 and 3 behind its place in slot 0.
    let mut rig = Rig::ready(config(1024 * KIB as u32, 6));
    append(&mut rig, 1, 1000);
    rig.pump();
    append(&mut rig, 2, 70 * KIB);
    rig.pump();
    append(&mut rig, 3, 140 * KIB);
    rig.pump();
    rig.disk
        .flights
        .retain(|flight| matches!(flight, Flight::Block { .. }));
    assert_eq!(
        rig.disk.flights.iter().map(slot_of).collect::<Vec<_>>(),
        [0, 0, 0]
    );
    keep(&mut rig.disk, &[1, 2]);
    assert_eq!(rig.restart().next_lsn, Lsn(1));
    // Run 2 gives slot 0 another life and writes a block 1 of the same size into it.
    rig.drain();
    append(&mut rig, 4, 1000);
    rig.drain();
    let live: Vec<_> = rig.wal.live_segments().collect();
    assert_eq!(
        (live.len(), live[0].slot, live[0].bytes_used as usize),
        (1, 0, 2 * PAGE)
    );
    // The old block 2 now follows it exactly.
    let recovered = rig.restart();
    assert_eq!((recovered.next_lsn, recovered.cut), (Lsn(2), None));
}

#[test]
fn a_block_counts_only_where_it_belongs() {
    // A write that the disk put in the wrong place: block 3 two pages further on.
    let rig = with_blocks(3);
    let mut disk = rig.disk.clone();
    let file = disk.files.get_mut(&0).unwrap();
    file.copy_within(3 * PAGE..4 * PAGE, 5 * PAGE);
    file[3 * PAGE..4 * PAGE].fill(0);
    let (records, recovered) = recover(&disk).unwrap();
    assert_eq!((records.len(), recovered.next_lsn), (2, Lsn(3)));
    assert_eq!(recovered.cut.unwrap().void_blocks, 1);

    // A block 3 at the start of the next life, though block 4 is in this one.
    let rig = with_blocks(4);
    let mut disk = rig.disk.clone();
    let manifest = Manifest::decode(disk.manifest.as_ref().unwrap()).unwrap();
    let EntryContent::Open(next) = manifest.entries[1].content else {
        panic!()
    };
    let incarnation = next.incarnation;
    let header = BlockHeader {
        bytes_used: 44,
        record_count: 0,
        lsn: Lsn(3),
        durable: Lsn(2),
        incarnation,
        records_crc: checksum::crc32c(&incarnation.to_le_bytes()),
    };
    disk.files.get_mut(&1).unwrap()[PAGE..PAGE + 44].copy_from_slice(&header.encode());
    disk.files.get_mut(&0).unwrap()[3 * PAGE..4 * PAGE].fill(0);
    let error = recover(&disk).unwrap_err();
    assert!(
        matches!(
            error,
            RecoveryError::Corrupt {
                lsn: Lsn(3),
                durable: Lsn(3),
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn blocks_of_an_earlier_life_behind_the_last_one_are_nothing() {
    let mut rig = Rig::ready(config(SIZE, 4));
    // Around the files several times.
    for i in 0..200 {
        while rig
            .append(batch(tp(2), i, vec![7; 5000]), Priority::Data)
            .is_err()
        {
            assert!(rig.reclaim_oldest());
            rig.drain();
        }
        rig.drain();
    }
    let all_used = rig
        .disk
        .files
        .values()
        .all(|file| file[PAGE..].iter().any(|&b| b != 0));
    assert!(
        rig.disk.files.len() == 4 && all_used,
        "every file has had a life"
    );
    let before = rig.acked;
    assert_eq!(
        rig.restart().cut,
        None,
        "leftovers of earlier lives are not even a cut"
    );
    assert_eq!(rig.acked, before);
}

#[test]
fn a_gap_that_was_reclaimed_is_none() {
    // All but the first segment and the active one are given up.
    let mut rig = with_blocks(70);
    let live: Vec<_> = rig.wal.live_segments().collect();
    assert_eq!(live.len(), 5);
    for segment in &live[1..4] {
        rig.reclaim(segment.id);
    }
    rig.drain();
    let recovered = rig.restart();
    assert_eq!((recovered.next_lsn, recovered.segments.len()), (Lsn(71), 2));
    assert_eq!(rig.appended.len(), 25);
    // And the same again, with all of it sealed.
    rig.drain();
    assert_eq!(rig.restart().next_lsn, Lsn(71));
    assert_eq!(rig.appended.len(), 25);
}

#[test]
fn a_block_that_claims_more_than_its_file_has_is_damage() {
    let rig = with_blocks(14);
    let manifest = Manifest::decode(rig.disk.manifest.as_ref().unwrap()).unwrap();
    let EntryContent::Open(life) = manifest.entries[0].content else {
        panic!()
    };
    let header = BlockHeader {
        bytes_used: 4097,
        record_count: 1,
        lsn: Lsn(15),
        durable: Lsn(2),
        incarnation: life.incarnation,
        records_crc: 0,
    };
    let mut disk = rig.disk.clone();
    let file = disk.files.get_mut(&0).unwrap();
    file[15 * PAGE..15 * PAGE + 44].copy_from_slice(&header.encode());
    let (records, recovered) = recover(&disk).unwrap();
    assert_eq!((records.len(), recovered.next_lsn), (14, Lsn(15)));
    assert_eq!(recovered.cut.unwrap().offset as usize, 15 * PAGE);
}

#[test]
fn records_larger_than_a_read_come_back_whole() {
    let mut rig = Rig::ready(config(8 * 1024 * KIB as u32, 4));
    for (i, kib) in [1, 2500, 1, 1023, 1024, 3000, 1].into_iter().enumerate() {
        append(&mut rig, i as i64, kib * KIB);
        rig.drain();
    }
    let state = Bytes::from(Rng(1).bytes(1500 * KIB));
    let record = corelane::wal::Record::partition_state(tp(3), state.clone());
    rig.append((record, state), Priority::Internal).unwrap();
    rig.drain();
    rig.restart();
    assert_eq!(rig.appended.len(), 8);
}

/// Runs the same script and stops it after every single completion, with everything else in
/// flight either lost or there; then twice in a row.
#[test]
fn a_crash_at_every_step_loses_nothing() {
    let script = |rig: &mut Rig, rng: &mut Rng, steps: usize| {
        let mut left = steps;
        for i in 0..100 {
            let record = any(rng, i, 12_000);
            if rig.append(record, Priority::Data).is_err() && !rig.reclaim_oldest() {
                rig.pump();
            }
            rig.pump();
            while rig.disk.flights.len() > 2 || (i % 3 == 0 && !rig.disk.flights.is_empty()) {
                if left == 0 {
                    return true;
                }
                left -= 1;
                rig.complete(rng.below(rig.disk.flights.len()));
                rig.pump();
            }
        }
        false
    };
    let mut stops = 0;
    for steps in 0.. {
        let mut rng = Rng(steps as u64 / 2);
        let mut rig = Rig::new(config(SIZE, 5));
        let stopped = script(&mut rig, &mut rng, steps);
        stops += usize::from(stopped);
        crash_plainly(&mut rig, steps % 2 == 0);
        script(&mut rig, &mut rng, steps % 17);
        crash_plainly(&mut rig, steps % 3 == 0);
        rig.drain();
        rig.restart();
        if !stopped {
            break;
        }
    }
    assert!(stops > 60, "{stops}");
}

fn crash_plainly(rig: &mut Rig, keeps: bool) {
    for flight in std::mem::take(&mut rig.disk.flights) {
        if !keeps {
            continue;
        }
        match flight {
            Flight::Block {
                slot,
                offset,
                bytes,
                ..
            } => {
                let file = rig.disk.files.get_mut(&slot).unwrap();
                file[offset..offset + bytes.len()].copy_from_slice(&bytes);
            }
            Flight::Work(SegmentWork::Prepare { slot, bytes }) => {
                rig.disk.files.insert(slot, vec![0; bytes as usize]);
            }
            Flight::Work(SegmentWork::WriteHeader { slot, bytes }) => {
                rig.disk.files.get_mut(&slot).unwrap()[..PAGE].copy_from_slice(&bytes[..]);
            }
            Flight::Work(SegmentWork::WriteManifest { bytes }) => rig.disk.manifest = Some(bytes),
            Flight::Work(SegmentWork::Shorten { slot, bytes }) => {
                let file = rig.disk.files.get_mut(&slot).unwrap();
                file.truncate(bytes as usize);
            }
            Flight::Work(SegmentWork::Delete { slot }) => drop(rig.disk.files.remove(&slot)),
        }
    }
    rig.restart();
}

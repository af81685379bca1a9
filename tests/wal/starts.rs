//! Many starts: each begins a new segment, and what the last one left unused of
//! its own is given back, so that starts cost no more of the budget than what
//! was written.

use corelane::base::limits::{KIB, MIB};
use corelane::base::{Lsn, SegmentId};
use corelane::wal::{
    AdoptedWal, AppendError, EntryContent, Manifest, Priority, RecoveryError, SegmentWork,
};

use crate::disk::{Disk, Flight};
use crate::images::{PAGE, SIZE, append, with_blocks};
use crate::records::{Rng, any, batch, tp};
use crate::rig::{Rig, config, recover};

/// Bytes of all files on the disk.
fn disk_bytes(rig: &Rig) -> u64 {
    rig.disk.files.values().map(|file| file.len() as u64).sum()
}

/// Completes everything; the budget holds at every step of it.
fn drain_within_budget(rig: &mut Rig) {
    rig.pump();
    while !rig.disk.flights.is_empty() {
        rig.complete(0);
        rig.pump();
        assert!(disk_bytes(rig) <= rig.config.disk_bytes_max);
    }
}

#[test]
fn hundreds_of_starts_with_little_data_leave_the_budget_to_data() {
    let mut rig = Rig::ready(config(MIB as u32, 12));
    let mut rng = Rng(9);
    for start in 0..500 {
        let body = rng.bytes(100);
        let appended = rig.append(batch(tp(1), start, body), Priority::Data);
        assert!(appended.is_ok(), "start {start}: {appended:?}");
        drain_within_budget(&mut rig);
        if start % 3 == 0 {
            rig.wal.close();
            drain_within_budget(&mut rig);
        }
        rig.restart();
        drain_within_budget(&mut rig);
    }
    assert_eq!(rig.appended.len(), 500);
    // A page of header and one of records for each, and the rest is still there to be used.
    let stats = rig.wal.stats();
    assert_eq!(stats.live_segments, 500);
    assert_eq!(stats.disk_bytes, disk_bytes(&rig));
    let mut more = 0;
    while rig
        .append(batch(tp(1), more, rng.bytes(100 * KIB)), Priority::Data)
        .is_ok()
    {
        drain_within_budget(&mut rig);
        more += 1;
    }
    assert!(more > 60, "{more} of 100 KiB in 12 MiB less 4");
    rig.restart();
}

#[test]
fn starts_that_write_nothing_cost_nothing() {
    let mut rig = Rig::ready(config(SIZE, 6));
    let before = rig.disk.files.clone();
    for _ in 0..50 {
        rig.restart();
        drain_within_budget(&mut rig);
    }
    assert_eq!(rig.disk.files.len(), before.len());
    // Nor does one whose only block was lost.
    for i in 0..50 {
        append(&mut rig, i, 1000);
        rig.pump();
        rig.disk.flights.clear();
        rig.restart();
        drain_within_budget(&mut rig);
    }
    assert!(rig.disk.files.len() == before.len() && rig.appended.is_empty());
    assert!(
        rig.disk
            .files
            .values()
            .all(|file| file.len() == SIZE as usize)
    );
}

/// A WAL of three blocks in slot 0 that was started again, up to where that file is being
/// shortened: the disk before its manifest, and the WAL.
fn shortening() -> (Disk, Rig) {
    let mut rig = with_blocks(3);
    rig.restart();
    let before = rig.disk.clone();
    rig.pump();
    assert!(
        matches!(
            rig.disk.flights[..],
            [Flight::Work(SegmentWork::WriteManifest { .. })]
        ),
        "the manifest comes first"
    );
    rig.complete(0);
    rig.pump();
    let slot_0 = SegmentWork::Shorten {
        slot: 0,
        bytes: 4 * PAGE as u32,
    };
    let shorten = |flight: &Flight| matches!(flight, Flight::Work(work) if *work == slot_0);
    let index = rig.disk.flights.iter().position(shorten).unwrap();
    rig.disk.flights.swap(0, index);
    (before, rig)
}

#[test]
fn what_is_unused_is_cut_off_once_the_manifest_says_so() {
    let (before, mut rig) = shortening();
    let named = |disk: &Disk| {
        let manifest = Manifest::decode(disk.manifest.as_ref().unwrap()).unwrap();
        let entry = manifest.entries[0];
        (entry.file_bytes, entry.content)
    };
    assert!(matches!(named(&before), (SIZE, EntryContent::Open(_))));
    let (bytes, content) = named(&rig.disk);
    assert_eq!(bytes, 4 * PAGE as u32);
    assert!(matches!(
        content,
        EntryContent::Sealed {
            end_lsn: Lsn(4),
            ..
        }
    ));

    // Any size from the one it had to the one it is to have is right, and nothing else is.
    for len in [SIZE as usize, 9 * PAGE, 4 * PAGE + 77, 4 * PAGE] {
        let mut disk = rig.disk.clone();
        disk.files.get_mut(&0).unwrap().truncate(len);
        let (records, recovered) = recover(&disk).unwrap();
        assert_eq!((records.len(), recovered.next_lsn), (3, Lsn(4)), "{len}");
        assert_eq!(recovered.segments[0].found_bytes, len as u32);
        assert!(recovered.cut.is_none() && recovered.damaged_headers.is_empty());
    }
    for len in [4 * PAGE - 1, 3 * PAGE, 0] {
        let mut disk = rig.disk.clone();
        disk.files.get_mut(&0).unwrap().truncate(len);
        let error = recover(&disk).unwrap_err();
        assert!(
            matches!(error, RecoveryError::SegmentSize { found, .. } if found == len as u64),
            "{error}"
        );
    }
    // Before the manifest says so a short file is damage, however much of it is used.
    let mut disk = before.clone();
    disk.files.get_mut(&0).unwrap().truncate(4 * PAGE);
    let error = recover(&disk).unwrap_err();
    assert!(
        matches!(error, RecoveryError::SegmentSize { .. }),
        "{error}"
    );

    rig.complete(0);
    assert_eq!(rig.disk.files[&0].len(), 4 * PAGE);
    rig.drain();
    let stats = rig.wal.stats();
    assert_eq!(stats.disk_bytes, disk_bytes(&rig));
    let recovered = rig.restart();
    assert!(recovered.damaged_headers.is_empty());
    // Done is done.
    rig.pump();
    rig.complete(0);
    rig.pump();
    let again = |flight: &Flight| matches!(flight, Flight::Work(SegmentWork::Shorten { .. }));
    assert!(!rig.disk.flights.iter().any(again));
}

#[test]
fn a_shortening_that_was_cut_short_is_ended_by_the_next_start() {
    // Even one that would not be worth it by now, and whatever the file's size became.
    for len in [SIZE as usize, 5 * PAGE, 4 * PAGE + 1] {
        let (_, mut rig) = shortening();
        rig.disk.flights.clear();
        rig.disk.files.get_mut(&0).unwrap().truncate(len);
        rig.restart();
        rig.drain();
        assert_eq!(rig.disk.files[&0].len(), 4 * PAGE, "{len}");
        rig.restart();
        assert_eq!(rig.appended.len(), 3);
    }
}

#[test]
fn a_file_that_was_shortened_has_no_other_life() {
    let (_, mut rig) = shortening();
    rig.drain();
    assert!(rig.reclaim_oldest());
    rig.pump();
    rig.complete(0);
    rig.pump();
    assert!(matches!(
        rig.disk.flights[0],
        Flight::Work(SegmentWork::Delete { slot: 0 })
    ));
    rig.drain();
    let mut sizes = rig.disk.files.values().map(Vec::len);
    assert!(sizes.all(|bytes| bytes == SIZE as usize));
    assert_eq!(rig.wal.stats().disk_bytes, disk_bytes(&rig));
    rig.restart();
    assert!(rig.appended.is_empty());
}

#[test]
fn what_is_mostly_used_keeps_its_size_and_is_used_again() {
    // 13 of 16 pages.
    let mut rig = with_blocks(12);
    rig.restart();
    rig.drain();
    assert_eq!(rig.disk.files[&0].len(), SIZE as usize);
    assert!(rig.reclaim_oldest());
    let files = rig.disk.files.len();
    rig.drain();
    assert_eq!(
        (rig.disk.files.len(), rig.wal.stats().disk_bytes),
        (files, disk_bytes(&rig))
    );
    assert!(rig.disk.files.contains_key(&0));
}

#[test]
fn what_is_given_up_while_it_is_shortened_is_removed_afterwards() {
    let (_, mut rig) = shortening();
    let live = rig.wal.live_segments().next().unwrap();
    rig.reclaim(live.id);
    drain_but_shortenings(&mut rig);
    // The manifest without it is durable, and still the file must stay.
    assert_eq!(
        (rig.disk.files[&0].len(), rig.disk.flights.len()),
        (SIZE as usize, 1)
    );
    let (records, recovered) = recover(&rig.disk).unwrap();
    assert!(records.is_empty() && recovered.unlisted.contains(&0));
    rig.complete(0);
    rig.pump();
    assert!(matches!(
        rig.disk.flights[..],
        [Flight::Work(SegmentWork::Delete { slot: 0 })]
    ));
    rig.drain();
    rig.restart();
}

/// Completes everything but shortenings, and tells how many of those are left.
fn drain_but_shortenings(rig: &mut Rig) -> usize {
    rig.pump();
    let other = |flight: &Flight| !matches!(flight, Flight::Work(SegmentWork::Shorten { .. }));
    while let Some(index) = rig.disk.flights.iter().position(other) {
        rig.complete(index);
        rig.pump();
    }
    rig.disk.flights.len()
}

/// A WAL that was just started with three files that hold next to nothing, each killed before it
/// was shortened, and no budget for more than its two spares.
fn three_to_shorten() -> Rig {
    let mut rig = with_blocks(1);
    for i in 0..2 {
        rig.restart();
        drain_but_shortenings(&mut rig);
        append(&mut rig, i, 1000);
        drain_but_shortenings(&mut rig);
        rig.disk.flights.clear();
    }
    rig.config = config(SIZE, 5);
    rig.restart();
    assert_eq!(disk_bytes(&rig), rig.config.disk_bytes_max);
    rig
}

fn fill(rig: &mut Rig) -> AppendError {
    loop {
        let record = batch(tp(1), 1, vec![1; 9000]);
        if let Err(error) = rig.append(record, Priority::Data) {
            return error;
        }
        drain_but_shortenings(rig);
    }
}

#[test]
fn what_is_to_be_shortened_counts_as_if_it_were() {
    let mut rig = three_to_shorten();
    let hoped_for = rig.wal.stats().data_headroom_segments;
    drain_within_budget(&mut rig);
    let stats = rig.wal.stats();
    assert_eq!(stats.data_headroom_segments, hoped_for);
    assert_eq!(stats.disk_bytes, disk_bytes(&rig));
    assert_eq!(fill(&mut rig), AppendError::Full);
    assert!(disk_bytes(&rig) <= rig.config.disk_bytes_max);
    rig.restart();
}

#[test]
fn without_room_to_shorten_the_budget_counts_what_is_there() {
    let mut rig = three_to_shorten();
    for _ in 0..5 {
        rig.wal.retry();
        assert_eq!(drain_but_shortenings(&mut rig), 1);
        rig.disk.is_full = true;
        rig.complete(0);
        rig.disk.is_full = false;
        assert_eq!(drain_but_shortenings(&mut rig), 0, "it waits to be told");
        assert_eq!(rig.wal.stats().disk_bytes, rig.config.disk_bytes_max);
        // Producers do not wait for room that may never come.
        assert_eq!(fill(&mut rig), AppendError::Full);
        assert_eq!(disk_bytes(&rig), rig.config.disk_bytes_max);
    }
    rig.wal.retry();
    rig.drain();
    assert_eq!(rig.wal.stats().disk_bytes, disk_bytes(&rig));
    let headroom = rig.wal.stats().data_headroom_segments;
    assert!(headroom > 1, "{headroom}: there is room again");
    rig.restart();
}

#[test]
fn an_adopted_wal_is_shortened_too() {
    let mut rig = with_blocks(3);
    let (_, recovered) = recover(&rig.disk).unwrap();
    let mut wal = AdoptedWal::open(crate::rig::WAL, &recovered);
    let Some(SegmentWork::WriteManifest { bytes }) = wal.poll_segment() else {
        panic!("the manifest comes first");
    };
    assert_eq!(wal.poll_segment(), None);
    rig.disk.manifest = Some(bytes);
    wal.on_manifest_written();
    let bytes = 4 * PAGE as u32;
    let shorten = SegmentWork::Shorten { slot: 0, bytes };
    let mut work: Vec<_> = std::iter::from_fn(|| wal.poll_segment()).collect();
    assert_eq!(work.pop(), Some(shorten.clone()));
    for other in work {
        let SegmentWork::Delete { slot } = other else {
            panic!("{other:?}")
        };
        rig.disk.files.remove(&slot);
        wal.on_deleted(slot);
    }
    wal.on_shorten_failed(0);
    assert_eq!(
        (wal.poll_segment(), wal.stats().disk_bytes),
        (None, u64::from(SIZE))
    );
    wal.retry();
    assert_eq!(wal.poll_segment(), Some(shorten));
    rig.disk.files.get_mut(&0).unwrap().truncate(4 * PAGE);
    // Given up meanwhile, its file goes when that is done.
    let segment = SegmentId {
        wal: crate::rig::WAL,
        sequence: 1,
    };
    wal.reclaim(segment).unwrap();
    assert!(matches!(
        wal.poll_segment(),
        Some(SegmentWork::WriteManifest { .. })
    ));
    wal.on_manifest_written();
    assert_eq!(wal.poll_segment(), None);
    wal.on_shortened(0);
    assert_eq!(wal.poll_segment(), Some(SegmentWork::Delete { slot: 0 }));
    assert_eq!(recover(&rig.disk).unwrap().0.len(), 3);
    wal.on_deleted(0);
    assert!(wal.is_empty());
}

/// Starts that are killed at any step, by a power cut or without, one after the other.
#[test]
fn starts_that_are_killed_at_any_step_lose_neither_records_nor_room() {
    for seed in 0..150 {
        let mut rng = Rng(seed);
        let mut rig = Rig::ready(config(SIZE, 24));
        for i in 0..30 {
            let record = any(&mut rng, i, 3000);
            if rng.one_in(2) {
                // Without room, or before there is any, it is not appended.
                let _ = rig.append(record, Priority::Data);
            }
            rig.pump();
            for _ in 0..rng.below(12) {
                if !rig.disk.flights.is_empty() {
                    rig.complete(rng.below(rig.disk.flights.len()));
                    rig.pump();
                }
            }
            let power_cut = rng.one_in(2);
            rig.reopen(&mut rng, power_cut);
        }
        rig.settle(&mut rng);
        // Whatever was cut short has been ended, and nothing but data takes room.
        let stats = rig.wal.stats();
        assert_eq!(stats.disk_bytes, disk_bytes(&rig), "seed {seed}");
        for segment in rig.wal.live_segments() {
            let bytes = rig.disk.files[&segment.slot].len() as u32;
            let unused = bytes - segment.bytes_used;
            assert!(unused <= SIZE / 4, "seed {seed}: {segment:?} of {bytes}");
        }
        rig.restart();
    }
}

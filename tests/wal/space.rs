//! Room: who is refused when, what frees it, and what a full disk does.

use bytes::Bytes;
use corelane::base::limits::{self, KIB, MIB};
use corelane::base::{Lsn, SegmentId};
use corelane::wal::{
    AdoptedWal, AppendError, Priority, ReclaimError, Record, Recovered, SegmentWork, Wal,
    WalConfig, WalConfigError,
};

use crate::disk::{Disk, Flight};
use crate::records::{Rng, batch, tp};
use crate::rig::{Rig, WAL, config, recover};

const SIZE: u32 = 64 * KIB as u32;

fn fill(rig: &mut Rig, priority: Priority) -> (usize, AppendError) {
    for i in 0.. {
        let record = batch(tp(1), i, vec![1; 9000]);
        match rig.append(record, priority) {
            Ok(_) => rig.drain(),
            Err(error) => return (i as usize, error),
        }
    }
    unreachable!()
}

fn log_start(rig: &mut Rig) -> Result<Lsn, AppendError> {
    let payload = Bytes::copy_from_slice(&7i64.to_le_bytes());
    rig.append((Record::log_start(tp(1), 7), payload), Priority::Internal)
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let good = config(SIZE, 4);
    let cases = [
        (good, Ok(())),
        (
            WalConfig {
                segment_bytes: 4096,
                ..good
            },
            Err(WalConfigError::SegmentBytes(4096)),
        ),
        (
            WalConfig {
                segment_bytes: SIZE + 1,
                ..good
            },
            Err(WalConfigError::SegmentBytes(SIZE + 1)),
        ),
        (
            WalConfig {
                segment_bytes: 1 << 30,
                ..good
            },
            Err(WalConfigError::SegmentBytes(1 << 30)),
        ),
        (
            WalConfig {
                disk_bytes_max: good.disk_bytes_max - 1,
                ..good
            },
            Err(WalConfigError::DiskBytes {
                disk_bytes_max: good.disk_bytes_max - 1,
                segment_bytes: SIZE,
            }),
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(config.check(), expected, "{config:?}");
        assert_eq!(
            Wal::open(config, &Recovered::fresh(WAL)).map(drop),
            expected
        );
    }
}

#[test]
fn nothing_is_created_before_the_first_manifest_and_nothing_taken_before_a_segment_is_ready() {
    let mut rig = Rig::new(config(SIZE, 4));
    assert_eq!(log_start(&mut rig), Err(AppendError::Busy));
    rig.pump();
    assert!(matches!(
        rig.disk.flights[..],
        [Flight::Work(SegmentWork::WriteManifest { .. })]
    ));
    rig.drain();
    assert_eq!(log_start(&mut rig), Ok(Lsn(1)));
    let stats = rig.wal.stats();
    assert_eq!(
        (stats.live_segments, stats.disk_bytes_max),
        (1, u64::from(SIZE) * 4)
    );
    rig.drain();
    assert_eq!(rig.wal.stats().spare_segments, limits::WAL_SPARE_SEGMENTS);
}

#[test]
fn data_is_refused_before_the_records_that_free_space() {
    let mut rig = Rig::ready(config(SIZE, 4));
    let (count, error) = fill(&mut rig, Priority::Data);
    assert_eq!(error, AppendError::Full);
    // Three segments of five blocks each; the fourth is the reserve.
    assert_eq!((count, rig.disk.files.len()), (15, 4));
    assert!(rig.wal.stats().data_headroom_segments <= 1);

    // What frees space still goes in, even when it rolls into the reserve, and data still does not.
    let (count, error) = fill(&mut rig, Priority::Internal);
    assert_eq!((count, error), (5, AppendError::Full));
    assert_eq!(fill(&mut rig, Priority::Data), (0, AppendError::Full));
    assert!(rig.disk.files.len() == 4, "the budget is kept");

    // One segment given up is the reserve again; with two, data goes on.
    assert!(rig.reclaim_oldest());
    rig.drain();
    assert_eq!(fill(&mut rig, Priority::Data), (0, AppendError::Full));
    assert!(log_start(&mut rig).is_ok());
    rig.drain();
    assert!(rig.reclaim_oldest());
    rig.drain();
    let (count, error) = fill(&mut rig, Priority::Data);
    assert!(count > 0 && error == AppendError::Full);
    assert_eq!(rig.disk.files.len(), 4, "files are used again");
    rig.restart();
}

#[test]
fn a_restart_on_a_full_disk_can_still_free_it() {
    let mut rig = Rig::ready(config(SIZE, 4));
    fill(&mut rig, Priority::Data);
    fill(&mut rig, Priority::Internal);
    for _ in 0..3 {
        rig.restart();
        rig.drain();
        assert_eq!(fill(&mut rig, Priority::Data), (0, AppendError::Full));
        log_start(&mut rig).unwrap();
        rig.drain();
    }
    // As more is given up, the files over the budget go, and data is taken again.
    while rig.reclaim_oldest() {}
    rig.drain();
    assert!(fill(&mut rig, Priority::Data).0 > 0);
    while rig.reclaim_oldest() {}
    rig.restart();
    rig.drain();
    assert!(rig.wal.stats().disk_bytes <= u64::from(SIZE) * 6);
}

#[test]
fn a_used_up_reserve_is_replaced_so_that_space_can_still_be_freed() {
    let mut rig = Rig::ready(config(SIZE, 4));
    fill(&mut rig, Priority::Data);
    for round in 1..4 {
        assert_eq!(fill(&mut rig, Priority::Internal).1, AppendError::Full);
        for _ in 0..2 {
            rig.wal.retry();
            rig.drain();
            assert_eq!(rig.disk.files.len(), 4 + round, "one at a time");
        }
        assert_eq!(fill(&mut rig, Priority::Data), (0, AppendError::Full));
        log_start(&mut rig).unwrap();
        rig.drain();
    }
    // What was overdrawn is given back.
    while rig.reclaim_oldest() {
        rig.drain();
    }
    rig.wal.retry();
    assert!(fill(&mut rig, Priority::Data).0 > 0);
    assert_eq!(rig.disk.files.len(), 4, "the budget holds again");
    rig.restart();
}

#[test]
fn a_disk_without_room_is_a_used_up_budget_until_retried() {
    let mut rig = Rig::new(config(SIZE, 8));
    rig.disk.is_full = true;
    rig.drain();
    assert_eq!(
        log_start(&mut rig),
        Err(AppendError::Busy),
        "not even a manifest could be written"
    );
    rig.disk.is_full = false;
    rig.wal.retry();
    rig.pump();
    rig.complete(0);
    rig.disk.is_full = true;
    rig.drain();
    assert_eq!(
        log_start(&mut rig),
        Err(AppendError::Full),
        "no segment, and none to be had"
    );
    assert!(rig.disk.files.is_empty(), "what was begun is removed");
    rig.drain();
    assert!(
        rig.disk.flights.is_empty(),
        "nothing is tried again by itself"
    );

    rig.disk.is_full = false;
    rig.wal.retry();
    rig.drain();
    assert!(log_start(&mut rig).is_ok());
    rig.drain();
    rig.disk.is_full = true;
    let (count, error) = fill(&mut rig, Priority::Data);
    assert!(count > 0 && error == AppendError::Full);
    log_start(&mut rig).unwrap();
    rig.disk.is_full = false;
    rig.wal.retry();
    rig.drain();
    assert!(fill(&mut rig, Priority::Data).0 > 10);
    rig.restart();
}

#[test]
fn a_record_too_large_for_any_segment_is_told_from_one_that_must_wait() {
    let mut rig = Rig::ready(config(SIZE, 4));
    let largest = SIZE as usize - 4096 - 44 - 28;
    for (bytes, expected) in [(largest, Ok(())), (largest + 1, Err(()))] {
        let found = rig.wal.can_append(bytes, Priority::Internal);
        assert_eq!(found, expected.map_err(|()| AppendError::TooLarge(bytes)));
    }
    let payload = Bytes::from(vec![1; largest]);
    let record = Record::partition_state(tp(1), payload.clone());
    rig.append((record, payload), Priority::Internal).unwrap();
    rig.drain();
    rig.restart();
    assert_eq!(
        rig.wal.can_append(usize::MAX, Priority::Data),
        Err(AppendError::TooLarge(usize::MAX))
    );
}

#[test]
fn appended_bytes_wait_for_the_disk_when_they_are_too_many() {
    let mut rig = Rig::ready(config(40 * MIB as u32, 4));
    let body = Bytes::from(vec![9; 4 * MIB]);
    let record = || (Record::partition_state(tp(1), body.clone()), body.clone());
    let fill = |rig: &mut Rig, priority| {
        let mut count = 0;
        while rig.append(record(), priority).is_ok() {
            count += 1;
        }
        assert_eq!(rig.append(record(), priority), Err(AppendError::Busy));
        count
    };
    assert_eq!(
        fill(&mut rig, Priority::Data),
        limits::WAL_PENDING_BYTES_MAX / (4 * MIB)
    );
    assert_eq!(
        fill(&mut rig, Priority::Internal),
        limits::WAL_PENDING_BYTES_MAX / (4 * MIB)
    );
    rig.pump();
    assert_eq!(
        rig.wal.stats().writes_in_flight,
        limits::WAL_WRITES_IN_FLIGHT_MAX
    );
    for _ in 0..8 {
        // Not what is written counts, but what is durable: the first is the last to end.
        rig.complete(rig.disk.flights.len() - 1);
    }
    assert_eq!(rig.append(record(), Priority::Data), Err(AppendError::Busy));
    rig.drain();
    assert_eq!(rig.wal.stats().pending_bytes, 0);
    assert!(rig.append(record(), Priority::Data).is_ok());
}

#[test]
fn a_segment_is_not_used_again_while_it_is_read() {
    let mut rig = Rig::ready(config(SIZE, 4));
    fill(&mut rig, Priority::Data);
    let first = rig.wal.live_segments().next().unwrap();
    let slot = rig.wal.pin(first.id).unwrap();
    assert_eq!((slot, rig.wal.pin(first.id)), (first.slot, Some(slot)));
    let before = rig.disk.files[&slot].clone();
    rig.reclaim(first.id);
    assert_eq!(rig.wal.pin(first.id), None, "no new readers");
    assert_eq!(rig.wal.reclaim(first.id), Err(ReclaimError::Unknown));
    rig.wal.unpin(slot);
    for _ in 0..3 {
        rig.drain();
        fill(&mut rig, Priority::Internal);
        rig.reclaim_oldest();
    }
    assert_eq!(rig.disk.files[&slot], before);
    rig.wal.unpin(slot);
    rig.drain();
    fill(&mut rig, Priority::Internal);
    assert_ne!(rig.disk.files[&slot], before, "used again");
}

#[test]
fn what_is_in_use_is_not_given_up() {
    let mut rig = Rig::ready(config(SIZE, 6));
    let append = |rig: &mut Rig, i| {
        rig.append(batch(tp(1), i, vec![1; 28_000]), Priority::Data)
            .unwrap();
        rig.pump();
    };
    append(&mut rig, 0);
    rig.drain();
    let first = SegmentId {
        wal: WAL,
        sequence: 1,
    };
    assert_eq!(
        rig.wal.reclaim(first),
        Err(ReclaimError::InUse),
        "it takes blocks"
    );
    append(&mut rig, 1);
    append(&mut rig, 2);
    assert_eq!(rig.wal.live_segments().count(), 2);
    assert_eq!(
        rig.wal.reclaim(first),
        Err(ReclaimError::InUse),
        "a block is in flight"
    );
    rig.drain();
    assert_eq!(
        rig.wal.reclaim(SegmentId {
            wal: 9,
            sequence: 1
        }),
        Err(ReclaimError::Unknown)
    );
    assert_eq!(
        rig.wal.reclaim(SegmentId {
            wal: WAL,
            sequence: 3
        }),
        Err(ReclaimError::Unknown)
    );
    rig.reclaim(first);
}

#[test]
fn another_segment_size_reads_the_old_files_and_deletes_them() {
    let mut rig = Rig::ready(config(SIZE, 8));
    fill(&mut rig, Priority::Data);
    let before = rig.appended.len();
    rig.config = config(2 * SIZE, 4);
    rig.restart();
    rig.drain();
    assert_eq!(rig.appended.len(), before);
    log_start(&mut rig).unwrap();
    rig.drain();
    while rig.reclaim_oldest() {}
    rig.drain();
    assert!(
        rig.disk
            .files
            .values()
            .all(|file| file.len() == 2 * SIZE as usize)
    );
    fill(&mut rig, Priority::Data);
    rig.restart();
}

#[test]
fn an_adopted_wal_is_emptied_and_its_cut_is_final() {
    let mut rig = Rig::ready(config(SIZE, 6));
    fill(&mut rig, Priority::Data);
    let (records, recovered) = recover(&rig.disk).unwrap();
    let mut wal = AdoptedWal::open(WAL, &recovered);
    assert_eq!(wal.wal(), WAL);
    let mut disk = rig.disk.clone();
    run_adopted(&mut wal, &mut disk);
    let live: Vec<_> = wal.live_segments().collect();
    assert_eq!(
        (live.len(), disk.files.len()),
        (5, 5),
        "spares and free files go at once"
    );

    let slot = wal.pin(live[0].id).unwrap();
    wal.reclaim(live[0].id).unwrap();
    run_adopted(&mut wal, &mut disk);
    assert_eq!(
        (disk.files.len(), wal.pin(live[0].id)),
        (5, None),
        "it is read"
    );
    wal.unpin(slot);
    run_adopted(&mut wal, &mut disk);
    assert_eq!(disk.files.len(), 4);

    // Another start of either kind finds what is left.
    let (left, recovered) = recover(&disk).unwrap();
    let of_first =
        |record: &&corelane::wal::recovery::RecoveredRecord| record.position.segment == live[0].id;
    assert_eq!(
        left.len(),
        records.len() - records.iter().filter(of_first).count()
    );
    assert_eq!(recovered.next_lsn, rig.acked.next());
    for segment in &live[1..] {
        wal.reclaim(segment.id).unwrap();
    }
    assert!(!wal.is_empty());
    run_adopted(&mut wal, &mut disk);
    assert!(wal.is_empty() && disk.files.is_empty());
    let (none, recovered) = recover(&disk).unwrap();
    assert!(none.is_empty() && recovered.next_lsn == rig.acked.next());
}

fn run_adopted(wal: &mut AdoptedWal, disk: &mut Disk) {
    while let Some(work) = wal.poll_segment() {
        match work {
            SegmentWork::WriteManifest { bytes } => {
                if disk.manifest.as_ref() == Some(&bytes) {
                    panic!("a manifest that says nothing new");
                }
                wal.on_manifest_failed();
                assert_eq!(wal.poll_segment(), None);
                wal.retry();
                let again = SegmentWork::WriteManifest {
                    bytes: bytes.clone(),
                };
                assert_eq!(wal.poll_segment(), Some(again));
                disk.manifest = Some(bytes);
                wal.on_manifest_written();
            }
            SegmentWork::Shorten { slot, bytes } => {
                let file = disk.files.get_mut(&slot).expect("a file that exists");
                assert!(file.len() > bytes as usize);
                file.truncate(bytes as usize);
                wal.on_shortened(slot);
            }
            SegmentWork::Delete { slot } => {
                disk.files.remove(&slot).expect("a file that exists");
                wal.on_deleted(slot);
            }
            other => panic!("an adopted WAL never asks for {other:?}"),
        }
    }
}

#[test]
fn no_file_is_deleted_before_the_manifest_without_it_is_durable() {
    let mut rig = Rig::ready(config(SIZE, 6));
    fill(&mut rig, Priority::Data);
    let (_, recovered) = recover(&rig.disk).unwrap();
    let mut wal = AdoptedWal::open(WAL, &recovered);
    let is_manifest = |work| matches!(work, Some(SegmentWork::WriteManifest { .. }));
    // Not even those that hold nothing: the manifest on disk may say that they do.
    assert!(is_manifest(wal.poll_segment()));
    assert_eq!(wal.poll_segment(), None);
    // Given up while a manifest is in flight that still has it.
    let first = wal.live_segments().next().unwrap();
    wal.reclaim(first.id).unwrap();
    wal.on_manifest_written();
    let mut deleted = Vec::new();
    while let Some(SegmentWork::Delete { slot }) = wal.poll_segment() {
        deleted.push(slot);
    }
    assert!(
        !deleted.is_empty() && !deleted.contains(&first.slot),
        "{deleted:?}"
    );
    wal.on_manifest_written();
    assert_eq!(
        wal.poll_segment(),
        Some(SegmentWork::Delete { slot: first.slot })
    );
}

#[test]
fn a_smaller_budget_gives_free_files_back() {
    let mut rig = Rig::ready(config(SIZE, 12));
    fill(&mut rig, Priority::Data);
    while rig.reclaim_oldest() {}
    rig.drain();
    assert_eq!(rig.disk.files.len(), 12);
    rig.config = config(SIZE, 5);
    rig.restart();
    rig.drain();
    assert_eq!(rig.disk.files.len(), 5);
    log_start(&mut rig).unwrap();
    rig.restart();
}

#[test]
fn leftovers_of_work_cut_short_are_removed() {
    let mut rig = Rig::ready(config(SIZE, 6));
    log_start(&mut rig).unwrap();
    rig.drain();
    rig.disk.files.insert(40, vec![0; 5000]);
    rig.disk.files.insert(41, Rng(1).bytes(SIZE as usize));
    let recovered = rig.restart();
    assert_eq!(recovered.unlisted, [40, 41]);
    rig.drain();
    assert!(!rig.disk.files.contains_key(&40) && !rig.disk.files.contains_key(&41));
}

//! Damage that recovery must tell from a crash, and what it then says.

use corelane::base::Lsn;
use corelane::wal::{
    BlockError, Entry, EntryContent, FilePath, Manifest, ManifestError, Recovery, RecoveryError,
    RecoveryStep,
};

use crate::disk::{Disk, Flight};
use crate::images::{PAGE, SIZE, append, with_blocks};
use crate::records::Rng;
use crate::rig::{Rig, WAL, config, recover};

#[test]
fn damage_to_what_was_durable_is_refused_by_name() {
    // Block 2's page, in the segment that is open, with later blocks that attest it.
    let rig = with_blocks(4);
    for damage in [Damage::Zeroes, Damage::Garbage, Damage::Body] {
        let mut disk = rig.disk.clone();
        damage.to(&mut disk.files.get_mut(&0).unwrap()[2 * PAGE..3 * PAGE]);
        let error = recover(&disk).unwrap_err();
        let RecoveryError::Corrupt {
            path,
            offset,
            lsn,
            durable,
            error: why,
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!((path.slot, offset, lsn), (Some(0), 2 * PAGE as u32, Lsn(2)));
        assert_eq!(durable, Lsn(3), "block 4 says so");
        assert_eq!(why, damage.seen_as());
        let text = error.to_string();
        assert!(text.contains("wal/shard-003/000000.wal"), "{text}");
        assert!(text.contains("byte 8192"), "{text}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Zeroes,
    Garbage,
    Body,
}

impl Damage {
    fn to(self, page: &mut [u8]) {
        match self {
            Damage::Zeroes => page.fill(0),
            Damage::Garbage => page.copy_from_slice(&Rng(1).bytes(page.len())),
            Damage::Body => page[500] ^= 4,
        }
    }

    fn seen_as(self) -> BlockError {
        match self {
            Damage::Zeroes | Damage::Garbage => BlockError::Absent,
            Damage::Body => BlockError::BatchCrc,
        }
    }
}

#[test]
fn damage_to_the_first_block_behind_a_roll_names_the_right_file() {
    let mut rig = Rig::ready(config(SIZE, 6));
    for i in 0..20 {
        append(&mut rig, i, 3000);
        rig.drain();
    }
    let second = rig.wal.live_segments().nth(1).unwrap();
    // As it was before the roll was in the manifest.
    let mut disk = rig.disk.clone();
    disk.files.get_mut(&second.slot).unwrap()[PAGE + 20] ^= 1;
    let Err(RecoveryError::Corrupt {
        path, offset, lsn, ..
    }) = recover(&disk)
    else {
        panic!()
    };
    assert_eq!((path.slot, offset), (Some(second.slot), PAGE as u32));
    assert_eq!(lsn, second.first_lsn);
}

#[test]
fn the_last_block_is_told_from_a_torn_write_once_it_is_attested() {
    let damaged = |rig: &Rig| {
        let mut disk = rig.disk.clone();
        disk.files.get_mut(&0).unwrap()[3 * PAGE + 300] ^= 1;
        recover(&disk)
    };
    let rig = with_blocks(3);
    let (records, recovered) = damaged(&rig).unwrap();
    assert_eq!(
        (records.len(), recovered.next_lsn),
        (2, Lsn(3)),
        "the known limit of the format"
    );

    let mut rig = with_blocks(3);
    assert!(rig.wal.attest_durable());
    rig.drain();
    assert!(!rig.wal.attest_durable(), "once is enough");
    assert!(matches!(
        damaged(&rig),
        Err(RecoveryError::Corrupt { lsn: Lsn(3), .. })
    ));
    assert_eq!(
        rig.restart().next_lsn,
        Lsn(5),
        "the empty block has its number too"
    );

    let mut rig = with_blocks(3);
    rig.wal.close();
    assert!(!rig.wal.is_closed());
    rig.drain();
    assert!(rig.wal.is_closed());
    assert!(matches!(
        damaged(&rig),
        Err(RecoveryError::Corrupt { lsn: Lsn(3), .. })
    ));
}

#[test]
fn a_segment_that_is_just_full_is_attested_by_a_manifest() {
    let mut rig = with_blocks(15);
    let full = rig.wal.live_segments().next().unwrap();
    assert_eq!(full.bytes_used, SIZE);
    assert!(!rig.wal.attest_durable(), "there is no room for a block");
    rig.drain();
    assert_eq!(
        rig.wal.live_segments().count(),
        1,
        "nor is another segment begun for it"
    );
    let mut disk = rig.disk.clone();
    disk.files.get_mut(&full.slot).unwrap()[15 * PAGE + 300] ^= 1;
    let error = recover(&disk).unwrap_err();
    assert!(
        matches!(error, RecoveryError::Corrupt { lsn: Lsn(15), .. }),
        "{error}"
    );
    rig.restart();
}

#[test]
fn a_torn_header_of_a_spare_is_nothing_and_one_of_a_live_segment_is_reported() {
    let rig = with_blocks(2);
    for (slot, reported) in [(0, vec![0]), (1, vec![])] {
        let mut disk = rig.disk.clone();
        disk.files.get_mut(&slot).unwrap()[10..600].fill(0x55);
        let (records, recovered) = recover(&disk).unwrap();
        assert_eq!((records.len(), recovered.damaged_headers), (2, reported));
    }
}

#[test]
fn what_the_directory_gives_away_is_refused() {
    let rig = with_blocks(20);
    let manifest = Manifest::decode(rig.disk.manifest.as_ref().unwrap()).unwrap();
    let live = rig.wal.live_segments().next().unwrap().slot;
    for (name, change, expected) in directories(manifest, live) {
        let mut disk = rig.disk.clone();
        change(&mut disk);
        assert_eq!(recover(&disk).unwrap_err(), expected, "{name}");
    }
}

type Change = Box<dyn Fn(&mut Disk)>;

/// What happens to a directory with this manifest and a live segment in this slot, and the error.
fn directories(manifest: Manifest, live: u32) -> Vec<(&'static str, Change, RecoveryError)> {
    let path = FilePath { wal: 3, slot: None };
    let of_live = FilePath {
        wal: 3,
        slot: Some(live),
    };
    vec![
        (
            "no manifest",
            Box::new(|disk| disk.manifest = None),
            RecoveryError::ManifestMissing(path),
        ),
        (
            "an empty manifest",
            Box::new(|disk| disk.manifest = Some(Vec::new())),
            RecoveryError::Manifest {
                path,
                error: ManifestError::Shape,
            },
        ),
        (
            "a flipped bit in the manifest",
            Box::new(|disk| disk.manifest.as_mut().unwrap()[30] ^= 8),
            RecoveryError::Manifest {
                path,
                error: ManifestError::Crc,
            },
        ),
        (
            "the manifest of another WAL",
            Box::new({
                let other = Manifest {
                    wal: 4,
                    ..manifest.clone()
                }
                .encode();
                move |disk| disk.manifest = Some(other.clone())
            }),
            RecoveryError::WrongWal { path, found: 4 },
        ),
        (
            "a missing segment",
            Box::new(move |disk| drop(disk.files.remove(&live))),
            RecoveryError::SegmentMissing {
                path: of_live,
                sequence: 1,
            },
        ),
        (
            "a segment cut short",
            Box::new(move |disk| disk.files.get_mut(&live).unwrap().truncate(50_000)),
            RecoveryError::SegmentSize {
                path: of_live,
                found: 50_000,
                expected: SIZE,
            },
        ),
        (
            "a manifest from before the segment",
            Box::new({
                let mut old = manifest.clone();
                old.next_sequence = 1;
                old.entries.clear();
                move |disk| disk.manifest = Some(old.encode())
            }),
            RecoveryError::ManifestOutdated {
                path: of_live,
                sequence: 1,
            },
        ),
    ]
}

#[test]
fn zeroes_are_no_records() {
    let mut rig = Rig::ready(config(SIZE, 6));
    append(&mut rig, 1, 1000);
    rig.pump();
    let is_block = |flight: &Flight| matches!(flight, Flight::Block { .. });
    let block = rig.disk.flights.iter().position(is_block).unwrap();
    rig.complete(block);
    for file in rig.disk.files.values_mut() {
        file[PAGE..].fill(0);
    }
    // Nothing attests the block yet.
    let (records, recovered) = recover(&rig.disk).unwrap();
    assert!(records.is_empty() && recovered.segments.is_empty());

    let mut rig = with_blocks(2);
    rig.restart();
    rig.drain();
    rig.disk.files.get_mut(&0).unwrap().fill(0);
    let error = recover(&rig.disk).unwrap_err();
    assert!(
        matches!(
            error,
            RecoveryError::Corrupt {
                offset: 4096,
                lsn: Lsn(1),
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_read_of_another_length_than_asked_for_is_refused() {
    let rig = with_blocks(1);
    for wrong in [-1, 1] {
        let mut recovery = Recovery::new(WAL, &rig.disk.list(), rig.disk.manifest.as_deref());
        let recovery = recovery.as_mut().unwrap();
        // Nobody has asked yet, so nobody minds.
        assert_eq!(recovery.on_read(&[1, 2, 3]), Ok(()));
        let Ok(RecoveryStep::Read(plan)) = recovery.poll() else {
            panic!("it begins with a read");
        };
        let found = plan.bytes.checked_add_signed(wrong).unwrap();
        let error = recovery.on_read(&vec![0; found]).unwrap_err();
        let RecoveryError::ShortRead {
            path,
            offset,
            expected,
            ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(
            (path.slot, offset, expected),
            (Some(plan.slot), plan.offset, plan.bytes)
        );
        assert!(
            error.to_string().contains(&format!("gave {found} bytes")),
            "{error}"
        );
    }
}

#[test]
#[should_panic(expected = "no header is being written in slot 0")]
fn a_header_is_not_reported_that_nobody_wrote() {
    with_blocks(1).wal.on_header_written(0);
}

#[test]
#[should_panic(expected = "slot 0 is not pinned")]
fn a_pin_is_not_taken_out_twice() {
    let mut rig = with_blocks(1);
    let segment = rig.wal.live_segments().next().unwrap().id;
    let slot = rig.wal.pin(segment).unwrap();
    rig.wal.unpin(slot);
    rig.wal.unpin(slot);
}

#[test]
fn whatever_became_of_a_free_file_is_no_loss() {
    let free = Entry {
        slot: 4,
        file_bytes: SIZE,
        content: EntryContent::Free,
    };
    let manifest = Manifest {
        entries: vec![free],
        ..Manifest::empty(WAL)
    };
    // Bytes of the file that are found, and whether it is free or one that nobody knows.
    for (found, is_free, is_unlisted) in [
        (Some(SIZE as usize), true, false),
        (Some(SIZE as usize - PAGE), false, true),
        (Some(SIZE as usize + PAGE), false, true),
        (Some(0), false, true),
        (None, false, false),
    ] {
        let files = found.map(|bytes| (4, vec![0; bytes]));
        let disk = Disk::holding(files.into_iter().collect(), manifest.encode());
        let (records, recovered) = recover(&disk).unwrap();
        assert!(records.is_empty() && recovered.segments.is_empty());
        assert_eq!(
            recovered.free,
            [(4, SIZE)][..usize::from(is_free)],
            "{found:?}"
        );
        assert_eq!(
            recovered.unlisted,
            [4][..usize::from(is_unlisted)],
            "{found:?}"
        );
    }
}

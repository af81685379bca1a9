//! Damage at rest: every byte of small images, one at a time. Recovery gives
//! an error, or records that are right; where all that was durable is attested
//! it never gives fewer.

use corelane::base::Lsn;
use corelane::wal::Priority;
use corelane::wal::inspect::{Finding, InspectStep, Inspection};
use corelane::wal::{RecoveryError, SegmentHeader};

use crate::disk::Disk;
use crate::records::{Rng, any};
use crate::rig::{Appended, Rig, appended, config, recover};

const SIZE: u32 = 32 * 1024;

/// A WAL of a few small segments, sealed ones and open ones, all of whose blocks are durable.
fn image(restarts: usize) -> Rig {
    let mut rng = Rng(11);
    let mut rig = Rig::ready(config(SIZE, 8));
    for run in 0..=restarts {
        for i in 0..16 {
            let record = any(&mut rng, i, 1800);
            rig.append(record, Priority::Internal).unwrap();
            rig.drain();
        }
        if run < restarts {
            rig.restart();
            rig.drain();
        }
    }
    rig
}

/// Damages one byte after the other, by one bit, and the manifest bit by bit, and recovers each
/// time.
fn flip_each_byte(rig: &Rig, mut check: impl FnMut(&str, Result<Vec<Appended>, RecoveryError>)) {
    let mut rng = Rng(5);
    let mut disk = rig.disk.clone();
    let slots: Vec<(u32, usize)> = disk.files.iter().map(|(&s, f)| (s, f.len())).collect();
    for (slot, len) in slots {
        // What was never written holds nothing to damage, so a few bytes of it will do.
        let used = disk.files[&slot]
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |i| i + 1);
        let at = (0..used).chain((used..len).step_by(97));
        for at in at {
            let mask = 1 << rng.below(8);
            disk.files.get_mut(&slot).unwrap()[at] ^= mask;
            check(
                &format!("slot {slot} byte {at} mask {mask}"),
                recovered(&disk),
            );
            disk.files.get_mut(&slot).unwrap()[at] ^= mask;
        }
    }
    for at in 0..disk.manifest.as_ref().unwrap().len() * 8 {
        disk.manifest.as_mut().unwrap()[at / 8] ^= 1 << (at % 8);
        check(&format!("manifest bit {at}"), recovered(&disk));
        disk.manifest.as_mut().unwrap()[at / 8] ^= 1 << (at % 8);
    }
    assert_eq!(disk.files, rig.disk.files);
}

fn recovered(disk: &Disk) -> Result<Vec<Appended>, RecoveryError> {
    recover(disk).map(|(records, _)| records.iter().map(appended).collect())
}

#[test]
fn any_damage_to_a_log_that_was_closed_is_an_error_or_harmless() {
    let mut rig = image(1);
    rig.wal.close();
    rig.drain();
    let (mut errors, mut harmless) = (0, 0);
    flip_each_byte(&rig, |place, found| match found {
        Err(_) => errors += 1,
        Ok(records) => {
            assert_eq!(records, rig.appended, "{place}");
            harmless += 1;
        }
    });
    // Harmless are padding, the headers of segments, and what is void or free.
    assert!(
        errors > 20_000 && harmless > 10_000,
        "{errors} errors, {harmless} harmless"
    );
}

#[test]
fn any_damage_to_a_log_that_crashed_costs_at_most_its_last_block() {
    let rig = image(0);
    let attested = Lsn(rig.acked.0 - 1);
    let (mut errors, mut cuts) = (0, 0);
    flip_each_byte(&rig, |place, found| match found {
        Err(_) => errors += 1,
        Ok(records) => {
            assert_eq!(records, rig.appended[..records.len()], "{place}");
            let kept = records.last().map_or(Lsn(0), |record| record.lsn);
            assert!(kept >= attested, "{place}: {kept:?} of {attested:?}");
            cuts += usize::from(kept == attested);
        }
    });
    assert!(errors > 10_000 && cuts > 50, "{errors} errors, {cuts} cuts");
}

#[test]
fn a_lost_sector_or_page_is_damage_too() {
    let mut rig = image(1);
    rig.wal.close();
    rig.drain();
    let mut errors = 0;
    for (&slot, file) in &rig.disk.files {
        for step in [512, 4096] {
            for at in (0..file.len()).step_by(step) {
                let mut disk = rig.disk.clone();
                disk.files.get_mut(&slot).unwrap()[at..at + step].fill(0);
                match recovered(&disk) {
                    Err(_) => errors += 1,
                    Ok(records) => assert_eq!(records, rig.appended, "slot {slot} byte {at}"),
                }
            }
        }
    }
    assert!(errors > 80, "{errors}");
}

/// Everything that inspection finds in a file.
fn inspect(slot: u32, file: &[u8]) -> Vec<Finding> {
    let header = SegmentHeader::decode(file).unwrap();
    let mut inspection = Inspection::new(slot, file.len() as u32, header.incarnation);
    let mut found = Vec::new();
    loop {
        match inspection.poll() {
            InspectStep::Done => return found,
            InspectStep::Found(finding) => found.push(finding),
            InspectStep::Read(plan) => {
                assert_eq!(plan.slot, slot);
                let start = plan.offset as usize;
                inspection.on_read(&file[start..start + plan.bytes]);
            }
        }
    }
}

#[test]
fn inspection_tells_every_byte_and_finds_what_is_damaged() {
    let rig = image(1);
    let mut rng = Rng(3);
    let mut total = 0;
    for segment in rig.wal.live_segments() {
        let file = &rig.disk.files[&segment.slot];
        let mut at = 4096;
        for finding in inspect(segment.slot, file) {
            match finding {
                Finding::Block {
                    offset,
                    header,
                    records,
                } => {
                    assert_eq!(offset, at);
                    at += header.aligned_bytes() as u32;
                    total += records.len();
                    // Flip one bit of what it uses.
                    let mut damaged = file.clone();
                    damaged[offset as usize + rng.below(header.bytes_used as usize)] ^= 16;
                    let whole = |f: &Finding| matches!(f, Finding::Block { offset: other, .. } if *other == offset);
                    assert!(!inspect(segment.slot, &damaged).iter().any(whole));
                }
                Finding::Empty { offset, bytes, .. } => {
                    assert_eq!(offset, at);
                    at += bytes;
                }
                Finding::Damaged { .. } => panic!("{finding:?}"),
            }
        }
        assert_eq!(at, file.len() as u32);
    }
    assert_eq!(total, rig.appended.len());
}

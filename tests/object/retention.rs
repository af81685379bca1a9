//! What expires, and when objects are removed.

use corelane::base::limits::{OBJECT_DELETES_MAX, OBJECT_GRACE_MS};
use corelane::object::manifest::{Manifest, PartitionMap};
use corelane::object::retention::Sweeper;
use corelane::object::upload::PutError;

use crate::records::{batch, chunk, header, id, object, tp};

/// An extent of ten offsets and 100 bytes for each timestamp.
fn stored(timestamps: &[i64]) -> Manifest {
    let mut manifest = Manifest::default();
    for (number, timestamp) in timestamps.iter().enumerate() {
        let base = 10 * number as i64;
        let batch = batch(base, 10, 1, *timestamp, &[0; 39]);
        let footer = object(
            header(id(1, number as u32), 0),
            vec![chunk(tp(1, 0), vec![batch])],
        )
        .footer;
        let record = manifest.decide_uploaded(&footer, &|_| Some(0)).unwrap();
        manifest.replay(&record).unwrap();
    }
    manifest
}

fn map(manifest: &Manifest) -> &PartitionMap {
    manifest.partition(tp(1, 0)).unwrap()
}

#[test]
fn extents_expire_by_their_newest_record() {
    let manifest = stored(&[100, 200, -1, 150, 300]);
    let at = |wall_ms| map(&manifest).expired_to(wall_ms, Some(1000), None, 0);
    assert_eq!(at(1100), None, "not before it is older than that");
    assert_eq!(at(1101), Some(10));
    assert_eq!(at(1200), Some(10), "150 comes behind 200");
    assert_eq!(at(1201), Some(40), "and takes along what has no timestamp");
    assert_eq!(at(2000), Some(50));
    assert_eq!(map(&manifest).expired_to(i64::MAX, None, None, 0), None);
    assert_eq!(map(&manifest).expired_to(0, Some(u64::MAX), None, 0), None);
    let none = stored(&[-1, -1]);
    assert_eq!(map(&none).expired_to(i64::MAX, Some(1), None, 0), None);
}

#[test]
fn the_size_counts_the_store_and_the_wal() {
    let manifest = stored(&[1; 5]);
    let to = |keep, unstored| map(&manifest).expired_to(0, None, Some(keep), unstored);
    assert_eq!(map(&manifest).bytes(), 500);
    assert_eq!(to(500, 0), None);
    assert_eq!(to(401, 0), None, "so much is kept at least");
    assert_eq!(to(400, 0), Some(10));
    assert_eq!(to(400, 150), Some(20));
    assert_eq!(to(0, 0), Some(50));
    let both = map(&manifest).expired_to(1002, Some(1000), Some(400), 0);
    assert_eq!(both, Some(50), "whichever asks for more");
}

#[test]
fn what_is_deleted_already_is_no_news() {
    let mut manifest = stored(&[1, 1, 1]);
    let trim = manifest.decide_trimmed(tp(1, 0), 20).unwrap();
    manifest.replay(&trim).unwrap();
    assert_eq!(map(&manifest).expired_to(0, None, Some(100), 0), None);
    assert_eq!(map(&manifest).expired_to(0, None, Some(0), 0), Some(30));
}

/// The log is trimmed, so that the first `dead` of three objects are dead.
fn with_dead(dead: i64) -> Manifest {
    let mut manifest = stored(&[1, 1, 1]);
    let trim = manifest.decide_trimmed(tp(1, 0), 10 * dead).unwrap();
    manifest.replay(&trim).unwrap();
    manifest
}

#[test]
fn an_object_is_removed_after_the_grace_and_a_snapshot_without_it() {
    let mut sweeper = Sweeper::new(1);
    sweeper.look(1000, 7, &with_dead(1), &|_| true);
    let due = 1000 + OBJECT_GRACE_MS;
    assert!(sweeper.wants_snapshot());
    assert_eq!(sweeper.poll(due), [], "no snapshot yet");
    sweeper.on_snapshot(6);
    assert_eq!(sweeper.poll(due), [], "one that still wants it");
    sweeper.on_snapshot(7);
    assert!(!sweeper.wants_snapshot());
    assert_eq!(sweeper.poll(due - 1), [], "somebody may be reading it");
    sweeper.look(due, 9, &with_dead(2), &|_| true);
    assert_eq!(sweeper.poll(due), [id(1, 0)]);
    assert_eq!(sweeper.poll(due), [], "one request at a time");
    assert_eq!(sweeper.on_removed(), [id(1, 0)]);
    assert_eq!(sweeper.len(), 1, "the second is dead for a moment only");
    sweeper.on_snapshot(8);
    assert_eq!(
        sweeper.poll(2 * due),
        [],
        "a snapshot that came too early for it"
    );
    sweeper.on_snapshot(9);
    assert_eq!(sweeper.poll(2 * due), [id(1, 1)]);
}

#[test]
fn what_another_shard_wants_or_keeps_stays() {
    let mut sweeper = Sweeper::new(1);
    sweeper.look(0, 1, &with_dead(2), &|object| object == id(1, 1));
    sweeper.on_snapshot(1);
    assert_eq!(sweeper.poll(OBJECT_GRACE_MS), [id(1, 1)]);
}

#[test]
fn a_removal_that_failed_is_made_again_later() {
    let mut sweeper = Sweeper::new(1);
    sweeper.add_orphan(0, id(1, 5));
    assert!(!sweeper.wants_snapshot(), "no snapshot ever wanted it");
    assert_eq!(sweeper.poll(OBJECT_GRACE_MS), [id(1, 5)]);
    sweeper.on_failed(OBJECT_GRACE_MS, PutError::SlowDown);
    assert_eq!(sweeper.poll(OBJECT_GRACE_MS), []);
    assert_eq!(sweeper.poll(OBJECT_GRACE_MS + 100), [id(1, 5)]);
    sweeper.on_removed();
    assert!(sweeper.is_empty());
}

#[test]
fn one_request_names_a_bounded_number() {
    let mut sweeper = Sweeper::new(1);
    let count = OBJECT_DELETES_MAX as u32 + 5;
    (0..count).for_each(|n| sweeper.add_orphan(0, id(1, n)));
    assert_eq!(sweeper.poll(OBJECT_GRACE_MS).len(), OBJECT_DELETES_MAX);
    sweeper.on_removed();
    assert_eq!(sweeper.poll(OBJECT_GRACE_MS).len(), 5);
}

//! What a manifest refuses, and bytes that are no records and no snapshots.

use corelane::base::{ShardId, checksum};
use corelane::object::SnapshotId;
use corelane::object::format::{Footer, ObjectError, Run, join};
use corelane::object::manifest::{
    Contradiction, DecodeError, Gap, Manifest, ManifestRecord, Rebuild, Recovery, Refusal,
    Snapshot, SnapshotError,
};

use crate::records::{CLUSTER, batches, chunk, header, id, object, tp};

/// An uploaded object with one chunk of ten offsets from each base on.
fn uploaded(number: u32, bases: &[(i32, i64)]) -> Footer {
    let chunks = bases
        .iter()
        .map(|(partition, base)| chunk(tp(1, *partition), batches(*base, 1, 1, 0)));
    object(header(id(1, number), 0), chunks.collect()).footer
}

fn with(footers: &[Footer]) -> Manifest {
    let mut manifest = Manifest::default();
    for footer in footers {
        let record = manifest.decide_uploaded(footer, &|_| Some(0)).unwrap();
        manifest.replay(&record).unwrap();
    }
    manifest
}

#[test]
fn a_chunk_that_does_not_go_on_is_refused() {
    let mut manifest = with(&[uploaded(1, &[(0, 0), (1, 5)])]);
    let refused = |manifest: &Manifest, footer: &Footer| {
        manifest.decide_uploaded(footer, &|_| Some(0)).unwrap_err()
    };
    let gap = |partition, end, base| Refusal::Gap {
        tp: tp(1, partition),
        end,
        base,
    };
    assert_eq!(refused(&manifest, &uploaded(2, &[(0, 11)])), gap(0, 10, 11));
    assert_eq!(refused(&manifest, &uploaded(2, &[(0, 9)])), gap(0, 10, 9));
    assert_eq!(
        refused(&manifest, &uploaded(2, &[(0, 10), (1, 10)])),
        gap(1, 15, 10)
    );
    assert_eq!(
        refused(&manifest, &uploaded(1, &[(0, 10)])),
        Refusal::Known(id(1, 1))
    );
    let twice = uploaded(2, &[(0, 10), (0, 30)]);
    assert_eq!(refused(&manifest, &twice), gap(0, 20, 30));

    // What is deleted may be left out, up to the batch that the log start lies in.
    let at_35 = |_| Some(35);
    let too_far = manifest.decide_uploaded(&uploaded(2, &[(0, 36)]), &at_35);
    assert_eq!(too_far, Err(gap(0, 10, 36)));
    let record = manifest
        .decide_uploaded(&uploaded(2, &[(0, 30)]), &at_35)
        .unwrap();
    manifest.replay(&record).unwrap();
    let map = manifest.partition(tp(1, 0)).unwrap();
    assert_eq!(
        (map.log_start(), map.end(), map.extents().len()),
        (35, 40, 1)
    );
    assert_eq!(manifest.decide_trimmed(tp(1, 0), 35), None, "no news");
}

#[test]
fn chunks_of_deleted_topics_and_records_are_left_out() {
    let manifest = Manifest::default();
    let footer = uploaded(1, &[(0, 0), (1, 5)]);
    let record = manifest
        .decide_uploaded(&footer, &|tp| (tp.partition == 1).then_some(0))
        .unwrap();
    let ManifestRecord::Uploaded { chunks, .. } = &record else {
        panic!("{record:?}");
    };
    assert_eq!(chunks.len(), 1);
    assert_eq!(chunks[0].tp, tp(1, 1));

    // What a merge was made of is deleted before it is recorded: it is dead from the beginning.
    let mut manifest = with(std::slice::from_ref(&footer));
    let runs = footer.chunks.iter().map(|c| Run {
        parts: vec![(id(1, 1), c)],
    });
    let runs: Vec<Run<'_>> = runs.collect();
    let merged = join(header(id(1, 2), 1), &runs).unwrap().footer;
    let dropped = manifest.decide_dropped(tp(1, 0).topic).unwrap();
    manifest.replay(&dropped).unwrap();
    let record = manifest.decide_merged(&merged).unwrap();
    manifest.replay(&record).unwrap();
    assert!(manifest.objects().all(|object| object.is_dead()));
    assert_eq!(manifest.objects().count(), 2);
    assert_eq!(manifest.decide_dropped(tp(1, 0).topic), None);
}

#[test]
fn records_that_cannot_follow_each_other_are_named() {
    let manifest = with(&[uploaded(1, &[(0, 0)])]);
    let upload = |footer: &Footer| {
        Manifest::default()
            .decide_uploaded(footer, &|_| Some(0))
            .unwrap()
    };
    let replayed = |record: &ManifestRecord| manifest.clone().replay(record);
    let known = Err(Contradiction::Object(id(1, 1)));
    assert_eq!(replayed(&upload(&uploaded(1, &[(1, 0)]))), known);
    assert_eq!(
        replayed(&ManifestRecord::Removed { object: id(1, 1) }),
        known,
        "it is wanted"
    );
    let unknown = id(1, 9);
    let removed = ManifestRecord::Removed { object: unknown };
    assert_eq!(replayed(&removed), Err(Contradiction::Object(unknown)));
    let misplaced = |number, base| {
        Err(Contradiction::Extent {
            object: id(1, number),
            tp: tp(1, 0),
            base,
        })
    };
    assert_eq!(
        replayed(&upload(&uploaded(2, &[(0, 20)]))),
        misplaced(2, 20)
    );
    let ManifestRecord::Uploaded { object, chunks } = upload(&uploaded(3, &[(0, 20)])) else {
        panic!("it is one");
    };
    let merged = ManifestRecord::Merged { object, chunks };
    assert_eq!(replayed(&merged), misplaced(3, 20));
    let partition = manifest.snapshot().last().unwrap();
    let alone = Manifest::default().replay(&partition);
    assert_eq!(
        alone,
        Err(Contradiction::Object(id(1, 1))),
        "of an unknown object"
    );
}

#[test]
fn a_removal_is_heeded_whichever_log_it_is_in() {
    let manifest = with(&[uploaded(1, &[(0, 0)])]);
    let mut recovery = Recovery::new(manifest.clone());
    recovery
        .record(&ManifestRecord::Removed { object: id(1, 1) })
        .unwrap();
    let still_wanted = recovery.finish();
    assert_eq!(still_wanted, Err(Contradiction::Object(id(1, 1))));

    let mut recovery = Recovery::new(manifest.clone());
    recovery
        .record(&ManifestRecord::Removed { object: id(1, 1) })
        .unwrap();
    let trim = manifest.decide_trimmed(tp(1, 0), 10).unwrap();
    recovery.record(&trim).unwrap();
    assert_eq!(recovery.finish().unwrap().objects().count(), 0);
}

#[test]
fn what_is_not_in_the_store_is_told() {
    let rebuilt = |manifest: Manifest, bases: &[i64]| {
        let mut rebuild = Rebuild::new(manifest, 0);
        for base in bases {
            rebuild.add(&uploaded(*base as u32, &[(0, *base)]), &|_| true);
        }
        rebuild.finish()
    };
    let gap = |from, to, is_loss| Gap {
        tp: tp(1, 0),
        from,
        to,
        is_loss,
    };
    // The put of 20 to 29 had not ended when the host was lost.
    let cut = rebuilt(Manifest::default(), &[0, 10, 30]);
    assert_eq!(cut.gaps, [gap(20, 30, false)]);
    let map = cut.manifest.partition(tp(1, 0)).unwrap();
    assert_eq!(
        (map.log_start(), map.end(), map.extents().len()),
        (0, 20, 2)
    );
    let dead = cut.manifest.objects().filter(|object| object.is_dead());
    assert_eq!(dead.count(), 1);

    // With a snapshot that knows the log start, what is deleted is not missed.
    let known = with(&[uploaded(1, &[(0, 0)]), uploaded(2, &[(0, 10)])]);
    let mut trimmed = known.clone();
    let trim = trimmed.decide_trimmed(tp(1, 0), 30).unwrap();
    trimmed.replay(&trim).unwrap();
    assert_eq!(rebuilt(trimmed, &[30]).gaps, []);
    // Nor is what was deleted before the first put.
    let mut late = chunk(tp(1, 0), batches(30, 1, 1, 0));
    late.log_start = 35;
    let late = object(header(id(1, 9), 0), vec![late]).footer;
    let mut rebuild = Rebuild::new(Manifest::default(), 0);
    rebuild.add(&late, &|_| true);
    let begun = rebuild.finish();
    assert_eq!(begun.gaps, []);
    assert_eq!(begun.manifest.partition(tp(1, 0)).unwrap().log_start(), 35);

    let nothing = rebuilt(Manifest::default(), &[30]);
    assert_eq!(nothing.gaps, [gap(0, 30, false)]);
    assert_eq!(nothing.manifest.partition(tp(1, 0)), None);

    // Somebody has removed what the merge behind it shows to have been recorded.
    let (first, last) = (uploaded(1, &[(0, 0)]), uploaded(2, &[(0, 20)]));
    let run = Run {
        parts: vec![(id(1, 2), &last.chunks[0])],
    };
    let merged = join(header(id(1, 3), 1), &[run]).unwrap().footer;
    let mut rebuild = Rebuild::new(Manifest::default(), 0);
    [first, merged]
        .iter()
        .for_each(|footer| rebuild.add(footer, &|_| true));
    assert_eq!(rebuild.finish().gaps, [gap(10, 20, true)]);
}

#[test]
fn bytes_that_are_no_record_say_why() {
    let record = with(&[uploaded(1, &[(0, 0), (1, 5)])])
        .snapshot()
        .last()
        .unwrap();
    let uploaded = Manifest::default()
        .decide_uploaded(&uploaded(1, &[(0, 0), (1, 5)]), &|_| Some(0))
        .unwrap();
    for record in [record, uploaded] {
        let bytes = record.encode();
        for len in 0..bytes.len() {
            assert_eq!(
                ManifestRecord::decode(&bytes[..len]),
                Err(DecodeError::Truncated)
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(
            ManifestRecord::decode(&longer),
            Err(DecodeError::Trailing(1))
        );
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                if let Ok(other) = ManifestRecord::decode(&changed) {
                    assert_eq!(other.encode(), changed);
                }
            }
        }
    }
    assert_eq!(
        ManifestRecord::decode(&[2, 1]),
        Err(DecodeError::UnknownVersion(2))
    );
    assert_eq!(
        ManifestRecord::decode(&[1, 9]),
        Err(DecodeError::UnknownKind(9))
    );
}

const SNAPSHOT: &[u8] = include_bytes!("golden/manifest-v1.snap");

pub fn snapshot() -> Vec<u8> {
    let snapshot = SnapshotId {
        shard: ShardId(3),
        start: 4,
        count: 5,
    };
    let mut manifest = with(&[uploaded(1, &[(0, 0), (1, 5)]), uploaded(2, &[(0, 10)])]);
    let trim = manifest.decide_trimmed(tp(1, 0), 7).unwrap();
    manifest.replay(&trim).unwrap();
    Snapshot::encode(snapshot, CLUSTER, 2, &manifest)
}

#[test]
fn version_1_of_a_snapshot_is_written_and_read_as_ever() {
    assert_eq!(snapshot(), SNAPSHOT);
    let manifest = Snapshot::decode(SNAPSHOT).unwrap().manifest().unwrap();
    let map = manifest.partition(tp(1, 0)).unwrap();
    assert_eq!((map.log_start(), map.end(), map.bytes()), (7, 20, 122));
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let bytes = snapshot();
    for len in 0..bytes.len() {
        assert!(Snapshot::decode(&bytes[..len]).is_err(), "{len} bytes");
    }
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert!(Snapshot::decode(&damaged).is_err(), "byte {at}");
    }
    let resummed = |change: fn(&mut [u8])| {
        let mut body = bytes[..bytes.len() - 4].to_vec();
        change(&mut body);
        let sum = checksum::crc32c(&body).to_le_bytes();
        Snapshot::decode(&[&body[..], &sum].concat()).unwrap_err()
    };
    assert_eq!(resummed(|body| body[8] = 2), SnapshotError::Version(2));
    assert_eq!(
        resummed(|body| body[44] += 1),
        SnapshotError::Shape,
        "a record too few"
    );
    let unknown = DecodeError::UnknownKind(0);
    assert_eq!(
        resummed(|body| body[53] = 0),
        SnapshotError::Record(0, unknown)
    );
    assert_eq!(
        resummed(|body| body[48..52].fill(0xff)),
        SnapshotError::Shape
    );
    assert_eq!(
        Footer::read(&bytes),
        Err(ObjectError::Shape),
        "nor is it an object"
    );
}

#[test]
fn what_a_host_put_that_did_not_lead_any_more_is_not_taken() {
    let put = |start, number, base, count, epoch| {
        let chunks = vec![chunk(tp(1, 0), batches(base, count, epoch, 0))];
        object(header(id(start, number), 0), chunks).footer
    };
    // Start 5 had lost its lease when it put the third, and start 6 went on at 10.
    let recorded = put(5, 0, 0, 1, 5);
    let late = put(5, 1, 10, 9, 5);
    let next = [put(6, 0, 10, 2, 6), put(6, 1, 30, 3, 6)];
    let rebuilt = |manifest: Manifest, footers: &[&Footer]| {
        let mut rebuild = Rebuild::new(manifest, 0);
        footers
            .iter()
            .for_each(|footer| rebuild.add(footer, &|_| true));
        let rebuilt = rebuild.finish();
        assert_eq!(rebuilt.gaps, []);
        let map = rebuilt.manifest.partition(tp(1, 0)).unwrap();
        map.extents()
            .map(|extent| (extent.object, extent.end))
            .collect::<Vec<_>>()
    };
    let expected = [(id(5, 0), 10), (id(6, 0), 30), (id(6, 1), 60)];
    let all = [&recorded, &late, &next[0], &next[1]];
    assert_eq!(rebuilt(Manifest::default(), &all), expected);
    // Nor is what arrived after a start from the store alone, whatever is there.
    let mut rebuild = Rebuild::new(with(std::slice::from_ref(&recorded)), 6);
    rebuild.add(&late, &|_| true);
    let map = rebuild.finish().manifest;
    assert_eq!(map.partition(tp(1, 0)).unwrap().end(), 10);
    let known = with(&[recorded.clone(), next[0].clone()]);
    assert_eq!(rebuilt(known, &[&late, &next[1]]), expected);
    // As long as nobody went on, it is simply the end.
    let alone = rebuilt(Manifest::default(), &[&late, &recorded]);
    assert_eq!(alone, [(id(5, 0), 10), (id(5, 1), 100)]);
}

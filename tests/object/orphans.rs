//! Which objects are orphans, and which only look like it.

use corelane::object::manifest::{Fenced, Manifest, find_orphans, is_covered};

use crate::records::{batches, chunk, header, id, object, tp};

fn known() -> Manifest {
    let mut manifest = Manifest::default();
    let footer = object(
        header(id(3, 4), 0),
        vec![chunk(tp(1, 0), batches(0, 1, 1, 0))],
    )
    .footer;
    let record = manifest.decide_uploaded(&footer, &|_| Some(0)).unwrap();
    manifest.replay(&record).unwrap();
    manifest
}

#[test]
fn orphans_are_unknown_and_over() {
    let listed = [id(1, 9), id(3, 3), id(3, 4), id(3, 5), id(3, 7)];
    let kept = |_| true;
    let found = find_orphans(&known(), listed, &kept, 3, 5);
    assert_eq!(
        found,
        Ok(vec![id(1, 9), id(3, 3)]),
        "5 and 7 may be under way"
    );
    let found = find_orphans(&known(), listed, &kept, 4, 0);
    assert_eq!(found, Ok(vec![id(1, 9), id(3, 3), id(3, 5), id(3, 7)]));
    let found = find_orphans(&known(), listed, &|_| false, 4, 0);
    assert_eq!(found, Ok(vec![]), "another shard's to remove");
}

#[test]
fn who_was_fenced_removes_nothing() {
    let listed = [id(1, 9), id(4, 0)];
    let found = find_orphans(&known(), listed, &|_| true, 3, 5);
    assert_eq!(found, Err(Fenced(id(4, 0))));
}

#[test]
fn an_orphan_with_records_that_are_nowhere_else_stays() {
    let chunks = vec![
        chunk(tp(1, 0), batches(0, 2, 1, 0)),
        chunk(tp(2, 0), batches(50, 1, 1, 0)),
    ];
    let footer = object(header(id(1, 9), 0), chunks).footer;
    let log_to = |end| move |of| (of == tp(1, 0)).then_some(0..end);
    assert!(is_covered(&footer, &log_to(20)), "topic 2 is deleted");
    assert!(
        is_covered(&footer, &|_| Some(100..100)),
        "all of it is deleted"
    );
    assert!(!is_covered(&footer, &log_to(19)));
}

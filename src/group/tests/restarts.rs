//! Another process goes on from the log.

use super::rig::*;
use crate::group::*;
use crate::kafka::ErrorCode;

#[test]
fn members_of_a_stable_group_notice_nothing() {
    let mut rig = Rig::new();
    let a = rig.ask(join("a", ""));
    let b = rig.ask(join("b", ""));
    rig.pass(6000);
    let (a, b) = (rig.joined(a).unwrap(), rig.joined(b).unwrap());
    rig.sync_all(&a, &[&b]);
    rig.commit(&a.member_id, 1, 5);
    let before = rig.describe();
    rig.restart();
    assert_eq!((rig.describe(), rig.offset()), (before, 5));
    assert_eq!(rig.heartbeat(&a.member_id, 1), ErrorCode::NONE);
    rig.pass(9000);
    assert_eq!(
        rig.heartbeat(&b.member_id, 1),
        ErrorCode::NONE,
        "sessions begin anew"
    );
    rig.pass(1000);
    assert_eq!(
        rig.heartbeat(&a.member_id, 1),
        ErrorCode::UNKNOWN_MEMBER_ID,
        "and end"
    );
    let again = rig.ask(join("b", &b.member_id));
    let again = rig.joined(again).unwrap();
    assert_eq!((again.generation, again.members.len()), (2, 1));
}

#[test]
fn a_rebalance_under_way_is_forgotten_with_its_new_members() {
    let mut rig = Rig::new();
    let (a, generation) = rig.alone();
    rig.ask(join("b", ""));
    rig.restart();
    assert_eq!(rig.state(), "Stable");
    assert_eq!(rig.heartbeat(&a, generation), ErrorCode::NONE);
    assert_eq!(
        rig.heartbeat("b-id", generation),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
}

#[test]
fn an_assignment_that_was_not_handed_out_yet_never_was() {
    let mut rig = Rig::new();
    let (a, generation) = rig.alone();
    let b = rig.ask(join("b", ""));
    let again = rig.ask(join("a", &a));
    let (again, b) = (rig.joined(again).unwrap(), rig.joined(b).unwrap());
    rig.restart();
    let late = rig.ask(sync(&again, vec![]));
    assert_eq!(
        rig.synced(late).unwrap().error,
        ErrorCode::ILLEGAL_GENERATION
    );
    let late = rig.ask(sync(&b, vec![]));
    assert_eq!(
        rig.synced(late).unwrap().error,
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    assert_eq!(rig.heartbeat(&a, generation), ErrorCode::NONE);
}

#[test]
fn the_snapshot_is_all_that_matters() {
    let mut rig = Rig::new();
    let (a, generation) = rig.alone();
    for offset in 0..10 {
        rig.commit(&a, generation, offset);
    }
    rig.ask(join("b", ""));
    let snapshot: Vec<GroupRecord> = rig.coordinator.snapshot().collect();
    assert_eq!(snapshot.len(), 2, "the group, and one offset");
    let bytes: usize = snapshot.iter().map(GroupRecord::bytes).sum();
    assert_eq!(rig.coordinator.live_bytes(), bytes as u64);
    assert!(rig.log.len() > snapshot.len());
    // Whether it replaces what came before it or stands behind it.
    let mut behind = rig.log.clone();
    behind.extend(snapshot.clone());
    for log in [snapshot, behind] {
        rig.log = log;
        rig.restart();
        assert_eq!((rig.offset(), rig.state()), (9, "Stable"));
        assert_eq!(rig.heartbeat(&a, generation), ErrorCode::NONE);
    }
}

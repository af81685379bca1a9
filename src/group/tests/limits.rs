//! How large groups may get, and what a heartbeat costs.

use super::rig::*;
use crate::base::limits::GROUP_RECORD_BYTES_MAX;
use crate::group::*;
use crate::kafka::ErrorCode;

#[test]
fn a_group_has_no_more_members_than_the_setting_says() {
    let config = GroupConfig {
        members_max: 2,
        ..GroupConfig::default()
    };
    let mut rig = Rig::with(config);
    let a = rig.ask(join("a", ""));
    let b = rig.ask(join("b", ""));
    let c = rig.ask(join("c", ""));
    assert_eq!(
        rig.joined(c).unwrap().error,
        ErrorCode::GROUP_MAX_SIZE_REACHED
    );
    rig.pass(6000);
    let (a, b) = (rig.joined(a).unwrap(), rig.joined(b).unwrap());
    let c = rig.ask(join("c", ""));
    assert_eq!(
        rig.joined(c).unwrap().error,
        ErrorCode::GROUP_MAX_SIZE_REACHED
    );
    rig.sync_all(&a, &[&b]);
    let again = rig.ask(join("a", &a.member_id));
    assert_eq!(rig.joined(again), None, "members may join again");
    let c = rig.ask(join("c", ""));
    assert_eq!(
        rig.joined(c),
        None,
        "b has not joined again yet, its place is free"
    );
    let b = rig.ask(join("b", &b.member_id));
    assert_eq!(
        rig.joined(b).unwrap().error,
        ErrorCode::GROUP_MAX_SIZE_REACHED
    );
}

#[test]
fn memory_is_bounded_and_given_back() {
    let config = GroupConfig {
        state_bytes_max: 64 * 1024,
        ..GroupConfig::default()
    };
    let mut rig = Rig::with(config);
    let mut committed = 0;
    loop {
        let mut request = commit("", -1, 5);
        request.group_id = format!("group-{committed}").into();
        match rig.call(GroupRequest::Commit(request)) {
            GroupReply::Commit(v) if v[0][0] == ErrorCode::NONE => committed += 1,
            GroupReply::Commit(v) => {
                break assert_eq!(v[0][0], ErrorCode::COORDINATOR_NOT_AVAILABLE);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((50..100).contains(&committed), "{committed}");
    let joined = rig.ask(join("a", ""));
    assert_eq!(
        rig.joined(joined).unwrap().error,
        ErrorCode::GROUP_MAX_SIZE_REACHED
    );
    let mut known = commit("", -1, 6);
    known.group_id = "group-0".into();
    let known = rig.call(GroupRequest::Commit(known));
    assert_eq!(
        known,
        GroupReply::Commit(vec![vec![ErrorCode::NONE]]),
        "takes no more room"
    );
    for n in 0..committed {
        let group_id = format!("group-{n}").into();
        rig.call(GroupRequest::Delete { group_id });
    }
    assert_eq!(rig.coordinator.bytes, 0);
    assert!(
        rig.coordinator.groups.is_empty(),
        "nor did those that were refused stay"
    );
}

#[test]
fn what_no_log_would_take_is_refused() {
    let mut rig = Rig::new();
    let a = rig.ask(join("a", ""));
    rig.pass(3000);
    let a = rig.joined(a).unwrap();
    let huge = vec![(a.member_id.clone(), vec![0; GROUP_RECORD_BYTES_MAX].into())];
    let huge = rig.ask(sync(&a, huge));
    assert_eq!(
        rig.synced(huge).unwrap().error,
        ErrorCode::UNKNOWN_SERVER_ERROR
    );
    assert_eq!(
        rig.heartbeat(&a.member_id, 1),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    let mut many = commit("", -1, 5);
    many.group_id = "h".into();
    many.topics[0].partitions = vec![many.topics[0].partitions[0].clone(); 100_000];
    let GroupReply::Commit(verdicts) = rig.call(GroupRequest::Commit(many)) else {
        panic!("a commit")
    };
    assert!(
        verdicts[0]
            .iter()
            .all(|v| *v == ErrorCode::INVALID_COMMIT_OFFSET_SIZE)
    );
    assert!(rig.log.is_empty());
}

#[test]
fn heartbeats_of_5000_members_move_no_deadline() {
    let mut rig = Rig::new();
    let tickets: Vec<_> = (0..5000)
        .map(|n| rig.ask(join(&format!("m{n}"), "")))
        .collect();
    rig.pass(6000);
    let replies: Vec<_> = tickets
        .into_iter()
        .map(|t| rig.joined(t).unwrap())
        .collect();
    let leader = replies
        .iter()
        .find(|reply| !reply.members.is_empty())
        .unwrap()
        .clone();
    let others: Vec<_> = replies
        .iter()
        .filter(|r| r.member_id != leader.member_id)
        .collect();
    rig.sync_all(&leader, &others);
    let before = rig.coordinator.deadlines.insertions;
    for _ in 0..9 {
        rig.pass(1000);
        for reply in &replies {
            assert_eq!(rig.heartbeat(&reply.member_id, 1), ErrorCode::NONE);
        }
    }
    assert_eq!(
        rig.coordinator.deadlines.insertions, before,
        "45,000 heartbeats"
    );
    rig.pass(2000);
    let moved = rig.coordinator.deadlines.insertions - before;
    assert!(moved <= 5000, "each session once: {moved}");
    assert_eq!(rig.state(), "Stable");
}

#[test]
fn what_goes_leaves_no_deadline_behind() {
    let mut rig = Rig::new();
    rig.alone();
    rig.leave("a-id", None);
    let before = rig.coordinator.deadlines.len();
    for n in 0..100 {
        let request = JoinRequest {
            requires_known_member_id: true,
            ..joining(&format!("m{n}"), "")
        };
        rig.ask(GroupRequest::Join(request));
        assert_eq!(rig.leave(&format!("m{n}-id"), None), ErrorCode::NONE);
    }
    assert_eq!(rig.coordinator.deadlines.len(), before);
}

#[test]
fn what_is_fetched_again_and_again_is_told_in_full_once() {
    let mut rig = Rig::new();
    rig.commit("", -1, 5);
    let request = FetchOffsetsRequest {
        group_id: G.into(),
        member_id: None,
        member_epoch: -1,
        topics: Some(vec![partitions("t", &[0; 1000])]),
    };
    let GroupReply::FetchOffsets(reply) = rig.call(GroupRequest::FetchOffsets(request)) else {
        panic!("offsets")
    };
    let told = &reply.topics[0].partitions;
    assert!(told.iter().all(|told| told.offset == 5));
    assert_eq!(
        told.iter().filter(|told| !told.metadata.is_empty()).count(),
        1
    );
}

#[test]
fn many_groups_that_are_spent_go_in_steps_that_are_bounded() {
    let mut rig = Rig::new();
    for n in 0..100 {
        let group_id: std::sync::Arc<str> = format!("{n}-{}", "x".repeat(30_000)).into();
        let join = JoinRequest {
            group_id: group_id.clone(),
            ..joining("a", "")
        };
        rig.ask(GroupRequest::Join(join));
        let leave = LeaveRequest {
            group_id,
            members: vec![LeavingMember {
                member_id: "a-id".into(),
                instance_id: None,
            }],
        };
        rig.call(GroupRequest::Leave(leave));
    }
    rig.now.mono_ms += 3_600_000;
    while !rig.coordinator.groups.is_empty() {
        let effects = rig.coordinator.poll(rig.now);
        let bytes: usize = effects.records.iter().map(GroupRecord::bytes).sum();
        assert!(
            bytes <= crate::base::limits::GROUP_STEP_BYTES_MAX,
            "{bytes}"
        );
        rig.take(effects);
    }
    assert_eq!(rig.coordinator.bytes, 0);
}

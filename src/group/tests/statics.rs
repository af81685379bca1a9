//! Static members (KIP-345): known by an instance id, they may restart without a rebalance.

use super::rig::*;
use crate::group::*;
use crate::kafka::ErrorCode;

fn fixed(client: &str, member_id: &str) -> JoinRequest {
    JoinRequest {
        instance_id: Some(format!("{client}-instance").into()),
        requires_known_member_id: true,
        ..joining(client, member_id)
    }
}

/// Two static members in a stable group; the first is the leader.
fn two(rig: &mut Rig) -> (JoinReply, JoinReply) {
    let a = rig.ask(GroupRequest::Join(fixed("a", "")));
    let b = rig.ask(GroupRequest::Join(fixed("b", "")));
    rig.pass(6000);
    let (a, b) = (rig.joined(a).unwrap(), rig.joined(b).unwrap());
    let instances: Vec<_> = a
        .members
        .iter()
        .map(|m| m.instance_id.as_deref().unwrap())
        .collect();
    assert_eq!(instances, ["a-instance", "b-instance"]);
    rig.sync_all(&a, &[&b]);
    (a, b)
}

fn reborn(client: &str) -> JoinRequest {
    JoinRequest {
        fresh_member_id: format!("{client}-reborn").into(),
        ..fixed(client, "")
    }
}

#[test]
fn a_follower_that_restarts_disturbs_nobody_and_fences_its_former_self() {
    let mut rig = Rig::new();
    let (a, b) = two(&mut rig);
    let again = rig.ask(GroupRequest::Join(reborn("b")));
    let again = rig.joined(again).unwrap();
    assert_eq!(
        (again.error, &*again.member_id),
        (ErrorCode::NONE, "b-reborn")
    );
    assert_eq!((again.generation, &again.leader), (1, &a.member_id));
    assert_eq!(rig.state(), "Stable");
    let old = HeartbeatRequest {
        group_id: G.into(),
        generation: 1,
        member_id: b.member_id.clone(),
        instance_id: Some("b-instance".into()),
    };
    let fenced = GroupReply::Heartbeat(ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(rig.call(GroupRequest::Heartbeat(old)), fenced);
    let synced = rig.ask(sync(&again, Vec::new()));
    assert_eq!(
        rig.synced(synced).unwrap().assignment,
        of(&b.member_id),
        "what it had"
    );
    // It was written down: another process knows the new member id.
    rig.restart();
    assert_eq!(rig.heartbeat("b-reborn", 1), ErrorCode::NONE);
    assert_eq!(rig.heartbeat(&b.member_id, 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_leader_that_restarts_is_still_the_leader_and_must_not_assign() {
    for skips in [false, true] {
        let mut rig = Rig::new();
        let (a, b) = two(&mut rig);
        let request = JoinRequest {
            supports_skip_assignment: skips,
            ..reborn("a")
        };
        let again = rig.ask(GroupRequest::Join(request));
        let again = rig.joined(again).unwrap();
        let leader = if skips { "a-reborn" } else { &*a.member_id };
        assert_eq!((&*again.leader, again.skip_assignment), (leader, skips));
        assert_eq!(again.members.len(), if skips { 2 } else { 0 });
        assert_eq!(rig.heartbeat(&b.member_id, 1), ErrorCode::NONE);
        // When it does join again, it assigns.
        let anew = rig.ask(GroupRequest::Join(fixed("a", "a-reborn")));
        assert_eq!(rig.joined(anew), None);
        rig.ask(GroupRequest::Join(fixed("b", &b.member_id)));
        assert_eq!(&*rig.joined(anew).unwrap().leader, "a-reborn");
    }
}

#[test]
fn a_restart_with_other_protocols_is_a_rebalance() {
    let mut rig = Rig::new();
    two(&mut rig);
    let request = JoinRequest {
        protocols: vec![protocol("sticky", &["t"]), protocol("range", &["t"])],
        ..reborn("b")
    };
    let kept = rig.ask(GroupRequest::Join(request));
    assert!(rig.joined(kept).is_some(), "range is still what all know");
    let mut rig = Rig::new();
    let a = rig.ask(GroupRequest::Join(fixed("a", "")));
    rig.pass(3000);
    let a = rig.joined(a).unwrap();
    rig.sync_all(&a, &[]);
    let request = JoinRequest {
        protocols: vec![protocol("sticky", &["t"]), protocol("range", &["t"])],
        ..reborn("a")
    };
    let changed = rig.ask(GroupRequest::Join(request));
    let changed = rig.joined(changed).unwrap();
    assert_eq!(
        (changed.generation, changed.protocol_name.as_deref()),
        (2, Some("sticky"))
    );
}

#[test]
fn a_restart_while_the_others_wait_fences_what_waited() {
    let mut rig = Rig::new();
    let a = rig.ask(GroupRequest::Join(fixed("a", "")));
    let again = rig.ask(GroupRequest::Join(reborn("a")));
    assert_eq!(rig.joined(a).unwrap().error, ErrorCode::FENCED_INSTANCE_ID);
    rig.pass(6000);
    let again = rig.joined(again).unwrap();
    assert_eq!((&*again.leader, again.members.len()), ("a-reborn", 1));
    let b = rig.ask(GroupRequest::Join(fixed("b", "")));
    let a = rig.ask(GroupRequest::Join(fixed("a", "a-reborn")));
    let (a, b) = (rig.joined(a).unwrap(), rig.joined(b).unwrap());
    let waiting = rig.ask(sync(&b, Vec::new()));
    let b = rig.ask(GroupRequest::Join(reborn("b")));
    assert_eq!(
        rig.synced(waiting).unwrap().error,
        ErrorCode::FENCED_INSTANCE_ID
    );
    assert_eq!((rig.joined(b), rig.state()), (None, "PreparingRebalance"));
    let late = rig.ask(sync(&a, Vec::new()));
    assert_eq!(
        rig.synced(late).unwrap().error,
        ErrorCode::REBALANCE_IN_PROGRESS
    );
}

#[test]
fn static_members_that_do_not_join_again_keep_their_place_until_their_session_ends() {
    let mut rig = Rig::new();
    let (a, b) = two(&mut rig);
    let _c = rig.ask(join("c", ""));
    rig.heartbeat(&b.member_id, 1);
    let again = rig.ask(GroupRequest::Join(fixed("a", &a.member_id)));
    assert_eq!(rig.joined(again), None, "b is not here yet");
    for _ in 0..7 {
        rig.heartbeat(&b.member_id, 1);
        rig.pass(9000);
    }
    let again = rig.joined(again).unwrap();
    assert_eq!(again.members.len(), 3, "b is counted in");
    rig.pass(u64::from(SESSION_MS as u32));
    assert_eq!(rig.heartbeat(&b.member_id, 2), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_rebalance_that_no_member_has_come_to_waits_for_another_while() {
    let mut rig = Rig::new();
    let (a, _) = two(&mut rig);
    rig.leave("", Some("b-instance"));
    let beat = |rig: &mut Rig, beats: u32| {
        for _ in 0..beats {
            rig.heartbeat(&a.member_id, 1);
            rig.pass(6000);
        }
    };
    beat(&mut rig, 15);
    assert_eq!(
        (rig.state(), rig.describe().members.len()),
        ("PreparingRebalance", 1)
    );
    let again = rig.ask(GroupRequest::Join(fixed("a", &a.member_id)));
    assert_eq!(rig.joined(again).unwrap().generation, 2);
}

#[test]
fn a_rebalance_without_patience_does_not_go_round_for_ever() {
    let mut rig = Rig::new();
    let hasty = JoinRequest {
        rebalance_timeout_ms: 0,
        ..fixed("a", "")
    };
    let a = rig.ask(GroupRequest::Join(hasty));
    let b = rig.ask(join("b", ""));
    rig.pass(6000);
    let (a, b) = (rig.joined(a).unwrap(), rig.joined(b).unwrap());
    rig.sync_all(&a, &[&b]);
    rig.leave(&b.member_id, None);
    rig.pass(3000);
    assert_eq!(
        (rig.state(), rig.describe().members.len()),
        ("PreparingRebalance", 1)
    );
}

#[test]
fn an_operator_removes_static_members_by_their_instance_ids() {
    let mut rig = Rig::new();
    let (a, b) = two(&mut rig);
    assert_eq!(rig.leave("", Some("nobody")), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(
        rig.leave(&a.member_id, Some("b-instance")),
        ErrorCode::FENCED_INSTANCE_ID
    );
    assert_eq!(rig.leave("", Some("b-instance")), ErrorCode::NONE);
    assert_eq!(rig.heartbeat(&b.member_id, 1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(
        rig.heartbeat(&a.member_id, 1),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
}

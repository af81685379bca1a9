//! Members come, go, are silent, and start over.

use super::rig::*;
use crate::group::*;
use crate::kafka::ErrorCode;

#[test]
fn the_first_rebalance_waits_for_more_members_and_then_no_longer() {
    let mut rig = Rig::new();
    let a = rig.ask(join("a", ""));
    rig.pass(2000);
    let b = rig.ask(join("b", ""));
    rig.pass(999);
    assert_eq!(rig.joined(a), None, "3 s from the first join");
    rig.pass(1);
    assert_eq!(rig.joined(a), None, "as another came, 3 s more");
    rig.pass(3000);
    let (a, b) = (rig.joined(a).unwrap(), rig.joined(b).unwrap());
    assert_eq!(
        (a.error, a.generation, b.generation),
        (ErrorCode::NONE, 1, 1)
    );
    assert_eq!((&*a.leader, &*b.leader), ("a-id", "a-id"));
    assert_eq!(
        (a.members.len(), b.members.len()),
        (2, 0),
        "only the leader is told who is there"
    );
    assert_eq!(a.protocol_name.as_deref(), Some("range"));
    assert_eq!(rig.state(), "CompletingRebalance");
    rig.sync_all(&a, &[&b]);
    assert_eq!(rig.state(), "Stable");
}

#[test]
fn the_first_rebalance_never_waits_longer_than_the_rebalance_timeout() {
    let mut rig = Rig::new();
    let first = JoinRequest {
        rebalance_timeout_ms: 7000,
        ..joining("m0", "")
    };
    let first = rig.ask(GroupRequest::Join(first));
    for n in 1..7 {
        rig.pass(1000);
        assert_eq!(rig.joined(first), None, "{n}");
        let other = JoinRequest {
            rebalance_timeout_ms: 7000,
            ..joining(&format!("m{n}"), "")
        };
        rig.ask(GroupRequest::Join(other));
    }
    rig.pass(1000);
    assert_eq!(rig.joined(first).unwrap().members.len(), 7);
}

#[test]
fn a_member_without_an_id_gets_one_and_must_come_again_with_it() {
    let mut rig = Rig::new();
    let request = JoinRequest {
        requires_known_member_id: true,
        ..joining("a", "")
    };
    let ticket = rig.ask(GroupRequest::Join(request.clone()));
    let reply = rig.joined(ticket).unwrap();
    assert_eq!(
        (reply.error, &*reply.member_id),
        (ErrorCode::MEMBER_ID_REQUIRED, "a-id")
    );
    assert_eq!(rig.state(), "Empty");
    let again = JoinRequest {
        member_id: reply.member_id,
        ..request
    };
    let ticket = rig.ask(GroupRequest::Join(again));
    rig.pass(3000);
    assert_eq!(rig.joined(ticket).unwrap().error, ErrorCode::NONE);
}

#[test]
fn an_id_that_nobody_comes_with_is_forgotten_with_its_group() {
    let mut rig = Rig::new();
    let request = JoinRequest {
        requires_known_member_id: true,
        ..joining("a", "")
    };
    rig.ask(GroupRequest::Join(request));
    rig.pass(SESSION_MS as u64);
    assert_eq!(rig.describe().error, ErrorCode::GROUP_ID_NOT_FOUND);
    let ticket = rig.ask(join("a", "a-id"));
    assert_eq!(
        rig.joined(ticket).unwrap().error,
        ErrorCode::UNKNOWN_MEMBER_ID
    );
}

#[test]
fn a_rebalance_waits_for_ids_that_were_given_out() {
    let mut rig = Rig::new();
    let (a, _) = rig.alone();
    let request = JoinRequest {
        requires_known_member_id: true,
        ..joining("b", "")
    };
    rig.ask(GroupRequest::Join(request));
    assert_eq!(rig.state(), "Stable", "nothing happens yet");
    let again = rig.ask(join("a", &a));
    assert_eq!(
        rig.joined(again),
        None,
        "the leader joins again, and b is about to"
    );
    let b = rig.ask(join("b", "b-id"));
    assert_eq!(rig.joined(again).unwrap().members.len(), 2);
    assert_eq!(rig.joined(b).unwrap().generation, 2);
}

#[test]
fn a_new_member_makes_all_others_join_again() {
    let mut rig = Rig::new();
    let (a, generation) = rig.alone();
    assert_eq!(rig.heartbeat(&a, generation), ErrorCode::NONE);
    let b = rig.ask(join("b", ""));
    assert_eq!(rig.state(), "PreparingRebalance");
    assert_eq!(
        rig.heartbeat(&a, generation),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    let again = rig.ask(join("a", &a));
    let (again, b) = (rig.joined(again).unwrap(), rig.joined(b).unwrap());
    assert_eq!(
        (again.generation, b.generation),
        (generation + 1, generation + 1)
    );
    assert_eq!(rig.heartbeat(&a, generation), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(rig.heartbeat(&a, generation + 1), ErrorCode::NONE);
    rig.sync_all(&again, &[&b]);
}

#[test]
fn who_does_not_join_again_in_time_is_out() {
    let mut rig = Rig::new();
    let (a, generation) = rig.alone();
    let b = rig.ask(join("b", ""));
    // It sends heartbeats, so its session lasts; but it does not join.
    for _ in 0..12 {
        assert_eq!(rig.joined(b), None);
        rig.heartbeat(&a, generation);
        rig.pass(REBALANCE_MS as u64 / 12);
    }
    let b = rig.joined(b).unwrap();
    assert_eq!((b.members.len(), &*b.leader), (1, "b-id"));
    assert_eq!(rig.heartbeat(&a, generation), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn who_does_not_ask_for_its_assignment_in_time_is_out() {
    let mut rig = Rig::new();
    let a = rig.ask(join("a", ""));
    let b = rig.ask(join("b", ""));
    rig.pass(6000);
    let (a, b) = (rig.joined(a).unwrap(), rig.joined(b).unwrap());
    rig.sync_all(&a, &[]);
    for _ in 0..12 {
        rig.heartbeat(&a.member_id, 1);
        assert_eq!(rig.heartbeat(&b.member_id, 1), ErrorCode::NONE);
        rig.pass(REBALANCE_MS as u64 / 12);
    }
    assert_eq!(rig.heartbeat(&b.member_id, 1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(
        rig.heartbeat(&a.member_id, 1),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
}

#[test]
fn a_silent_member_is_out_and_the_others_start_over() {
    let mut rig = Rig::new();
    let a = rig.ask(join("a", ""));
    let b = rig.ask(join("b", ""));
    rig.pass(6000);
    let (a, b) = (rig.joined(a).unwrap(), rig.joined(b).unwrap());
    rig.sync_all(&a, &[&b]);
    rig.pass(SESSION_MS as u64 - 1);
    assert_eq!(rig.heartbeat(&b.member_id, 1), ErrorCode::NONE);
    rig.pass(1);
    assert_eq!(rig.heartbeat(&a.member_id, 1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(
        rig.heartbeat(&b.member_id, 1),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    let again = rig.ask(join("b", &b.member_id));
    assert_eq!(&*rig.joined(again).unwrap().leader, "b-id");
}

#[test]
fn a_member_that_waits_for_others_is_not_silent() {
    let mut rig = Rig::new();
    let a = rig.ask(join("a", ""));
    let b = rig.ask(join("b", ""));
    rig.pass(6000);
    let (a, b) = (rig.joined(a).unwrap(), rig.joined(b).unwrap());
    let waiting = rig.ask(sync(&b, Vec::new()));
    for _ in 0..5 {
        rig.pass(SESSION_MS as u64 - 1);
        rig.heartbeat(&a.member_id, 1);
    }
    assert_eq!(rig.synced(waiting), None);
    rig.sync_all(&a, &[]);
    assert_eq!(rig.synced(waiting).unwrap().assignment, of("b-id"));
}

#[test]
fn a_new_member_that_is_never_heard_of_again_is_given_up_after_five_minutes() {
    let mut rig = Rig::new();
    let (a, generation) = rig.alone();
    let patient = JoinRequest {
        rebalance_timeout_ms: 3_600_000,
        ..joining("a", &a)
    };
    let b = rig.ask(join("b", ""));
    let again = rig.ask(GroupRequest::Join(patient));
    let (again, b) = (rig.joined(again).unwrap(), rig.joined(b).unwrap());
    rig.sync_all(&again, &[&b]);
    // c joins, a takes its hour, and c's client has long gone.
    let c = rig.ask(join("c", ""));
    for _ in 0..60 {
        rig.heartbeat(&a, generation + 1);
        rig.heartbeat(&b.member_id, generation + 1);
        rig.pass(5000);
    }
    assert_eq!(rig.joined(c).unwrap().error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn the_last_to_leave_leaves_an_empty_group_that_keeps_its_offsets() {
    let mut rig = Rig::new();
    let (a, generation) = rig.alone();
    assert_eq!(rig.commit(&a, generation, 7), ErrorCode::NONE);
    assert_eq!(rig.leave("nobody", None), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(rig.leave(&a, None), ErrorCode::NONE);
    assert_eq!((rig.state(), rig.offset()), ("Empty", 7));
    assert_eq!(rig.heartbeat(&a, generation), ErrorCode::UNKNOWN_MEMBER_ID);
    let (_, next) = rig.alone();
    assert_eq!(
        next,
        generation + 2,
        "the empty group was a generation, too"
    );
}

#[test]
fn a_member_that_leaves_while_it_waits_is_told() {
    let mut rig = Rig::new();
    let (a, _) = rig.alone();
    let b = rig.ask(join("b", ""));
    assert_eq!(rig.leave("b-id", None), ErrorCode::NONE);
    assert_eq!(rig.joined(b).unwrap().error, ErrorCode::UNKNOWN_MEMBER_ID);
    let again = rig.ask(join("a", &a));
    assert_eq!(rig.joined(again).unwrap().members.len(), 1);
}

#[test]
fn followers_that_join_again_unchanged_disturb_nobody_and_leaders_do() {
    let mut rig = Rig::new();
    let a = rig.ask(join("a", ""));
    let b = rig.ask(join("b", ""));
    rig.pass(6000);
    let (a, b) = (rig.joined(a).unwrap(), rig.joined(b).unwrap());
    let early = rig.ask(join("a", &a.member_id));
    let early = rig.joined(early).unwrap();
    assert_eq!(
        (early.generation, early.members.len()),
        (1, 2),
        "its answer was lost"
    );
    rig.sync_all(&a, &[&b]);
    let again = rig.ask(join("b", &b.member_id));
    assert_eq!(rig.joined(again).unwrap().generation, 1);
    assert_eq!(rig.state(), "Stable");
    let changed = JoinRequest {
        protocols: vec![protocol("range", &["t", "u"])],
        ..joining("b", &b.member_id)
    };
    let changed = rig.ask(GroupRequest::Join(changed));
    assert_eq!(
        (rig.joined(changed), rig.state()),
        (None, "PreparingRebalance")
    );
    let again = rig.ask(join("a", &a.member_id));
    let (again, changed) = (rig.joined(again).unwrap(), rig.joined(changed).unwrap());
    rig.sync_all(&again, &[&changed]);
    let leader = rig.ask(join("a", &a.member_id));
    assert_eq!(
        (rig.joined(leader), rig.state()),
        (None, "PreparingRebalance")
    );
}

#[test]
fn a_join_that_is_sent_again_replaces_the_first() {
    let mut rig = Rig::new();
    let (a, _) = rig.alone();
    let _b = rig.ask(join("b", ""));
    let first = rig.ask(join("b", "b-id"));
    let second = rig.ask(join("b", "b-id"));
    assert_eq!(
        rig.joined(first).unwrap().error,
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    rig.ask(join("a", &a));
    assert_eq!(rig.joined(second).unwrap().error, ErrorCode::NONE);
}

#[test]
fn a_rebalance_ends_the_wait_for_assignments() {
    let mut rig = Rig::new();
    let a = rig.ask(join("a", ""));
    let b = rig.ask(join("b", ""));
    rig.pass(6000);
    let (_, b) = (rig.joined(a).unwrap(), rig.joined(b).unwrap());
    let waiting = rig.ask(sync(&b, Vec::new()));
    rig.ask(join("c", ""));
    assert_eq!(
        rig.synced(waiting).unwrap().error,
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    let late = rig.ask(sync(&b, Vec::new()));
    assert_eq!(
        rig.synced(late).unwrap().error,
        ErrorCode::REBALANCE_IN_PROGRESS
    );
}

#[test]
fn the_protocol_that_most_members_prefer_among_those_that_all_know() {
    let mut rig = Rig::new();
    let of = |client: &str, names: &[&str]| {
        GroupRequest::Join(JoinRequest {
            protocols: names.iter().map(|name| protocol(name, &["t"])).collect(),
            ..joining(client, "")
        })
    };
    let a = rig.ask(of("a", &["sticky", "range", "robin"]));
    rig.ask(of("b", &["range", "robin", "sticky"]));
    rig.ask(of("c", &["robin", "range"]));
    rig.ask(of("d", &["range", "robin"]));
    let refused = rig.ask(of("e", &["sticky"]));
    assert_eq!(
        rig.joined(refused).unwrap().error,
        ErrorCode::INCONSISTENT_GROUP_PROTOCOL
    );
    rig.pass(60_000);
    assert_eq!(
        rig.joined(a).unwrap().protocol_name.as_deref(),
        Some("range")
    );
}

#[test]
fn what_a_join_is_refused_for() {
    let refused = |change: &dyn Fn(&mut JoinRequest)| {
        let mut rig = Rig::new();
        rig.alone();
        let mut request = joining("b", "");
        change(&mut request);
        let ticket = rig.ask(GroupRequest::Join(request));
        rig.joined(ticket).map(|reply| reply.error)
    };
    assert_eq!(refused(&|_| {}), None);
    assert_eq!(refused(&|r| r.session_timeout_ms = 6000), None);
    assert_eq!(refused(&|r| r.session_timeout_ms = 1_800_000), None);
    for (error, change) in [
        (
            ErrorCode::INVALID_GROUP_ID,
            &(|r: &mut JoinRequest| r.group_id = "".into()) as &dyn Fn(&mut JoinRequest),
        ),
        (ErrorCode::INVALID_SESSION_TIMEOUT, &|r| {
            r.session_timeout_ms = 5999
        }),
        (ErrorCode::INVALID_SESSION_TIMEOUT, &|r| {
            r.session_timeout_ms = 1_800_001
        }),
        (ErrorCode::INCONSISTENT_GROUP_PROTOCOL, &|r| {
            r.protocol_type = "connect".into()
        }),
        (ErrorCode::INCONSISTENT_GROUP_PROTOCOL, &|r| {
            r.protocols.clear()
        }),
        (ErrorCode::UNKNOWN_MEMBER_ID, &|r| {
            r.member_id = "stranger".into()
        }),
        (ErrorCode::INVALID_REQUEST, &|r| {
            r.fresh_member_id = "x".repeat(40_000).into()
        }),
        (ErrorCode::INVALID_REQUEST, &|r| {
            r.protocols[0].metadata = vec![0; crate::base::limits::GROUP_MEMBER_BYTES_MAX].into();
        }),
        (ErrorCode::INVALID_REQUEST, &|r| {
            r.protocols = vec![r.protocols[0].clone(); 65]
        }),
    ] {
        assert_eq!(refused(change), Some(error));
    }
}

#[test]
fn what_a_sync_is_refused_for() {
    let mut rig = Rig::new();
    let a = rig.ask(join("a", ""));
    rig.pass(3000);
    let a = rig.joined(a).unwrap();
    let mut refused = |change: &dyn Fn(&mut SyncRequest)| {
        let GroupRequest::Sync(mut request) = sync(&a, Vec::new()) else {
            panic!("a sync")
        };
        change(&mut request);
        let ticket = rig.ask(GroupRequest::Sync(request));
        rig.synced(ticket).unwrap().error
    };
    assert_eq!(
        refused(&|r| r.group_id = "other".into()),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    assert_eq!(
        refused(&|r| r.member_id = "other".into()),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    assert_eq!(
        refused(&|r| r.instance_id = Some("i".into())),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    assert_eq!(
        refused(&|r| r.generation = 2),
        ErrorCode::ILLEGAL_GENERATION
    );
    let inconsistent = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
    assert_eq!(
        refused(&|r| r.protocol_type = Some("connect".into())),
        inconsistent
    );
    assert_eq!(
        refused(&|r| r.protocol_name = Some("sticky".into())),
        inconsistent
    );
    assert_eq!(refused(&|r| r.protocol_name = None), ErrorCode::NONE);
    assert_eq!(
        refused(&|_| {}),
        ErrorCode::NONE,
        "and again, its answer was lost"
    );
}

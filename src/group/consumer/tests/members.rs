//! Members that go and come back.

use super::*;
use crate::kafka::ErrorCode;

fn error(reply: Result<ConsumerHeartbeatReply, Refusal>) -> ErrorCode {
    reply.unwrap_err().error
}

#[test]
fn a_silent_member_is_expelled_and_its_partitions_are_free() {
    let mut world = World::new();
    world.beat(&join("a", &["t"])).unwrap();
    world.beat(&join("b", &["t"])).unwrap();
    world.pass(30_000);
    world.beat(&heartbeat("b", 2)).unwrap();
    world.pass(14_999);
    assert!(world.group.members.contains_key("a"));
    world.pass(1);
    assert!(
        !world.group.members.contains_key("a"),
        "45 s without a word"
    );
    let b = world.beat(&heartbeat("b", 2)).unwrap();
    assert_eq!(
        (b.member_epoch, b.assignment),
        (3, Some(of_t(&[0, 1, 2, 3])))
    );
    assert_eq!(
        error(world.beat(&heartbeat("a", 1))),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    world.pass(44_999);
    // A restart is nobody's fault.
    world.restart();
    world.pass(44_999);
    assert_eq!(world.group.state(), "Stable");
    world.pass(1);
    assert_eq!(world.group.state(), "Empty");
}

#[test]
fn who_does_not_give_up_in_time_is_expelled() {
    let mut world = World::new();
    world.beat(&join("a", &["t"])).unwrap();
    world.beat(&join("b", &["t"])).unwrap();
    world.beat(&heartbeat("a", 1)).unwrap();
    let beats = |world: &mut World| {
        world.beat(&heartbeat("a", 1)).unwrap();
        world.beat(&heartbeat("b", 2)).unwrap();
    };
    world.pass(40_000);
    beats(&mut world);
    // The time begins anew with the process.
    world.restart();
    world.pass(40_000);
    beats(&mut world);
    world.pass(19_999);
    beats(&mut world);
    world.pass(1);
    assert!(
        !world.group.members.contains_key("a"),
        "60 s to give up two partitions"
    );
    let b = world.beat(&heartbeat("b", 2)).unwrap();
    assert_eq!(b.assignment, Some(of_t(&[0, 1, 2, 3])));
}

#[test]
fn who_gives_up_in_time_stays() {
    let mut world = World::new();
    world.beat(&join("a", &["t"])).unwrap();
    world.beat(&join("b", &["t"])).unwrap();
    world.beat(&heartbeat("a", 1)).unwrap();
    world.pass(30_000);
    world.go_on("a", &of_t(&[0, 1]));
    world.pass(30_001);
    assert!(world.group.members.contains_key("a"));
}

#[test]
fn a_member_that_leaves_is_gone_at_once() {
    let mut world = World::new();
    world.beat(&join("a", &["t"])).unwrap();
    world.beat(&join("b", &["t"])).unwrap();
    let reply = world.beat(&heartbeat("a", -1)).unwrap();
    assert_eq!(
        (reply.member_id.as_deref(), reply.member_epoch),
        (Some("a"), -1)
    );
    assert_eq!(
        error(world.beat(&heartbeat("a", -1))),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    let b = world.beat(&heartbeat("b", 2)).unwrap();
    assert_eq!(b.assignment, Some(of_t(&[0, 1, 2, 3])));
    world.beat(&heartbeat("b", -1)).unwrap();
    world.restart();
    assert_eq!(
        (world.group.state(), world.group.is_nothing()),
        ("Empty", false)
    );
    // An empty group that is deleted leaves nothing.
    for change in world.group.tombstones() {
        world.log.push(change.encode());
        world.group.apply(change);
    }
    assert!(world.group.is_nothing());
    world.restart();
    assert!(world.group.is_nothing() && world.log.is_empty());
}

#[test]
fn a_static_member_comes_back_to_what_it_had() {
    let mut world = World::new();
    world.beat(&join_static("a", "i")).unwrap();
    world.beat(&join("b", &["t"])).unwrap();
    world.beat(&heartbeat("a", 1)).unwrap();
    world.go_on("a", &of_t(&[0, 1]));
    world.beat(&heartbeat("b", 2)).unwrap();
    let taken = world.beat(&join_static("a2", "i"));
    assert_eq!(error(taken), ErrorCode::UNRELEASED_INSTANCE_ID);
    let of_i = |id: &str, epoch| ConsumerHeartbeat {
        instance_id: Some("i".into()),
        ..heartbeat(id, epoch)
    };
    assert_eq!(world.beat(&of_i("a", -2)).unwrap().member_epoch, -2);
    world.restart();
    assert_eq!(
        world.beat(&heartbeat("b", 2)).unwrap().assignment,
        None,
        "kept for its return"
    );
    let back = world.beat(&join_static("a2", "i")).unwrap();
    assert_eq!(
        (back.member_epoch, back.assignment),
        (2, Some(of_t(&[0, 1]))),
        "no rebalance"
    );
    world.restart();
    let fenced = ErrorCode::FENCED_INSTANCE_ID;
    assert_eq!(error(world.beat(&of_i("a", 2))), fenced);
    assert_eq!(error(world.beat(&of_i("a", -1))), fenced);
    let unknown = ConsumerHeartbeat {
        instance_id: Some("j".into()),
        ..heartbeat("a2", 2)
    };
    assert_eq!(error(world.beat(&unknown)), ErrorCode::UNKNOWN_MEMBER_ID);
    // One that does not come back loses its place with its session.
    world.beat(&of_i("a2", -2)).unwrap();
    world.pass(40_000);
    world.beat(&heartbeat("b", 2)).unwrap();
    world.pass(5_000);
    let b = world.beat(&heartbeat("b", 2)).unwrap();
    assert_eq!(b.assignment, Some(of_t(&[0, 1, 2, 3])));
}

#[test]
fn a_full_group_lets_nobody_in() {
    let mut world = World::new();
    world.config.members_max = 1;
    world.beat(&join("a", &["t"])).unwrap();
    assert_eq!(
        error(world.beat(&join("b", &["t"]))),
        ErrorCode::GROUP_MAX_SIZE_REACHED
    );
    world.beat(&join("a", &["t"])).unwrap();
}

#[test]
fn a_member_without_an_id_gets_one() {
    let mut world = World::new();
    let request = ConsumerHeartbeat {
        makes_own_id: false,
        ..join("", &["t"])
    };
    let reply = world.beat(&request).unwrap();
    assert_eq!(
        (reply.member_id.as_deref(), reply.member_epoch),
        (Some("fresh"), 1)
    );
    world.beat(&heartbeat("fresh", 1)).unwrap();
}

#[test]
fn offsets_belong_to_members_of_this_epoch() {
    let mut world = World::new();
    let id: Arc<str> = "a".into();
    assert_eq!(world.group.check_commit(&"".into(), -1, false), Ok(()));
    world.beat(&join("a", &["t"])).unwrap();
    let check = |member: &Arc<str>, epoch, knows| world.group.check_commit(member, epoch, knows);
    assert_eq!(check(&id, 1, true), Ok(()));
    assert_eq!(check(&id, 1, false), Err(ErrorCode::UNSUPPORTED_VERSION));
    assert_eq!(check(&id, 2, true), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(
        check(&"b".into(), 1, true),
        Err(ErrorCode::UNKNOWN_MEMBER_ID)
    );
    assert_eq!(
        check(&"".into(), -1, true),
        Err(ErrorCode::UNKNOWN_MEMBER_ID)
    );
    let fetch = |member, epoch| world.group.check_fetch(member, epoch);
    assert_eq!(fetch(None, -1), Ok(()));
    assert_eq!(fetch(Some(&id), 1), Ok(()));
    assert_eq!(fetch(Some(&id), 0), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(
        fetch(Some(&"b".into()), 1),
        Err(ErrorCode::UNKNOWN_MEMBER_ID)
    );
}

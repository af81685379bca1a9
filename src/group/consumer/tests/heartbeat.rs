//! Members join, are led to their targets, and are fenced.

use super::*;
use crate::kafka::ErrorCode;

fn error(reply: Result<ConsumerHeartbeatReply, Refusal>) -> ErrorCode {
    reply.unwrap_err().error
}

#[test]
fn the_first_member_gets_everything() {
    let mut world = World::new();
    let reply = world.beat(&join("a", &["t"])).unwrap();
    assert_eq!(reply.assignment, Some(of_t(&[0, 1, 2, 3])));
    assert_eq!((reply.member_epoch, reply.heartbeat_interval_ms), (1, 5000));
    assert_eq!(
        (world.group.state(), reply.member_id.as_deref()),
        ("Stable", Some("a"))
    );
    let next = world.beat(&heartbeat("a", 1)).unwrap();
    assert_eq!(
        (next.member_epoch, next.assignment),
        (1, None),
        "nothing is new"
    );
    world.restart();
    assert_eq!(world.group.state(), "Stable");
}

#[test]
fn a_partition_is_given_only_once_it_was_given_up() {
    let mut world = World::new();
    world.beat(&join("a", &["t"])).unwrap();
    let b = world.beat(&join("b", &["t"])).unwrap();
    assert_eq!((b.member_epoch, b.assignment), (2, Some(Partitions::new())));
    assert_eq!(world.group.state(), "Reconciling");
    // A is told to give up two of four, and stays in its epoch until it has.
    let a = world.beat(&heartbeat("a", 1)).unwrap();
    assert_eq!((a.member_epoch, a.assignment), (1, Some(of_t(&[0, 1]))));
    for owned in [of_t(&[0, 1, 2, 3]), of_t(&[0, 1, 3])] {
        let a = world.go_on("a", &owned);
        assert_eq!(
            (a.member_epoch, a.assignment),
            (1, None),
            "it still has {owned:?}"
        );
        assert_eq!(world.beat(&heartbeat("b", 2)).unwrap().assignment, None);
    }
    world.restart();
    assert_eq!(world.beat(&heartbeat("b", 2)).unwrap().assignment, None);
    let a = world.go_on("a", &of_t(&[0, 1]));
    assert_eq!((a.member_epoch, a.assignment), (2, None));
    let b = world.beat(&heartbeat("b", 2)).unwrap();
    assert_eq!((b.member_epoch, b.assignment), (2, Some(of_t(&[2, 3]))));
    assert_eq!(world.group.state(), "Stable");
}

#[test]
fn a_lost_answer_is_forgiven_to_who_has_nothing_wrong() {
    let mut world = World::new();
    world.beat(&join("a", &["t"])).unwrap();
    world.beat(&join("b", &["t"])).unwrap();
    world.beat(&heartbeat("a", 1)).unwrap();
    // The answer with epoch 2 does not arrive: A comes again with epoch 1.
    world.go_on("a", &of_t(&[0, 1]));
    let again = |owned| ConsumerHeartbeat {
        owned,
        ..heartbeat("a", 1)
    };
    let fenced = ErrorCode::FENCED_MEMBER_EPOCH;
    assert_eq!(error(world.beat(&again(None))), fenced);
    assert_eq!(error(world.beat(&again(Some(of_t(&[0, 1, 2]))))), fenced);
    assert_eq!(
        world.beat(&again(Some(of_t(&[1])))).unwrap().member_epoch,
        2
    );
    assert_eq!(error(world.beat(&heartbeat("a", 3))), fenced);
    assert_eq!(error(world.beat(&heartbeat("b", 1))), fenced);
    assert_eq!(
        error(world.beat(&heartbeat("c", 1))),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
}

#[test]
fn a_full_request_is_answered_with_the_assignment() {
    let mut world = World::new();
    world.beat(&join("a", &["t"])).unwrap();
    let full = ConsumerHeartbeat {
        member_epoch: 1,
        ..join("a", &["t"])
    };
    let reply = world.beat(&full).unwrap();
    assert_eq!(reply.assignment, Some(of_t(&[0, 1, 2, 3])));
    assert_eq!(
        reply.member_epoch, 1,
        "an unchanged subscription is no reason to rebalance"
    );
}

#[test]
fn topics_that_change_are_dealt_out_anew() {
    let mut world = World::new();
    world.beat(&join("a", &["t", "later"])).unwrap();
    world.topics.set("other", 7, 3);
    assert_eq!(
        world.beat(&heartbeat("a", 1)).unwrap().member_epoch,
        1,
        "not this group's"
    );
    world.topics.set("t", 1, 6);
    world.topics.set("later", 3, 1);
    let a = world.beat(&heartbeat("a", 1)).unwrap();
    let all = parts(&[(1, &[0, 1, 2, 3, 4, 5]), (3, &[0])]);
    assert_eq!((a.member_epoch, a.assignment), (2, Some(all.clone())));
    // Deleted and created again it is another topic, and the old one must be given up.
    world.topics.set("t", 9, 1);
    let a = world.go_on("a", &all);
    assert_eq!(
        (a.member_epoch, a.assignment),
        (2, Some(parts(&[(3, &[0])])))
    );
    let a = world.go_on("a", &parts(&[(3, &[0])]));
    assert_eq!(a.assignment, Some(parts(&[(3, &[0]), (9, &[0])])));
    world.topics.remove("t");
    world.restart();
    let a = world.go_on("a", &parts(&[(3, &[0]), (9, &[0])]));
    assert_eq!(
        a.assignment,
        Some(parts(&[(3, &[0])])),
        "seen after a restart as well"
    );
}

#[test]
fn a_member_may_change_its_mind() {
    let mut world = World::new();
    world.beat(&join("a", &["t"])).unwrap();
    let both = ConsumerHeartbeat {
        topics: Some(vec!["t".into(), "u".into()]),
        ..heartbeat("a", 1)
    };
    let a = world.beat(&both).unwrap();
    assert_eq!(
        a.assignment,
        Some(parts(&[(1, &[0, 1, 2, 3]), (2, &[0, 1])]))
    );
    assert!(world.group.reads("u") && !world.group.reads("v"));
    let none = ConsumerHeartbeat {
        topics: Some(Vec::new()),
        ..heartbeat("a", 2)
    };
    let a = world.beat(&none).unwrap();
    assert_eq!((a.member_epoch, a.assignment), (2, Some(Partitions::new())));
    assert!(!world.group.reads("u"));
    assert_eq!(world.go_on("a", &Partitions::new()).member_epoch, 3);
}

#[test]
fn the_assignor_most_members_want_is_used() {
    let mut world = World::new();
    let wants = |id: &str, name: &str| ConsumerHeartbeat {
        assignor: Some(name.into()),
        ..join(id, &["t", "u"])
    };
    world.beat(&wants("a", "range")).unwrap();
    world.beat(&wants("b", "range")).unwrap();
    world.beat(&wants("c", "uniform")).unwrap();
    let told = world.group.describe(&world.config, &world.topics);
    assert_eq!(told.assignor, "range");
    let b: Vec<_> = told.members[1]
        .target
        .iter()
        .map(|t| (&*t.name, &*t.partitions))
        .collect();
    assert_eq!(b, [("t", &[2][..]), ("u", &[1])]);
}

#[test]
fn a_heartbeat_with_nothing_new_costs_nothing() {
    let mut world = World::new();
    world.topics.set("t", 1, 500);
    let name = |i: usize| format!("member-{i:04}");
    for i in 0..250 {
        world.beat(&join(&name(i), &["t"])).unwrap();
    }
    // Everybody gives up, then everybody gets.
    for _ in 0..3 {
        for i in 0..250 {
            let owned = world.group.members[&*name(i)].held.assigned.clone();
            world.go_on(&name(i), &owned);
        }
    }
    assert_eq!(world.group.state(), "Stable");
    let (records, timers) = (world.log.len(), world.timers.clone());
    assert_eq!(
        timers
            .iter()
            .filter(|t| matches!(t.1, Timer::Session(_)))
            .count(),
        250
    );
    for _ in 0..10 {
        world.now.mono_ms += 1000;
        for i in 0..250 {
            let epoch = world.group.members[&*name(i)].held.epoch;
            world.beat(&heartbeat(&name(i), epoch)).unwrap();
        }
    }
    assert_eq!((world.log.len(), world.timers), (records, timers));
}

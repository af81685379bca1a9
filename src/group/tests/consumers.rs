//! Groups of KIP-848 among the others of a coordinator: their requests, their offsets, their
//! time, their records, and how a group changes its kind.

use super::rig::*;
use crate::group::*;
use crate::kafka::ErrorCode;

const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// A heartbeat that says nothing new.
fn beats(member_id: &str, member_epoch: i32) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        group_id: G.into(),
        member_id: member_id.into(),
        makes_own_id: true,
        member_epoch,
        rebalance_timeout_ms: -1,
        ..ConsumerHeartbeat::default()
    }
}

/// A member joins and subscribes to `t`.
fn joins(member_id: &str) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        rebalance_timeout_ms: REBALANCE_MS,
        topics: Some(vec!["t".into()]),
        owned: Some(Partitions::new()),
        ..beats(member_id, 0)
    }
}

fn beat(rig: &mut Rig, request: ConsumerHeartbeat) -> ConsumerHeartbeatReply {
    match rig.call(GroupRequest::ConsumerHeartbeat(request)) {
        GroupReply::ConsumerHeartbeat(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn told(rig: &mut Rig) -> Result<DescribedConsumerGroup, Refusal> {
    match rig.call(GroupRequest::ConsumerDescribe { group_id: G.into() }) {
        GroupReply::ConsumerDescribe(described) => described,
        other => panic!("{other:?}"),
    }
}

fn delete(rig: &mut Rig) -> ErrorCode {
    match rig.call(GroupRequest::Delete { group_id: G.into() }) {
        GroupReply::Delete(error) => error,
        other => panic!("{other:?}"),
    }
}

fn listed(rig: &mut Rig) -> Vec<ListedGroup> {
    match rig.call(GroupRequest::List(ListFilter::default())) {
        GroupReply::List(listed) => listed,
        other => panic!("{other:?}"),
    }
}

fn delete_offset(rig: &mut Rig, topic: &str) -> ErrorCode {
    let request = DeleteOffsetsRequest {
        group_id: G.into(),
        topics: vec![partitions(topic, &[0])],
    };
    match rig.call(GroupRequest::DeleteOffsets(request)) {
        GroupReply::DeleteOffsets(reply) => reply.topics[0][0],
        other => panic!("{other:?}"),
    }
}

fn fetch_as(rig: &mut Rig, member_id: &str, member_epoch: i32) -> ErrorCode {
    let request = FetchOffsetsRequest {
        group_id: G.into(),
        member_id: Some(member_id.into()),
        member_epoch,
        topics: None,
    };
    match rig.call(GroupRequest::FetchOffsets(request)) {
        GroupReply::FetchOffsets(reply) => reply.error,
        other => panic!("{other:?}"),
    }
}

fn commit_as(rig: &mut Rig, member_id: &str, epoch: i32, offset: i64) -> ErrorCode {
    let request = CommitRequest {
        knows_missing_groups: true,
        ..commit(member_id, epoch, offset)
    };
    match rig.call(GroupRequest::Commit(request)) {
        GroupReply::Commit(verdicts) => verdicts[0][0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_group_lives_through_restarts_until_it_is_deleted() {
    let mut rig = Rig::new();
    let reply = beat(&mut rig, joins("a"));
    assert_eq!((reply.error, reply.member_epoch), (ErrorCode::NONE, 1));
    assert_eq!(commit_as(&mut rig, "a", 1, 7), ErrorCode::NONE);
    assert_eq!(
        commit_as(&mut rig, "a", 2, 8),
        ErrorCode::STALE_MEMBER_EPOCH
    );
    assert_eq!(fetch_as(&mut rig, "a", 2), ErrorCode::STALE_MEMBER_EPOCH);
    rig.restart();
    assert_eq!(rig.offset(), 7);
    assert_eq!(fetch_as(&mut rig, "a", 1), ErrorCode::NONE);
    let group = told(&mut rig).unwrap();
    assert_eq!(
        (group.state, group.epoch, group.target_epoch),
        ("Stable", 1, 1)
    );
    let member = &group.members[0];
    assert_eq!(
        (
            &*member.assignment[0].name,
            &*member.assignment[0].partitions
        ),
        ("t", &[0, 1][..])
    );
    assert_eq!(member.assignment, member.target);
    let live: Vec<GroupRecord> = rig.coordinator.snapshot().collect();
    rig.log = live;
    rig.restart();
    assert_eq!(
        told(&mut rig).unwrap(),
        group,
        "a log that was shortened says the same"
    );
    let list = listed(&mut rig);
    assert_eq!(
        (list[0].group_type, &*list[0].protocol_type),
        ("consumer", "consumer")
    );
    assert_eq!(list[0].state, "Stable");
    assert_eq!(
        rig.describe().error,
        ErrorCode::GROUP_ID_NOT_FOUND,
        "not the classic API's"
    );
    assert_eq!(
        delete_offset(&mut rig, "t"),
        ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC
    );
    assert_eq!(delete_offset(&mut rig, "u"), ErrorCode::NONE);
    assert_eq!(delete(&mut rig), ErrorCode::NON_EMPTY_GROUP);
    rig.pass(45_000);
    assert_eq!(
        told(&mut rig).unwrap().state,
        "Empty",
        "nobody was heard of"
    );
    assert_eq!(delete(&mut rig), ErrorCode::NONE);
    rig.restart();
    assert_eq!(listed(&mut rig), []);
    assert_eq!(rig.coordinator.snapshot().count(), 0);
    assert_eq!(
        told(&mut rig).unwrap_err().error,
        ErrorCode::GROUP_ID_NOT_FOUND
    );
}

#[test]
fn a_revocation_that_takes_too_long_ends_on_time() {
    let mut rig = Rig::new();
    beat(&mut rig, joins("a"));
    beat(&mut rig, joins("b"));
    beat(&mut rig, beats("a", 1));
    for _ in 0..2 {
        rig.pass(29_999);
        assert_eq!(beat(&mut rig, beats("a", 1)).error, ErrorCode::NONE);
        assert_eq!(beat(&mut rig, beats("b", 2)).assignment, None);
    }
    rig.pass(2);
    assert_eq!(
        beat(&mut rig, beats("a", 1)).error,
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    assert!(beat(&mut rig, beats("b", 2)).assignment.is_some());
}

#[test]
fn a_classic_group_with_members_is_not_taken_over() {
    let mut rig = Rig::new();
    let missing = beat(&mut rig, beats("x", 3));
    assert_eq!(
        missing.message.as_deref(),
        Some("Consumer group g not found.")
    );
    assert_eq!(listed(&mut rig), []);
    let (member, generation) = rig.alone();
    let join = beat(&mut rig, joins("x"));
    assert_eq!(join.error, ErrorCode::GROUP_ID_NOT_FOUND);
    assert!(
        join.message
            .unwrap()
            .starts_with("Cannot upgrade classic group g")
    );
    let other = beat(&mut rig, beats("x", 3));
    assert_eq!(
        other.message.as_deref(),
        Some("Group g is not a consumer group.")
    );
    assert_eq!(
        told(&mut rig).unwrap_err().error,
        ErrorCode::GROUP_ID_NOT_FOUND
    );
    assert_eq!(rig.heartbeat(&member, generation), ErrorCode::NONE);
}

#[test]
fn an_empty_group_changes_its_kind_and_keeps_its_offsets() {
    let mut rig = Rig::new();
    let (member, generation) = rig.alone();
    rig.commit(&member, generation, 5);
    rig.leave(&member, None);
    assert_eq!(beat(&mut rig, joins("x")).member_epoch, 1);
    rig.restart();
    assert_eq!((rig.offset(), told(&mut rig).unwrap().state), (5, "Stable"));
    // A classic member is not let in, and is no member in any other way.
    let ticket = rig.ask(join("c", ""));
    assert_eq!(
        rig.joined(ticket).unwrap().error,
        ErrorCode::INCONSISTENT_GROUP_PROTOCOL
    );
    assert_eq!(rig.heartbeat("c-id", 1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(rig.commit("x", 1, 6), ErrorCode::UNSUPPORTED_VERSION);
    beat(&mut rig, beats("x", -1));
    let ticket = rig.ask(join("c", "c-id"));
    assert_eq!(
        rig.joined(ticket).unwrap().error,
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    assert_eq!(
        told(&mut rig).unwrap().state,
        "Empty",
        "a stranger changes nothing"
    );
    let (member, generation) = rig.alone();
    assert_eq!(rig.heartbeat(&member, generation), ErrorCode::NONE);
    assert_eq!(
        told(&mut rig).unwrap_err().error,
        ErrorCode::GROUP_ID_NOT_FOUND
    );
    rig.restart();
    assert_eq!((rig.state(), rig.offset()), ("Stable", 5));
}

#[test]
fn offsets_expire_unless_their_topic_is_read() {
    let mut rig = Rig::new();
    beat(&mut rig, joins("a"));
    assert_eq!(commit_as(&mut rig, "a", 1, 7), ErrorCode::NONE);
    // Half a minute between heartbeats, for more than a week.
    for _ in 0..WEEK_MS / 30_000 + 60 {
        rig.pass(30_000);
        beat(&mut rig, beats("a", 1));
    }
    assert_eq!(rig.offset(), 7);
    beat(&mut rig, beats("a", -1));
    rig.pass(60 * 60 * 1000);
    assert_eq!(rig.offset(), -1);
    rig.restart();
    assert_eq!(
        (listed(&mut rig), rig.coordinator.snapshot().count()),
        (Vec::new(), 0)
    );
}

#[test]
fn memory_is_bounded() {
    let config = GroupConfig {
        state_bytes_max: 4096,
        ..GroupConfig::default()
    };
    let mut rig = Rig::with(config);
    let mut count = 0;
    while beat(&mut rig, joins(&format!("member-{count}"))).error == ErrorCode::NONE {
        count += 1;
    }
    assert!((2..8).contains(&count), "{count} members in 4 KiB");
    let last = format!("member-{count}");
    assert_eq!(
        beat(&mut rig, joins(&last)).error,
        ErrorCode::GROUP_MAX_SIZE_REACHED
    );
    assert_eq!(
        beat(&mut rig, joins("member-0")).error,
        ErrorCode::NONE,
        "who is here may stay"
    );
    let much = ConsumerHeartbeat {
        topics: Some(vec!["t".repeat(2 << 20).into()]),
        ..joins("much")
    };
    assert_eq!(beat(&mut rig, much).error, ErrorCode::INVALID_REQUEST);
    for member in 0..count {
        beat(&mut rig, beats(&format!("member-{member}"), -1));
    }
    assert_eq!(delete(&mut rig), ErrorCode::NONE);
    assert_eq!(
        rig.coordinator.bytes, 0,
        "nothing is left of what was counted"
    );
}

#[test]
fn a_group_may_have_timeouts_of_its_own() {
    let of = |request: ConsumerHeartbeat| ConsumerHeartbeat {
        group_id: PATIENT.into(),
        ..request
    };
    let mut rig = Rig::new();
    let reply = beat(&mut rig, of(joins("a")));
    assert_eq!(reply.heartbeat_interval_ms, 1234);
    for _ in 0..2 {
        rig.pass(99_000);
        let reply = beat(&mut rig, of(beats("a", 1)));
        assert_eq!(reply.error, ErrorCode::NONE);
        rig.restart();
    }
    rig.pass(101_000);
    let reply = beat(&mut rig, of(beats("a", 1)));
    assert_eq!(reply.error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn who_is_no_member_reads_offsets_without_an_epoch() {
    let mut rig = Rig::new();
    let joins = ConsumerHeartbeat {
        assignor: Some("range".into()),
        ..joins("a")
    };
    assert_eq!(beat(&mut rig, joins).error, ErrorCode::NONE);
    for (member_epoch, error) in [(-1, ErrorCode::NONE), (1, ErrorCode::UNKNOWN_MEMBER_ID)] {
        let request = FetchOffsetsRequest {
            group_id: G.into(),
            member_id: None,
            member_epoch,
            topics: None,
        };
        let GroupReply::FetchOffsets(reply) = rig.call(GroupRequest::FetchOffsets(request)) else {
            panic!("another reply");
        };
        assert_eq!(reply.error, error);
    }
}

#[test]
fn a_heartbeat_that_changes_nothing_asks_for_no_room() {
    let mut rig = Rig::new();
    beat(&mut rig, joins("a"));
    let room = |rig: &Rig, request| {
        let request = GroupRequest::ConsumerHeartbeat(request);
        rig.coordinator.record_bytes_max(&request, &OneTopic)
    };
    let says_again = ConsumerHeartbeat {
        rebalance_timeout_ms: REBALANCE_MS,
        ..beats("a", 1)
    };
    for says_nothing_new in [beats("a", 1), says_again] {
        assert_eq!(room(&rig, says_nothing_new), 0);
    }
    for says_more in [joins("a"), beats("a", -1), beats("b", 1)] {
        assert!(room(&rig, says_more) > 0);
    }
    let moves = ConsumerHeartbeat {
        client_host: "/10.0.0.1".into(),
        ..beats("a", 1)
    };
    assert!(room(&rig, moves) > 0);
    // Until it has looked at the topics again, it may find others.
    rig.restart();
    assert!(room(&rig, beats("a", 1)) > 0);
}

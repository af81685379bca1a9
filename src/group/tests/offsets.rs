//! Offsets are committed, fetched, deleted, and expire.

use super::rig::*;
use crate::group::*;
use crate::kafka::ErrorCode;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

#[test]
fn who_may_commit() {
    let mut rig = Rig::new();
    assert_eq!(
        rig.commit("", 1, 5),
        ErrorCode::ILLEGAL_GENERATION,
        "no such group"
    );
    let newer = CommitRequest {
        knows_missing_groups: true,
        ..commit("", 1, 5)
    };
    let missing = GroupReply::Commit(vec![vec![ErrorCode::GROUP_ID_NOT_FOUND]]);
    assert_eq!(rig.call(GroupRequest::Commit(newer)), missing);
    assert_eq!(rig.offset(), -1);
    assert_eq!(
        rig.commit("", -1, 5),
        ErrorCode::NONE,
        "without any membership"
    );
    assert_eq!(rig.offset(), 5);
    let (a, generation) = rig.alone();
    assert_eq!(
        rig.commit("", -1, 6),
        ErrorCode::UNKNOWN_MEMBER_ID,
        "there are members now"
    );
    assert_eq!(rig.commit("b", generation, 6), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(
        rig.commit(&a, generation + 1, 6),
        ErrorCode::ILLEGAL_GENERATION
    );
    let other = CommitRequest {
        instance_id: Some("i".into()),
        ..commit(&a, generation, 6)
    };
    let unknown = GroupReply::Commit(vec![vec![ErrorCode::UNKNOWN_MEMBER_ID]]);
    assert_eq!(rig.call(GroupRequest::Commit(other)), unknown);
    assert_eq!(rig.offset(), 5);
    assert_eq!(rig.commit(&a, generation, 6), ErrorCode::NONE);
    assert_eq!(
        rig.commit(&a, generation, 4),
        ErrorCode::NONE,
        "back is allowed"
    );
    assert_eq!(rig.offset(), 4);
    let _b = rig.ask(join("b", ""));
    assert_eq!(
        rig.commit(&a, generation, 8),
        ErrorCode::NONE,
        "before it joins again"
    );
    rig.ask(join("a", &a));
    assert_eq!(
        rig.commit(&a, generation + 1, 9),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    assert_eq!(rig.offset(), 8);
}

#[test]
fn a_commit_keeps_the_session() {
    let mut rig = Rig::new();
    let (a, generation) = rig.alone();
    for offset in 0..5 {
        rig.pass(SESSION_MS as u64 - 1);
        assert_eq!(rig.commit(&a, generation, offset), ErrorCode::NONE);
    }
    rig.pass(SESSION_MS as u64);
    assert_eq!(rig.commit(&a, generation, 9), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn the_whole_of_what_was_committed_is_fetched() {
    let mut rig = Rig::new();
    rig.commit("", -1, 5);
    let mut request = FetchOffsetsRequest {
        group_id: G.into(),
        member_id: None,
        member_epoch: -1,
        topics: None,
    };
    let offset = |partition, offset, leader_epoch, metadata: &str| FetchedOffset {
        partition,
        offset,
        leader_epoch,
        metadata: metadata.into(),
    };
    let of = |name: &str, partitions| TopicOffsets {
        name: name.into(),
        partitions,
    };
    let reply = |topics| {
        GroupReply::FetchOffsets(FetchOffsetsReply {
            error: ErrorCode::NONE,
            topics,
        })
    };
    let known = offset(0, 5, 3, "words");
    let all = rig.call(GroupRequest::FetchOffsets(request.clone()));
    assert_eq!(all, reply(vec![of("t", vec![known.clone()])]));
    request.topics = Some(vec![partitions("u", &[1]), partitions("t", &[1, 0])]);
    let some = rig.call(GroupRequest::FetchOffsets(request.clone()));
    let none = |partition| offset(partition, -1, -1, "");
    assert_eq!(
        some,
        reply(vec![of("u", vec![none(1)]), of("t", vec![none(1), known])])
    );
    request.group_id = "other".into();
    let other = rig.call(GroupRequest::FetchOffsets(request));
    assert_eq!(
        other,
        reply(vec![
            of("u", vec![none(1)]),
            of("t", vec![none(1), none(0)])
        ])
    );
}

#[test]
fn metadata_is_as_long_as_the_setting_says() {
    let mut rig = Rig::new();
    let mut request = commit("", -1, 5);
    request.topics[0].partitions[0].metadata = "x".repeat(4096).into();
    let longer = CommitOffset {
        partition: 1,
        metadata: "x".repeat(4097).into(),
        ..request.topics[0].partitions[0].clone()
    };
    request.topics[0].partitions.push(longer);
    let verdicts = vec![vec![ErrorCode::NONE, ErrorCode::OFFSET_METADATA_TOO_LARGE]];
    assert_eq!(
        rig.call(GroupRequest::Commit(request)),
        GroupReply::Commit(verdicts)
    );
    assert_eq!(rig.log.len(), 1);
}

#[test]
fn offsets_of_topics_that_are_read_cannot_be_deleted() {
    let mut rig = Rig::new();
    let delete = |rig: &mut Rig, topic: &str| {
        let request = DeleteOffsetsRequest {
            group_id: G.into(),
            topics: vec![partitions(topic, &[0, 9])],
        };
        match rig.call(GroupRequest::DeleteOffsets(request)) {
            GroupReply::DeleteOffsets(reply) => (reply.error, reply.topics),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        delete(&mut rig, "t"),
        (ErrorCode::GROUP_ID_NOT_FOUND, vec![])
    );
    let (a, generation) = rig.alone();
    rig.commit(&a, generation, 5);
    let mut other = commit(&a, generation, 5);
    other.topics[0].name = "u".into();
    rig.call(GroupRequest::Commit(other));
    let verdict = |error| (ErrorCode::NONE, vec![vec![error, error]]);
    assert_eq!(
        delete(&mut rig, "t"),
        verdict(ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC)
    );
    assert_eq!(rig.offset(), 5);
    assert!(rig.coordinator.has_offsets_of("u"));
    assert_eq!(delete(&mut rig, "u"), verdict(ErrorCode::NONE));
    assert!(!rig.coordinator.has_offsets_of("u"));
    rig.leave(&a, None);
    assert_eq!(delete(&mut rig, "t"), verdict(ErrorCode::NONE));
    assert_eq!(rig.offset(), -1);
    rig.restart();
    assert_eq!(rig.offset(), -1);
}

#[test]
fn offsets_of_groups_that_are_no_consumers_cannot_be_deleted_under_their_members() {
    let mut rig = Rig::new();
    let worker = JoinRequest {
        protocol_type: "connect".into(),
        ..joining("a", "")
    };
    rig.ask(GroupRequest::Join(worker));
    let request = DeleteOffsetsRequest {
        group_id: G.into(),
        topics: vec![partitions("t", &[0])],
    };
    let reply = rig.call(GroupRequest::DeleteOffsets(request));
    let refused = DeleteOffsetsReply {
        error: ErrorCode::NON_EMPTY_GROUP,
        topics: Vec::new(),
    };
    assert_eq!(reply, GroupReply::DeleteOffsets(refused));
}

#[test]
fn offsets_of_a_deleted_topic_are_forgotten() {
    let mut rig = Rig::new();
    rig.commit("", -1, 5);
    let mut other = commit("", -1, 5);
    other.group_id = "h".into();
    other.topics[0].name = "u".into();
    rig.call(GroupRequest::Commit(other));
    let effects = rig.coordinator.on_topic_deleted(rig.now, "t");
    rig.take(effects);
    assert!(!rig.coordinator.has_offsets_of("t"));
    assert!(rig.coordinator.has_offsets_of("u"));
    rig.restart();
    assert!(!rig.coordinator.has_offsets_of("t"));
    assert!(rig.coordinator.has_offsets_of("u"));
}

#[test]
fn offsets_without_members_expire_a_week_after_their_commit() {
    let mut rig = Rig::new();
    rig.commit("", -1, 5);
    rig.pass(7 * DAY_MS - 60_000);
    assert_eq!(rig.offset(), 5);
    rig.pass(660_000);
    assert_eq!(rig.describe().error, ErrorCode::GROUP_ID_NOT_FOUND);
    rig.restart();
    assert_eq!(rig.describe().error, ErrorCode::GROUP_ID_NOT_FOUND);
}

#[test]
fn offsets_of_a_group_expire_a_week_after_its_last_member_left() {
    let mut rig = Rig::new();
    let (a, generation) = rig.alone();
    rig.commit(&a, generation, 5);
    for _ in 0..20 * DAY_MS / 9000 {
        rig.heartbeat(&a, generation);
        rig.pass(9000);
    }
    assert_eq!(rig.offset(), 5, "members read the topic");
    rig.leave(&a, None);
    rig.pass(7 * DAY_MS - 60_000);
    assert_eq!(rig.offset(), 5);
    rig.restart();
    assert_eq!(rig.offset(), 5);
    rig.pass(660_000);
    assert_eq!(rig.describe().error, ErrorCode::GROUP_ID_NOT_FOUND);
}

#[test]
fn offsets_of_topics_that_members_read_no_more_expire() {
    let mut rig = Rig::new();
    let (a, generation) = rig.alone();
    rig.commit(&a, generation, 5);
    let mut other = commit(&a, generation, 5);
    other.topics[0].name = "u".into();
    rig.call(GroupRequest::Commit(other));
    for _ in 0..7 * DAY_MS / 9000 + 100 {
        rig.heartbeat(&a, generation);
        rig.pass(9000);
    }
    assert!(rig.coordinator.has_offsets_of("t"));
    assert!(!rig.coordinator.has_offsets_of("u"));
}

#[test]
fn a_commit_may_say_itself_when_it_expires() {
    let mut rig = Rig::new();
    let request = CommitRequest {
        retention_ms: Some(3_600_000),
        ..commit("", -1, 5)
    };
    rig.call(GroupRequest::Commit(request));
    rig.restart();
    rig.pass(3_000_000);
    assert_eq!(rig.offset(), 5);
    rig.pass(1_200_000);
    assert_eq!(rig.offset(), -1);
}

/// Twenty groups with a thousand offsets each.
fn many() -> Rig {
    let mut rig = Rig::new();
    for n in 0..20 {
        let mut request = commit("", -1, 5);
        request.group_id = format!("group-{n}").into();
        request.topics[0].partitions = (0..1000)
            .map(|partition| CommitOffset {
                partition,
                ..request.topics[0].partitions[0].clone()
            })
            .collect();
        rig.call(GroupRequest::Commit(request));
    }
    rig
}

/// Takes steps until no group has offsets in `t`; each is bounded, and none is for nothing.
fn step_to_the_end(rig: &mut Rig, step: impl Fn(&mut Rig) -> Effects) {
    let mut steps = 0;
    while rig.coordinator.has_offsets_of("t") {
        let effects = step(rig);
        let bytes: usize = effects.records.iter().map(GroupRecord::bytes).sum();
        assert!(
            bytes > 0 && bytes <= crate::base::limits::GROUP_STEP_BYTES_MAX,
            "{bytes}"
        );
        rig.take(effects);
        steps += 1;
    }
    assert!(steps > 1);
    rig.restart();
    assert_eq!(rig.coordinator.snapshot().count(), 0);
}

#[test]
fn many_expire_in_steps_that_are_bounded() {
    let mut rig = many();
    rig.now.wall_ms += 8 * DAY_MS as i64;
    rig.now.mono_ms += DAY_MS;
    step_to_the_end(&mut rig, |rig| rig.coordinator.poll(rig.now));
}

#[test]
fn many_are_forgotten_with_their_topic_in_steps_that_are_bounded() {
    let mut rig = many();
    step_to_the_end(&mut rig, |rig| {
        rig.coordinator.on_topic_deleted(rig.now, "t")
    });
}

//! Members that subscribe by regular expression.

use super::*;
use crate::base::limits::GROUP_EXPRESSIONS_MAX;
use crate::kafka::ErrorCode;

fn join_by(id: &str, expression: &str) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        topics: None,
        topic_regex: Some(expression.into()),
        ..join(id, &[])
    }
}

fn topics_of(reply: &ConsumerHeartbeatReply) -> Vec<TopicId> {
    let assignment = reply.assignment.iter().flatten();
    assignment.map(|(topic, _)| *topic).collect()
}

#[test]
fn the_whole_name_must_match() {
    for (expression, expected) in [
        ("t|u", &[1, 2][..]),
        ("t.*", &[1, 3]),
        (".", &[1, 2]),
        ("x", &[]),
        ("", &[]),
        ("(?i)T", &[1]),
        ("t$|^u", &[1, 2]),
    ] {
        let mut world = World::new();
        world.topics.set("t-more", 3, 1);
        let reply = world.beat(&join_by("a", expression)).unwrap();
        let expected: Vec<TopicId> = expected.iter().map(|&id| topic(id)).collect();
        assert_eq!(topics_of(&reply), expected, "{expression:?}");
    }
}

#[test]
fn topics_that_match_come_and_go() {
    let mut world = World::new();
    let reply = world.beat(&join_by("a", "new-.*|u")).unwrap();
    assert_eq!(reply.assignment, Some(parts(&[(2, &[0, 1])])));
    assert!(world.group.reads("u") && !world.group.reads("new-1"));
    world.topics.set("other", 9, 1);
    let reply = world.go_on("a", &parts(&[(2, &[0, 1])]));
    assert_eq!((reply.member_epoch, reply.assignment), (1, None));
    world.topics.set("new-1", 3, 1);
    let reply = world.go_on("a", &parts(&[(2, &[0, 1])]));
    let both = parts(&[(2, &[0, 1]), (3, &[0])]);
    assert_eq!(reply.assignment, Some(both.clone()));
    assert!(world.group.reads("new-1"));
    // What it matches is found again after a restart, and is the same.
    world.restart();
    let reply = world.go_on("a", &both);
    assert_eq!((reply.member_epoch, reply.assignment), (2, None));
    world.topics.remove("u");
    let reply = world.go_on("a", &both);
    assert_eq!(reply.assignment, Some(parts(&[(3, &[0])])));
}

#[test]
fn members_may_name_topics_and_others_match_them() {
    let mut world = World::new();
    let both = ConsumerHeartbeat {
        topic_regex: Some("u".into()),
        ..join("a", &["t"])
    };
    let all = parts(&[(1, &[0, 1, 2, 3]), (2, &[0, 1])]);
    assert_eq!(world.beat(&both).unwrap().assignment, Some(all.clone()));
    // An empty expression takes it back; nothing at all leaves it as it was.
    let epoch = world.group.members["a"].held.epoch;
    let none = ConsumerHeartbeat {
        owned: Some(all.clone()),
        ..heartbeat("a", epoch)
    };
    assert_eq!(world.beat(&none).unwrap().member_epoch, epoch);
    let back = ConsumerHeartbeat {
        topic_regex: Some("".into()),
        ..none
    };
    let reply = world.beat(&back).unwrap();
    assert_eq!(reply.assignment, Some(of_t(&[0, 1, 2, 3])));
    let described = world.group.describe(&world.config, &world.topics);
    assert_eq!(described.members[0].expression, None);
    world.beat(&join_by("b", "t+")).unwrap();
    let described = world.group.describe(&world.config, &world.topics);
    let told = &described.members[1];
    assert_eq!(told.expression.as_deref(), Some("t+"));
    assert!(told.topics.is_empty());
}

#[test]
fn what_is_no_expression_is_refused() {
    let mut world = World::new();
    for bad in ["(", "a)|(b", "[", r"(a)\1", "(?=a)", "(?:a{999}){999}"] {
        let refusal = world.beat(&join_by("a", bad)).unwrap_err();
        assert_eq!(
            refusal.error,
            ErrorCode::INVALID_REGULAR_EXPRESSION,
            "{bad}"
        );
        let begins = format!("SubscribedTopicRegex `{bad}` is not a valid regular expression: ");
        assert!(refusal.message.starts_with(&begins), "{}", refusal.message);
    }
    for n in 0..GROUP_EXPRESSIONS_MAX {
        let id = format!("m{n}");
        world.beat(&join_by(&id, &id)).unwrap();
    }
    let refusal = world.beat(&join_by("b", "another")).unwrap_err();
    assert_eq!(refusal.error, ErrorCode::INVALID_REGULAR_EXPRESSION);
    world.beat(&join_by("b", "m0")).unwrap();
    world.beat(&heartbeat("m1", -1)).unwrap();
    world.beat(&join_by("c", "another")).unwrap();
}

#[test]
fn what_expressions_take_is_counted() {
    let mut world = World::new();
    let before = world.group.bytes();
    world.beat(&join_by("a", "[tu]")).unwrap();
    let with = world.group.bytes();
    world.topics.set("w", 7, 1);
    world.beat(&join_by("a", "[tuw]")).unwrap();
    assert!(before < with && with < world.group.bytes());
    world.beat(&heartbeat("a", -1)).unwrap();
    world.beat(&join("b", &["t"])).unwrap();
    world.beat(&heartbeat("b", -1)).unwrap();
    let left = world.group.bytes();
    assert_eq!(left, before, "nothing is left of them");
}

//! What operators see and do.

use super::rig::*;
use crate::group::*;
use crate::kafka::ErrorCode;

fn list(rig: &mut Rig, states: &[&str], types: &[&str]) -> Vec<String> {
    let owned = |words: &[&str]| words.iter().map(|word| word.to_string()).collect();
    let filter = ListFilter {
        states: owned(states),
        types: owned(types),
    };
    match rig.call(GroupRequest::List(filter)) {
        GroupReply::List(groups) => groups
            .iter()
            .map(|g| {
                format!(
                    "{} {} {} {}",
                    g.group_id, g.protocol_type, g.state, g.group_type
                )
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn delete(rig: &mut Rig) -> ErrorCode {
    match rig.call(GroupRequest::Delete { group_id: G.into() }) {
        GroupReply::Delete(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let mut rig = Rig::new();
    assert!(list(&mut rig, &[], &[]).is_empty());
    rig.alone();
    let mut simple = commit("", -1, 5);
    simple.group_id = "simple".into();
    rig.call(GroupRequest::Commit(simple));
    let (stable, empty) = ("g consumer Stable classic", "simple  Empty classic");
    assert_eq!(list(&mut rig, &[], &[]), [stable, empty]);
    assert_eq!(list(&mut rig, &["stable", "Dead"], &[]), [stable]);
    assert_eq!(list(&mut rig, &["Empty"], &["Classic"]), [empty]);
    assert!(list(&mut rig, &[], &["consumer"]).is_empty());
}

#[test]
fn a_group_is_described_with_its_members_once_it_is_stable() {
    let mut rig = Rig::new();
    let missing = rig.describe();
    assert_eq!(
        (missing.error, missing.state),
        (ErrorCode::GROUP_ID_NOT_FOUND, "Dead")
    );
    assert_eq!(missing.message.as_deref(), Some("Group g not found."));
    rig.alone();
    let group = rig.describe();
    assert_eq!(
        (group.state, &*group.protocol_type, &*group.protocol),
        ("Stable", "consumer", "range")
    );
    let member = DescribedMember {
        member_id: "a-id".into(),
        instance_id: None,
        client_id: "a".into(),
        client_host: "/127.0.0.1".into(),
        metadata: protocol("range", &["t"]).metadata,
        assignment: of("a-id"),
    };
    assert_eq!(group.members, [member]);
    rig.ask(join("b", ""));
    let group = rig.describe();
    assert_eq!(
        (group.state, &*group.protocol, group.members.len()),
        ("PreparingRebalance", "", 2)
    );
    assert!(
        group
            .members
            .iter()
            .all(|m| m.metadata.is_empty() && m.assignment.is_empty())
    );
}

#[test]
fn a_group_is_deleted_when_nobody_is_in_it() {
    let mut rig = Rig::new();
    assert_eq!(delete(&mut rig), ErrorCode::GROUP_ID_NOT_FOUND);
    let (a, generation) = rig.alone();
    rig.commit(&a, generation, 5);
    assert_eq!(delete(&mut rig), ErrorCode::NON_EMPTY_GROUP);
    rig.leave(&a, None);
    assert_eq!(delete(&mut rig), ErrorCode::NONE);
    assert_eq!(rig.offset(), -1);
    rig.restart();
    assert_eq!(rig.describe().error, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(rig.coordinator.snapshot().count(), 0);
    let (_, generation) = rig.alone();
    assert_eq!(generation, 1, "a new group");
}

//! The assignors.

use std::rc::Rc;

use super::super::Assignor::{self, Range, Uniform};
use super::super::assign::{Candidate, Counts, assign};
use super::super::member::each;
use super::super::request::Partitions;
use super::{parts, topic};

/// Who reads what, and had what.
type Member = (&'static str, &'static [u8], Partitions);

fn targets(assignor: Assignor, members: &[Member], topics: &[(u8, i32)]) -> Vec<Partitions> {
    let counts: Counts = topics
        .iter()
        .map(|(id, count)| (topic(*id), *count))
        .collect();
    let members: Vec<_> = members
        .iter()
        .map(|(id, reads, had)| Candidate {
            id,
            instance_id: None,
            topics: Rc::new(reads.iter().map(|id| topic(*id)).collect()),
            target: Some(had),
        })
        .collect();
    let targets = assign(assignor, &members, &counts);
    let mut given: Vec<_> = targets.iter().flat_map(each).collect();
    given.sort();
    let count = given.len();
    given.dedup();
    assert_eq!(given.len(), count, "given twice");
    for (member, target) in members.iter().zip(&targets) {
        assert!(target.keys().all(|topic| member.topics.contains(topic)));
    }
    targets
}

fn loads(targets: &[Partitions]) -> Vec<usize> {
    targets.iter().map(|target| each(target).count()).collect()
}

#[test]
fn uniform_spreads_evenly_and_moves_as_little_as_it_can() {
    let none = Partitions::new;
    let topics = [(1, 4), (2, 3)];
    let alone = targets(Uniform, &[("a", &[1, 2], none())], &topics);
    assert_eq!(loads(&alone), [7]);
    let two = targets(
        Uniform,
        &[("a", &[1, 2], alone[0].clone()), ("b", &[1, 2], none())],
        &topics,
    );
    assert_eq!(loads(&two), [4, 3]);
    assert!(each(&two[0]).all(|(topic, p)| alone[0][&topic].contains(&p)));
    // The first one leaves: the other keeps everything that it has.
    let rest = targets(
        Uniform,
        &[("b", &[1, 2], two[1].clone()), ("c", &[1, 2], none())],
        &topics,
    );
    assert_eq!(loads(&rest), [4, 3]);
    assert!(each(&two[1]).all(|(topic, p)| rest[0][&topic].contains(&p)));
    // Nothing has changed, so nothing moves.
    let again = targets(
        Uniform,
        &[
            ("b", &[1, 2], rest[0].clone()),
            ("c", &[1, 2], rest[1].clone()),
        ],
        &topics,
    );
    assert_eq!(again, rest);
}

#[test]
fn uniform_gives_the_larger_shares_to_those_who_have_most() {
    let had = |topics: &[(u8, &[i32])]| parts(topics);
    let members: [Member; 3] = [
        ("a", &[1], had(&[(1, &[0])])),
        ("b", &[1], had(&[(1, &[1, 2, 3])])),
        ("c", &[1], Partitions::new()),
    ];
    let after = targets(Uniform, &members, &[(1, 4)]);
    assert_eq!(
        after,
        [had(&[(1, &[0])]), had(&[(1, &[1, 2])]), had(&[(1, &[3])])]
    );
}

#[test]
fn uniform_forgets_what_is_not_there_and_what_is_not_read() {
    let had = parts(&[(1, &[0, 7]), (2, &[0]), (3, &[0])]);
    let after = targets(Uniform, &[("a", &[1], had)], &[(1, 2)]);
    assert_eq!(after, [parts(&[(1, &[0, 1])])]);
    assert_eq!(targets(Uniform, &[], &[(1, 2)]), Vec::<Partitions>::new());
}

#[test]
fn uniform_levels_what_different_subscriptions_allow() {
    // A may read the first topic only, of which it has all, and B both.
    let had = parts(&[(1, &[0, 1, 2, 3, 4, 5])]);
    let members: [Member; 2] = [("a", &[1], had), ("b", &[1, 2], Partitions::new())];
    let after = targets(Uniform, &members, &[(1, 6), (2, 2)]);
    assert_eq!(loads(&after), [4, 4]);
    assert_eq!(each(&after[1]).filter(|(id, _)| *id == topic(2)).count(), 2);
    // Nobody else may read the only topic of A.
    let members: [Member; 2] = [
        ("a", &[1], Partitions::new()),
        ("b", &[2], Partitions::new()),
    ];
    assert_eq!(
        loads(&targets(Uniform, &members, &[(1, 9), (2, 1)])),
        [9, 1]
    );
}

#[test]
fn range_cuts_topics_that_are_read_together_alike() {
    let none = Partitions::new;
    let members: [Member; 3] = [
        ("b", &[1, 2], none()),
        ("a", &[1, 2], none()),
        ("c", &[2], none()),
    ];
    let after = targets(Range, &members, &[(1, 5), (2, 5)]);
    assert_eq!(after[1], parts(&[(1, &[0, 1, 2]), (2, &[0, 1])]));
    assert_eq!(after[0], parts(&[(1, &[3, 4]), (2, &[2, 3])]));
    assert_eq!(after[2], parts(&[(2, &[4])]));
    // More readers than partitions: the last have none.
    let one = targets(Range, &members, &[(2, 2)]);
    assert_eq!(loads(&one), [1, 1, 0]);
}

//! Offsets are committed, fetched and deleted, wherever their coordinator is.

use std::collections::BTreeMap;

use corelane::kafka::ErrorCode;

use crate::common::groups::{
    self, COMMIT_BY_NAME, Committed, commit, commit_request, committed, delete_group,
    fetch_commits, fetch_offsets, find_coordinator, list_groups,
};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, delete_topic};
use crate::rig::{coordinator, start};

matrix! {
    every cell: a_node_answers_for_its_own_groups, unknown_partitions_are_refused_one_by_one;
    every pair: what_is_committed_is_fetched_and_after_restarts,
        all_of_a_commit_comes_back_and_after_restarts,
        a_deleted_topic_takes_its_offsets_along_and_a_new_one_begins_without,
        a_deleted_group_has_no_offsets, transactions_and_share_groups_have_no_coordinator;
}

fn of(offsets: &[(&str, i32, i64)]) -> BTreeMap<(String, i32), i64> {
    let offsets = offsets.iter();
    offsets
        .map(|&(topic, partition, offset)| ((topic.to_owned(), partition), offset))
        .collect()
}

fn what_is_committed_is_fetched_and_after_restarts(setup: Setup) {
    let mut broker = start(setup);
    create_topic(&mut broker.client(), "t", 3, &[]);
    let groups: Vec<String> = (0..20).map(|n| format!("group-{n}")).collect();
    for (n, group) in (0..).zip(&groups) {
        let mut client = coordinator(&broker, group);
        assert_eq!(fetch_offsets(&mut client, group), Ok(BTreeMap::new()));
        assert_eq!(commit(&mut client, group, "t", 1, 7), ErrorCode::NONE);
        assert_eq!(commit(&mut client, group, "t", 2, n), ErrorCode::NONE);
        let back = commit(&mut client, group, "t", 1, 5);
        assert_eq!(back, ErrorCode::NONE, "back is allowed");
    }
    // The same and other counts of shards, after a crash and after a stop.
    for cores in [setup.shards, 3, 1, 4] {
        match cores {
            3 => broker.kill(),
            _ => broker.stop(),
        }
        broker.options().cores = cores;
        broker.start_again();
        for (n, group) in (0..).zip(&groups) {
            let mut client = coordinator(&broker, group);
            let expected = of(&[("t", 1, 5), ("t", 2, n)]);
            let found = fetch_offsets(&mut client, group);
            assert_eq!(found, Ok(expected), "{group} on {cores}");
        }
    }
}

/// A commit has words and an epoch as well, which come back as they were given.
fn all_of_a_commit_comes_back_and_after_restarts(setup: Setup) {
    let mut broker = start(setup);
    create_topic(&mut broker.client(), "t", 3, &[]);
    let long = "\u{2713} and more ".repeat(250);
    let commits = [(0, -1, None), (1, 0, Some("")), (2, 7, Some(long.as_str()))];
    let groups: Vec<String> = (0..6).map(|n| format!("group-{n}")).collect();
    let mut expected = BTreeMap::new();
    for (partition, leader_epoch, metadata) in commits {
        let all = Committed {
            offset: i64::from(partition) + 40,
            leader_epoch,
            // What is null is empty, as in Kafka.
            metadata: Some(metadata.unwrap_or_default().to_owned()),
        };
        expected.insert(("t".to_owned(), partition), all);
        for group in &groups {
            let mut request = commit_request(group, "t", partition, i64::from(partition) + 40);
            let commit = &mut request.topics[0].partitions[0];
            commit.committed_leader_epoch = leader_epoch;
            commit.committed_metadata = metadata;
            let mut client = coordinator(&broker, group);
            let answer = committed(&client.call(COMMIT_BY_NAME, &request));
            assert_eq!(answer, ErrorCode::NONE);
        }
    }
    for cores in [setup.shards, 3, 1, 4] {
        for group in &groups {
            let found = fetch_commits(&mut coordinator(&broker, group), group);
            assert_eq!(found.as_ref(), Ok(&expected), "{group} before {cores}");
        }
        match cores {
            3 => broker.stop(),
            _ => broker.kill(),
        }
        broker.options().cores = cores;
        broker.start_again();
    }
    let found = fetch_commits(&mut coordinator(&broker, "group-0"), "group-0");
    assert_eq!(found, Ok(expected));
}

fn a_node_answers_for_its_own_groups(setup: Setup) {
    let broker = start(setup);
    create_topic(&mut broker.client(), "t", 1, &[]);
    let mut listed = 0;
    for n in 0..12 {
        let group = format!("g{n}");
        let owner = find_coordinator(&mut broker.client(), &group).unwrap();
        for node in 0..setup.nodes() {
            let mut client = broker.client_of(node);
            let expected = match i32::from(node) == owner {
                true => ErrorCode::NONE,
                false => ErrorCode::NOT_COORDINATOR,
            };
            assert_eq!(
                find_coordinator(&mut client, &group),
                Ok(owner),
                "all agree"
            );
            assert_eq!(commit(&mut client, &group, "t", 0, n), expected, "{node}");
            let fetched = fetch_offsets(&mut client, &group);
            assert_eq!(fetched.err().unwrap_or_default(), expected, "{node}");
        }
    }
    for node in 0..setup.nodes() {
        listed += list_groups(&mut broker.client_of(node)).len();
    }
    assert_eq!(listed, 12);
}

fn unknown_partitions_are_refused_one_by_one(setup: Setup) {
    let broker = start(setup);
    create_topic(&mut broker.client(), "t", 1, &[]);
    let mut client = coordinator(&broker, "g");
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(commit(&mut client, "g", "t", 1, 1), unknown);
    assert_eq!(commit(&mut client, "g", "t", -1, 1), unknown);
    assert_eq!(commit(&mut client, "g", "none", 0, 1), unknown);
    assert_eq!(commit(&mut client, "g", "t", 0, 1), ErrorCode::NONE);
    assert_eq!(fetch_offsets(&mut client, "g"), Ok(of(&[("t", 0, 1)])));
}

fn a_deleted_topic_takes_its_offsets_along_and_a_new_one_begins_without(setup: Setup) {
    let mut broker = start(setup);
    for topic in ["kept", "gone"] {
        create_topic(&mut broker.client(), topic, 2, &[]);
    }
    let groups: Vec<String> = (0..10).map(|n| format!("g{n}")).collect();
    coordinator(&broker, "any");
    for group in &groups {
        for topic in ["kept", "gone"] {
            let mut client = coordinator(&broker, group);
            assert_eq!(commit(&mut client, group, topic, 0, 9), ErrorCode::NONE);
        }
    }
    delete_topic(&mut broker.client(), "gone");
    create_topic(&mut broker.client(), "gone", 2, &[]);
    let left = of(&[("kept", 0, 9)]);
    for round in 0..2 {
        for group in &groups {
            let offsets = fetch_offsets(&mut coordinator(&broker, group), group);
            assert_eq!(offsets.as_ref(), Ok(&left), "{group}, round {round}");
        }
        broker.kill();
        broker.start_again();
    }
}

fn a_deleted_group_has_no_offsets(setup: Setup) {
    let mut broker = start(setup);
    create_topic(&mut broker.client(), "t", 1, &[]);
    let mut client = coordinator(&broker, "g");
    let missing = delete_group(&mut client, "g");
    assert_eq!(missing, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(commit(&mut client, "g", "t", 0, 3), ErrorCode::NONE);
    let mut other = coordinator(&broker, "h");
    assert_eq!(commit(&mut other, "h", "t", 0, 4), ErrorCode::NONE);
    assert_eq!(delete_group(&mut client, "g"), ErrorCode::NONE);
    assert!(!list_groups(&mut client).contains(&"g".to_owned()));
    broker.kill();
    broker.start_again();
    let gone = fetch_offsets(&mut coordinator(&broker, "g"), "g");
    assert_eq!(gone, Ok(BTreeMap::new()));
    let kept = fetch_offsets(&mut coordinator(&broker, "h"), "h");
    assert_eq!(kept, Ok(of(&[("t", 0, 4)])));
}

fn transactions_and_share_groups_have_no_coordinator(setup: Setup) {
    use corelane::kafka::messages::find_coordinator::{
        FindCoordinatorRequest, FindCoordinatorResponse,
    };
    let broker = start(setup);
    let mut client = broker.client();
    for key_type in [1, 2, 3, -1] {
        for version in [3, 4, 6] {
            let request = FindCoordinatorRequest {
                key: "k",
                key_type,
                coordinator_keys: vec!["k"],
            };
            let frame = client.call(version, &request);
            let response: FindCoordinatorResponse<'_> = frame.decode();
            let error = match version {
                4.. => response.coordinators[0].error_code,
                _ => response.error_code,
            };
            assert_eq!(error, ErrorCode::INVALID_REQUEST, "{key_type} in {version}");
        }
    }
    assert!(groups::find_coordinator(&mut client, "k").is_ok());
}

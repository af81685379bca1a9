//! Offsets are committed, fetched and deleted, wherever their coordinator is.

use std::collections::BTreeMap;

use corelane::kafka::ErrorCode;

use crate::common::broker::Broker;
use crate::common::groups::{
    self, commit, delete_group, fetch_offsets, find_coordinator, list_groups,
};
use crate::common::ops::{create_topic, delete_topic};
use crate::rig::{coordinator, every_layout, options};

fn of(offsets: &[(&str, i32, i64)]) -> BTreeMap<(String, i32), i64> {
    let offsets = offsets.iter();
    offsets
        .map(|&(topic, partition, offset)| ((topic.to_owned(), partition), offset))
        .collect()
}

#[test]
fn what_is_committed_is_fetched_in_every_layout_and_after_restarts() {
    for layout in every_layout() {
        let single = layout.single;
        let mut broker = Broker::start_with(layout);
        create_topic(&mut broker.client(), "t", 3, &[]);
        let groups: Vec<String> = (0..20).map(|n| format!("group-{n}")).collect();
        for (n, group) in (0..).zip(&groups) {
            let mut client = coordinator(&broker, group);
            assert_eq!(fetch_offsets(&mut client, group), Ok(BTreeMap::new()));
            assert_eq!(commit(&mut client, group, "t", 1, 7), ErrorCode::NONE);
            assert_eq!(commit(&mut client, group, "t", 2, n), ErrorCode::NONE);
            assert_eq!(
                commit(&mut client, group, "t", 1, 5),
                ErrorCode::NONE,
                "back is allowed"
            );
        }
        // The same and other counts of shards, after a crash and after a stop.
        for cores in [broker.options().cores, 3, 1, 4] {
            match cores {
                3 => broker.kill(),
                _ => broker.stop(),
            }
            broker.options().cores = cores;
            broker.start_again();
            for (n, group) in (0..).zip(&groups) {
                let mut client = coordinator(&broker, group);
                let expected = of(&[("t", 1, 5), ("t", 2, n)]);
                assert_eq!(
                    fetch_offsets(&mut client, group),
                    Ok(expected),
                    "{cores} {single}"
                );
            }
        }
        broker.stop();
    }
}

#[test]
fn another_node_sends_clients_to_the_coordinator_unless_there_is_only_one() {
    let broker = Broker::start_with(options(3, false));
    create_topic(&mut broker.client(), "t", 1, &[]);
    let owner = find_coordinator(&mut broker.client(), "g").unwrap();
    for node in 0..3 {
        let mut client = broker.client_of(node);
        let expected = match i32::from(node) == owner {
            true => ErrorCode::NONE,
            false => ErrorCode::NOT_COORDINATOR,
        };
        assert_eq!(find_coordinator(&mut client, "g"), Ok(owner), "all agree");
        assert_eq!(commit(&mut client, "g", "t", 0, 1), expected, "{node}");
        assert_eq!(
            fetch_offsets(&mut client, "g").err().unwrap_or_default(),
            expected
        );
        assert_eq!(
            list_groups(&mut client).len(),
            usize::from(!expected.is_error())
        );
    }
    drop(broker);
    let broker = Broker::start_with(options(3, true));
    create_topic(&mut broker.client(), "t", 1, &[]);
    assert_eq!(find_coordinator(&mut broker.client(), "g"), Ok(0));
    for n in 0..12 {
        // Whichever shard accepts it.
        let mut client = broker.client();
        let group = format!("g{n}");
        assert_eq!(commit(&mut client, &group, "t", 0, n), ErrorCode::NONE);
        assert_eq!(
            fetch_offsets(&mut broker.client(), &group),
            Ok(of(&[("t", 0, n)]))
        );
    }
    assert_eq!(list_groups(&mut broker.client()).len(), 12, "of all shards");
}

#[test]
fn unknown_partitions_are_refused_one_by_one() {
    let broker = Broker::start_with(options(1, false));
    create_topic(&mut broker.client(), "t", 1, &[]);
    let mut client = coordinator(&broker, "g");
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(commit(&mut client, "g", "t", 1, 1), unknown);
    assert_eq!(commit(&mut client, "g", "t", -1, 1), unknown);
    assert_eq!(commit(&mut client, "g", "none", 0, 1), unknown);
    assert_eq!(commit(&mut client, "g", "t", 0, 1), ErrorCode::NONE);
    assert_eq!(fetch_offsets(&mut client, "g"), Ok(of(&[("t", 0, 1)])));
}

#[test]
fn a_deleted_topic_takes_its_offsets_along_and_a_new_one_begins_without() {
    let mut broker = Broker::start_with(options(2, true));
    for topic in ["kept", "gone"] {
        create_topic(&mut broker.client(), topic, 2, &[]);
    }
    let groups: Vec<String> = (0..10).map(|n| format!("g{n}")).collect();
    coordinator(&broker, "any");
    for group in &groups {
        for topic in ["kept", "gone"] {
            assert_eq!(
                commit(&mut broker.client(), group, topic, 0, 9),
                ErrorCode::NONE
            );
        }
    }
    delete_topic(&mut broker.client(), "gone");
    create_topic(&mut broker.client(), "gone", 2, &[]);
    let left = of(&[("kept", 0, 9)]);
    for round in 0..2 {
        for group in &groups {
            let offsets = fetch_offsets(&mut broker.client(), group);
            assert_eq!(offsets.as_ref(), Ok(&left), "{group}, round {round}");
        }
        broker.kill();
        broker.start_again();
    }
}

#[test]
fn a_deleted_group_has_no_offsets() {
    let mut broker = Broker::start_with(options(2, true));
    create_topic(&mut broker.client(), "t", 1, &[]);
    let mut client = broker.client();
    assert_eq!(find_coordinator(&mut client, "g"), Ok(0));
    assert_eq!(
        delete_group(&mut client, "g"),
        ErrorCode::GROUP_ID_NOT_FOUND
    );
    assert_eq!(commit(&mut client, "g", "t", 0, 3), ErrorCode::NONE);
    assert_eq!(commit(&mut client, "h", "t", 0, 4), ErrorCode::NONE);
    assert_eq!(delete_group(&mut client, "g"), ErrorCode::NONE);
    assert_eq!(list_groups(&mut client), ["h"]);
    broker.kill();
    broker.start_again();
    let mut client = broker.client();
    assert_eq!(fetch_offsets(&mut client, "g"), Ok(BTreeMap::new()));
    assert_eq!(fetch_offsets(&mut client, "h"), Ok(of(&[("t", 0, 4)])));
}

#[test]
fn transactions_and_share_groups_have_no_coordinator() {
    use corelane::kafka::messages::find_coordinator::{
        FindCoordinatorRequest, FindCoordinatorResponse,
    };
    let broker = Broker::start_with(options(1, false));
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

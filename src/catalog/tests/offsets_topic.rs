//! `__consumer_offsets`: who creates it, and what nobody may do to it.

use super::*;
use crate::base::limits::OFFSETS_PARTITIONS;

const POLICY_VIOLATION: i16 = 44;

fn bench() -> Bench {
    let mut bench = Bench::having(&["plain"]);
    let (_, changes) = bench.run(&CatalogRequest::CreateOffsetsTopic);
    assert!(matches!(
        changes[..],
        [Change::TopicCreated {
            topic: TopicId::OFFSETS,
            partitions: OFFSETS_PARTITIONS,
            ..
        }]
    ));
    bench
}

#[test]
fn it_is_created_once_by_whoever_asks_first() {
    let mut bench = bench();
    let topic = bench.catalog.topic("__consumer_offsets").unwrap().clone();
    assert!(topic.internal && !topic.log.expires);
    assert_eq!(topic.configs["cleanup.policy"], "compact");
    let (reply, changes) = bench.run(&CatalogRequest::CreateOffsetsTopic);
    assert!(changes.is_empty());
    let CatalogReply::Created(outcomes) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(outcomes[0].result.as_ref().unwrap().id, TopicId::OFFSETS);
}

#[test]
fn a_topic_in_its_way_is_left_alone() {
    let mut bench = Bench::having(&["__consumer.offsets"]);
    let (reply, changes) = bench.run(&CatalogRequest::CreateOffsetsTopic);
    let CatalogReply::Created(outcomes) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(outcomes[0].result.as_ref().unwrap_err().code(), 17);
    assert!(changes.is_empty());
}

#[test]
fn it_cannot_be_created_deleted_or_grown_by_clients() {
    let mut bench = bench();
    assert_ne!(bench.create_code(topic("__consumer_offsets")), 0);
    for (name, id) in [
        (Some("__consumer_offsets"), TopicId::ZERO),
        (None, TopicId::OFFSETS),
    ] {
        let name = name.map(str::to_owned);
        let topics = vec![TopicRef { name, id }];
        let (reply, changes) = bench.run(&CatalogRequest::DeleteTopics { topics });
        let CatalogReply::Deleted(outcomes) = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(outcomes[0].result.as_ref().unwrap_err().code(), 17);
        assert!(changes.is_empty());
    }
    let (reply, changes) = bench.run(&CatalogRequest::CreatePartitions {
        topics: vec![GrowTopic {
            name: "__consumer_offsets".to_owned(),
            count: 100,
            assignments: None,
        }],
        validate_only: false,
    });
    let CatalogReply::PartitionsCreated(outcomes) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(outcomes[0].result.as_ref().unwrap_err().code(), 17);
    assert!(changes.is_empty());
}

#[test]
fn its_records_never_expire() {
    let mut bench = bench();
    let mut alter = |name: &str, configs: &[(&str, &str)]| {
        let topics = vec![AlterTopic {
            name: name.to_owned(),
            configs: pairs(configs),
        }];
        let (reply, _) = bench.run(&CatalogRequest::AlterConfigs {
            topics,
            validate_only: false,
        });
        let CatalogReply::ConfigsAltered(outcomes) = reply else {
            panic!("{reply:?}")
        };
        code(&outcomes[0].result)
    };
    let offsets = "__consumer_offsets";
    for policy in ["delete", "compact,delete", ""] {
        assert_eq!(
            alter(offsets, &[("cleanup.policy", policy)]),
            POLICY_VIOLATION,
            "{policy:?}"
        );
        assert_eq!(alter("plain", &[("cleanup.policy", policy)]), 0);
    }
    assert_eq!(alter(offsets, &[]), POLICY_VIOLATION);
    let kept = [("cleanup.policy", "compact"), ("retention.ms", "1")];
    assert_eq!(alter(offsets, &kept), 0);
}

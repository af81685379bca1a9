//! CreateTopics, creation on first use, CreatePartitions.

use super::*;
use crate::base::limits::{PARTITIONS_MAX, TOPIC_PARTITIONS_MAX};

#[test]
fn a_topic_is_created_with_what_was_asked() {
    let mut bench = Bench::new();
    let asked = NewTopic {
        partitions: 7,
        replication_factor: 3,
        configs: pairs(&[("retention.ms", "1000"), ("cleanup.policy", "compact")]),
        ..topic("orders")
    };
    let request = CatalogRequest::CreateTopics {
        topics: vec![asked],
        validate_only: false,
    };
    let (reply, changes) = bench.run(&request);
    let CatalogReply::Created(outcomes) = reply else {
        panic!("{reply:?}")
    };
    let created = outcomes[0].result.as_ref().unwrap();
    assert_eq!((created.partitions, created.replication_factor), (7, 1));
    let found = bench.catalog.topic("orders").unwrap();
    assert_eq!(found.id, created.id);
    assert_eq!((found.partitions, found.created_ms), (7, NOW.wall_ms));
    assert_eq!(
        (found.log.retention_ms, found.log.expires),
        (Some(1000), false)
    );
    assert_eq!(bench.catalog.topic_by_id(created.id), Some(found));
    assert_eq!(bench.catalog.partition_count(), 7);
    let (topic, log) = (created.id, found.log);
    assert_eq!(
        changes,
        [Change::TopicCreated {
            topic,
            partitions: 7,
            log
        }]
    );
    let shown = created
        .configs
        .iter()
        .find(|entry| entry.name == "retention.ms")
        .unwrap();
    assert_eq!(shown.value.as_deref(), Some("1000"));
}

#[test]
fn counts_are_checked() {
    let table = [
        (1, 1, 0),
        (-1, -1, 0),
        (3, 3, 0),
        (1, 1000, 0),
        (1, i16::MAX, 0),
        (0, 1, INVALID_PARTITIONS),
        (-2, 1, INVALID_PARTITIONS),
        (i32::MIN, 1, INVALID_PARTITIONS),
        (1, 0, INVALID_REPLICATION_FACTOR),
        (1, -2, INVALID_REPLICATION_FACTOR),
        (0, 0, INVALID_REPLICATION_FACTOR),
        (TOPIC_PARTITIONS_MAX, 1, 0),
        (TOPIC_PARTITIONS_MAX + 1, 1, POLICY_VIOLATION),
        (i32::MAX, 1, POLICY_VIOLATION),
    ];
    for (partitions, replication_factor, expected) in table {
        let asked = NewTopic {
            partitions,
            replication_factor,
            ..topic("t")
        };
        let got = Bench::new().create_code(asked);
        assert_eq!(
            got, expected,
            "{partitions} partitions, factor {replication_factor}"
        );
    }
}

#[test]
fn the_default_count_is_the_brokers() {
    let mut bench = Bench::with(BrokerDefaults {
        partitions: 6,
        ..BrokerDefaults::default()
    });
    assert_eq!(
        bench.create_code(NewTopic {
            partitions: -1,
            ..topic("t")
        }),
        0
    );
    assert_eq!(bench.catalog.topic("t").unwrap().partitions, 6);
}

#[test]
fn names_are_checked_as_kafka_does() {
    let longest = "x".repeat(249);
    let too_long = "x".repeat(250);
    let table = [
        ("orders", 0),
        ("A.b_c-9", 0),
        ("...", 0),
        ("-", 0),
        (longest.as_str(), 0),
        ("__transaction_state", 0),
        ("", INVALID_TOPIC),
        (".", INVALID_TOPIC),
        ("..", INVALID_TOPIC),
        (too_long.as_str(), INVALID_TOPIC),
        ("a b", INVALID_TOPIC),
        ("a/b", INVALID_TOPIC),
        ("a,b", INVALID_TOPIC),
        ("caf\u{e9}", INVALID_TOPIC),
        ("a\0", INVALID_TOPIC),
        ("__cluster_metadata", INVALID_REQUEST),
        ("__consumer_offsets", INVALID_REQUEST),
    ];
    for (name, expected) in table {
        assert_eq!(Bench::new().create_code(topic(name)), expected, "{name:?}");
    }
    let mut bench = Bench::having(&["__transaction_state", "plain"]);
    assert!(bench.catalog.topic("__transaction_state").unwrap().internal);
    assert!(!bench.catalog.topic("plain").unwrap().internal);
    assert_eq!(bench.create_code(topic("plain")), TOPIC_ALREADY_EXISTS);
}

#[test]
fn names_that_differ_in_dots_and_underscores_collide() {
    let mut bench = Bench::having(&["a.b", "plain"]);
    assert_eq!(bench.create_code(topic("a_b")), INVALID_TOPIC);
    assert_eq!(bench.create_code(topic("a.b")), TOPIC_ALREADY_EXISTS);
    assert_eq!(bench.create_code(topic("a-b")), 0);
    let outcomes = bench.create(vec![topic("x.y_z"), topic("x_y.z")]);
    let codes: Vec<_> = outcomes
        .iter()
        .map(|outcome| code(&outcome.result))
        .collect();
    assert_eq!(codes, [0, INVALID_TOPIC], "also within one request");
    // Once the topic is gone its name blocks nothing.
    let topics = vec![TopicRef {
        name: Some("a.b".to_owned()),
        id: TopicId::ZERO,
    }];
    bench.run(&CatalogRequest::DeleteTopics { topics });
    assert_eq!(bench.create_code(topic("a_b")), 0);
}

#[test]
fn each_topic_of_a_request_has_its_own_outcome() {
    let mut bench = Bench::having(&["old"]);
    let outcomes = bench.create(vec![topic("a"), topic("old"), topic("b"), topic("?")]);
    let got: Vec<_> = outcomes
        .iter()
        .map(|o| (o.name.as_str(), code(&o.result)))
        .collect();
    assert_eq!(
        got,
        [
            ("a", 0),
            ("old", TOPIC_ALREADY_EXISTS),
            ("b", 0),
            ("?", INVALID_TOPIC)
        ]
    );
    let outcomes = bench.create(vec![topic("c"), topic("d"), topic("c")]);
    let got: Vec<_> = outcomes
        .iter()
        .map(|o| (o.name.as_str(), code(&o.result)))
        .collect();
    assert_eq!(
        got,
        [("c", INVALID_REQUEST), ("d", 0)],
        "a repeated name is answered once"
    );
    assert!(bench.catalog.topic("c").is_none());
}

#[test]
fn validating_answers_the_same_and_changes_nothing() {
    let mut bench = Bench::having(&["old"]);
    let before = bench.catalog.clone();
    let topics = vec![
        NewTopic {
            partitions: 4,
            ..topic("new")
        },
        topic("old"),
    ];
    let request = CatalogRequest::CreateTopics {
        topics,
        validate_only: true,
    };
    let Decision { records, reply } = bench.decide(&request);
    assert!(records.is_empty());
    let CatalogReply::Created(outcomes) = reply else {
        panic!("{reply:?}")
    };
    let created = outcomes[0].result.as_ref().unwrap();
    assert_eq!((created.id, created.partitions), (TopicId::ZERO, 4));
    assert_eq!(code(&outcomes[1].result), TOPIC_ALREADY_EXISTS);
    assert_eq!(bench.catalog, before);
    assert_eq!(bench.ids, 1, "no id was spent");
    let grow = GrowTopic {
        name: "old".to_owned(),
        count: 2,
        assignments: None,
    };
    let request = CatalogRequest::CreatePartitions {
        topics: vec![grow],
        validate_only: true,
    };
    assert!(bench.decide(&request).records.is_empty());
}

#[test]
fn manual_assignments_are_checked_in_shape() {
    type Rows = &'static [(i32, &'static [i32])];
    let table: [(Rows, i32, i16, i16); 12] = [
        (&[(0, &[0]), (1, &[1])], -1, -1, 0),
        (&[(1, &[1, 2]), (0, &[0, 1])], -1, -1, 0),
        (&[(0, &[900])], -1, -1, 0),
        (&[(0, &[0])], 1, -1, INVALID_REQUEST),
        (&[(0, &[0])], -1, 1, INVALID_REQUEST),
        (&[(1, &[0])], -1, -1, INVALID_REPLICA_ASSIGNMENT),
        (&[(-1, &[0]), (0, &[0])], -1, -1, INVALID_REPLICA_ASSIGNMENT),
        (&[(0, &[0]), (2, &[0])], -1, -1, INVALID_REPLICA_ASSIGNMENT),
        (&[(0, &[0]), (0, &[0])], -1, -1, INVALID_REPLICA_ASSIGNMENT),
        (&[(0, &[])], -1, -1, INVALID_REPLICA_ASSIGNMENT),
        (&[(0, &[1, 1])], -1, -1, INVALID_REPLICA_ASSIGNMENT),
        (
            &[(0, &[1, 2]), (1, &[1])],
            -1,
            -1,
            INVALID_REPLICA_ASSIGNMENT,
        ),
    ];
    for (rows, partitions, replication_factor, expected) in table {
        let row = |(partition, brokers): &(i32, &[i32])| Assignment {
            partition: *partition,
            brokers: brokers.to_vec(),
        };
        let assignments = rows.iter().map(row).collect();
        let asked = NewTopic {
            partitions,
            replication_factor,
            assignments,
            ..topic("t")
        };
        let mut bench = Bench::new();
        assert_eq!(bench.create_code(asked), expected, "{rows:?}");
        let made = bench.catalog.topic("t").map(|topic| topic.partitions);
        assert_eq!(
            made,
            (expected == 0).then_some(rows.len() as i32),
            "{rows:?}"
        );
    }
}

#[test]
fn configs_are_checked_before_anything_is_made() {
    let mut bench = Bench::new();
    for configs in [
        pairs(&[("no.such.config", "1")]),
        pairs(&[("retention.ms", "soon")]),
        pairs(&[("compression.type", "zstd")]),
        vec![("retention.ms".to_owned(), None)],
    ] {
        let asked = NewTopic {
            configs,
            ..topic("t")
        };
        assert_eq!(bench.create_code(asked), INVALID_CONFIG);
    }
    assert_eq!(bench.catalog.topic_count(), 0);
}

#[test]
fn the_host_has_room_for_so_many_partitions() {
    let mut bench = Bench::new();
    let full = PARTITIONS_MAX / TOPIC_PARTITIONS_MAX as usize;
    let large = |n| NewTopic {
        partitions: TOPIC_PARTITIONS_MAX,
        ..topic(&format!("t{n}"))
    };
    let outcomes = bench.create((0..full + 1).map(large).collect());
    let codes: Vec<_> = outcomes
        .iter()
        .map(|outcome| code(&outcome.result))
        .collect();
    let expected = [vec![0; full], vec![POLICY_VIOLATION]].concat();
    assert_eq!(codes, expected, "those of one request count together");
    assert_eq!(bench.catalog.partition_count(), PARTITIONS_MAX);
    assert_eq!(bench.create_code(topic("one-more")), POLICY_VIOLATION);
}

#[test]
fn first_use_creates_with_defaults_and_finds_what_is_there() {
    let mut bench = Bench::with(BrokerDefaults {
        partitions: 3,
        ..BrokerDefaults::default()
    });
    bench.create(vec![topic("old")]);
    let old = bench.catalog.topic("old").unwrap().id;
    let names = ["new", "old", "a b", "old_", "new"]
        .map(str::to_owned)
        .to_vec();
    let (reply, changes) = bench.run(&CatalogRequest::AutoCreate { names });
    let CatalogReply::Created(outcomes) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(outcomes[0].result.as_ref().unwrap().partitions, 3);
    assert_eq!(outcomes[1].result.as_ref().unwrap().id, old);
    assert_eq!(code(&outcomes[2].result), INVALID_TOPIC);
    assert_eq!(code(&outcomes[3].result), 0);
    assert_eq!((outcomes.len(), changes.len()), (4, 2));
}

#[test]
fn topics_grow() {
    type Brokers = Option<&'static [&'static [i32]]>;
    let table: [(&str, i32, Brokers, i16); 9] = [
        ("t", 5, None, 0),
        ("t", 2, None, INVALID_PARTITIONS),
        ("t", 1, None, INVALID_PARTITIONS),
        ("t", -1, None, INVALID_PARTITIONS),
        ("t", TOPIC_PARTITIONS_MAX + 1, None, POLICY_VIOLATION),
        ("u", 5, None, UNKNOWN_TOPIC_OR_PARTITION),
        ("t", 4, Some(&[&[0], &[7]]), 0),
        ("t", 4, Some(&[&[0]]), INVALID_REPLICA_ASSIGNMENT),
        ("t", 4, Some(&[&[0], &[]]), INVALID_REPLICA_ASSIGNMENT),
    ];
    for (name, count, brokers, expected) in table {
        let mut bench = Bench::new();
        bench.create(vec![NewTopic {
            partitions: 2,
            ..topic("t")
        }]);
        let brokers = brokers.map(|all| all.iter().map(|one| one.to_vec()).collect());
        let grow = GrowTopic {
            name: name.to_owned(),
            count,
            assignments: brokers,
        };
        let request = CatalogRequest::CreatePartitions {
            topics: vec![grow],
            validate_only: false,
        };
        let (reply, changes) = bench.run(&request);
        let CatalogReply::PartitionsCreated(outcomes) = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(code(&outcomes[0].result), expected, "{name} {count}");
        let found = bench.catalog.topic("t").unwrap();
        let (topic, log) = (found.id, found.log);
        let grown = Change::PartitionsAdded {
            topic,
            added: 2..count,
            log,
        };
        assert_eq!(changes, if expected == 0 { vec![grown] } else { vec![] });
        let total = if expected == 0 { count } else { 2 };
        assert_eq!(bench.catalog.partition_count(), total as usize);
    }
}

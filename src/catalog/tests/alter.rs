//! AlterConfigs and IncrementalAlterConfigs.

use std::collections::BTreeMap;

use super::*;

fn overrides(bench: &Bench, name: &str) -> Vec<(String, String)> {
    let topic = bench.catalog.topic(name).unwrap();
    topic
        .configs
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn owned(configs: &[(&str, &str)]) -> Vec<(String, String)> {
    configs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn outcomes(reply: CatalogReply) -> ConfigsAltered {
    match reply {
        CatalogReply::ConfigsAltered(outcomes) => outcomes,
        other => panic!("{other:?}"),
    }
}

fn alter(bench: &mut Bench, name: &str, configs: &[(&str, &str)]) -> (i16, Vec<Change>) {
    let topics = vec![AlterTopic {
        name: name.to_owned(),
        configs: pairs(configs),
    }];
    let (reply, changes) = bench.run(&CatalogRequest::AlterConfigs {
        topics,
        validate_only: false,
    });
    (code(&outcomes(reply)[0].result), changes)
}

type Op = (&'static str, i8, Option<&'static str>);

fn increment(bench: &mut Bench, name: &str, ops: &[Op]) -> (i16, Vec<Change>) {
    let op = |(name, op, value): &Op| ConfigOp {
        name: (*name).to_owned(),
        op: *op,
        value: value.map(str::to_owned),
    };
    let ops = ops.iter().map(op).collect();
    let topics = vec![IncrementalAlterTopic {
        name: name.to_owned(),
        ops,
    }];
    let (reply, changes) = bench.run(&CatalogRequest::IncrementalAlterConfigs {
        topics,
        validate_only: false,
    });
    (code(&outcomes(reply)[0].result), changes)
}

#[test]
fn altering_replaces_all_overrides() {
    let mut bench = Bench::having(&["t"]);
    let (code, changes) = alter(
        &mut bench,
        "t",
        &[("retention.ms", "5"), ("segment.ms", "7")],
    );
    let found = bench.catalog.topic("t").unwrap();
    let (topic, log) = (found.id, found.log);
    assert_eq!((code, log.retention_ms), (0, Some(5)));
    assert_eq!(changes, [Change::ConfigChanged { topic, log }]);
    let (code, changes) = alter(&mut bench, "t", &[("retention.ms", "5")]);
    assert_eq!(code, 0);
    assert_eq!(changes, [Change::None], "no log cares about segment.ms");
    assert_eq!(overrides(&bench, "t"), owned(&[("retention.ms", "5")]));
    let (code, changes) = alter(&mut bench, "t", &[("retention.ms", "5")]);
    assert_eq!(
        (code, changes.len()),
        (0, 0),
        "what is so already needs no record"
    );
    assert_eq!(alter(&mut bench, "t", &[]).0, 0);
    assert_eq!(
        bench.catalog.topic("t").unwrap().log,
        crate::base::LogConfig::default()
    );
}

#[test]
fn altering_refuses_as_a_whole() {
    type Configs = &'static [(&'static str, &'static str)];
    let table: [(&str, Configs, i16); 5] = [
        ("x", &[], UNKNOWN_TOPIC_OR_PARTITION),
        ("t", &[("no.such", "1")], INVALID_CONFIG),
        (
            "t",
            &[("segment.ms", "1"), ("retention.ms", "x")],
            INVALID_CONFIG,
        ),
        (
            "t",
            &[("segment.ms", "1"), ("segment.ms", "2")],
            INVALID_REQUEST,
        ),
        ("t", &[("remote.storage.enable", "true")], INVALID_CONFIG),
    ];
    for (name, configs, expected) in table {
        let mut bench = Bench::having(&["t"]);
        assert_eq!(alter(&mut bench, name, configs).0, expected, "{configs:?}");
        assert!(overrides(&bench, "t").is_empty());
    }
    let mut bench = Bench::having(&["t"]);
    let configs = vec![("retention.ms".to_owned(), None)];
    let topic = AlterTopic {
        name: "t".to_owned(),
        configs,
    };
    let twice = AlterTopic {
        name: "t".to_owned(),
        configs: vec![],
    };
    for topics in [vec![topic], vec![twice.clone(), twice]] {
        let request = CatalogRequest::AlterConfigs {
            topics,
            validate_only: false,
        };
        let outcomes = outcomes(bench.run(&request).0);
        assert_eq!(outcomes.len(), 1);
        assert_eq!(code(&outcomes[0].result), INVALID_REQUEST);
    }
}

#[test]
fn increments_change_single_overrides() {
    type Expected = &'static [(&'static str, &'static str)];
    let steps: [(&[Op], Expected); 8] = [
        (&[("retention.ms", 0, Some("5"))], &[("retention.ms", "5")]),
        (
            &[("segment.ms", 0, Some("7")), ("retention.ms", 1, None)],
            &[("segment.ms", "7")],
        ),
        (
            &[("segment.ms", 1, Some("ignored")), ("no.such", 1, None)],
            &[],
        ),
        // Lists start from the default, 'delete'.
        (
            &[("cleanup.policy", 2, Some("compact"))],
            &[("cleanup.policy", "delete,compact")],
        ),
        (
            &[("cleanup.policy", 2, Some("compact,delete"))],
            &[("cleanup.policy", "delete,compact")],
        ),
        (
            &[("cleanup.policy", 3, Some("delete"))],
            &[("cleanup.policy", "compact")],
        ),
        (
            &[("cleanup.policy", 3, Some("delete, compact"))],
            &[("cleanup.policy", "")],
        ),
        (
            &[("cleanup.policy", 2, Some(" delete"))],
            &[("cleanup.policy", "delete")],
        ),
    ];
    let mut bench = Bench::having(&["t"]);
    for (ops, expected) in steps {
        assert_eq!(increment(&mut bench, "t", ops).0, 0, "{ops:?}");
        assert_eq!(overrides(&bench, "t"), owned(expected), "{ops:?}");
    }
}

#[test]
fn lists_start_from_the_brokers_setting() {
    let configs = BTreeMap::from([("log.cleanup.policy".to_owned(), "compact".to_owned())]);
    let mut bench = Bench::with(BrokerDefaults {
        configs,
        ..BrokerDefaults::default()
    });
    bench.create(vec![topic("t")]);
    assert!(!bench.catalog.topic("t").unwrap().log.expires);
    let (code, changes) = increment(&mut bench, "t", &[("cleanup.policy", 2, Some("delete"))]);
    assert_eq!((code, changes.len()), (0, 1));
    assert_eq!(
        overrides(&bench, "t"),
        owned(&[("cleanup.policy", "compact,delete")])
    );
}

#[test]
fn increments_are_refused_as_a_whole() {
    let table: [(&str, &[Op], i16); 9] = [
        (
            "x",
            &[("retention.ms", 0, Some("5"))],
            UNKNOWN_TOPIC_OR_PARTITION,
        ),
        ("t", &[("retention.ms", 0, None)], INVALID_REQUEST),
        ("t", &[("retention.ms", 4, Some("5"))], INVALID_REQUEST),
        ("t", &[("retention.ms", -1, Some("5"))], INVALID_REQUEST),
        ("t", &[("retention.ms", 2, Some("5"))], INVALID_CONFIG),
        ("t", &[("no.such", 3, Some("5"))], INVALID_CONFIG),
        ("t", &[("cleanup.policy", 2, Some("shred"))], INVALID_CONFIG),
        (
            "t",
            &[("segment.ms", 0, Some("5")), ("retention.ms", 0, Some("x"))],
            INVALID_CONFIG,
        ),
        (
            "t",
            &[("segment.ms", 0, Some("5")), ("segment.ms", 1, None)],
            INVALID_REQUEST,
        ),
    ];
    for (name, ops, expected) in table {
        let mut bench = Bench::having(&["t"]);
        let (code, changes) = increment(&mut bench, name, ops);
        assert_eq!((code, changes.len()), (expected, 0), "{ops:?}");
        assert!(overrides(&bench, "t").is_empty());
    }
}

#[test]
fn validating_changes_nothing() {
    let mut bench = Bench::having(&["t"]);
    let ops = vec![ConfigOp {
        name: "retention.ms".to_owned(),
        op: 0,
        value: Some("5".to_owned()),
    }];
    let topics = vec![IncrementalAlterTopic {
        name: "t".to_owned(),
        ops,
    }];
    let request = CatalogRequest::IncrementalAlterConfigs {
        topics,
        validate_only: true,
    };
    let Decision { records, reply } = bench.decide(&request);
    assert!(records.is_empty());
    assert!(outcomes(reply)[0].result.is_ok());
}

//! The tables of configs, their values, and how they are described.

use std::collections::BTreeMap;

use super::*;
use crate::base::TimestampType;
use crate::catalog::configs::{
    BROKER_CONFIGS, ConfigEntry, ConfigSource, TOPIC_CONFIGS, check_topic_configs, describe_broker,
    log_config, parse, refuse_broker_change, topic_config,
};

fn map(configs: &[(&str, &str)]) -> BTreeMap<String, String> {
    configs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn check(name: &str, value: &str) -> Result<(), String> {
    check_topic_configs(&BrokerDefaults::default(), &map(&[(name, value)]))
        .map_err(|error| error.message)
}

#[test]
fn the_table_is_sorted_and_its_defaults_are_valid() {
    assert!(TOPIC_CONFIGS.is_sorted_by(|a, b| a.name < b.name));
    assert!(BROKER_CONFIGS.is_sorted_by(|a, b| a.name < b.name));
    for config in TOPIC_CONFIGS {
        assert!(parse(config, config.default).is_ok(), "{}", config.name);
        assert_eq!(topic_config(config.name).unwrap().name, config.name);
        assert_eq!(
            check(config.name, config.default),
            Ok(()),
            "a default can be set"
        );
        assert!(config.doc.ends_with('.'), "{}", config.name);
    }
    assert!(topic_config("no.such").is_none());
}

#[test]
fn defaults_are_kafkas() {
    assert_eq!(
        log_config(&map(&[]), &map(&[])),
        crate::base::LogConfig::default()
    );
}

#[test]
fn values_that_kafka_takes_are_taken() {
    let max = i64::MAX.to_string();
    let good: &[(&str, &str)] = &[
        ("retention.ms", "-1"),
        ("retention.ms", " 60000 "),
        ("retention.ms", "+5"),
        ("retention.bytes", "-5"),
        ("max.message.bytes", "0"),
        ("max.message.bytes", "67108864"),
        ("cleanup.policy", "compact"),
        ("cleanup.policy", "compact, delete"),
        ("cleanup.policy", ""),
        ("message.timestamp.type", "LogAppendTime"),
        ("compression.type", "producer"),
        ("compression.gzip.level", "-1"),
        ("compression.gzip.level", "9"),
        ("compression.zstd.level", "-131072"),
        ("min.insync.replicas", "2"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("min.cleanable.dirty.ratio", "1"),
        ("preallocate", "TRUE"),
        ("segment.bytes", "1048576"),
        ("unclean.leader.election.enable", "false"),
        ("remote.storage.enable", "false"),
        ("local.retention.ms", "-2"),
        ("message.timestamp.after.max.ms", &max),
        ("message.timestamp.after.max.ms", "0"),
        ("message.timestamp.before.max.ms", "86400000"),
        ("leader.replication.throttled.replicas", "*"),
        ("leader.replication.throttled.replicas", "0:1,1:2"),
        ("follower.replication.throttled.replicas", ""),
    ];
    for (name, value) in good {
        assert_eq!(check(name, value), Ok(()), "{name}={value}");
    }
}

#[test]
fn values_are_refused_with_the_reason() {
    let bad: &[(&str, &str, &str)] = &[
        ("retention.ms", "-2", "at least -1"),
        ("retention.ms", "", "64-bit integer"),
        ("retention.ms", "1.5", "64-bit integer"),
        ("retention.ms", "9223372036854775808", "64-bit integer"),
        ("max.message.bytes", "-1", "at least 0"),
        ("max.message.bytes", "2147483648", "32-bit integer"),
        ("max.message.bytes", "67108865", "at most 67108864 bytes"),
        ("cleanup.policy", "Delete", "list of compact, delete"),
        ("cleanup.policy", "delete,", "list of compact, delete"),
        ("cleanup.policy", "delete,delete", "twice"),
        (
            "message.timestamp.type",
            "createtime",
            "one of CreateTime, LogAppendTime",
        ),
        ("compression.type", "brotli", "one of uncompressed"),
        ("compression.type", "zstd", "not enforced yet"),
        ("compression.type", "uncompressed", "not enforced yet"),
        ("compression.gzip.level", "0", "-1 or from 1 to 9"),
        ("compression.lz4.level", "18", "from 1 to 17"),
        ("compression.zstd.level", "23", "from -131072 to 22"),
        ("min.insync.replicas", "0", "at least 1"),
        ("min.cleanable.dirty.ratio", "1.1", "from 0 to 1"),
        ("min.cleanable.dirty.ratio", "NaN", "a number"),
        ("preallocate", "yes", "true or false"),
        ("segment.bytes", "1048575", "at least 1048576"),
        (
            "remote.storage.enable",
            "true",
            "tiered storage is disabled",
        ),
        ("remote.storage.enable", "yes", "true or false"),
        ("message.timestamp.after.max.ms", "-1", "at least 0"),
        (
            // Of Kafka 3; gone in Kafka 4.
            "message.timestamp.difference.max.ms",
            "1000",
            "Unknown topic config name",
        ),
        ("message.timestamp.before.max.ms", "-1", "at least 0"),
        (
            "leader.replication.throttled.replicas",
            "0",
            "partition:broker",
        ),
        (
            "leader.replication.throttled.replicas",
            "*,0:1",
            "partition:broker",
        ),
        ("no.such", "1", "Unknown topic config name: no.such"),
    ];
    for (name, value, reason) in bad {
        let error = check(name, value).unwrap_err();
        assert!(error.contains(reason), "{name}={value}: {error}");
    }
}

#[test]
fn configs_are_checked_together() {
    let lags = map(&[
        ("min.compaction.lag.ms", "10"),
        ("max.compaction.lag.ms", "9"),
    ]);
    let error = check_topic_configs(&BrokerDefaults::default(), &lags).unwrap_err();
    assert!(
        error.message.contains("more than max.compaction.lag.ms"),
        "{error}"
    );
    let narrow = BrokerDefaults {
        max_message_bytes_max: 1000,
        ..BrokerDefaults::default()
    };
    let batch = map(&[("max.message.bytes", "1001")]);
    assert!(check_topic_configs(&narrow, &batch).is_err());
}

#[test]
fn a_clients_text_does_not_flood_the_message() {
    let error = check("retention.ms", &"9".repeat(10_000)).unwrap_err();
    assert!(error.len() < 300, "{error}");
    let error = check(&"x".repeat(10_000), "1").unwrap_err();
    assert!(error.len() < 300, "{error}");
    assert!(
        check(
            "leader.replication.throttled.replicas",
            &"0:1,".repeat(10_000)
        )
        .is_err()
    );
}

#[test]
fn topic_over_broker_over_default() {
    let broker = map(&[
        ("log.retention.ms", "1000"),
        ("log.retention.bytes", "2000"),
        ("message.max.bytes", "3000"),
        ("log.message.timestamp.type", "LogAppendTime"),
        ("log.message.timestamp.before.max.ms", "4000"),
        ("log.message.timestamp.after.max.ms", "5000"),
    ]);
    let no_bound = i64::MAX.to_string();
    let log = log_config(
        &broker,
        &map(&[
            ("retention.ms", "-1"),
            ("retention.bytes", "7"),
            ("message.timestamp.after.max.ms", &no_bound),
        ]),
    );
    assert_eq!(
        (log.timestamp_before_max_ms, log.timestamp_after_max_ms),
        (Some(4000), None)
    );
    assert_eq!((log.retention_ms, log.retention_bytes), (None, Some(7)));
    assert_eq!(log.max_message_bytes, 3000);
    assert_eq!(log.timestamp_type, TimestampType::LogAppendTime);
    // What another version stored and this one cannot read counts as not set.
    let log = log_config(
        &broker,
        &map(&[("retention.ms", "P7D"), ("new.config", "1")]),
    );
    assert_eq!(log.retention_ms, Some(1000));
}

fn find<'a>(entries: &'a [ConfigEntry], name: &str) -> &'a ConfigEntry {
    entries.iter().find(|entry| entry.name == name).unwrap()
}

fn sources(entry: &ConfigEntry) -> Vec<(&str, &str, ConfigSource)> {
    let synonyms = entry.synonyms.iter();
    synonyms
        .map(|s| (s.name, s.value.as_deref().unwrap(), s.source))
        .collect()
}

#[test]
fn a_topics_configs_tell_where_they_come_from() {
    let configs = map(&[
        ("log.retention.ms", "1000"),
        ("message.max.bytes", "1048588"),
    ]);
    let mut bench = Bench::with(BrokerDefaults {
        configs,
        ..BrokerDefaults::default()
    });
    let configs = pairs(&[("retention.ms", "5")]);
    bench.create(vec![
        NewTopic {
            configs,
            ..topic("t")
        },
        topic("plain"),
    ]);
    let (t, plain) = (
        bench.catalog.topic("t").unwrap(),
        bench.catalog.topic("plain").unwrap(),
    );

    let all = bench.catalog.describe_configs(t, None);
    assert_eq!(all.len(), TOPIC_CONFIGS.len());
    let entry = find(&all, "retention.ms");
    assert_eq!(
        (entry.value.as_deref(), entry.source),
        (Some("5"), ConfigSource::Topic)
    );
    assert_eq!((entry.source.code(), entry.kind.code()), (1, 5));
    assert!(!entry.is_default() && !entry.read_only && !entry.is_sensitive());
    assert_eq!(
        sources(entry),
        [
            ("retention.ms", "5", ConfigSource::Topic),
            ("log.retention.ms", "1000", ConfigSource::StaticBroker),
            ("log.retention.ms", "604800000", ConfigSource::Default),
        ]
    );

    let keys = [
        "retention.ms",
        "max.message.bytes",
        "remote.storage.enable",
        "no.such",
    ];
    let some = bench
        .catalog
        .describe_configs(plain, Some(&keys.map(str::to_owned)));
    assert_eq!(some.len(), 3, "unknown keys are left out");
    let entry = find(&some, "retention.ms");
    assert_eq!(
        (entry.value.as_deref(), entry.source.code()),
        (Some("1000"), 4)
    );
    let entry = find(&some, "max.message.bytes");
    assert!(entry.is_default(), "the broker runs with the default");
    assert_eq!(entry.source.code(), 5);
    let entry = find(&some, "remote.storage.enable");
    assert_eq!(
        (entry.value.as_deref(), entry.synonyms.len()),
        (Some("false"), 0)
    );
}

#[test]
fn a_brokers_configs_are_its_settings_and_fixed() {
    let values = map(&[
        ("num.partitions", "6"),
        ("log.dirs", "/data"),
        ("log.retention.ms", "9"),
    ]);
    let all = describe_broker(&values, None);
    assert!(all.is_sorted_by(|a, b| a.name < b.name), "each name once");
    assert!(all.iter().all(|entry| entry.read_only));
    let shown = |name| {
        let entry = find(&all, name);
        (entry.value.as_deref(), entry.source)
    };
    assert_eq!(
        shown("num.partitions"),
        (Some("6"), ConfigSource::StaticBroker)
    );
    assert_eq!(
        shown("log.dirs"),
        (Some("/data"), ConfigSource::StaticBroker)
    );
    assert_eq!(
        shown("log.retention.ms"),
        (Some("9"), ConfigSource::StaticBroker)
    );
    assert_eq!(
        shown("auto.create.topics.enable"),
        (Some("true"), ConfigSource::Default)
    );
    assert_eq!(shown("listeners"), (None, ConfigSource::Default));
    assert_eq!(
        describe_broker(&values, Some(&["log.dirs".to_owned()])).len(),
        1
    );
    assert_eq!(refuse_broker_change().code(), INVALID_REQUEST);
}

/// Which topics a request makes compacted, to be told to whoever runs the broker.
#[test]
fn only_what_becomes_compacted_is_told() {
    let mut bench = Bench::having(&["plain", "altered"]);
    let mut newly = |request: CatalogRequest| {
        let decision = bench.decide(&request);
        let told = decision.newly_compacted(&bench.catalog);
        bench.run(&request);
        told
    };
    let create = |name: &str, policy: &str, validate_only| CatalogRequest::CreateTopics {
        topics: vec![NewTopic {
            configs: pairs(&[("cleanup.policy", policy)]),
            ..topic(name)
        }],
        validate_only,
    };
    let alter = |name: &str, configs: &[(&str, &str)]| CatalogRequest::AlterConfigs {
        topics: vec![AlterTopic {
            name: name.to_owned(),
            configs: pairs(configs),
        }],
        validate_only: false,
    };
    let compact = ("cleanup.policy", "compact");
    assert!(newly(create("tried", "compact", true)).is_empty());
    assert!(newly(create("deleting", "delete", false)).is_empty());
    assert_eq!(newly(create("born", "delete, compact", false)), ["born"]);
    assert_eq!(newly(alter("altered", &[compact])), ["altered"]);
    let more = [compact, ("retention.ms", "5")];
    assert!(newly(alter("altered", &more)).is_empty(), "told already");
    assert!(newly(alter("altered", &[])).is_empty());
    assert_eq!(newly(alter("altered", &more)), ["altered"], "anew");
    let deletion = CatalogRequest::DeleteTopics {
        topics: vec![TopicRef {
            name: Some("born".to_owned()),
            id: TopicId::ZERO,
        }],
    };
    assert!(newly(deletion).is_empty());
    let own = newly(CatalogRequest::CreateOffsetsTopic);
    assert!(own.is_empty(), "its coordinators shorten it");
}

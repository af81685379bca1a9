//! Configs of groups.

use super::*;
use crate::catalog::configs::{ConfigSource, GroupTimeouts};

const SESSION: &str = "consumer.session.timeout.ms";
const INTERVAL: &str = "consumer.heartbeat.interval.ms";

/// The bounds that brokers have by default.
fn bench() -> Bench {
    let configs = [
        ("group.consumer.session.timeout.ms", "45000"),
        ("group.consumer.min.session.timeout.ms", "45000"),
        ("group.consumer.max.session.timeout.ms", "60000"),
        ("group.consumer.heartbeat.interval.ms", "5000"),
        ("group.consumer.min.heartbeat.interval.ms", "5000"),
        ("group.consumer.max.heartbeat.interval.ms", "60000"),
    ];
    let configs = configs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Bench::with(BrokerDefaults {
        configs: configs.into(),
        ..BrokerDefaults::default()
    })
}

type Op = (&'static str, i8, Option<&'static str>);

fn group(name: &str, replaces: bool, ops: &[Op]) -> AlterGroup {
    let op = |(name, op, value): &Op| ConfigOp {
        name: (*name).to_owned(),
        op: *op,
        value: value.map(str::to_owned),
    };
    AlterGroup {
        name: name.to_owned(),
        replaces,
        ops: ops.iter().map(op).collect(),
    }
}

fn alter(bench: &mut Bench, groups: Vec<AlterGroup>, validate_only: bool) -> Vec<i16> {
    let request = CatalogRequest::AlterGroupConfigs {
        groups,
        validate_only,
    };
    match bench.run(&request).0 {
        CatalogReply::ConfigsAltered(outcomes) => outcomes
            .iter()
            .map(|outcome| code(&outcome.result))
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn timeouts(bench: &Bench, name: &str) -> (Option<i32>, Option<i32>) {
    let set = GroupTimeouts::of(bench.catalog.group_configs(name));
    (set.session_timeout_ms, set.heartbeat_interval_ms)
}

#[test]
fn groups_have_configs_whether_they_are_there_or_not() {
    let mut bench = bench();
    let first = group("g", false, &[(SESSION, 0, Some("50000"))]);
    assert_eq!(alter(&mut bench, vec![first.clone()], true), [0]);
    assert_eq!(
        timeouts(&bench, "g"),
        (None, None),
        "it was to be checked only"
    );
    assert_eq!(alter(&mut bench, vec![first], false), [0]);
    let second = group("g", false, &[(INTERVAL, 0, Some("6000"))]);
    assert_eq!(alter(&mut bench, vec![second], false), [0]);
    assert_eq!(timeouts(&bench, "g"), (Some(50_000), Some(6000)));
    let third = group("g", true, &[(INTERVAL, 0, Some("7000"))]);
    assert_eq!(alter(&mut bench, vec![third], false), [0]);
    assert_eq!(timeouts(&bench, "g"), (None, Some(7000)));
    let again = group("g", false, &[(INTERVAL, 0, Some("7000"))]);
    assert_eq!(alter(&mut bench, vec![again], false), [0], "nothing new");
    assert_eq!(ConfigSource::Group.code(), 8, "DYNAMIC_GROUP_CONFIG");
    let described = bench.catalog.describe_group_configs("g", None);
    let told: Vec<_> = described
        .iter()
        .map(|entry| (&*entry.name, entry.value.as_deref(), entry.source))
        .collect();
    let expected = [
        (INTERVAL, Some("7000"), ConfigSource::Group),
        (SESSION, Some("45000"), ConfigSource::Default),
    ];
    assert_eq!(told, expected);
    let mut other = Catalog::new(bench.catalog.defaults.clone());
    for record in bench.catalog.snapshot() {
        other.replay(&record);
    }
    assert_eq!(other, bench.catalog);
    let last = group("g", false, &[(INTERVAL, 1, None)]);
    assert_eq!(alter(&mut bench, vec![last], false), [0]);
    assert_eq!(bench.catalog.groups_with_configs().count(), 0);
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    let mut bench = bench();
    let table: [(&str, &[Op], i16); 11] = [
        ("", &[], INVALID_REQUEST),
        ("g", &[(SESSION, 0, Some("44999"))], INVALID_CONFIG),
        ("g", &[(SESSION, 0, Some("60001"))], INVALID_CONFIG),
        ("g", &[(SESSION, 0, Some("long"))], INVALID_CONFIG),
        ("g", &[(INTERVAL, 0, Some("4999"))], INVALID_CONFIG),
        ("g", &[(INTERVAL, 0, Some("45000"))], INVALID_CONFIG),
        ("g", &[(SESSION, 2, Some("50000"))], INVALID_CONFIG),
        ("g", &[(SESSION, 7, Some("50000"))], INVALID_REQUEST),
        ("g", &[(SESSION, 0, None)], INVALID_REQUEST),
        (
            "g",
            &[("share.session.timeout.ms", 0, Some("50000"))],
            INVALID_CONFIG,
        ),
        (
            "g",
            &[(SESSION, 0, Some("50000")), (SESSION, 1, None)],
            INVALID_REQUEST,
        ),
    ];
    for (name, ops, expected) in table {
        let refused = alter(&mut bench, vec![group(name, false, ops)], false);
        assert_eq!(refused, [expected], "{name} {ops:?}");
    }
    let longer = "g".repeat(crate::base::limits::STRING_BYTES_MAX + 1);
    assert_eq!(
        alter(&mut bench, vec![group(&longer, false, &[])], false),
        [INVALID_REQUEST]
    );
    assert_eq!(bench.catalog.groups_with_configs().count(), 0);
}

#[test]
fn so_many_groups_have_configs() {
    let mut bench = bench();
    let set: &[Op] = &[(SESSION, 0, Some("50000"))];
    let max = crate::base::limits::GROUPS_WITH_CONFIGS_MAX;
    let groups = (0..=max).map(|n| group(&n.to_string(), false, set));
    let codes = alter(&mut bench, groups.collect(), false);
    assert!(codes[..max].iter().all(|code| *code == 0));
    assert_eq!(codes[max], POLICY_VIOLATION);
    let again = group("0", false, &[(SESSION, 0, Some("51000"))]);
    assert_eq!(alter(&mut bench, vec![again], false), [0]);
}

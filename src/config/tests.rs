//! The merge of layers and the checks across keys; values' syntax.

use std::path::Path;

use super::parse::{self, Advertise};
use super::*;
use crate::base::limits::{GIB, MIB};

fn host() -> Host {
    Host {
        cpus: vec![0, 1, 2, 3],
        parallelism: 4,
        memory: 16 << 30,
    }
}

fn layer(values: &[(&str, &str)]) -> Layer {
    let mut layer = Layer::default();
    for (key, value) in values {
        layer.set(key, value).unwrap();
    }
    layer
}

fn settle(values: &[(&str, &str)]) -> Result<Settings, String> {
    let room = |_: &Path| Ok(100 << 30);
    resolve(layer(values), &host(), room).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_those_of_the_manual() {
    let settings = settle(&[]).unwrap();
    let expected = Settings {
        listen: "127.0.0.1:9092".parse().unwrap(),
        advertise: AdvertisedAddress {
            host: "127.0.0.1".to_owned(),
            port: 9092,
        },
        topology: Topology::PerCore,
        cores: 4,
        cpus: Some(vec![0, 1, 2, 3]),
        data_dir: PathBuf::from("data"),
        memory: 4 << 30,
        wal_disk: 50 << 30,
        auto_create_topics: true,
        default_partitions: 1,
        retention_check_interval_ms: 300_000,
        log_retention_ms: 604_800_000,
        log_retention_bytes: -1,
        log_message_timestamp_before_max_ms: i64::MAX,
        log_message_timestamp_after_max_ms: 3_600_000,
        message_max_bytes: 1_048_588,
        producer_id_expiration_ms: 86_400_000,
        groups: GroupSettings {
            offsets_retention_minutes: 10_080,
            offset_metadata_max_bytes: 4096,
            initial_rebalance_delay_ms: 3000,
            max_size: i32::MAX,
            min_session_timeout_ms: 6000,
            max_session_timeout_ms: 1_800_000,
        },
        consumer_groups: ConsumerGroupSettings {
            session_timeout_ms: 45_000,
            min_session_timeout_ms: 45_000,
            max_session_timeout_ms: 60_000,
            heartbeat_interval_ms: 5000,
            min_heartbeat_interval_ms: 5000,
            max_heartbeat_interval_ms: 15_000,
            max_size: i32::MAX,
            assignors: vec!["uniform".to_owned(), "range".to_owned()],
        },
        connections_max_idle_ms: 600_000,
        log_level: "info".to_owned(),
    };
    assert_eq!(settings, expected);
    assert_eq!(settings.memory_per_shard(), 1 << 30);
    assert_eq!(settings.wal_disk_per_shard(), (50 << 30) / 4);
    let log = crate::catalog::configs::log_config(&settings.kafka_configs(), &BTreeMap::new());
    assert_eq!(log, crate::base::LogConfig::default());
}

#[test]
fn the_upper_layer_wins_key_by_key() {
    let (flags, file) = (
        layer(&[("cores", "3")]),
        layer(&[("cores", "2"), ("memory", "1GiB")]),
    );
    let merged = flags.over(file);
    assert_eq!(merged, layer(&[("cores", "3"), ("memory", "1GiB")]));
}

#[test]
fn each_key_can_be_set_and_overrides_what_is_below() {
    let values = |n: usize| {
        let pick = |a: &'static str, b: &'static str| if n == 0 { a } else { b };
        [
            ("listen", pick("10.0.0.1:1", "10.0.0.2:2")),
            ("advertise", pick("a", "b:7")),
            ("topology", pick("single", "per-core")),
            ("cores", pick("1", "2")),
            ("data-dir", pick("/a", "/b")),
            ("memory", pick("1GiB", "2GiB")),
            ("wal-disk", pick("1GiB", "2GiB")),
            ("auto-create-topics", pick("true", "false")),
            ("default-partitions", pick("1", "2")),
            ("retention-check-interval", pick("1s", "2s")),
            ("log-retention-ms", pick("-1", "2")),
            ("log-retention-bytes", pick("-1", "2")),
            ("log-message-timestamp-before-max-ms", pick("0", "1")),
            ("log-message-timestamp-after-max-ms", pick("0", "1")),
            ("message-max-bytes", pick("1MiB", "2MiB")),
            ("producer-id-expiration-ms", pick("1000", "2000")),
            ("offsets-retention-minutes", pick("1", "2")),
            ("offset-metadata-max-bytes", pick("0", "1")),
            ("group-initial-rebalance-delay-ms", pick("0", "1")),
            ("group-max-size", pick("1", "2")),
            ("group-min-session-timeout-ms", pick("1", "2")),
            ("group-max-session-timeout-ms", pick("1", "2")),
            ("group-consumer-session-timeout-ms", pick("1", "2")),
            ("group-consumer-min-session-timeout-ms", pick("1", "2")),
            ("group-consumer-max-session-timeout-ms", pick("1", "2")),
            ("group-consumer-heartbeat-interval-ms", pick("1", "2")),
            ("group-consumer-min-heartbeat-interval-ms", pick("1", "2")),
            ("group-consumer-max-heartbeat-interval-ms", pick("1", "2")),
            ("group-consumer-max-size", pick("1", "2")),
            ("group-consumer-assignors", pick("range", "uniform")),
            ("connections-max-idle-ms", pick("-1", "2000")),
            ("log-level", pick("warn", "debug")),
        ]
    };
    assert_eq!(
        values(0).map(|(key, _)| key),
        KEYS,
        "a new key belongs here as well"
    );
    let (all, below) = (layer(&values(0)), layer(&values(1)));
    assert_eq!(all.clone().over(below.clone()), all);
    assert_eq!(Layer::default().over(below.clone()), below);
    for (key, value) in values(0) {
        assert_ne!(layer(&[(key, value)]).over(below.clone()), below, "{key}");
    }
}

#[test]
fn shards_are_pinned_only_where_each_has_a_cpu_of_its_own() {
    type Row = (
        &'static [usize],
        usize,
        &'static str,
        Option<&'static [usize]>,
    );
    let table: [Row; 5] = [
        (&[4, 6], 2, "2", Some(&[4, 6])),
        (&[4, 6], 2, "1", Some(&[4])),
        (&[4, 6], 2, "3", None),
        // A quota of two CPUs' time on a set of four.
        (&[0, 1, 2, 3], 2, "2", None),
        (&[], 1, "1", None),
    ];
    for (cpus, parallelism, cores, pinned) in table {
        let host = Host {
            cpus: cpus.to_vec(),
            parallelism,
            memory: 1 << 34,
        };
        let settings = resolve(layer(&[("cores", cores)]), &host, |_| Ok(1 << 40)).unwrap();
        assert_eq!(
            settings.cpus.as_deref(),
            pinned,
            "{cpus:?} {parallelism} {cores}"
        );
    }
}

#[test]
fn ports_and_addresses_follow_the_topology() {
    let given = [
        ("listen", "0.0.0.0:9000"),
        ("advertise", "kafka.example:7000"),
        ("cores", "3"),
    ];
    let per_core = settle(&given).unwrap();
    assert_eq!(per_core.listen_of(ShardId(2)).to_string(), "0.0.0.0:9002");
    assert_eq!(per_core.advertised_of(ShardId(2)), ("kafka.example", 7002));
    let single = settle(&[&given[..], &[("topology", "single")]].concat()).unwrap();
    assert_eq!(single.listen_of(ShardId(2)).to_string(), "0.0.0.0:9000");
    assert_eq!(single.advertised_of(ShardId(2)), ("kafka.example", 7000));
    let configs = per_core.kafka_configs_of(ShardId(1));
    assert_eq!(
        configs["advertised.listeners"],
        "PLAINTEXT://kafka.example:7001"
    );
    assert_eq!(configs["node.id"], "1");
    let v6 = settle(&[("listen", "[::1]:9000"), ("cores", "1")]).unwrap();
    let configs = v6.kafka_configs_of(ShardId(0));
    assert_eq!(configs["advertised.listeners"], "PLAINTEXT://[::1]:9000");
    assert_eq!(configs["listeners"], "PLAINTEXT://[::1]:9000");
}

#[test]
fn settings_that_do_not_fit_are_refused_with_the_reason() {
    type Given = &'static [(&'static str, &'static str)];
    let table: [(Given, &str); 6] = [
        (&[("listen", "0.0.0.0:9092")], "'advertise'"),
        (&[("listen", "[::]:9092")], "'advertise'"),
        (
            &[("listen", "127.0.0.1:65535"), ("cores", "2")],
            "65535 is the last",
        ),
        (
            &[("advertise", "a:65535"), ("cores", "2")],
            "advertise = a: 2 cores need the ports from 65535",
        ),
        (
            &[("memory", "1MiB"), ("cores", "2")],
            "memory = 1048576: 2 cores need at least 64 MiB",
        ),
        (
            &[("wal-disk", "1MiB"), ("cores", "2")],
            "wal-disk = 1048576: 2 cores need",
        ),
    ];
    for (values, reason) in table {
        let error = settle(values).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    let fits = [
        ("listen", "127.0.0.1:65535"),
        ("cores", "2"),
        ("topology", "single"),
    ];
    assert!(settle(&fits).is_ok());
    let error = resolve(Layer::default(), &host(), |_| Ok(1 << 20))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("half of what the file system of data has"),
        "{error}"
    );
}

#[test]
fn defaults_follow_the_host_within_bounds() {
    let small = Host {
        cpus: vec![0],
        parallelism: 1,
        memory: 64 << 20,
    };
    let settings = resolve(Layer::default(), &small, |_| Ok(1 << 40)).unwrap();
    assert_eq!((settings.cores, settings.memory), (1, 32 << 20));
    assert_eq!(settings.wal_disk, 256 << 30);
    let huge = Host {
        cpus: vec![],
        parallelism: 5000,
        memory: 1 << 44,
    };
    assert_eq!(
        resolve(Layer::default(), &huge, |_| Ok(1 << 44))
            .unwrap()
            .cores,
        1024
    );
}

#[test]
fn sizes_and_durations() {
    let (mib, gib) = (MIB as u64, GIB as u64);
    let sizes = [
        ("0", Some(0)),
        ("1024", Some(1024)),
        ("7B", Some(7)),
        ("3KiB", Some(3072)),
        ("512MiB", Some(512 * mib)),
        ("4 GiB", Some(4 * gib)),
        ("2TiB", Some(2048 * gib)),
        ("1MB", None),
        ("1.5GiB", None),
        ("-1", None),
        ("", None),
        ("GiB", None),
        ("99999999999TiB", None),
        ("99999999999999999999999", None),
    ];
    for (text, bytes) in sizes {
        assert_eq!(parse::size(text).ok(), bytes, "{text:?}");
    }
    let durations = [
        ("500ms", Some(500)),
        ("30s", Some(30_000)),
        ("5m", Some(300_000)),
        ("1h", Some(3_600_000)),
        ("7d", Some(604_800_000)),
        ("5", None),
        ("5min", None),
        ("", None),
        ("9999999999999999d", None),
    ];
    for (text, ms) in durations {
        assert_eq!(parse::duration_ms(text).ok(), ms, "{text:?}");
    }
}

#[test]
fn addresses() {
    let listen = [
        ("127.0.0.1:9092", Some("127.0.0.1:9092")),
        ("127.0.0.1", Some("127.0.0.1:9092")),
        ("localhost:80", Some("127.0.0.1:80")),
        ("[::1]:80", Some("[::1]:80")),
        ("[::]", Some("[::]:9092")),
        ("::1", None),
        (":9092", None),
        ("127.0.0.1:0", None),
        ("127.0.0.1:65536", None),
        ("127.0.0.1:", None),
        ("example.com:9092", None),
        ("[::1]9092", None),
        ("", None),
    ];
    for (text, address) in listen {
        let parsed = parse::listen(text).ok().map(|address| address.to_string());
        assert_eq!(parsed.as_deref(), address, "{text:?}");
    }
    let advertise = [
        ("broker-1.example.com", Some(("broker-1.example.com", None))),
        ("h:1", Some(("h", Some(1)))),
        ("[2001:db8::1]:1", Some(("2001:db8::1", Some(1)))),
        ("[fe80::1]", Some(("fe80::1", None))),
        ("0.0.0.0", None),
        ("[::]:9092", None),
        ("a b", None),
        ("h:0", None),
        ("", None),
    ];
    for (text, expected) in advertise {
        let expected = expected.map(|(host, port)| Advertise {
            host: host.to_owned(),
            port,
        });
        assert_eq!(parse::advertise(text).ok(), expected, "{text:?}");
    }
}

#[test]
fn bad_values_say_what_is_expected() {
    let table = [
        ("cores", "0", "from 1 to 1024"),
        ("cores", "many", "from 1 to 1024"),
        ("topology", "ring", "per-core or single"),
        ("auto-create-topics", "yes", "true or false"),
        ("default-partitions", "0", "from 1 to"),
        ("retention-check-interval", "0s", "longer than nothing"),
        ("retention-check-interval", "90d", "at most 24d"),
        ("message-max-bytes", "65MiB", "at most 64 MiB"),
        ("log-retention-ms", "-2", "from -1"),
        ("log-message-timestamp-before-max-ms", "-1", "from 0"),
        ("log-message-timestamp-after-max-ms", "soon", "from 0"),
        ("producer-id-expiration-ms", "0", "from 1 to"),
        ("group-max-size", "0", "from 1 to"),
        ("offset-metadata-max-bytes", "32768", "from 0 to 32767"),
        ("group-consumer-max-size", "0", "from 1 to"),
        ("group-consumer-assignors", "", "some of uniform,range"),
        ("group-consumer-assignors", "range,sticky", "some of"),
        ("group-consumer-assignors", "range,range", "some of"),
        ("connections-max-idle-ms", "0", "longer than nothing"),
        ("connections-max-idle-ms", "-2", "from -1"),
        ("log-level", "loud", "expected error, warn"),
        ("log-level", "info,=debug", "expected error, warn"),
        ("data-dir", "", "a directory"),
        ("datadir", "x", "did you mean 'data-dir'?"),
        ("data_dir", "x", "did you mean 'data-dir'?"),
        ("colour", "x", "the keys are listen, advertise"),
    ];
    for (key, value, reason) in table {
        let error = Layer::default().set(key, value).unwrap_err();
        assert!(error.contains(reason), "{key} {value}: {error}");
    }
    for level in ["info", "off", "info,corelane::catalog=debug"] {
        assert!(parse::log_level(level).is_ok(), "{level}");
    }
}

#[test]
fn session_timeouts_have_a_range() {
    let most = ("group-max-session-timeout-ms", "5999");
    let least = ("group-min-session-timeout-ms", "6001");
    let refused = settle(&[most]).unwrap_err();
    assert!(refused.starts_with("group-max-session-timeout-ms = 5999: that is less"));
    let refused = settle(&[most, least]).unwrap_err();
    assert!(refused.starts_with("group-min-session-timeout-ms = 6001: that is more"));
    assert!(settle(&[most, ("group-min-session-timeout-ms", "5999")]).is_ok());
}

#[test]
fn timeouts_of_consumer_groups_fit_each_other() {
    let session = ("group-consumer-session-timeout-ms", "4000");
    let interval = ("group-consumer-heartbeat-interval-ms", "1000");
    let least_session = ("group-consumer-min-session-timeout-ms", "1");
    let least_interval = ("group-consumer-min-heartbeat-interval-ms", "1");
    let table: [(&[(&str, &str)], &str); 4] = [
        (&[session], "4000: that is not from"),
        (&[interval], "1000: that is not from"),
        (&[session, least_session], "5000: that is not below"),
        (&[("group-consumer-session-timeout-ms", "60001")], "60001"),
    ];
    for (given, reason) in table {
        let error = settle(given).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    let fit = settle(&[session, interval, least_session, least_interval]).unwrap();
    let configs = fit.kafka_configs();
    assert_eq!(configs["group.consumer.session.timeout.ms"], "4000");
    assert_eq!(configs["group.consumer.max.heartbeat.interval.ms"], "15000");
    assert_eq!(configs["group.consumer.assignors"], "uniform,range");
}

#[test]
fn the_file_names_the_line() {
    let read = |text| file::parse(text).map_err(|(line, reason)| format!("{line}: {reason}"));
    let text = "# ours\nlisten = \"10.0.0.1:9092\"\ncores = 2\nauto-create-topics = false\n\
                memory = \"1GiB\"\nwal-disk = 1_073_741_824\n";
    let expected = layer(&[
        ("listen", "10.0.0.1:9092"),
        ("cores", "2"),
        ("auto-create-topics", "false"),
        ("memory", "1GiB"),
        ("wal-disk", "1073741824"),
    ]);
    let (found, places) = read(text).unwrap();
    assert_eq!(found, expected);
    assert_eq!(places["memory"], "5: memory = 1GiB");
    assert_eq!(places.len(), 5);
    let table = [
        ("cores = 2\n\ncolour = 1\n", "3: unknown key 'colour'"),
        (
            "cores = 2\nmemory = \"lots\"\n",
            "2: memory = lots: expected bytes",
        ),
        ("\n\ncores = 2.5\n", "3: cores: expected a whole number"),
        ("cores = 1\ncores = 2\n", "2: duplicate key"),
        ("\ncores = \n", "2: "),
        ("[server]\ncores = 1\n", "1: unknown key 'server'"),
        ("memory = [1]\n", "1: memory: expected bytes"),
        ("zzz = 1\naaa = 1\n", "1: unknown key 'zzz'"),
    ];
    for (text, expected) in table {
        let error = read(text).unwrap_err();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
}

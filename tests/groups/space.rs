//! The disk budget: commits are refused while it is used up, and a log that only grows by
//! commits never uses it up.

use std::time::{Duration, Instant};

use corelane::kafka::ErrorCode;
use corelane::kafka::record::BatchBuilder;

use crate::common::broker::Broker;
use crate::common::groups::{Member, commit, fetch_offsets};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, delete_topic, produce};
use crate::rig::{coordinator, options};

matrix! {
    own shards, "it is about one WAL": many_commits_on_a_small_disk_go_on_for_ever;
    every value: a_full_disk_refuses_commits_and_loses_nothing;
}

fn many_commits_on_a_small_disk_go_on_for_ever(setup: Setup) {
    let mut options = options(setup);
    options.cores = 1;
    options.wal_disk_mib = 16;
    let mut broker = Broker::start_with(options);
    create_topic(&mut broker.client(), "t", 1, &[]);
    // Each takes a block of its own, 4 KiB: several times the whole disk.
    let (groups, rounds) = (50, 400);
    let names: Vec<String> = (0..groups).map(|n| format!("group-{n}")).collect();
    let mut client = coordinator(&broker, "group-0");
    for round in 0..rounds {
        for group in &names {
            assert_eq!(
                commit(&mut client, group, "t", 0, round),
                ErrorCode::NONE,
                "{round}"
            );
        }
    }
    for _ in 0..2 {
        for group in &names {
            let offsets = fetch_offsets(&mut coordinator(&broker, group), group).unwrap();
            assert_eq!(offsets[&("t".to_owned(), 0)], rounds - 1, "{group}");
        }
        broker.kill();
        broker.start_again();
    }
    assert!(
        disk_bytes(&broker) <= (16 << 20) + (4 << 20),
        "{}",
        disk_bytes(&broker)
    );
}

/// Bytes of all WAL files.
fn disk_bytes(broker: &Broker) -> u64 {
    let mut bytes = 0;
    for wal in std::fs::read_dir(broker.data_dir().join("wal")).unwrap() {
        for file in std::fs::read_dir(wal.unwrap().path()).unwrap() {
            bytes += file.unwrap().metadata().unwrap().len();
        }
    }
    bytes
}

fn a_full_disk_refuses_commits_and_loses_nothing(setup: Setup) {
    let mut options = options(setup);
    options.wal_disk_mib = 16 * u32::from(setup.shards);
    let mut broker = Broker::start_with(options);
    let mut client = broker.client();
    create_topic(&mut client, "t", 1, &[]);
    create_topic(&mut client, "filler", PARTITIONS, &[]);
    let mut member = Member::of("g");
    let mut owner = coordinator(&broker, "g");
    assert_eq!(member.join(&mut owner, 600_000, 600_000), ErrorCode::NONE);
    assert!(member.sync(&mut owner).is_ok());
    assert_eq!(member.commit(&mut owner, "t", 0, 1), ErrorCode::NONE);
    fill(&broker);
    let mut offset = 1;
    let deadline = Instant::now() + Duration::from_secs(180);
    // What is left of the last segment may still take some.
    let refused = loop {
        match member.commit(&mut owner, "t", 0, offset + 1) {
            ErrorCode::NONE => offset += 1,
            refused => break refused,
        }
        assert!(Instant::now() < deadline, "commits go on and on");
    };
    assert_eq!(refused, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert!(refused.retriable());
    assert_eq!(
        member.heartbeat(&mut owner),
        ErrorCode::NONE,
        "nothing is written for that"
    );
    assert_eq!(
        fetch_offsets(&mut owner, "g").unwrap()[&("t".to_owned(), 0)],
        offset
    );
    broker.kill();
    broker.start_again();
    let mut owner = coordinator(&broker, "g");
    assert_eq!(
        fetch_offsets(&mut owner, "g").unwrap()[&("t".to_owned(), 0)],
        offset
    );
    assert_eq!(member.heartbeat(&mut owner), ErrorCode::NONE);
    delete_topic(&mut broker.client(), "filler");
    let deadline = Instant::now() + Duration::from_secs(30);
    while member.commit(&mut owner, "t", 0, offset + 1) != ErrorCode::NONE {
        assert!(Instant::now() < deadline, "there is room again");
    }
    assert_eq!(
        fetch_offsets(&mut owner, "g").unwrap()[&("t".to_owned(), 0)],
        offset + 1
    );
}

/// As many as the most shards, so that each has one.
const PARTITIONS: i32 = 5;

/// Produces on every shard until it is refused.
fn fill(broker: &Broker) {
    let mut client = broker.client();
    for bytes in [512 << 10, 16 << 10, 1 << 10] {
        let value = vec![7; bytes];
        let batch = BatchBuilder::new(0).record(0, None, Some(&value)).build();
        for partition in 0..PARTITIONS {
            let more = || produce(&mut client, "filler", partition, batch.clone()).error;
            std::iter::repeat_with(more).find(|error| error.is_error());
        }
    }
}

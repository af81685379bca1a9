//! Start after start with next to nothing written in each: none of them may cost more of
//! the disk budget than what it wrote, whatever the number of cores.

use std::path::Path;

use bytes::Bytes;

use crate::common::batches::{KEPT_START, one};
use crate::common::broker::{Broker, Options};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, delete_records, must_produce, read_all};

matrix! {
    every pair: starts_do_not_use_up_the_budget;
    every value: a_start_with_less_memory_goes_on;
    own shards, "it goes from one number of shards to another":
        starts_with_other_numbers_of_cores_do_not_use_up_the_budget;
}

/// Starts, several times as many as there are segments in the budget.
const STARTS: i64 = 16;
const PARTITIONS: i32 = 3;
const MIB: u64 = 1 << 20;

/// Bytes of all segment files.
fn segment_bytes(data_dir: &Path) -> u64 {
    let wals = std::fs::read_dir(data_dir.join("wal")).unwrap();
    let files = wals.flat_map(|wal| std::fs::read_dir(wal.unwrap().path()).unwrap());
    let files = files.map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|e| e == "wal"))
        .map(|path| path.metadata().unwrap().len())
        .sum()
}

fn start_often(options: Options, cores: &[u16]) {
    let budget = u64::from(options.wal_disk_mib) * MIB;
    let mut broker = Broker::start_with(options);
    create_topic(&mut broker.client(), "little", PARTITIONS, &[]);
    let mut sent: Vec<Vec<Bytes>> = vec![Vec::new(); PARTITIONS as usize];
    for start in 0..STARTS {
        for (partition, sent) in (0..).zip(&mut sent) {
            let batch = one(format!("start {start} partition {partition}").as_bytes());
            let mut client = broker.client();
            let offset = must_produce(&mut client, "little", partition, batch.clone());
            assert_eq!(offset, start);
            sent.push(batch);
        }
        if start % 3 == 0 {
            broker.stop();
        } else {
            broker.kill();
        }
        let bytes = segment_bytes(broker.data_dir());
        assert!(
            bytes <= budget,
            "{bytes} bytes of segments after start {start}"
        );
        broker.options().cores = cores[start as usize % cores.len()];
        broker.start_again();
    }
    for (partition, sent) in (0..).zip(&sent) {
        let found = read_all(&mut broker.client(), "little", partition, 0);
        assert_eq!(found.len(), sent.len(), "partition {partition}");
        for (found, sent) in found.iter().zip(sent) {
            assert_eq!(found.bytes[KEPT_START..], sent[KEPT_START..]);
        }
    }
    broker.kill();
    let (report, is_sound) = broker.inspect();
    assert!(is_sound, "{report}");
}

/// What was written with much memory is read, deleted from and written to with the least.
fn a_start_with_less_memory_goes_on(setup: Setup) {
    const BATCHES: i64 = 40;
    let mut broker = Broker::start_with(setup.with_per_shard(256, 128));
    let mut client = broker.client();
    create_topic(&mut client, "shrunk", PARTITIONS, &[]);
    let batch = one(&vec![7; 500_000]);
    for offset in 0..BATCHES {
        for partition in 0..PARTITIONS {
            let found = must_produce(&mut client, "shrunk", partition, batch.clone());
            assert_eq!(found, offset);
        }
    }
    for kill in [false, true] {
        if kill {
            broker.kill();
        } else {
            broker.stop();
        }
        broker.options().memory_mib = 32 * u32::from(setup.shards);
        broker.start_again();
        let mut client = broker.client();
        for partition in 0..PARTITIONS {
            let from = match kill {
                false => 0,
                true => BATCHES / 2,
            };
            let found = read_all(&mut client, "shrunk", partition, from);
            let produced = BATCHES + i64::from(kill);
            assert_eq!(found.len() as i64, produced - from);
            let deleted = delete_records(&mut client, "shrunk", partition, BATCHES / 2);
            assert_eq!(deleted, Ok(BATCHES / 2));
            let next = must_produce(&mut client, "shrunk", partition, batch.clone());
            assert_eq!(next, produced);
        }
    }
    broker.stop();
}

fn starts_do_not_use_up_the_budget(setup: Setup) {
    // Four segments of 4 MiB for each shard.
    start_often(setup.with_per_shard(32, 16), &[setup.shards]);
}

fn starts_with_other_numbers_of_cores_do_not_use_up_the_budget(setup: Setup) {
    let options = Options {
        wal_disk_mib: 48,
        memory_mib: 96,
        ..setup.options()
    };
    start_often(options, &[1, 3, 2]);
}

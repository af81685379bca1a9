//! Reading what is no longer in memory, while producers and other consumers go on.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use corelane::kafka::ErrorCode;
use corelane::kafka::messages::fetch::{FetchPartition, FetchResponse};

use crate::common::batches::{KEPT_START, batch_of};
use crate::common::broker::{Broker, Options};
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    FETCH_BY_NAME, PRODUCE_BY_NAME, create_topic, delete_records, delete_topic, fetch,
    fetch_request, fetched, produce_request, produced,
};
use crate::common::random::Random;
use crate::common::skip::skip;

matrix! {
    every value: cold_reads_beside_a_producer_and_a_tail_consumer;
    own shards, "on one shard everything lies side by side": consumers_far_behind_at_different_places,
        records_are_deleted_while_they_are_read_ahead,
        segments_are_used_again_while_they_are_read_ahead;
}

const TOPIC: &str = "cold";
/// Far more than the tails of the shards that have them, with 32 MiB each.
const BATCHES: i64 = 1200;
const VALUE_BYTES: usize = 80_000;

/// The batch at an offset: every one is different, and known without being kept.
fn batch_at(partition: i32, offset: i64) -> Bytes {
    let value = Random::new((offset as u64) << 8 | partition as u64).bytes(VALUE_BYTES);
    batch_of(offset, &[&value])
}

fn produce_many(client: &mut Client, partition: i32, offsets: std::ops::Range<i64>) {
    let mut expected = offsets.start;
    let mut check = |client: &mut Client| {
        let answer = produced(&client.receive());
        assert!(!answer.error.is_error(), "{answer:?}");
        assert_eq!(answer.base_offset, expected);
        expected += 1;
    };
    for offset in offsets {
        let request = produce_request(TOPIC, partition, batch_at(partition, offset));
        client.send(PRODUCE_BY_NAME, &request);
        if client.outstanding() > 4 {
            check(client);
        }
    }
    while client.outstanding() > 0 {
        check(client);
    }
}

/// Reads and compares a range; the bytes are compared with what was sent.
fn read_range(client: &mut Client, partition: i32, offsets: std::ops::Range<i64>) {
    let mut next = offsets.start;
    while next < offsets.end {
        let mut request = fetch_request(TOPIC, partition, next);
        request.max_wait_ms = 1000;
        let batches = fetched(&client.call(FETCH_BY_NAME, &request)).batches();
        for batch in batches {
            assert_eq!(batch.header.base_offset, next);
            let sent = batch_at(partition, next);
            assert_eq!(batch.bytes[KEPT_START..], sent[KEPT_START..], "at {next}");
            next += 1;
        }
    }
}

fn cold_reads_beside_a_producer_and_a_tail_consumer(setup: Setup) {
    let mut broker = Broker::start_with(setup.with_per_shard(32, 512));
    create_topic(&mut broker.client(), TOPIC, 2, &[]);
    produce_many(&mut broker.client(), 0, 0..BATCHES / 2);
    produce_many(&mut broker.client_of(1), 1, 0..BATCHES / 2);
    let done = &AtomicBool::new(false);
    let slowest_us = &AtomicI64::new(0);
    std::thread::scope(|scope| {
        let broker = &broker;
        let producer = scope.spawn(|| {
            produce_many(&mut broker.client(), 0, BATCHES / 2..BATCHES);
        });
        // One who stands at the end of the other partition is never slow.
        let tail = scope.spawn(|| {
            let mut client = broker.client_of(1);
            while !done.load(Ordering::SeqCst) {
                let began = Instant::now();
                let found = fetch(&mut client, TOPIC, 1, BATCHES / 2 - 1);
                assert_eq!(found.batches().len(), 1);
                let took = began.elapsed().as_micros() as i64;
                slowest_us.fetch_max(took, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let readers: Vec<_> = (0..4)
            .map(|i| {
                scope.spawn(move || {
                    let mut client = broker.client_of(i % 2);
                    read_range(&mut client, i32::from(i / 2), 0..BATCHES / 2);
                })
            })
            .collect();
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
        read_range(&mut broker.client(), 0, 0..BATCHES);
        producer.join().unwrap();
        done.store(true, Ordering::SeqCst);
        tail.join().unwrap();
    });
    let slowest = Duration::from_micros(slowest_us.load(Ordering::SeqCst) as u64);
    println!("slowest fetch at the end beside cold reads: {slowest:.1?}");
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    // After a restart nothing is in memory at all, and other shards have it.
    broker.kill();
    broker.options().cores = 1;
    broker.start_again();
    read_range(&mut broker.client(), 1, 0..BATCHES / 2);
    broker.stop();
}

/// Bytes that a process has had read from disks, as the kernel counts them: direct reads all,
/// others where they were not in its cache.
fn bytes_from_disk(process: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{process}/io")).unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("read_bytes:"));
    line.unwrap().trim().parse().unwrap()
}

/// Consumers far behind have the disk read what they ask for, and those at the end of the log
/// nothing at all: what these read stays in memory, whatever else is read.
#[test]
fn consumers_far_behind_evict_nothing_that_those_at_the_end_read() {
    // Of one shard's memory the tail has 24 MiB, and its consumer reads the last 8 of them.
    let mut broker = Broker::start_with(Options {
        cores: 1,
        memory_mib: 64,
        wal_disk_mib: 256,
        ..Options::default()
    });
    const END: i64 = 1000;
    const TAIL: std::ops::Range<i64> = END - 100..END;
    // Four consumers, partly behind the same records, all well before the tail.
    const STARTS: [i64; 4] = [0, 150, 300, 450];
    const EACH: i64 = 250;
    create_topic(&mut broker.client(), TOPIC, 1, &[]);
    produce_many(&mut broker.client(), 0, 0..END);
    let from_disk = || bytes_from_disk(broker.process_id());
    let bytes = |batches: i64| batches as u64 * VALUE_BYTES as u64;
    let before = from_disk();
    let behind = &AtomicI64::new(STARTS.len() as i64);
    let asked = bytes(EACH * STARTS.len() as i64);
    std::thread::scope(|scope| {
        let broker = &broker;
        for start in STARTS {
            scope.spawn(move || {
                read_range(&mut broker.client(), 0, start..start + EACH);
                behind.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let mut client = broker.client();
        let mut read = 0;
        while read < 4 * asked || behind.load(Ordering::SeqCst) > 0 {
            read_range(&mut client, 0, TAIL);
            read += bytes(TAIL.end - TAIL.start);
        }
    });
    let beside = from_disk() - before;
    if beside < bytes(STARTS[3] + EACH) {
        skip("the kernel does not count what the broker has read from this file system");
    } else {
        // What was read ahead and came too late is read again; the tail's consumer alone would
        // have had four times as much read.
        assert!(beside < 2 * asked, "{beside} bytes for {asked} asked for");
    }
    let before = from_disk();
    read_range(&mut broker.client(), 0, TAIL);
    let after = from_disk() - before;
    println!("{asked} asked for, {beside} read; {after} read for the tail");
    assert!(after < 1 << 20, "{after} bytes for what is in memory");
    broker.stop();
}

/// Partitions of one shard whose batches, of very different sizes, lie side by side on disk.
const PARTITIONS: i32 = 4;
const MIXED: i64 = 2400;

fn mixed_batch(partition: i32, offset: i64) -> Bytes {
    let mut random = Random::new((offset as u64) << 8 | partition as u64);
    let len = [20, 300, 4000, 15_000][random.below(4) as usize];
    batch_of(offset, &[&random.bytes(len)])
}

/// Far more than the tail, 16 MiB, on one shard.
fn start_mixed(setup: Setup, topic: &str) -> Broker {
    let broker = Broker::start_with(Options {
        cores: 1,
        memory_mib: 32,
        wal_disk_mib: 256,
        ..setup.options()
    });
    let mut client = broker.client();
    create_topic(&mut client, topic, PARTITIONS, &[]);
    for offset in 0..MIXED {
        for partition in 0..PARTITIONS {
            let batch = mixed_batch(partition, offset);
            client.send(PRODUCE_BY_NAME, &produce_request(topic, partition, batch));
        }
        while client.outstanding() > 12 || offset + 1 == MIXED && client.outstanding() > 0 {
            assert!(!produced(&client.receive()).error.is_error());
        }
    }
    broker
}

/// One fetch of all partitions: where each goes on. What comes must be what was sent.
fn read_on(client: &mut Client, topic: &str, next: &mut [i64], max_bytes: i32) {
    let mut request = fetch_request(topic, 0, 0);
    request.max_bytes = max_bytes;
    let partitions = next
        .iter()
        .zip(0..)
        .map(|(offset, partition)| FetchPartition {
            partition,
            fetch_offset: *offset,
            partition_max_bytes: max_bytes / 3,
            ..Default::default()
        });
    request.topics[0].partitions = partitions.collect();
    let frame = client.call(FETCH_BY_NAME, &request);
    let response: FetchResponse<'_> = frame.decode();
    for data in &response.responses[0].partitions {
        assert_eq!(data.error_code, ErrorCode::NONE);
        let next = &mut next[data.partition_index as usize];
        let records: Vec<u8> = data.records.0.concat();
        let mut rest = &records[..];
        while !rest.is_empty() {
            let sent = mixed_batch(data.partition_index, *next);
            assert!(rest.len() >= sent.len(), "whole batches");
            assert_eq!(rest[..8], next.to_be_bytes());
            assert_eq!(rest[KEPT_START..sent.len()], sent[KEPT_START..]);
            rest = &rest[sent.len()..];
            *next += 1;
        }
    }
}

fn consumers_far_behind_at_different_places(setup: Setup) {
    const TOPIC: &str = "places";
    let mut broker = start_mixed(setup, TOPIC);
    for again in [false, true] {
        std::thread::scope(|scope| {
            let broker = &broker;
            // Two begin at the same place with the same limits; one stops half way and one
            // goes back again and again; all others go on to the end from where they are.
            let readers = [
                (0, 1 << 20),
                (0, 1 << 20),
                (0, 100_000),
                (700, 4 << 20),
                (1500, 300_000),
                (2300, 50),
            ];
            for (i, (start, max_bytes)) in readers.into_iter().enumerate() {
                scope.spawn(move || {
                    let mut client = broker.client();
                    let mut next = [start; PARTITIONS as usize];
                    let mut fetches = 0;
                    while next.iter().any(|next| *next < MIXED) {
                        read_on(&mut client, TOPIC, &mut next, max_bytes);
                        fetches += 1;
                        if i == 2 && fetches % 10 == 0 && fetches < 100 {
                            next[fetches / 10 % 4] -= 40;
                            client = broker.client();
                        }
                        if i == 4 && next[0] > 2000 {
                            return;
                        }
                    }
                });
            }
        });
        if !again {
            // Now everything is on disk, in segments of an earlier run.
            broker.kill();
            broker.start_again();
        }
    }
    broker.stop();
}

fn records_are_deleted_while_they_are_read_ahead(setup: Setup) {
    const TOPIC: &str = "deleted";
    let mut broker = start_mixed(setup, TOPIC);
    let mut client = broker.client();
    let mut next = [0; PARTITIONS as usize];
    let mut log_start = 0;
    while log_start < MIXED - 400 {
        // A few, so that something was read ahead when the records go.
        for _ in 0..3 {
            read_on(&mut client, TOPIC, &mut next, 300_000);
        }
        log_start = next[0] + 7;
        assert_eq!(
            delete_records(&mut client, TOPIC, 0, log_start),
            Ok(log_start)
        );
        let gone = fetch(&mut client, TOPIC, 0, next[0]);
        assert_eq!(gone.error, ErrorCode::OFFSET_OUT_OF_RANGE);
        assert_eq!(
            (gone.log_start_offset, gone.batches().len()),
            (log_start, 0)
        );
        next[0] = log_start;
    }
    delete_topic(&mut client, TOPIC);
    let gone = fetch(&mut client, TOPIC, 0, next[0]);
    assert_eq!(gone.error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    create_topic(&mut client, TOPIC, PARTITIONS, &[]);
    for (partition, next) in (0..PARTITIONS).zip(next) {
        let none = fetch(&mut client, TOPIC, partition, 0);
        assert_eq!((none.error, none.high_watermark), (ErrorCode::NONE, 0));
        let beyond = fetch(&mut client, TOPIC, partition, next);
        assert_eq!(beyond.error, ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    broker.stop();
}

/// Retention takes segments away, and the WAL writes over them, while consumers that are
/// far behind read them.
fn segments_are_used_again_while_they_are_read_ahead(setup: Setup) {
    const TOPIC: &str = "recycled";
    let options = Options {
        cores: 1,
        memory_mib: 32,
        wal_disk_mib: 96,
        ..setup.options()
    };
    let mut broker = Broker::start_with(options.with("--retention-check-interval", "20ms"));
    let config = [("retention.bytes", "40000000")];
    create_topic(&mut broker.client(), TOPIC, 1, &config);
    let done = &AtomicBool::new(false);
    let overtaken = &AtomicI64::new(0);
    std::thread::scope(|scope| {
        let broker = &broker;
        for _ in 0..2 {
            scope.spawn(move || {
                let mut client = broker.client();
                let mut next = 0;
                while !done.load(Ordering::SeqCst) {
                    let found = fetch(&mut client, TOPIC, 0, next);
                    if found.error == ErrorCode::OFFSET_OUT_OF_RANGE {
                        overtaken.fetch_add(1, Ordering::SeqCst);
                        next = found.log_start_offset;
                        continue;
                    }
                    assert_eq!(found.error, ErrorCode::NONE);
                    for batch in found.batches() {
                        let sent = mixed_batch(0, batch.header.base_offset);
                        assert_eq!(batch.header.base_offset, next);
                        assert_eq!(batch.bytes[KEPT_START..], sent[KEPT_START..]);
                        next += 1;
                    }
                    // Always on the verge of being overtaken.
                    if next > found.log_start_offset + 3000 {
                        next = found.log_start_offset;
                    }
                }
            });
        }
        let mut client = broker.client();
        for offset in 0..40_000 {
            let batch = mixed_batch(0, offset);
            client.send(PRODUCE_BY_NAME, &produce_request(TOPIC, 0, batch));
            while client.outstanding() > 12 {
                let answer = produced(&client.receive());
                assert!(!answer.error.is_error(), "{answer:?}");
            }
        }
        done.store(true, Ordering::SeqCst);
    });
    let overtaken = overtaken.load(Ordering::SeqCst);
    println!("overtaken {overtaken} times");
    assert!(overtaken > 0, "nothing that was read was given up");
    broker.stop();
}

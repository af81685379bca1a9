//! Reading what is no longer in memory, while producers and other consumers go on.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::common::batches::{KEPT_START, batch_of};
use crate::common::broker::{Broker, Options};
use crate::common::client::Client;
use crate::common::ops::{
    FETCH_BY_NAME, PRODUCE_BY_NAME, create_topic, fetch, fetch_request, fetched, produce_request,
    produced,
};
use crate::common::random::Random;

const TOPIC: &str = "cold";
/// Far more than the tail of two shards with 64 MiB together.
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

#[test]
fn cold_reads_beside_a_producer_and_a_tail_consumer() {
    let mut broker = Broker::start_with(Options {
        memory_mib: 64,
        wal_disk_mib: 1024,
        ..Options::default()
    });
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

//! Fetches that wait: woken by what they wait for, and by the clock.

use std::time::{Duration, Instant};

use corelane::kafka::ErrorCode;
use corelane::kafka::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};

use crate::common::batches::one;
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{FETCH_BY_NAME, create_topic, delete_topic, must_produce};

matrix! {
    every cell: many_polls_wait_at_once_and_a_stop_ends_them, a_poll_ends_when_its_topic_is_deleted;
    every pair: a_poll_is_woken_by_a_produce, a_poll_without_news_ends_in_time,
        a_poll_waits_for_its_min_bytes;
}

/// What a poll that is not woken waits, milliseconds: longer than any test lasts.
const LONG_MS: i32 = 20_000;
/// A poll is woken "at once", on a machine that is busy.
const SOON: Duration = Duration::from_secs(2);

/// Sends a fetch of some partitions, all at offset 0.
fn poll(client: &mut Client, partitions: &[i32], min_bytes: i32, max_wait_ms: i32) {
    let partition = |&partition| FetchPartition {
        partition,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let request = FetchRequest {
        max_wait_ms,
        min_bytes,
        topics: vec![FetchTopic {
            topic: "poll",
            partitions: partitions.iter().map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    client.send(FETCH_BY_NAME, &request);
}

/// The answer: bytes and error of each partition, and when it came.
fn answer(client: &mut Client) -> (Vec<(usize, ErrorCode)>, Instant) {
    let frame = client.receive();
    let at = Instant::now();
    let response: FetchResponse<'_> = frame.decode();
    let partitions = response.responses[0].partitions.iter();
    let answers = partitions.map(|p| (p.records.len(), p.error_code));
    (answers.collect(), at)
}

fn a_poll_is_woken_by_a_produce(setup: Setup) {
    let broker = setup.start();
    let mut producer = broker.client();
    // Of one shard, of another, of both.
    for partitions in [&[0][..], &[1], &[0, 1]] {
        for shard in 0..2 {
            create_topic(&mut producer, "poll", 2, &[]);
            let mut consumer = broker.client_of(shard);
            poll(&mut consumer, partitions, 1, LONG_MS);
            std::thread::sleep(Duration::from_millis(50));
            let target = *partitions.last().unwrap();
            must_produce(&mut producer, "poll", target, one(b"news"));
            let produced = Instant::now();
            let (found, at) = answer(&mut consumer);
            assert!(at.saturating_duration_since(produced) < SOON);
            let bytes: usize = found.iter().map(|(bytes, _)| bytes).sum();
            assert!(bytes > 0, "{partitions:?} through shard {shard}");
            delete_topic(&mut producer, "poll");
        }
    }
}

fn a_poll_without_news_ends_in_time(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "poll", 2, &[]);
    for partitions in [&[0][..], &[1], &[0, 1]] {
        for wait_ms in [0, 100, 400] {
            let began = Instant::now();
            poll(&mut client, partitions, 1, wait_ms);
            let (found, at) = answer(&mut client);
            assert!(found.iter().all(|f| *f == (0, ErrorCode::NONE)));
            let took = at - began;
            // The broker's clock counts whole milliseconds.
            let wait = Duration::from_millis(wait_ms as u64);
            let least = wait.saturating_sub(Duration::from_millis(2));
            assert!((least..wait + SOON).contains(&took), "{wait_ms}: {took:?}");
        }
    }
    // A negative wait is none.
    poll(&mut client, &[0], 1, i32::MIN);
    answer(&mut client);
}

fn a_poll_waits_for_its_min_bytes(setup: Setup) {
    let broker = setup.start();
    let mut producer = broker.client();
    let size = one(&[1; 1000]).len();
    for partitions in [&[0][..], &[1], &[0, 1]] {
        create_topic(&mut producer, "poll", 2, &[]);
        let mut consumer = broker.client();
        poll(&mut consumer, partitions, 3 * size as i32, LONG_MS);
        let mut produced = Instant::now();
        for i in 0..3 {
            std::thread::sleep(Duration::from_millis(100));
            let target = partitions[i % partitions.len()];
            produced = Instant::now();
            must_produce(&mut producer, "poll", target, one(&[1; 1000]));
        }
        let (found, at) = answer(&mut consumer);
        assert!(at >= produced, "answered before there was enough");
        assert!(at.saturating_duration_since(produced) < SOON);
        let bytes: usize = found.iter().map(|(bytes, _)| bytes).sum();
        assert_eq!(bytes, 3 * size);
        delete_topic(&mut producer, "poll");
    }
    // Enough within the time or not: what is there is given at the end of it.
    create_topic(&mut producer, "poll", 2, &[]);
    must_produce(&mut producer, "poll", 0, one(&[1; 1000]));
    let mut consumer = broker.client();
    poll(&mut consumer, &[0], 3 * size as i32, 200);
    assert_eq!(answer(&mut consumer).0, [(size, ErrorCode::NONE)]);
}

fn a_poll_ends_when_its_topic_is_deleted(setup: Setup) {
    let broker = setup.start();
    let mut admin = broker.client();
    for partitions in [&[0][..], &[1], &[0, 1]] {
        create_topic(&mut admin, "poll", 2, &[]);
        let mut consumer = broker.client();
        poll(&mut consumer, partitions, 1, LONG_MS);
        std::thread::sleep(Duration::from_millis(50));
        delete_topic(&mut admin, "poll");
        let deleted = Instant::now();
        let (found, at) = answer(&mut consumer);
        assert!(at.saturating_duration_since(deleted) < SOON);
        assert!(found.iter().any(|(_, error)| error.is_error()), "{found:?}");
    }
}

fn many_polls_wait_at_once_and_a_stop_ends_them(setup: Setup) {
    let mut broker = setup.start();
    create_topic(&mut broker.client(), "poll", 2, &[]);
    let mut consumers: Vec<Client> = (0..200).map(|i| broker.client_of(i % 2)).collect();
    for consumer in &mut consumers {
        poll(consumer, &[0, 1], 1, LONG_MS);
    }
    std::thread::sleep(Duration::from_millis(100));
    must_produce(&mut broker.client(), "poll", 1, one(b"news"));
    for consumer in &mut consumers {
        let (found, _) = answer(consumer);
        assert!(found[1].0 > 0);
    }
    for consumer in &mut consumers {
        poll(consumer, &[0], 1, LONG_MS);
    }
    std::thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    broker.stop();
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
}

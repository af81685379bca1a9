//! Memory stays in its budget (`--memory`), whatever clients ask for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use corelane::kafka::messages::fetch::{FetchRequest, FetchResponse};

use super::bystander::Bystander;
use super::gauge::{BESIDE_SMALL_SHARES_MIB, Gauge};
use crate::common::batches::{batch_of, one, split};
use crate::common::broker::{Broker, Options};
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    FETCH_BY_NAME, PRODUCE_BY_NAME, create_topic, fetch_request, fetched, must_produce,
    produce_request, produced,
};
use crate::common::random::Random;

matrix! {
    every pair: requests_beyond_the_budget_are_refused_at_their_length;
    every value: consumers_that_never_read_their_responses, a_stop_while_consumers_do_not_read,
        connections_that_idle_after_much_traffic, much_traffic_stays_in_an_ordinary_budget, large_requests_that_never_end,
        half_sent_requests_hold_up_nobody_for_long,
        half_a_request_may_take_its_time_while_nobody_waits;
    own shards, "it uses up the memory of known shards, so it must know which one it talks to":
        a_request_has_its_turn_behind_half_sent_ones_of_its_size,
        who_sends_is_never_ended_for_want_of_memory;
    own shards, "on one shard small batches of all partitions lie side by side":
        consumers_that_are_far_behind_everywhere;
    own shards, "a fetch has to be read by many shards":
        consumers_of_all_shards_that_are_far_behind;
}

/// A broker with little memory and room for the data of these tests.
pub(super) fn start(setup: Setup) -> Broker {
    Broker::start_with(setup.with_per_shard(64, 512))
}

/// A broker with as little memory as it takes.
fn start_small(setup: Setup) -> Broker {
    Broker::start_with(setup.with_per_shard(32, 256))
}

/// A whole Produce request with one record of `bytes`.
fn produce_frame(topic: &str, partition: i32, bytes: usize) -> Vec<u8> {
    let batch = one(&vec![3; bytes]);
    Client::encode(
        PRODUCE_BY_NAME,
        1,
        &produce_request(topic, partition, batch),
    )
}

/// Connections to two shards that have each sent `begin` and do not go on.
fn left_in_the_middle(broker: &Broker, count: u16, begin: &[u8]) -> Vec<Client> {
    let mut left = Vec::new();
    for i in 0..count {
        let mut client = broker.client_of(i % 2);
        client.set_patience(Duration::from_millis(20));
        // The broker reads no more than it has memory for, so not all of it may be taken.
        let _ = client.try_send_raw(begin);
        left.push(client);
    }
    left
}

/// Produces `count` batches of `bytes` to each of two partitions.
pub(super) fn fill(broker: &Broker, topic: &str, count: usize, bytes: usize) {
    let mut client = broker.client();
    create_topic(&mut client, topic, 2, &[]);
    let mut random = Random::new(7);
    let value = random.bytes(bytes);
    for i in 0..count {
        for partition in 0..2 {
            let batch = batch_of(i as i64, &[&value]);
            client.send(PRODUCE_BY_NAME, &produce_request(topic, partition, batch));
        }
        while client.outstanding() > 8 {
            assert!(!produced(&client.receive()).error.is_error());
        }
    }
    while client.outstanding() > 0 {
        assert!(!produced(&client.receive()).error.is_error());
    }
}

pub(super) fn greedy_request(topic: &str, partition: i32) -> FetchRequest<'_> {
    let mut request = fetch_request(topic, partition, 0);
    request.max_bytes = 50 << 20;
    request.topics[0].partitions[0].partition_max_bytes = 50 << 20;
    request
}

fn consumers_that_never_read_their_responses(setup: Setup) {
    let mut broker = start(setup);
    fill(&broker, "greedy", 100, 1_000_000);
    let gauge = Gauge::start(&broker);
    let bystander = Bystander::start(&broker, 1000);
    let mut stalled: Vec<Client> = Vec::new();
    for i in 0..16 {
        let mut client = broker.client_of(i % 2);
        for _ in 0..50 {
            client.send(
                FETCH_BY_NAME,
                &greedy_request("greedy", i32::from(i / 2 % 2)),
            );
        }
        stalled.push(client);
    }
    std::thread::sleep(Duration::from_secs(1));
    // One that does read gets on, from the disk as well.
    let mut client = broker.client();
    let began = Instant::now();
    let mut next = 0;
    while next < 100 {
        let request = fetch_request("greedy", 0, next);
        let batches = fetched(&client.call(FETCH_BY_NAME, &request)).batches();
        next = batches.last().expect("progress").end();
    }
    let took = began.elapsed();
    println!("100 MB read beside 16 stalled consumers in {took:.1?}");
    assert!(took < Duration::from_secs(20), "100 MB took {took:?}");
    bystander.finish();
    gauge.finish_with("consumers that never read", BESIDE_SMALL_SHARES_MIB);
    drop(stalled);
    broker.stop();
}

/// Who does not read is cut off by a stop, and what its responses held is given back.
fn a_stop_while_consumers_do_not_read(setup: Setup) {
    let mut broker = start(setup);
    fill(&broker, "stalled", 20, 1_000_000);
    let mut stalled = Vec::new();
    for i in 0..8 {
        let mut client = broker.client_of(i % 2);
        for _ in 0..4 {
            let request = greedy_request("stalled", i32::from(i / 2 % 2));
            client.send(FETCH_BY_NAME, &request);
        }
        stalled.push(client);
    }
    std::thread::sleep(Duration::from_millis(300));
    broker.stop();
    drop(stalled);
}

/// Sends much on `clients`, and fetches much, with many requests in flight on each.
fn be_busy(clients: &mut [Client], topic: &str) {
    for round in 0..2 {
        for (i, client) in clients.iter_mut().enumerate() {
            let partition = (i % 2) as i32;
            for _ in 0..2 {
                let batch = one(&vec![round; 150_000]);
                client.send(PRODUCE_BY_NAME, &produce_request(topic, partition, batch));
            }
            let mut request = fetch_request(topic, partition, 0);
            request.max_bytes = 300_000;
            client.send(FETCH_BY_NAME, &request);
        }
        for client in clients.iter_mut() {
            while client.outstanding() > 0 {
                client.receive();
            }
        }
    }
}

fn connections_that_idle_after_much_traffic(setup: Setup) {
    let small = setup.with_per_shard(64, 512);
    idle_after_much_traffic(small, BESIDE_SMALL_SHARES_MIB);
}

fn much_traffic_stays_in_an_ordinary_budget(setup: Setup) {
    let ordinary = setup.with_per_shard(256, 512);
    idle_after_much_traffic(ordinary, 0);
}

fn idle_after_much_traffic(options: Options, beside_mib: u32) {
    const CONNECTIONS: u16 = 400;
    let mut broker = Broker::start_with(options);
    create_topic(&mut broker.client(), "busy", 2, &[]);
    let gauge = Gauge::start(&broker);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let connections = (0..CONNECTIONS / 4).map(|i| broker.client_of(i / 2 % 2));
            let mut clients: Vec<Client> = connections.collect();
            std::thread::spawn(move || {
                be_busy(&mut clients, "busy");
                clients
            })
        })
        .collect();
    let mut idle = Vec::new();
    for thread in threads {
        idle.extend(thread.join().unwrap());
    }
    // What was taken for the traffic goes back to the kernel.
    let deadline = Instant::now() + Duration::from_secs(20);
    while broker.resident_bytes() > u64::from(broker.memory_mib()) << 20 {
        assert!(
            Instant::now() < deadline,
            "{} MiB",
            broker.resident_bytes() >> 20
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    gauge.finish_with("400 connections after much traffic", beside_mib);
    drop(idle);
    broker.stop();
}

fn large_requests_that_never_end(setup: Setup) {
    let mut broker = start(setup);
    create_topic(&mut broker.client(), "giant", 2, &[]);
    let gauge = Gauge::start(&broker);
    let bystander = Bystander::start(&broker, 1000);
    // Just what fits a shard's share for such requests.
    let giant = produce_frame("giant", 0, 4_100_000);
    let mut dribbling = left_in_the_middle(&broker, 150, &giant[..2_000_000]);
    for _ in 0..10 {
        for client in &mut dribbling {
            let _ = client.try_send_raw(&[3]);
        }
    }
    bystander.finish();
    gauge.finish("giants that never end");
    drop(dribbling);
    broker.stop();
}

fn requests_beyond_the_budget_are_refused_at_their_length(setup: Setup) {
    let mut broker = start(setup);
    let mut client = broker.client();
    client.send_raw(&(4i32 << 20).to_be_bytes()).unwrap();
    assert!(client.is_closed_by_broker());
    broker.stop();
    // The log is whole once the process has ended.
    assert!(broker.has_logged("is larger than"), "{}", broker.log());
    assert!(broker.has_logged("--memory"), "{}", broker.log());
}

fn half_sent_requests_hold_up_nobody_for_long(setup: Setup) {
    let mut broker = start_small(setup);
    create_topic(&mut broker.client(), "half", 2, &[]);
    let whole = produce_frame("half", 0, 900_000);
    let left = left_in_the_middle(&broker, 200, &whole[..450_000]);
    // Smaller requests have memory of their own.
    let bystander = Bystander::start(&broker, 50_000);
    std::thread::sleep(Duration::from_millis(500));
    bystander.finish();
    drop(left);
    must_produce(&mut broker.client(), "half", 0, one(&vec![1; 900_000]));
    broker.stop();
}

fn a_request_has_its_turn_behind_half_sent_ones_of_its_size(setup: Setup) {
    let known = Setup {
        single: false,
        ..setup
    };
    let mut broker = start_small(known);
    create_topic(&mut broker.client(), "turn", 2, &[]);
    // In memory of their own, and in chunks.
    for (bytes, count) in [(900_000, 12), (100_000, 120)] {
        let whole = produce_frame("turn", 0, bytes);
        let left = left_in_the_middle(&broker, count, &whole[..bytes / 2]);
        let began = Instant::now();
        must_produce(&mut broker.client(), "turn", 0, one(&vec![1; bytes]));
        println!(
            "{bytes} bytes behind {count} half-sent: {:.1?}",
            began.elapsed()
        );
        drop(left);
    }
    broker.stop();
    assert!(broker.has_logged("memory that others wait for"));
}

fn half_a_request_may_take_its_time_while_nobody_waits(setup: Setup) {
    let mut broker = start_small(setup);
    create_topic(&mut broker.client(), "slow", 2, &[]);
    for bytes in [1000, 3000, 100_000, 900_000] {
        let whole = produce_frame("slow", 0, bytes);
        let mut client = broker.client();
        let (first, last) = whole.split_at(whole.len() / 2);
        client.send_raw(first).unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        client.send_raw(last).unwrap();
        client.receive_raw();
    }
    broker.stop();
}

/// Keeps `count` half-sent requests of `bytes` on the broker, a new one for each that it ends.
fn keep_half_sent(broker: &Broker, count: u16, bytes: usize, done: &AtomicBool) {
    let whole = produce_frame("waits", 0, bytes);
    let begin = &whole[..bytes / 2];
    let mut left = left_in_the_middle(broker, count, begin);
    while !done.load(Ordering::SeqCst) {
        for (i, client) in left.iter_mut().enumerate() {
            client.set_patience(Duration::from_millis(1));
            if client.is_closed_by_broker() {
                *client = broker.client_of(i as u16 % 2);
                client.set_patience(Duration::from_millis(5));
                let _ = client.try_send_raw(begin);
            }
        }
    }
}

/// What has to wait is more than a second behind those that hold the memory it needs, and
/// while all chunks are in use as well.
fn who_sends_is_never_ended_for_want_of_memory(setup: Setup) {
    let known = Setup {
        single: false,
        ..setup
    };
    let mut broker = start_small(known);
    create_topic(&mut broker.client(), "waits", 2, &[]);
    let done = AtomicBool::new(false);
    let rounds = std::thread::scope(|scope| {
        let slow = [(40, 400_000), (120, 100_000)];
        for (count, bytes) in slow {
            let (broker, done) = (&broker, &done);
            scope.spawn(move || keep_half_sent(broker, count, bytes, done));
        }
        let producers: Vec<_> = (0..6u16)
            .map(|i| {
                let mut client = broker.client_of(i % 2);
                scope.spawn(move || {
                    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
                    let mut rounds = 0;
                    while began.elapsed() < Duration::from_secs(8) {
                        let bytes = 200_000 + usize::from(i) * 50_000 + rounds * 7;
                        let asked = Instant::now();
                        // Small ones before it, in one piece: the broker reads much at a time.
                        let mut wire = produce_frame("waits", i32::from(i % 2), 1000).repeat(20);
                        wire.extend(produce_frame("waits", i32::from(i % 2), bytes));
                        client
                            .send_raw(&wire)
                            .expect("a producer that sends was ended");
                        for _ in 0..21 {
                            client.receive_raw();
                        }
                        slowest = slowest.max(asked.elapsed());
                        rounds += 1;
                    }
                    (rounds, slowest)
                })
            })
            .collect();
        let rounds: Vec<_> = producers.into_iter().map(|p| p.join()).collect();
        done.store(true, Ordering::SeqCst);
        rounds
    });
    let rounds: Vec<_> = rounds.into_iter().map(|round| round.unwrap()).collect();
    println!("rounds of each producer, and its slowest: {rounds:.1?}");
    let slowest = rounds.iter().map(|(_, slowest)| *slowest).max().unwrap();
    assert!(
        slowest > Duration::from_secs(1),
        "nobody had to wait: {slowest:?}"
    );
    broker.stop();
    assert!(broker.has_logged("memory that others wait for"));
}

/// Small batches of two partitions in turn: reading one of them means reading along the
/// other, and what is read ahead comes on top.
fn consumers_that_are_far_behind_everywhere(setup: Setup) {
    let mut broker = Broker::start_with(Options {
        cores: 1,
        wal_disk_mib: 1024,
        ..setup.options()
    });
    const COUNT: usize = 8000;
    fill(&broker, "behind", COUNT, 8000);
    let gauge = Gauge::start(&broker);
    std::thread::scope(|scope| {
        for i in 0..8 {
            let broker = &broker;
            scope.spawn(move || {
                let mut client = broker.client();
                let mut next = i * COUNT as i64 / 32;
                let end = next + COUNT as i64 / 4;
                while next < end {
                    let mut request = greedy_request("behind", i as i32 % 2);
                    request.topics[0].partitions[0].fetch_offset = next;
                    let batches = fetched(&client.call(FETCH_BY_NAME, &request)).batches();
                    assert_eq!(batches.first().expect("progress").header.base_offset, next);
                    next = batches.last().expect("progress").end();
                }
            });
        }
    });
    gauge.finish_with("consumers far behind", BESIDE_SMALL_SHARES_MIB);
    broker.stop();
}

/// Each fetch is read by all shards together, which must not take what it may have once each.
fn consumers_of_all_shards_that_are_far_behind(setup: Setup) {
    const PARTITIONS: i32 = 5;
    const COUNT: i64 = 40;
    let spread = Setup {
        single: true,
        shards: 5,
        ..setup
    };
    let mut broker = Broker::start_with(spread.with_per_shard(32, 128));
    let mut client = broker.client();
    create_topic(&mut client, "wide", PARTITIONS, &[]);
    let value = Random::new(7).bytes(400_000);
    for i in 0..COUNT {
        for partition in 0..PARTITIONS {
            let batch = batch_of(i, &[&value]);
            client.send(PRODUCE_BY_NAME, &produce_request("wide", partition, batch));
        }
        for _ in 0..PARTITIONS {
            assert!(!produced(&client.receive()).error.is_error());
        }
    }
    let gauge = Gauge::start(&broker);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            let mut client = broker.client();
            scope.spawn(move || read_wide(&mut client, PARTITIONS, COUNT));
        }
    });
    gauge.finish_with(
        "consumers of all shards far behind",
        BESIDE_SMALL_SHARES_MIB,
    );
    broker.stop();
}

/// Reads all partitions of a topic to their ends, with as much as it gets of all at a time.
fn read_wide(client: &mut Client, partitions: i32, end: i64) {
    let mut next = vec![0; partitions as usize];
    while next.iter().any(|next| *next < end) {
        let mut request = greedy_request("wide", 0);
        let wanted = request.topics[0].partitions.remove(0);
        for (partition, next) in (0..).zip(&next) {
            let mut wanted = wanted.clone();
            wanted.partition = partition;
            wanted.fetch_offset = *next;
            request.topics[0].partitions.push(wanted);
        }
        let frame = client.call(FETCH_BY_NAME, &request);
        let response: FetchResponse<'_> = frame.decode();
        let before = next.clone();
        for found in &response.responses[0].partitions {
            let records: Bytes = found.records.0.concat().into();
            let place = found.partition_index as usize;
            for batch in split(&records) {
                assert_eq!(batch.header.base_offset, next[place]);
                next[place] = batch.end();
            }
        }
        assert_ne!(before, next, "no progress");
    }
}

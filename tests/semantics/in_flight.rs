//! What goes on while a write of the WAL is under way: the connection's next requests are read,
//! further writes begin beside it, and nobody sees what is not durable. Writes take a long time
//! here, so that one after the other would take several times as long.

use std::time::{Duration, Instant};

use corelane::kafka::ErrorCode;

use crate::common::batches::one;
use crate::common::broker::{Broker, Options};
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    PRODUCE_BY_NAME, create_topic, fetch, leaders, must_produce, produce_request, produced,
    read_all,
};

matrix! {
    every value: writes_are_under_way_beside_each_other;
    every pair: full_mailboxes_between_shards_empty_themselves;
}

const TOPIC: &str = "in-flight";
/// How long a write takes.
const WRITE: Duration = Duration::from_millis(600);
const BATCHES: i64 = 4;
/// So large that each is worth a write of its own beside those under way.
const STEP_BYTES: usize = 70_000;
/// On a busy machine anything may take long once; one after the other always does.
const ATTEMPTS: i64 = 4;

fn slow(setup: Setup, write: Duration) -> Broker {
    let slow = format!("block.copied:{}", write.as_millis());
    Broker::start_with(Options {
        trouble: vec![("SLOW_STEP", slow)],
        ..setup.options()
    })
}

fn writes_are_under_way_beside_each_other(setup: Setup) {
    let mut broker = slow(setup, WRITE);
    create_topic(&mut broker.client(), TOPIC, 1, &[]);
    let (mut were_beside, mut was_unseen) = (false, false);
    for attempt in 0..ATTEMPTS {
        let (mut client, mut reader) = (broker.client(), broker.client());
        let (first, began) = (attempt * BATCHES, Instant::now());
        for number in 0..BATCHES {
            let batch = one(&vec![1; 100 + number as usize * STEP_BYTES]);
            client.send(PRODUCE_BY_NAME, &produce_request(TOPIC, 0, batch));
            std::thread::sleep(Duration::from_millis(20));
        }
        let seen = fetch(&mut reader, TOPIC, 0, first);
        if began.elapsed() < WRITE {
            assert_eq!((seen.high_watermark, seen.records.len()), (first, 0));
            was_unseen = true;
        }
        for number in 0..BATCHES {
            let answer = produced(&client.receive());
            assert_eq!(answer.error, ErrorCode::NONE, "{answer:?}");
            assert_eq!(answer.base_offset, first + number);
        }
        let took = began.elapsed();
        assert!(took >= WRITE, "answered before the write has ended");
        println!("{BATCHES} writes of {WRITE:?} took {took:.1?}");
        were_beside |= took < 2 * WRITE;
        if were_beside && was_unseen {
            break;
        }
    }
    assert!(were_beside, "one after the other");
    assert!(was_unseen, "no fetch came in time");
    broker.stop();
}

/// Connections to every shard, each of which produces to partitions of all the others, more than
/// their mailboxes hold. Half of them go away before they have their answers.
fn full_mailboxes_between_shards_empty_themselves(setup: Setup) {
    const CONNECTIONS: u16 = 4;
    const REQUESTS: usize = 700;
    let mut broker = slow(setup, Duration::from_millis(30));
    let partitions = 2 * i32::from(setup.shards);
    create_topic(&mut broker.client(), TOPIC, partitions, &[]);
    let leaders = leaders(&mut broker.client(), TOPIC);
    let batch = one(b"across");
    let mut clients = Vec::new();
    for shard in 0..setup.shards {
        for _ in 0..CONNECTIONS {
            let mut client = broker.client_of(shard);
            let elsewhere = |partition: &i32| {
                setup.nodes() == 1 || leaders[*partition as usize] != i32::from(shard)
            };
            let others: Vec<i32> = (0..partitions).filter(elsewhere).collect();
            for partition in others.iter().cycle().take(REQUESTS) {
                let request = produce_request(TOPIC, *partition, batch.clone());
                client.send(PRODUCE_BY_NAME, &request);
            }
            clients.push(client);
        }
    }
    let (staying, leaving): (Vec<_>, Vec<_>) =
        (0..).zip(clients).partition(|(number, _)| number % 2 == 0);
    leaving.iter().for_each(|(_, client)| reset(client));
    drop(leaving);
    let mut acknowledged = 0;
    for (_, mut client) in staying {
        for _ in 0..REQUESTS {
            assert_eq!(produced(&client.receive()).error, ErrorCode::NONE);
            acknowledged += 1;
        }
    }
    let mut client = broker.client();
    let mut found = 0;
    for partition in 0..partitions {
        must_produce(&mut client, TOPIC, partition, batch.clone());
        found += read_all(&mut client, TOPIC, partition, 0).len() - 1;
    }
    assert!((acknowledged..=2 * acknowledged).contains(&found));
    println!("{acknowledged} acknowledged, {found} appended");
    // What was left behind in the mailboxes fails the stop.
    broker.stop();
}

/// Has the kernel end the connection with a reset.
fn reset(client: &Client) {
    let linger = Some(Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(client.stream(), linger).unwrap();
}

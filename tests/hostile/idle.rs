//! Peers that are connected and gone: what they hold comes back, and nobody notices.

use std::time::{Duration, Instant};

use super::bystander::Bystander;
use crate::common::batches::one;
use crate::common::broker::Broker;
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    FETCH_BY_NAME, PRODUCE_BY_NAME, create_topic, fetch_request, fetched, must_produce,
    produce_request,
};

matrix! {
    every value: peers_that_have_gone_give_everything_back,
        who_waits_for_an_answer_or_speaks_now_and_then_is_not_idle;
    every cell: without_a_bound_the_kernel_looks_for_those_that_have_gone;
}

const IDLE: Duration = Duration::from_millis(1500);
/// How long after its time an idle connection may be there on a busy machine.
const LATE: Duration = Duration::from_secs(20);

fn start(setup: Setup, idle_ms: &str) -> Broker {
    let options = setup.with_per_shard(32, 256);
    Broker::start_with(options.with("--connections-max-idle-ms", idle_ms))
}

/// Sockets that the broker has open.
fn sockets(broker: &Broker) -> usize {
    let entries = std::fs::read_dir(format!("/proc/{}/fd", broker.process_id())).unwrap();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

/// From the broker they differ in nothing from peers whose host has lost its power: no byte
/// comes, no end of the stream and no reset.
fn peers_that_have_gone_give_everything_back(setup: Setup) {
    let mut broker = start(setup, &IDLE.as_millis().to_string());
    create_topic(&mut broker.client(), "gone", 2, &[]);
    let bystander = Bystander::start(&broker, 1000);
    // The bystander's is one of them.
    std::thread::sleep(IDLE + Duration::from_millis(500));
    let before = sockets(&broker);
    let whole = |bytes: usize| {
        let request = produce_request("gone", 0, one(&vec![3; bytes]));
        Client::encode(PRODUCE_BY_NAME, 1, &request)
    };
    let mut gone = Vec::new();
    // Nothing, a part of a length, a part of what is carried, of a chunk, and of a lease.
    let frames = [0, 1000, 100_000, 900_000].map(whole);
    for (frame, count) in [(0, 30), (1, 20), (2, 20), (3, 6)] {
        for i in 0..count {
            let mut client = broker.client_of(i % setup.shards);
            let sent = if frame == 0 {
                0
            } else {
                frames[frame].len() / 2
            };
            client.send_raw(&frames[frame][..sent]).unwrap();
            gone.push(client);
        }
    }
    let mut client = broker.client();
    client.send_raw(&[0, 0]).unwrap();
    gone.push(client);
    assert!(sockets(&broker) > before, "they are connected");
    let began = Instant::now();
    for client in &mut gone {
        client.set_patience(LATE);
        assert!(
            client.is_closed_by_broker(),
            "still there after {:?}",
            began.elapsed()
        );
    }
    println!("{} peers ended after {:.1?}", gone.len(), began.elapsed());
    bystander.finish();
    let deadline = Instant::now() + LATE;
    while sockets(&broker) >= before {
        assert!(Instant::now() < deadline, "{} sockets", sockets(&broker));
        std::thread::sleep(Duration::from_millis(20));
    }
    // Each share is whole again: as many at once as there is memory for.
    for bytes in [100_000, 900_000] {
        for _ in 0..10 {
            must_produce(&mut broker.client_of(0), "gone", 0, one(&vec![1; bytes]));
        }
    }
    broker.stop();
}

fn who_waits_for_an_answer_or_speaks_now_and_then_is_not_idle(setup: Setup) {
    let mut broker = start(setup, &IDLE.as_millis().to_string());
    let mut speaker = broker.client();
    create_topic(&mut speaker, "not-idle", 1, &[]);
    let mut waiter = broker.client();
    let mut request = fetch_request("not-idle", 0, 0);
    request.max_wait_ms = 2 * IDLE.as_millis() as i32;
    request.min_bytes = 1;
    let began = Instant::now();
    waiter.send(FETCH_BY_NAME, &request);
    while began.elapsed() < 2 * IDLE {
        assert!(
            fetched(&speaker.call(FETCH_BY_NAME, &fetch_request("not-idle", 0, 0)))
                .batches()
                .is_empty()
        );
        std::thread::sleep(IDLE / 4);
    }
    assert!(fetched(&waiter.receive()).batches().is_empty());
    assert!(began.elapsed() >= 2 * IDLE);
    broker.stop();
}

fn without_a_bound_the_kernel_looks_for_those_that_have_gone(setup: Setup) {
    let mut broker = start(setup, "-1");
    let mut client = broker.client();
    client.set_patience(IDLE);
    assert!(!client.is_closed_by_broker(), "it may be idle for ever");
    // Of the broker's side: state, and the timer with what is left of it.
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let own = format!(":{:04X}", client.stream().peer_addr().unwrap().port());
    let peer = format!(":{:04X}", client.stream().local_addr().unwrap().port());
    let mut lines = table.lines().map(|line| line.split_whitespace().collect());
    let line = lines
        .find(|fields: &Vec<&str>| fields[1].ends_with(&own) && fields[2].ends_with(&peer))
        .expect("the broker's side of the connection");
    assert_eq!(line[3], "01", "established");
    let (timer, left) = line[5].split_once(':').unwrap();
    assert_eq!(timer, "02", "the timer of keepalive runs");
    // Hundredths of a second.
    let left = u64::from_str_radix(left, 16).unwrap();
    assert!(
        (1..=120 * 100).contains(&left),
        "the next probe is in {left}"
    );
    broker.stop();
}

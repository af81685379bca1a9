//! Memory stays in its budget (`--memory`), whatever clients ask for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use corelane::kafka::messages::fetch::FetchRequest;

use super::bystander::Bystander;
use crate::common::batches::batch_of;
use crate::common::broker::{Broker, Options, resident_bytes_of};
use crate::common::client::Client;
use crate::common::ops::{
    FETCH_BY_NAME, PRODUCE_BY_NAME, create_topic, fetch_request, fetched, produce_request, produced,
};
use crate::common::random::Random;

const MEMORY_MIB: u32 = 128;
/// What the process may have beyond its budget: the program, the allocator's own waste,
/// the stacks and the connections.
const SLACK_MIB: u32 = 64;

/// A broker with little memory and room for the data of these tests.
fn start() -> Broker {
    Broker::start_with(Options {
        memory_mib: MEMORY_MIB,
        wal_disk_mib: 1024,
        ..Options::default()
    })
}

/// Watches the resident memory of a broker.
struct Gauge {
    done: Arc<AtomicBool>,
    highest: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Gauge {
    fn start(broker: &Broker) -> Gauge {
        let (done, highest) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let process = broker.process_id();
        let thread = std::thread::spawn({
            let (done, highest) = (done.clone(), highest.clone());
            move || {
                while !done.load(Ordering::SeqCst) {
                    if let Some(bytes) = resident_bytes_of(process) {
                        highest.fetch_max(bytes, Ordering::SeqCst);
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        });
        Gauge {
            done,
            highest,
            thread,
        }
    }

    /// Fails if there was more than the budget and the slack.
    fn finish(self, what: &str) {
        self.done.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        let highest = self.highest.load(Ordering::SeqCst) >> 20;
        println!("{what}: at most {highest} MiB resident with --memory {MEMORY_MIB}MiB");
        let allowed = u64::from(MEMORY_MIB + SLACK_MIB);
        assert!(highest <= allowed, "{what}: {highest} MiB resident");
    }
}

/// Produces `count` batches of `bytes` to each of two partitions.
fn fill(broker: &Broker, topic: &str, count: usize, bytes: usize) {
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

fn greedy_request(topic: &str, partition: i32) -> FetchRequest<'_> {
    let mut request = fetch_request(topic, partition, 0);
    request.max_bytes = 50 << 20;
    request.topics[0].partitions[0].partition_max_bytes = 50 << 20;
    request
}

#[test]
fn consumers_that_never_read_their_responses() {
    let mut broker = start();
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
    gauge.finish("consumers that never read");
    drop(stalled);
    broker.stop();
}

/// Small batches of two partitions in turn: reading one of them means reading along the
/// other, and what is read ahead comes on top.
#[test]
fn consumers_that_are_far_behind_everywhere() {
    let mut broker = Broker::start_with(Options {
        cores: 1,
        memory_mib: MEMORY_MIB,
        wal_disk_mib: 1024,
        ..Options::default()
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
    gauge.finish("consumers far behind");
    broker.stop();
}

//! The programs against the real sink and against the fake broker.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

use super::Directory;
use super::fake_broker::{FakeBroker, TOPIC};
use crate::produce::{ProduceArgs, Shape, Target};
use crate::sink::{self, CeilingArgs};
use crate::{clock, fetch, measure::Report, produce};

const FILE_BYTES: u64 = 64 << 20;

fn start_sink(directory: &Path, connections: usize) -> (String, JoinHandle<Result<()>>) {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listen: SocketAddr = probe.local_addr().unwrap();
    drop(probe);
    let args = CeilingArgs {
        listen,
        dir: directory.to_owned(),
        file_bytes: FILE_BYTES,
        cpu: None,
        writes_in_flight: 3,
        block_bytes: 256 << 10,
        group_bytes: 128 << 10,
        read_bytes: 128 << 10,
        spin_us: 0,
        io_memory: None,
        preempt_us: 1000,
        seconds: None,
        connections_done: Some(connections),
    };
    (
        listen.to_string(),
        std::thread::spawn(move || sink::run(args)),
    )
}

/// Waits for the sink to listen; the connection counts as one of those it serves.
fn connect(address: &str) -> TcpStream {
    let deadline = clock::now() + Duration::from_secs(20);
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return stream,
            Err(error) if clock::now() > deadline => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn produce_args(target: Target, bootstrap: String, request_bytes: usize) -> ProduceArgs {
    ProduceArgs {
        target,
        bootstrap,
        shape: Shape {
            topic: TOPIC.to_owned(),
            partitions: None,
            connections: 3,
            request_bytes,
            record_bytes: 1024,
            window: 8,
            configs: vec![("retention.ms".to_owned(), "1000".to_owned())],
            not_alone: false,
        },
        seconds: 0.2,
        bytes: None,
        warmup: 0.05,
        cpu: None,
        pid: Some(std::process::id()),
        json: false,
    }
}

/// Frames in the sink's file, each checked against its CRC.
fn frames_on_disk(directory: &Path) -> usize {
    let file = std::fs::read(directory.join("ceiling.dat")).unwrap();
    let (mut at, mut frames) = (0, 0);
    while at + 8 <= file.len() {
        let word = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
        let (length, crc) = (word(at) as usize, word(at + 4));
        if length > 0 {
            let frame = &file[at + 8..at + 8 + length];
            assert_eq!(crc32c::crc32c(frame), crc, "frame {frames} at {at}");
            frames += 1;
            at += 8 + length;
        } else if at % 4096 == 0 {
            break;
        } else {
            at = at.next_multiple_of(4096);
        }
    }
    frames
}

#[test]
fn the_sink_has_on_disk_what_it_acknowledged() {
    for (request_bytes, requests) in [(64 << 10, 300), (1 << 10, 5000)] {
        let directory = Directory::new();
        let (address, sink) = start_sink(directory.path(), 4);
        drop(connect(&address));
        let mut args = produce_args(Target::Sink, address, request_bytes);
        args.bytes = Some((requests * request_bytes) as u64);
        let report = produce::measure(&args).unwrap();
        sink.join().unwrap().unwrap();
        assert_eq!(report.totals.requests, requests as u64);
        assert_eq!(report.totals.bytes, (requests * request_bytes) as u64);
        assert_eq!(
            report.totals.records,
            (requests * request_bytes / 1024) as u64
        );
        assert!(report.server.is_some() && report.latency_us[0] > 0);
        assert_eq!(frames_on_disk(directory.path()), requests);
    }
}

#[test]
fn a_run_for_a_time_measures_that_time() {
    let directory = Directory::new();
    let (address, sink) = start_sink(directory.path(), 4);
    drop(connect(&address));
    let report = produce::measure(&produce_args(Target::Sink, address, 64 << 10)).unwrap();
    sink.join().unwrap().unwrap();
    assert!(report.seconds >= 0.2, "{report:?}");
    assert!(report.totals.requests > 0, "{report:?}");
    assert_eq!(report.totals.records, report.totals.requests * 64);
}

#[test]
fn the_sink_closes_on_what_it_does_not_speak() {
    let directory = Directory::new();
    let (address, sink) = start_sink(directory.path(), 2);
    for bytes in [
        &[0xff; 64][..],
        &crate::codec::admin::api_versions_request(),
    ] {
        let mut stream = connect(&address);
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // Closed with unread bytes, the connection may end by a reset as well.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty());
    }
    sink.join().unwrap().unwrap();
}

#[test]
fn a_broker_is_produced_to_and_every_offset_checked() {
    let broker = FakeBroker::start();
    let mut args = produce_args(Target::Kafka, broker.address(), 16 << 10);
    args.bytes = Some(60 * (16 << 10));
    let report = produce::measure(&args).unwrap();
    assert_eq!(report.totals.requests, 60);
    let ends: Vec<i64> = (0..3).map(|partition| broker.end(partition)).collect();
    assert_eq!(ends.iter().sum::<i64>(), 60 * 16);
    assert!(ends.iter().all(|end| *end > 0), "{ends:?}");
    // Another producer between ours breaks the sequence, unless that was announced.
    args.shape.connections = 1;
    args.bytes = None;
    let disturbed = disturb(&broker, &args);
    assert!(format!("{:#}", disturbed.unwrap_err()).contains("base offset"));
    args.shape.not_alone = true;
    disturb(&broker, &args).unwrap();
}

/// Produces while others append to the same partition.
fn disturb(broker: &FakeBroker, args: &ProduceArgs) -> Result<Report> {
    let other = broker.clone();
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let until = std::sync::Arc::clone(&done);
    let disturbing = std::thread::spawn(move || {
        while !until.load(std::sync::atomic::Ordering::Relaxed) {
            other.fill(0, 1, 1);
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let report = produce::measure(args);
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    disturbing.join().unwrap();
    report
}

fn fetch_args(broker: &FakeBroker, from: fetch::From) -> fetch::FetchArgs {
    fetch::FetchArgs {
        bootstrap: broker.address(),
        shape: fetch::Shape {
            topic: TOPIC.to_owned(),
            connections: 2,
            from,
            fetch_bytes: 5000,
            wait_ms: 10,
        },
        seconds: 0.2,
        warmup: 0.02,
        cpu: None,
        pid: None,
        json: false,
    }
}

#[test]
fn fetching_from_the_start_reads_everything_once() {
    let broker = FakeBroker::start();
    broker.create(3);
    for partition in 0..3 {
        broker.fill(partition, 400, 10);
    }
    let report = fetch::measure(&fetch_args(&broker, fetch::From::Earliest)).unwrap();
    assert_eq!(report.totals.records, 1200);
    assert!(
        report.totals.requests >= 1200 * 115 / 5000,
        "responses were cut at fetch_bytes: {report:?}"
    );
    broker.flip_a_bit(1, 20);
    let damaged = fetch::measure(&fetch_args(&broker, fetch::From::Earliest));
    assert!(format!("{:#}", damaged.unwrap_err()).contains("CRC"));
}

#[test]
fn the_end_of_the_log_can_be_read_over_and_over() {
    let broker = FakeBroker::start();
    broker.create(1);
    broker.fill(0, 400, 10);
    let report = fetch::measure(&fetch_args(&broker, fetch::From::Back(15))).unwrap();
    assert!(report.totals.records > 150, "{report:?}");
}

#[test]
fn following_the_tail_sees_only_what_is_new() {
    let broker = FakeBroker::start();
    broker.create(1);
    broker.fill(0, 5000, 10);
    let late = broker.clone();
    let filling = std::thread::spawn(move || {
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(10));
            late.fill(0, 20, 10);
        }
    });
    let report = fetch::measure(&fetch_args(&broker, fetch::From::Tail)).unwrap();
    filling.join().unwrap();
    let records = report.totals.records;
    assert!(records > 0 && records <= 200, "{report:?}");
}

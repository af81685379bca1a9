//! Requests that begin well: cut short at every byte, or with lengths that reach beyond
//! the frame.

use std::time::Duration;

use super::bystander::Bystander;
use super::captures::{self, Capture};
use super::gauge::Gauge;
use crate::common::broker::Broker;
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::create_topic;

matrix! {
    every cell: valid_requests_are_answered;
    every pair: a_request_cut_short_at_any_byte_closes_its_connection;
    every value: lengths_beyond_the_frame_do_no_harm;
}

const THREADS: usize = 4;

/// A broker that creates no topic unasked, with the topic of the captures.
fn start(setup: Setup) -> (Broker, corelane::base::TopicId) {
    let options = setup.options().with("--auto-create-topics", "false");
    let broker = Broker::start_with(options);
    let topic_id = create_topic(&mut broker.client(), captures::TOPIC, 2, &[]);
    (broker, topic_id)
}

/// Does something with every capture, on several threads.
fn each(captures: &[Capture], work: impl Fn(&Capture) -> u64 + Sync) -> u64 {
    let (work, share) = (&work, captures.len().div_ceil(THREADS));
    std::thread::scope(|scope| {
        let workers: Vec<_> = captures
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(work).sum::<u64>()))
            .collect();
        workers.into_iter().map(|w| w.join().unwrap()).sum()
    })
}

fn valid_requests_are_answered(setup: Setup) {
    let (broker, topic_id) = start(setup);
    for capture in captures::all(topic_id) {
        let mut client = broker.client();
        client.send_raw(&capture.frame).unwrap();
        let response = client.receive_raw();
        assert_eq!(
            response.first_chunk(),
            Some(&7i32.to_be_bytes()),
            "{:?} v{}",
            capture.api,
            capture.version
        );
    }
}

fn a_request_cut_short_at_any_byte_closes_its_connection(setup: Setup) {
    let (mut broker, topic_id) = start(setup);
    let gauge = Gauge::start(&broker);
    let bystander = Bystander::start(&broker, 100);
    let address = broker.address(0);
    let cuts = each(&captures::all(topic_id), |capture| {
        let body = &capture.frame[4..];
        for cut in 0..body.len() {
            let mut client = Client::connect(address);
            let frame = [&(cut as i32).to_be_bytes()[..], &body[..cut]].concat();
            client.send_raw(&frame).unwrap();
            assert!(
                client.is_closed_by_broker(),
                "{:?} v{} cut at {cut} of {}",
                capture.api,
                capture.version,
                body.len()
            );
        }
        body.len() as u64
    });
    println!("{cuts} cuts");
    bystander.finish();
    gauge.finish("requests that are cut short");
    broker.assert_running();
}

fn lengths_beyond_the_frame_do_no_harm(setup: Setup) {
    const LENGTHS: [&[u8]; 5] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xfe],
        &[0x7f, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0x7f],
    ];
    let (mut broker, topic_id) = start(setup);
    let bystander = Bystander::start(&broker, 100);
    let address = broker.address(0);
    let before = broker.resident_bytes();
    let changes = each(&captures::ends(topic_id), |capture| {
        let mut changes = 0;
        for length in LENGTHS {
            // Behind the length, the API and the version, which have tests of their own.
            for at in 8..capture.frame.len() - length.len() {
                let mut frame = capture.frame.clone();
                frame[at..at + length.len()].copy_from_slice(length);
                let mut client = Client::connect(address);
                // A fetch may have got a long wait: it is left alone then.
                client.set_patience(Duration::from_millis(20));
                client.send_raw(&frame).unwrap();
                client.finish_sending();
                client.read_to_end();
                changes += 1;
            }
        }
        changes
    });
    let grown = broker.resident_bytes().saturating_sub(before);
    println!(
        "{changes} changed requests; the broker grew by {} KiB",
        grown >> 10
    );
    assert!(grown < 64 << 20, "the broker grew by {grown} bytes");
    bystander.finish();
    broker.assert_running();
}

//! Peers that connect and then do not behave like clients at all.

use std::net::TcpStream;
use std::time::Duration;

use rustix::net::sockopt;

use super::bystander::Bystander;
use super::captures;
use super::gauge::Gauge;
use crate::common::batches::one;
use crate::common::broker::{Broker, Options};
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    FETCH_BY_NAME, create_topic, fetch_request, must_produce, produce_request,
};

matrix! {
    every pair: requests_left_in_the_middle_hinder_nobody, resets_are_no_news;
    every value: connections_that_never_send_cost_little,
        a_broker_without_descriptors_refuses_connections_and_recovers;
}

/// Has the kernel end the connection with a reset.
fn reset(stream: &TcpStream) {
    sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}

fn connections_that_never_send_cost_little(setup: Setup) {
    let mut broker = setup.start();
    let bystander = Bystander::start(&broker, 100);
    let before = broker.resident_bytes();
    let mut silent = Vec::new();
    for i in 0..300 {
        silent.push(broker.client_of(i % 2));
        std::thread::sleep(Duration::from_millis(10));
    }
    let grown = broker.resident_bytes().saturating_sub(before);
    println!("300 silent connections: {} KiB", grown >> 10);
    assert!(grown < 32 << 20, "{grown} bytes for 300 silent connections");
    bystander.finish();
    drop(silent);
    broker.assert_running();
    broker.stop();
}

fn requests_left_in_the_middle_hinder_nobody(setup: Setup) {
    let mut broker = setup.start();
    let topic_id = create_topic(&mut broker.client(), captures::TOPIC, 2, &[]);
    let gauge = Gauge::start(&broker);
    let bystander = Bystander::start(&broker, 100);
    let mut left = Vec::new();
    for capture in captures::ends(topic_id) {
        for part in 1..8 {
            let mut client = broker.client_of(part as u16 % 2);
            let cut = capture.frame.len() * part / 8;
            client.send_raw(&capture.frame[..cut]).unwrap();
            left.push(client);
        }
    }
    println!("{} requests left in the middle", left.len());
    std::thread::sleep(Duration::from_millis(500));
    bystander.finish();
    gauge.finish("requests left in the middle");
    // Half of them go away without a word.
    left.iter()
        .step_by(2)
        .for_each(|client| reset(client.stream()));
    drop(left);
    broker.assert_running();
    broker.stop();
}

fn resets_are_no_news(setup: Setup) {
    let mut broker = setup.start();
    create_topic(&mut broker.client(), "reset", 2, &[]);
    let value = vec![1; 200_000];
    for partition in 0..2 {
        must_produce(&mut broker.client(), "reset", partition, one(&value));
    }
    let bystander = Bystander::start(&broker, 100);
    for i in 0..200 {
        // Before the broker has even accepted it.
        reset(broker.client_of(i % 2).stream());
        // With an answer on its way, which does not fit the socket's buffers.
        let mut client = broker.client_of(i % 2);
        for _ in 0..20 {
            client.send(FETCH_BY_NAME, &fetch_request("reset", 0, 0));
            client.send(FETCH_BY_NAME, &fetch_request("reset", 1, 0));
        }
        let batch = one(&value);
        client.send(12, &produce_request("reset", 1, batch));
        reset(client.stream());
    }
    bystander.finish();
    broker.assert_running();
    broker.stop();
}

fn a_broker_without_descriptors_refuses_connections_and_recovers(setup: Setup) {
    const OPEN_FILES: u32 = 300;
    let mut broker = Broker::start_with(Options {
        open_files: Some(OPEN_FILES),
        ..setup.options()
    });
    broker.announce("cannot accept a connection");
    let bystander = Bystander::start(&broker, 100);
    let crowd: Vec<Client> = (0..OPEN_FILES)
        .map(|i| broker.client_of(i as u16 % 2))
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    assert!(broker.has_logged("cannot accept a connection"));
    bystander.finish();
    drop(crowd);
    // Those who waited are served now.
    assert!(Client::is_served_at(broker.address(0)));
    assert!(Client::is_served_at(broker.address(1)));
    broker.stop();
}

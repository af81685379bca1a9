//! Memory stays in its budget whatever clients ask for, however many they are.

use std::time::Instant;

use corelane::kafka::messages::metadata::{MetadataRequest, MetadataResponse};
use rustix::net::sockopt;

use super::bystander::Bystander;
use super::gauge::Gauge;
use super::memory::{fill, greedy_request, start};
use crate::common::broker::Broker;
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{FETCH_BY_NAME, create_topic, fetch_request, fetched};

matrix! {
    every value: consumers_that_each_get_a_little, responses_that_are_no_records;
}

const CROWD: u16 = 150;

/// A client whose socket takes little of what it never reads.
fn client_of(broker: &Broker, shard: u16) -> Client {
    let client = broker.client_of(shard);
    sockopt::set_socket_recv_buffer_size(client.stream(), 4096).unwrap();
    client
}

/// Each asks for what is far more than its share, on the disk and in memory.
fn consumers_that_each_get_a_little(setup: Setup) {
    const COUNT: i64 = 200;
    let mut broker = start(setup);
    fill(&broker, "crowd", COUNT as usize, 200_000);
    let gauge = Gauge::start(&broker);
    let bystander = Bystander::start(&broker, 1000);
    let mut crowd = Vec::new();
    for i in 0..CROWD {
        let mut client = client_of(&broker, i % 2);
        for k in 0..4 {
            let mut request = greedy_request("crowd", i32::from(i / 2 % 2));
            let offset = (i64::from(i) + k * 50) % COUNT;
            request.topics[0].partitions[0].fetch_offset = offset;
            client.send(FETCH_BY_NAME, &request);
        }
        crowd.push(client);
    }
    // One that does read gets on.
    let mut client = broker.client();
    let began = Instant::now();
    let mut next = 0;
    while next < COUNT {
        let request = fetch_request("crowd", 0, next);
        let batches = fetched(&client.call(FETCH_BY_NAME, &request)).batches();
        next = batches.last().expect("progress").end();
    }
    println!("40 MB read beside the crowd in {:.1?}", began.elapsed());
    bystander.finish();
    gauge.finish("a crowd of consumers");
    drop(crowd);
    broker.stop();
}

/// Each asks many times for a description of everything.
fn responses_that_are_no_records(setup: Setup) {
    let mut broker = start(setup);
    create_topic(&mut broker.client(), "wide", 1000, &[]);
    let gauge = Gauge::start(&broker);
    let mut crowd = Vec::new();
    for i in 0..CROWD {
        let mut client = client_of(&broker, i % 2);
        for _ in 0..25 {
            client.send(12, &MetadataRequest::default());
        }
        crowd.push(client);
    }
    // One that does read is answered.
    let mut client = broker.client();
    for _ in 0..10 {
        let frame = client.call(12, &MetadataRequest::default());
        let response: MetadataResponse<'_> = frame.decode();
        assert_eq!(response.topics[0].partitions.len(), 1000);
    }
    gauge.finish("a crowd of the curious");
    drop(crowd);
    broker.stop();
}

//! Requests that are small and make the broker do, or keep, very much.

use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use corelane::kafka::ErrorCode;
use corelane::kafka::batch::{HEADER_BYTES, LENGTH_PREFIX_BYTES};
use corelane::kafka::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};

use super::bystander::Bystander;
use super::gauge::Gauge;
use crate::common::batches::{batch_of, forged, now_ms};
use crate::common::broker::Broker;
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{FETCH_BY_NAME, create_topic, list_offset, must_produce};

matrix! {
    every value: a_fetch_session_of_ever_more_names, batches_that_lie_about_their_time;
}

/// A fetch of some topics that there are not; the error and the session of the answer.
fn fetch(client: &mut Client, (id, epoch): (i32, i32), names: &[String]) -> (ErrorCode, i32) {
    let topics = names.iter().map(|name| FetchTopic {
        topic: name,
        partitions: vec![FetchPartition::default()],
        ..Default::default()
    });
    let request = FetchRequest {
        session_id: id,
        session_epoch: epoch,
        topics: topics.collect(),
        ..Default::default()
    };
    let frame = client.call(FETCH_BY_NAME, &request);
    let response: FetchResponse<'_> = frame.decode();
    (response.error_code, response.session_id)
}

fn a_fetch_session_of_ever_more_names(setup: Setup) {
    const REQUESTS: usize = 60;
    const NAMES: usize = 10_000;
    let mut broker = Broker::start_with(setup.with_per_shard(64, 64));
    let gauge = Gauge::start(&broker);
    let bystander = Bystander::start(&broker, 1000);
    let mut client = broker.client();
    let (mut session, mut lost) = ((0, 0), 0);
    for request in 0..REQUESTS {
        let name = |n| format!("{request:04}-{n:0195}");
        let names: Vec<String> = match session {
            (0, _) => vec![name(0)],
            _ => (0..NAMES).map(name).collect(),
        };
        match fetch(&mut client, session, &names) {
            (ErrorCode::NONE, id) => session = (id, session.1 + 1),
            (error, _) => {
                assert_eq!(error, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
                (session, lost) = ((0, 0), lost + 1);
            }
        }
    }
    println!("{lost} sessions were lost");
    assert!(lost > 0);
    bystander.finish();
    gauge.finish("a session of ever more names");
    broker.stop();
}

/// A batch of one old record of `bytes`, compressed, that says that it is of `claimed`.
fn lie(claimed: i64, bytes: usize) -> Bytes {
    let plain = batch_of(1000, &[&vec![0; bytes]]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&plain[HEADER_BYTES..]).unwrap();
    let section = encoder.finish().unwrap();
    let packed: Bytes = [&plain[..HEADER_BYTES], &section].concat().into();
    forged(&packed, |header| {
        header.attributes |= 1;
        header.batch_length = (packed.len() - LENGTH_PREFIX_BYTES) as i32;
        header.max_timestamp = claimed;
        // A single record is believed without a look.
        header.last_offset_delta = 1;
        header.record_count = 2;
    })
}

/// Each of them has to be looked into to find that what is wanted is not there.
fn batches_that_lie_about_their_time(setup: Setup) {
    let mut broker = Broker::start_with(setup.with_per_shard(64, 64));
    let mut client = broker.client();
    let now = now_ms();
    // What fits the share for this, and what does not.
    for (topic, bytes, batches) in [("many", 4_000_000, 250), ("huge", 60_000_000, 3)] {
        create_topic(&mut client, topic, 1, &[]);
        let batch = lie(now, bytes);
        for _ in 0..batches {
            must_produce(&mut client, topic, 0, batch.clone());
        }
    }
    let gauge = Gauge::start(&broker);
    let bystander = Bystander::start(&broker, 1000);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for topic in ["many", "huge"] {
            let mut client = broker.client();
            scope.spawn(move || {
                let (offset, timestamp) = list_offset(&mut client, topic, 0, now - 1000);
                let expected = if topic == "many" { 200 } else { 0 };
                assert_eq!(offset, expected, "nothing before it is late enough");
                assert!(timestamp >= now - 1000);
            });
        }
    });
    println!("two searches in {:.1?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(25));
    // Where no header says so nothing is looked into.
    assert_eq!(list_offset(&mut client, "many", 0, now + 1), (-1, -1));
    bystander.finish();
    gauge.finish("batches that lie");
    broker.stop();
}

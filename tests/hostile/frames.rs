//! Bytes that are no frame, or a frame that is no request.

use std::time::{Duration, Instant};

use corelane::kafka::ErrorCode;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::Response;
use corelane::kafka::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use corelane::kafka::reader::Reader;

use super::bystander::Bystander;
use super::captures;
use super::gauge::Gauge;
use crate::common::broker::Broker;
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::create_topic;
use crate::common::random::Random;

matrix! {
    every cell: impossible_lengths_close_the_connection,
        unknown_apis_and_versions_close_the_connection,
        an_unknown_version_of_api_versions_is_answered_in_version_0, garbage_closes_the_connection;
}

/// What the broker says when it closes a connection, with the peer and the reason.
const CLOSED: &str = "connection closed";

/// A frame around `body`, with its right length.
fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as i32).to_be_bytes()[..], body].concat()
}

/// Sends `bytes` on a connection of their own, which the broker must close unanswered.
fn assert_closes(broker: &Broker, bytes: &[u8], what: &str) {
    let mut client = broker.client();
    // The broker may close before it has read all of it.
    let _ = client.send_raw(bytes);
    assert!(client.is_closed_by_broker(), "{what}: still open");
}

fn impossible_lengths_close_the_connection(setup: Setup) {
    let mut broker = setup.start();
    let gauge = Gauge::start(&broker);
    let bystander = Bystander::start(&broker, 100);
    let too_long = 100 * 1024 * 1024 + 1;
    let lengths = [i32::MIN, -1000, -1, 0, 1, 9, too_long, i32::MAX];
    for length in lengths {
        let bytes = [&length.to_be_bytes()[..], &[0; 64]].concat();
        assert_closes(&broker, &bytes, &format!("length {length}"));
    }
    bystander.finish();
    gauge.finish("impossible lengths");
    broker.assert_running();
    // A line for each, as there is no flood yet.
    let said = broker.log();
    for length in lengths {
        let reason = format!("error=frame length {length} is not between ");
        let lines: Vec<_> = said.lines().filter(|line| line.contains(&reason)).collect();
        assert_eq!(lines.len(), 1, "{length}: {said}");
        assert!(lines[0].contains(CLOSED), "{said}");
        assert!(lines[0].contains(" INFO ") && lines[0].contains(" peer=127.0.0.1:"));
    }
}

fn unknown_apis_and_versions_close_the_connection(setup: Setup) {
    let mut broker = setup.start();
    let topic_id = create_topic(&mut broker.client(), captures::TOPIC, 2, &[]);
    let bystander = Bystander::start(&broker, 100);
    for key in [-1, 4, 5, 6, 7, 999, i16::MIN, i16::MAX] {
        let mut body = [&key.to_be_bytes()[..], &[0, 0, 0, 0, 0, 7, 255, 255]].concat();
        body.extend([0; 20]);
        assert_closes(&broker, &framed(&body), &format!("API key {key}"));
    }
    for capture in captures::ends(topic_id) {
        let spec = capture.api.spec();
        for version in [-1, spec.min - 1, spec.max + 1, i16::MAX] {
            if capture.api == ApiKey::ApiVersions {
                continue;
            }
            let mut frame = capture.frame.clone();
            frame[6..8].copy_from_slice(&version.to_be_bytes());
            assert_closes(&broker, &frame, &format!("{:?} v{version}", capture.api));
        }
    }
    bystander.finish();
    broker.assert_running();
}

fn an_unknown_version_of_api_versions_is_answered_in_version_0(setup: Setup) {
    let broker = setup.start();
    let request = ApiVersionsRequest {
        client_software_name: "future",
        client_software_version: "9",
    };
    for version in [-1i16, 5, 99, i16::MAX] {
        let mut client = broker.client();
        let mut frame = Client::encode(4, 42, &request);
        frame[6..8].copy_from_slice(&version.to_be_bytes());
        client.send_raw(&frame).unwrap();
        let bytes = client.receive_raw();
        let (correlation_id, response) =
            ApiVersionsResponse::decode(&mut Reader::new(&bytes), 0).unwrap();
        assert_eq!(correlation_id, 42);
        assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
        let keys = response.api_keys.iter();
        let own = keys.filter(|key| key.api_key == ApiKey::ApiVersions.key());
        let own: Vec<_> = own.map(|key| (key.min_version, key.max_version)).collect();
        assert_eq!(own, [(0, 4)], "it tells which versions there are");
        // The same connection goes on with one of these.
        let frame = client.call(0, &request);
        let response: ApiVersionsResponse<'_> = frame.decode();
        assert_eq!(response.error_code, ErrorCode::NONE);
        assert_eq!(response.api_keys.len(), ApiKey::ALL.len());
    }
}

fn garbage_closes_the_connection(setup: Setup) {
    let mut broker = setup.start();
    let gauge = Gauge::start(&broker);
    let bystander = Bystander::start(&broker, 100);
    let began = Instant::now();
    let http = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_closes(&broker, http, "HTTP");
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    assert_closes(&broker, tls, "TLS");
    let seed = Random::seed();
    println!("seed: CORELANE_TEST_SEED={seed}");
    let mut random = Random::new(seed);
    for round in 0..300 {
        let len = 20 + random.below(2000) as usize;
        let mut body = random.bytes(len);
        if round % 2 == 0 {
            // Far enough into the decoders to be worth it.
            let api = ApiKey::ALL[random.below(ApiKey::ALL.len() as u64) as usize];
            body[..2].copy_from_slice(&api.key().to_be_bytes());
            body[2..4].copy_from_slice(&api.spec().max.to_be_bytes());
            body[8..10].copy_from_slice(&[255, 255]);
            body[10] = 0;
        }
        let mut client = broker.client();
        client.set_patience(Duration::from_secs(1));
        client.send_raw(&framed(&body)).unwrap();
        client.finish_sending();
        client.read_to_end();
    }
    bystander.finish();
    gauge.finish("garbage");
    broker.assert_running();
    // Ten lines at once and one a second on each shard.
    let seconds = began.elapsed().as_secs() as usize + 1;
    let said = broker.log().matches(CLOSED).count();
    let most = usize::from(setup.shards) * (10 + seconds);
    println!("{said} lines in {seconds} s");
    assert!((1..=most).contains(&said), "{said} lines, {most} at most");
}

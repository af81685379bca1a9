//! The bounds of topics on the timestamps of producers, and whom a refusal names.

use std::io::Write;

use bytes::Bytes;
use corelane::kafka::ErrorCode;
use corelane::kafka::batch::{BatchHeader, HEADER_BYTES};
use corelane::kafka::messages::produce::{PartitionProduceData, ProduceResponse};
use corelane::kafka::record::BatchBuilder;

use crate::common::batches::{forged, now_ms, one};
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    PRODUCE_BY_NAME, create_topic, must_produce, produce, produce_request, read_all,
};

matrix! {
    every cell: timestamps_outside_of_a_topics_bounds_are_refused,
        one_response_names_a_bounded_number_of_records;
}

const HOUR: i64 = 60 * 60 * 1000;

/// A batch of records at these times.
fn at(times: &[i64]) -> Bytes {
    let add = |batch: BatchBuilder, time: &i64| batch.record(*time, None, Some(b"value"));
    times.iter().fold(BatchBuilder::new(times[0]), add).build()
}

fn gzipped(batch: &Bytes) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&batch[HEADER_BYTES..]).unwrap();
    let section = encoder.finish().unwrap();
    let packed = Bytes::from([&batch[..HEADER_BYTES], &section].concat());
    forged(&packed, |header: &mut BatchHeader| {
        header.attributes |= 1;
        header.batch_length = (packed.len() - 12) as i32;
    })
}

/// Sends a batch plain and compressed; both must be taken, or refused for these records.
fn check(client: &mut Client, topic: &str, partition: i32, times: &[i64], bad: &[i32]) {
    for batch in [at(times), gzipped(&at(times))] {
        let answer = produce(client, topic, partition, batch);
        let expected = match bad {
            [] => ErrorCode::NONE,
            _ => ErrorCode::INVALID_TIMESTAMP,
        };
        assert_eq!(answer.error, expected, "{topic} {times:?}: {answer:?}");
        assert_eq!(answer.bad_records, bad, "{topic} {times:?}");
        let told = answer.message.unwrap_or_default();
        assert_eq!(told.contains("takes timestamps from"), !bad.is_empty());
    }
}

fn timestamps_outside_of_a_topics_bounds_are_refused(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    let no_bound = i64::MAX.to_string();
    let (before, after) = (
        "message.timestamp.before.max.ms",
        "message.timestamp.after.max.ms",
    );
    create_topic(&mut client, "default", 2, &[]);
    create_topic(&mut client, "fresh", 2, &[(before, "600000"), (after, "0")]);
    create_topic(&mut client, "any", 2, &[(after, &no_bound)]);
    let stamped = [("message.timestamp.type", "LogAppendTime"), (before, "0")];
    create_topic(&mut client, "stamped", 2, &stamped);
    // One partition is on the shard that is asked, one on the other.
    for partition in 0..2 {
        let now = now_ms();
        let (old, late) = (now - HOUR, now + 2 * HOUR);
        let mut check =
            |topic, times: &[i64], bad| check(&mut client, topic, partition, times, bad);
        check("default", &[0, old, now + HOUR - 60_000], &[]);
        check("default", &[now, late, 0, late], &[1, 3]);
        check("fresh", &[now, -1], &[]);
        check("fresh", &[old, now, late, 0], &[0, 2, 3]);
        check("any", &[late, i64::MAX, 0], &[]);
        check("stamped", &[late, 0], &[]);
        for (topic, batches) in [("default", 2), ("fresh", 2), ("any", 2), ("stamped", 2)] {
            let found = read_all(&mut client, topic, partition, 0);
            assert_eq!(found.len(), batches, "{topic}");
        }
    }
}

/// However many batches a request has, and whatever is wrong with each of their records.
fn one_response_names_a_bounded_number_of_records(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "late", 4, &[]);
    let late = now_ms() + 2 * HOUR;
    let mut request = produce_request("late", 0, Bytes::new());
    request.topic_data[0].partition_data = (0..4)
        .map(|index| PartitionProduceData {
            index,
            records: Some(at(&[late; 400])),
        })
        .collect();
    let frame = client.call(PRODUCE_BY_NAME, &request);
    let response: ProduceResponse<'_> = frame.decode();
    let partitions = &response.responses[0].partition_responses;
    let invalid = ErrorCode::INVALID_TIMESTAMP;
    assert!(partitions.iter().all(|p| p.error_code == invalid));
    let named: Vec<_> = partitions.iter().map(|p| p.record_errors.len()).collect();
    assert_eq!(named, [400, 400, 200, 0]);
    assert_eq!(must_produce(&mut client, "late", 0, one(b"good")), 0);
}

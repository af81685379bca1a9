//! Batches that the broker must refuse, with Kafka's error codes and without a trace.

use bytes::Bytes;
use corelane::base::TopicId;
use corelane::kafka::ErrorCode;
use corelane::kafka::batch::BatchHeader;
use corelane::kafka::record::BatchBuilder;

use crate::common::batches::{batch_of, forged, one};
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    create_topic, must_produce, produce, produce_request, produced, read_all,
};

matrix! {
    every cell: bad_batches_are_refused_without_a_trace,
        max_message_bytes_is_the_size_of_the_batch, unknown_topics_and_partitions_are_told_apart;
}

/// What is sent, and what comes back.
type Refused = (&'static str, Option<Bytes>, ErrorCode);

const INVALID: ErrorCode = ErrorCode::INVALID_RECORD;

/// Bytes that are not one whole batch.
fn broken_batches(good: &Bytes) -> Vec<Refused> {
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        Some(Bytes::from(bytes))
    };
    let last = good.len() - 1;
    let corrupt = ErrorCode::CORRUPT_MESSAGE;
    let two = Bytes::from([&good[..], good].concat());
    vec![
        ("a flipped bit", changed(last, good[last] ^ 1), corrupt),
        ("a wrong CRC", changed(17, good[17] ^ 1), corrupt),
        ("magic 0", changed(16, 0), INVALID),
        ("magic 1", changed(16, 1), INVALID),
        ("magic 3", changed(16, 3), INVALID),
        ("no records", None, INVALID),
        ("an empty record set", Some(Bytes::new()), INVALID),
        ("half a header", Some(good.slice(..30)), INVALID),
        ("half a batch", Some(good.slice(..last)), INVALID),
        ("two batches", Some(two), INVALID),
    ]
}

/// Batches that are whole and have their right CRC.
fn wrong_batches(good: &Bytes) -> Vec<Refused> {
    let with = |change: fn(&mut BatchHeader)| Some(forged(good, change));
    vec![
        ("a control batch", with(|h| h.attributes |= 0x20), INVALID),
        ("a delete horizon", with(|h| h.attributes |= 0x40), INVALID),
        (
            "a transaction that nobody began",
            with(|h| {
                h.attributes |= 0x10;
                (h.producer_id, h.producer_epoch, h.base_sequence) = (1, 0, 0);
            }),
            ErrorCode::INVALID_TXN_STATE,
        ),
        (
            "LogAppendTime by the client",
            with(|h| h.attributes |= 0x08),
            ErrorCode::INVALID_TIMESTAMP,
        ),
        (
            "an unknown codec",
            with(|h| h.attributes |= 0x05),
            ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        ),
        (
            "too many offsets",
            with(|h| h.last_offset_delta = 7),
            INVALID,
        ),
        ("too many records", with(|h| h.record_count = 3), INVALID),
        (
            "no record at all",
            with(|h| (h.record_count, h.last_offset_delta) = (0, -1)),
            INVALID,
        ),
        ("a base offset", with(|h| h.base_offset = 5), INVALID),
        (
            "a producer without a sequence",
            with(|h| (h.producer_id, h.producer_epoch) = (1, 0)),
            INVALID,
        ),
    ]
}

fn bad_batches_are_refused_without_a_trace(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "bad", 2, &[]);
    // One partition is on the shard that is asked, one on the other.
    for partition in 0..2 {
        let good = batch_of(1000, &[b"one", b"two"]);
        let refused = [broken_batches(&good), wrong_batches(&good)].concat();
        for (what, records, error) in refused {
            let mut request = produce_request("bad", partition, Bytes::new());
            request.topic_data[0].partition_data[0].records = records;
            let answer = produced(&client.call(12, &request));
            assert_eq!(answer.error, error, "{what}: {:?}", answer.message);
            assert_eq!(answer.base_offset, -1, "{what}");
        }
        assert_eq!(must_produce(&mut client, "bad", partition, one(b"good")), 0);
        assert_eq!(read_all(&mut client, "bad", partition, 0).len(), 1);
    }
}

/// A batch of exactly this size.
fn batch_of_size(bytes: usize) -> Bytes {
    let build = |key: usize, value: usize| {
        let (key, value) = (vec![1; key], vec![1; value]);
        BatchBuilder::new(0)
            .record(0, Some(&key), Some(&value))
            .build()
    };
    // Lengths are varints: not every size can be had with every key.
    let value = bytes - build(0, bytes).len() % bytes;
    let sizes = (0..4).flat_map(|key| (value - 4..=value).map(move |value| (key, value)));
    let mut batches = sizes.map(|(key, value)| build(key, value));
    batches.find(|batch| batch.len() == bytes).unwrap()
}

fn max_message_bytes_is_the_size_of_the_batch(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "small", 1, &[("max.message.bytes", "5000")]);
    create_topic(&mut client, "default", 1, &[]);
    create_topic(&mut client, "large", 1, &[("max.message.bytes", "3000000")]);
    for (topic, bytes_max) in [
        ("small", 5000),
        ("default", 1_048_588),
        ("large", 3_000_000),
    ] {
        let answer = produce(&mut client, topic, 0, batch_of_size(bytes_max + 1));
        assert_eq!(answer.error, ErrorCode::MESSAGE_TOO_LARGE, "{topic}");
        let answer = produce(&mut client, topic, 0, batch_of_size(bytes_max));
        assert_eq!(
            answer.error,
            ErrorCode::NONE,
            "{topic}: {:?}",
            answer.message
        );
        let found = read_all(&mut client, topic, 0, 0);
        assert_eq!(found[0].bytes.len(), bytes_max);
    }
}

fn produce_by_id(client: &mut Client, id: TopicId, partition: i32) -> ErrorCode {
    let mut request = produce_request("", partition, one(b"lost"));
    request.topic_data[0].topic_id = id;
    produced(&client.call(13, &request)).error
}

fn unknown_topics_and_partitions_are_told_apart(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    let id = create_topic(&mut client, "known", 2, &[]);
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    for partition in [-1, 2, i32::MAX, i32::MIN] {
        let answer = produce(&mut client, "known", partition, one(b"lost"));
        assert_eq!(answer.error, unknown, "partition {partition}");
        assert_eq!(produce_by_id(&mut client, id, partition), unknown);
    }
    for topic in ["absent", "", "__cluster_metadata", "known\0"] {
        let answer = produce(&mut client, topic, 0, one(b"lost"));
        assert_eq!(answer.error, unknown, "{topic:?}");
    }
    for id in [TopicId::ZERO, TopicId::CATALOG, TopicId([9; 16])] {
        let answer = produce_by_id(&mut client, id, 0);
        assert_eq!(answer, ErrorCode::UNKNOWN_TOPIC_ID, "{id}");
    }
}

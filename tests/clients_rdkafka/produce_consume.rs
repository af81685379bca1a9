//! What a producer sends is what a consumer gets: every codec, idempotent or not.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use corelane::kafka::batch::{HEADER_BYTES, LENGTH_PREFIX_BYTES};
use rdkafka::Offset;
use rdkafka::config::ClientConfig;
use rdkafka::message::Message;

use super::records::{self, Record};
use super::rig::{STEP_MAX, TestProducer, config, consumer, take};
use crate::common::batches::{batch_of, forged};
use crate::common::broker::Broker;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, delete_topic, fetch, must_produce, read_all};

matrix! {
    every pair: a_topic_is_created_when_a_producer_asks_for_it, batches_with_lz4_are_read;
    every value: every_codec_idempotent_or_not, every_setting_of_acks,
        a_producer_without_answers_learns_that_its_topic_is_another;
}

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const PARTITIONS: i32 = 4;
const RECORDS: usize = 60;

/// Produces to all partitions and consumes them, in one go.
fn round_trip(broker: &Broker, topic: &str, settings: &ClientConfig) {
    create_topic(&mut broker.client(), topic, PARTITIONS, &[]);
    let sent: Vec<Vec<Record>> = (0..PARTITIONS)
        .map(|partition| records::some(RECORDS, partition as u64))
        .collect();
    let producer = TestProducer::new(settings);
    for number in 0..RECORDS {
        for (partition, records) in sent.iter().enumerate() {
            let at = number * PARTITIONS as usize + partition;
            producer.send(topic, partition as i32, at, &records[number]);
        }
    }
    let reports = producer.finish();
    assert_eq!(reports.len(), RECORDS * PARTITIONS as usize);
    for (at, offset) in reports {
        let expected = at / PARTITIONS as usize;
        assert_eq!(offset.unwrap(), expected as i64, "{topic}");
    }
    let from: Vec<_> = (0..PARTITIONS).map(|p| (p, Offset::Beginning)).collect();
    let consumer = consumer(broker, topic, &from);
    let mut found: BTreeMap<i32, Vec<Record>> = BTreeMap::new();
    for message in take(&consumer, RECORDS * PARTITIONS as usize) {
        let records = found.entry(message.partition()).or_default();
        assert_eq!(message.offset(), records.len() as i64, "in order");
        records.push(Record::of(&message));
    }
    for (partition, sent) in sent.iter().enumerate() {
        assert_eq!(&found[&(partition as i32)], sent, "{topic}-{partition}");
    }
}

/// Produces and consumes with one codec, and looks at what is stored.
fn check_codec(broker: &Broker, number: usize, idempotent: bool) {
    let codec = CODECS[number];
    let topic = format!("{codec}-{idempotent}");
    let mut settings = config(broker);
    settings
        .set("compression.codec", codec)
        .set("enable.idempotence", idempotent.to_string())
        .set("linger.ms", "20");
    round_trip(broker, &topic, &settings);
    let stored = read_all(&mut broker.client(), &topic, 0, 0);
    assert!(stored.len() < RECORDS, "{topic}: the client did not batch");
    let codecs = stored.iter().map(|b| usize::from(b.header.codec()));
    // A batch that would not get smaller is sent as it is.
    assert!(codecs.clone().all(|c| c == number || c == 0), "{topic}");
    assert!(codecs.clone().any(|c| c == number), "{topic}");
    let producers = stored.iter().filter(|b| b.header.has_producer());
    assert_eq!(producers.count(), if idempotent { stored.len() } else { 0 });
}

fn every_codec_idempotent_or_not(setup: Setup) {
    let broker = &setup.start();
    // All at once: librdkafka spends most of the time waiting for its own timers.
    std::thread::scope(|scope| {
        for number in 0..CODECS.len() {
            for idempotent in [false, true] {
                scope.spawn(move || check_codec(broker, number, idempotent));
            }
        }
    });
}

fn every_setting_of_acks(setup: Setup) {
    let broker = setup.start();
    for acks in ["1", "all"] {
        let mut settings = config(&broker);
        settings.set("acks", acks).set("linger.ms", "5");
        round_trip(&broker, &format!("acks-{acks}"), &settings);
    }
    // Without acknowledgements there are no offsets to compare.
    create_topic(&mut broker.client(), "acks-0", 1, &[]);
    let producer = TestProducer::new(config(&broker).set("acks", "0"));
    let sent = records::some(RECORDS, 1);
    for (number, record) in sent.iter().enumerate() {
        producer.send("acks-0", 0, number, record);
    }
    producer.finish();
    let consumer = consumer(&broker, "acks-0", &[(0, Offset::Beginning)]);
    let found: Vec<Record> = take(&consumer, RECORDS).iter().map(Record::of).collect();
    assert_eq!(found, sent);
}

fn a_topic_is_created_when_a_producer_asks_for_it(setup: Setup) {
    let options = setup.options().with("--default-partitions", "3");
    let broker = Broker::start_with(options);
    let producer = TestProducer::new(&config(&broker));
    let sent = records::some(10, 1);
    for (number, record) in sent.iter().enumerate() {
        producer.send("unasked", 2, number, record);
    }
    let reports = producer.finish();
    assert!(
        reports.iter().all(|(_, offset)| offset.is_ok()),
        "{reports:?}"
    );
    let consumer = consumer(&broker, "unasked", &[(2, Offset::Beginning)]);
    let found: Vec<Record> = take(&consumer, 10).iter().map(Record::of).collect();
    assert_eq!(found, sent);
}

fn batches_with_lz4_are_read(setup: Setup) {
    let broker = setup.start();
    create_topic(&mut broker.client(), "lz4", 1, &[]);
    let values: [&[u8]; 3] = [&[7; 5000], b"small", &[0; 50_000]];
    let plain = batch_of(1_000_000, &values);
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(&plain[HEADER_BYTES..]).unwrap();
    let section = encoder.finish().unwrap();
    let compressed: Bytes = [&plain[..HEADER_BYTES], &section].concat().into();
    let batch = forged(&compressed, |header| {
        header.attributes |= 3;
        header.batch_length = (compressed.len() - LENGTH_PREFIX_BYTES) as i32;
    });
    must_produce(&mut broker.client(), "lz4", 0, batch);
    let consumer = consumer(&broker, "lz4", &[(0, Offset::Beginning)]);
    let found = take(&consumer, 3);
    let found: Vec<_> = found.iter().map(|m| m.payload().unwrap()).collect();
    assert_eq!(found, values);
}

/// With `acks` 0 an error has no answer but the end of the connection, and that is what makes
/// librdkafka ask for metadata before its next regular time, minutes later.
fn a_producer_without_answers_learns_that_its_topic_is_another(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "unheard", 1, &[]);
    let producer = TestProducer::new(config(&broker).set("acks", "0").set("linger.ms", "0"));
    let sent = records::some(1, 7);
    producer.send("unheard", 0, 0, &sent[0]);
    let deadline = Instant::now() + STEP_MAX;
    while read_all(&mut client, "unheard", 0, 0).is_empty() {
        assert!(Instant::now() < deadline, "the first record never came");
        std::thread::sleep(Duration::from_millis(5));
    }
    delete_topic(&mut client, "unheard");
    // It asks for the topic, which creates it again.
    for number in 1.. {
        producer.send("unheard", 0, number, &sent[0]);
        if !fetch(&mut client, "unheard", 0, 0).records.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "it goes on in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}

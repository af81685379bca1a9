//! Where a consumer begins, and how soon it is told of news.

use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::message::Message;

use super::records::{self, Record};
use super::rig::{STEP_MAX, TestProducer, config, consumer, take};
use crate::common::batches::batch_of;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, must_produce};

matrix! {
    every pair: a_consumer_may_begin_anywhere, a_waiting_consumer_is_told_at_once;
}

fn a_consumer_may_begin_anywhere(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "where", 2, &[]);
    for partition in 0..2 {
        for i in 0..20i64 {
            let batch = batch_of(1_000_000 + i * 1000, &[&i.to_be_bytes()]);
            must_produce(&mut client, "where", partition, batch);
        }
    }
    let first = |offset| {
        let consumer = consumer(&broker, "where", &[(0, offset), (1, offset)]);
        let messages = take(&consumer, 2);
        messages.iter().map(Message::offset).min().unwrap()
    };
    assert_eq!(first(Offset::Beginning), 0);
    assert_eq!(first(Offset::Offset(13)), 13);
    assert_eq!(first(Offset::OffsetTail(3)), 17);
    let consumer = consumer(&broker, "where", &[(0, Offset::End)]);
    assert!(consumer.poll(Duration::from_millis(300)).is_none());
    for partition in 0..2 {
        let marks = consumer.fetch_watermarks("where", partition, STEP_MAX);
        assert_eq!(marks.unwrap(), (0, 20));
    }
    let by_time = consumer.offsets_for_timestamp(1_004_500, STEP_MAX).unwrap();
    let found = by_time.find_partition("where", 0).unwrap().offset();
    assert_eq!(found, Offset::Offset(5));
}

fn a_waiting_consumer_is_told_at_once(setup: Setup) {
    let broker = setup.start();
    create_topic(&mut broker.client(), "news", 2, &[]);
    let ends: Vec<_> = (0..2).map(|p| (p, Offset::Beginning)).collect();
    let consumer = consumer(&broker, "news", &ends);
    let producer = TestProducer::new(config(&broker).set("linger.ms", "0"));
    let sent = records::some(20, 3);
    let mut slowest = Duration::ZERO;
    for (number, record) in sent.iter().enumerate() {
        std::thread::sleep(Duration::from_millis(30));
        let began = Instant::now();
        producer.send("news", (number % 2) as i32, number, record);
        let found = take(&consumer, 1);
        // The first fetches wait for the consumer's own start.
        if number >= 4 {
            slowest = slowest.max(began.elapsed());
        }
        assert_eq!(&Record::of(&found[0]), record);
    }
    println!("from producer to consumer: at most {slowest:.1?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    producer.finish();
}

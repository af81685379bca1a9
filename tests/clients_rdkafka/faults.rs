//! librdkafka goes on by itself when the broker is killed and comes back.

use std::time::Duration;

use rdkafka::Offset;
use rdkafka::message::Message;

use super::records::Record;
use super::rig::{TestProducer, config, consumer, take};
use crate::common::batches::now_ms;
use crate::common::broker::Broker;
use crate::common::ops::create_topic;

const RECORDS: usize = 30_000;
const PARTITIONS: usize = 4;
const KILLS: usize = 4;

fn record(number: usize) -> Record {
    Record {
        key: None,
        value: Some(format!("{number:010}").repeat(20).into_bytes()),
        headers: Vec::new(),
        timestamp: now_ms(),
    }
}

#[test]
fn an_idempotent_producer_loses_and_doubles_nothing_across_kills() {
    let mut broker = Broker::start();
    create_topic(&mut broker.client(), "faults", PARTITIONS as i32, &[]);
    let producer = TestProducer::new(
        config(&broker)
            .set("enable.idempotence", "true")
            .set("linger.ms", "2")
            .set("batch.num.messages", "200")
            .set("message.timeout.ms", "60000"),
    );
    let from: Vec<_> = (0..PARTITIONS as i32)
        .map(|partition| (partition, Offset::Beginning))
        .collect();
    // It reads all the while, across the kills as well.
    let reader = consumer(&broker, "faults", &from);
    std::thread::scope(|scope| {
        let producer = &producer;
        let sender = scope.spawn(move || {
            for number in 0..RECORDS {
                let partition = (number % PARTITIONS) as i32;
                producer.send("faults", partition, number, &record(number));
                if number % 100 == 0 {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
        for kill in 0..KILLS {
            std::thread::sleep(Duration::from_millis(300));
            broker.kill();
            broker.options().cores = [2, 2, 3, 2][kill];
            broker.start_again();
        }
        sender.join().unwrap();
    });
    let mut reports = producer.finish();
    reports.sort_by_key(|(number, _)| *number);
    assert_eq!(reports.len(), RECORDS);
    for (at, (number, offset)) in reports.iter().enumerate() {
        assert_eq!(*number, at);
        assert!(offset.is_ok(), "{number}: {offset:?}");
    }
    let found = take(&reader, RECORDS);
    let mut next = [0; PARTITIONS];
    for message in found {
        let partition = message.partition() as usize;
        let number = next[partition] * PARTITIONS + partition;
        assert_eq!(message.offset(), next[partition] as i64);
        assert_eq!(
            message.payload(),
            record(number).value.as_deref(),
            "each record once and in order"
        );
        next[partition] += 1;
    }
}

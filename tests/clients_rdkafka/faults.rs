//! librdkafka goes on by itself when the broker is killed and comes back, and when its disk
//! was full for a while.

use std::time::Duration;

use corelane::kafka::ErrorCode;
use rdkafka::Offset;
use rdkafka::message::Message;

use super::records::Record;
use super::rig::{TestProducer, config, consumer, take};
use crate::common::batches::{now_ms, one};
use crate::common::broker::{Broker, Options};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    PRODUCE_BY_NAME, create_topic, delete_records, produce_request, produced,
};

matrix! {
    own shards, "it goes from one number of shards to another":
        an_idempotent_producer_loses_and_doubles_nothing_across_kills;
    own shards, "it fills the disk budget of the only one":
        an_idempotent_producer_that_begins_on_a_full_disk_keeps_its_order;
}

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

fn an_idempotent_producer_loses_and_doubles_nothing_across_kills(setup: Setup) {
    let mut broker = setup.start();
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

/// What it has in flight behind the first batch of all is refused with it, and comes again
/// behind it.
fn an_idempotent_producer_that_begins_on_a_full_disk_keeps_its_order(setup: Setup) {
    const LARGE: usize = 100_000;
    const COUNT: usize = 60;
    // One after the other in the log, each in a batch of its own.
    let large = |number: usize| Record {
        value: Some(vec![number as u8; LARGE]),
        ..record(number)
    };
    let broker = Broker::start_with(Options {
        cores: 1,
        wal_disk_mib: 16,
        memory_mib: 64,
        ..setup.options()
    });
    let mut client = broker.client();
    create_topic(&mut client, "full", 1, &[]);
    create_topic(&mut client, "faults", 1, &[]);
    let mut has_room = || {
        let mut request = produce_request("full", 0, one(&[1; LARGE]));
        request.timeout_ms = 50;
        produced(&client.call(PRODUCE_BY_NAME, &request)).error == ErrorCode::NONE
    };
    while has_room() {}
    let producer = TestProducer::new(
        config(&broker)
            .set("enable.idempotence", "true")
            .set("linger.ms", "0")
            .set("batch.num.messages", "1")
            .set("retry.backoff.ms", "20")
            // Which is also how long the broker holds a batch back.
            .set("request.timeout.ms", "200"),
    );
    for number in 0..COUNT {
        producer.send("faults", 0, number, &large(number));
    }
    // As long as it takes for some rounds of refusals.
    std::thread::sleep(Duration::from_secs(2));
    delete_records(&mut client, "full", 0, -1).unwrap();
    let reports = producer.finish();
    assert_eq!(reports.len(), COUNT);
    for (number, offset) in reports {
        assert_eq!(offset.unwrap(), number as i64, "in order, without a gap");
    }
    let reader = consumer(&broker, "faults", &[(0, Offset::Beginning)]);
    for (number, message) in take(&reader, COUNT).iter().enumerate() {
        assert_eq!(message.payload(), large(number).value.as_deref());
    }
}

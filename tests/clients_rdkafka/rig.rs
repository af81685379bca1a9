//! librdkafka's producers and consumers, set up for tests.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use super::records::Record;
use crate::common::broker::Broker;

/// No step of a client takes longer.
pub const STEP_MAX: Duration = Duration::from_secs(40);

/// A client's settings, those that every client needs.
pub fn config(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", broker.bootstrap())
        .set("client.id", "rdkafka-test")
        // Lines about connections that a killed broker has closed.
        .set("log_level", "2")
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "200");
    config
}

/// Where each record went, in the order of the delivery reports.
#[derive(Default)]
pub struct Reports(Mutex<Vec<Report>>);

/// One record's delivery: its number, and its offset or why there is none.
pub type Report = (usize, Result<i64, KafkaError>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let offset = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        self.0.lock().unwrap().push((number, offset));
    }
}

/// A producer that keeps its delivery reports.
pub struct TestProducer(ThreadedProducer<Reports>);

impl TestProducer {
    /// A producer with these settings.
    pub fn new(config: &ClientConfig) -> TestProducer {
        TestProducer(config.create_with_context(Reports::default()).unwrap())
    }

    /// Hands a record to librdkafka, waiting while its queue is full.
    pub fn send(&self, topic: &str, partition: i32, number: usize, record: &Record) {
        let mut base = BaseRecord::with_opaque_to(topic, number)
            .partition(partition)
            .timestamp(record.timestamp)
            .headers(record.owned_headers());
        if let Some(key) = &record.key {
            base = base.key(key);
        }
        if let Some(value) = &record.value {
            base = base.payload(value);
        }
        let deadline = Instant::now() + STEP_MAX;
        while let Err((error, back)) = self.0.send(base) {
            assert!(Instant::now() < deadline, "{error}");
            std::thread::sleep(Duration::from_millis(5));
            base = back;
        }
    }

    /// Waits until every record has its report, and gives them.
    pub fn finish(self) -> Vec<Report> {
        self.0.flush(STEP_MAX).unwrap();
        std::mem::take(&mut self.0.context().0.lock().unwrap())
    }
}

/// A consumer of some partitions, each from an offset on.
pub fn consumer(broker: &Broker, topic: &str, from: &[(i32, Offset)]) -> BaseConsumer {
    let consumer: BaseConsumer = config(broker)
        .set("group.id", "not-a-group")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", "5000")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for &(partition, offset) in from {
        list.add_partition_offset(topic, partition, offset).unwrap();
    }
    consumer.assign(&list).unwrap();
    consumer
}

/// The next `count` records of a consumer.
pub fn take(consumer: &BaseConsumer, count: usize) -> Vec<OwnedMessage> {
    let deadline = Instant::now() + STEP_MAX;
    let mut messages = Vec::with_capacity(count);
    while messages.len() < count {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => messages.push(message.detach()),
            // Transport errors are the client's affair: it tries again by itself.
            Some(Err(KafkaError::MessageConsumption(code))) if is_about_transport(code) => {}
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
        let got = messages.len();
        assert!(Instant::now() < deadline, "only {got} of {count} records");
    }
    messages
}

fn is_about_transport(code: rdkafka::types::RDKafkaErrorCode) -> bool {
    use rdkafka::types::RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure};
    matches!(code, AllBrokersDown | BrokerTransportFailure)
}

//! A member of a consumer group, polled by a thread of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::rig::{STEP_MAX, config};
use crate::common::broker::{Broker, Options};
use crate::common::ops::create_topic;

/// Partitions of every topic of these tests.
pub const PARTITIONS: i32 = 4;
/// The least session timeout that the broker allows, milliseconds.
pub const SESSION_MS: u32 = 6000;
/// Longer than any test waits: what happens within it is not a timeout's doing.
pub const PATIENT_SESSION_MS: u32 = 120_000;

/// A broker whose groups begin soon, and which hears of members often.
pub fn options() -> Options {
    Options::default()
        .with("--group-initial-rebalance-delay-ms", "300")
        .with("--group-consumer-min-heartbeat-interval-ms", "300")
        .with("--group-consumer-heartbeat-interval-ms", "300")
}

/// What a member was told of rebalances.
#[derive(Default)]
pub struct Watch {
    /// How often it was assigned something.
    pub assignments: usize,
    /// Every partition it ever gave up.
    pub revoked: Vec<i32>,
}

/// What librdkafka calls back.
struct Callbacks(Arc<Mutex<Watch>>);

impl ClientContext for Callbacks {}

impl ConsumerContext for Callbacks {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut watch = self.0.lock().unwrap();
        match rebalance {
            Rebalance::Assign(_) => watch.assignments += 1,
            Rebalance::Revoke(list) => watch.revoked.extend(partitions(list)),
            Rebalance::Error(error) => panic!("{error}"),
        }
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<i32> {
    let mut partitions: Vec<i32> = list.elements().iter().map(|at| at.partition()).collect();
    partitions.sort_unstable();
    partitions
}

/// Offsets and values by partition, in the order of reading.
pub type Read = BTreeMap<i32, Vec<(i64, Vec<u8>)>>;

/// A member.
pub struct Member {
    /// Until it leaves, and so is its reader.
    consumer: Option<Arc<BaseConsumer<Callbacks>>>,
    topic: String,
    read: Arc<Mutex<Read>>,
    watch: Arc<Mutex<Watch>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Member {
    /// Joins `group` for `topic`, with more settings of librdkafka.
    pub fn join(broker: &Broker, topic: &str, group: &str, settings: &[(&str, &str)]) -> Member {
        let patient = PATIENT_SESSION_MS.to_string();
        let classic = [
            ("session.timeout.ms", patient.as_str()),
            ("heartbeat.interval.ms", "500"),
            ("partition.assignment.strategy", "range"),
        ];
        Member::start(broker, topic, group, &[&classic, settings].concat())
    }

    /// Joins a group whose coordinator assigns.
    pub fn join_assigned(
        broker: &Broker,
        topic: &str,
        group: &str,
        settings: &[(&str, &str)],
    ) -> Member {
        let protocol = [("group.protocol", "consumer")];
        Member::start(broker, topic, group, &[&protocol, settings].concat())
    }

    fn start(broker: &Broker, topic: &str, group: &str, settings: &[(&str, &str)]) -> Member {
        let watch = Arc::new(Mutex::new(Watch::default()));
        let mut config = config(broker);
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        let callbacks = Callbacks(Arc::clone(&watch));
        let consumer: Arc<BaseConsumer<_>> =
            Arc::new(config.create_with_context(callbacks).unwrap());
        consumer.subscribe(&[topic]).unwrap();
        let (read, stop) = (Arc::<Mutex<Read>>::default(), Arc::default());
        let reader = std::thread::spawn({
            let (consumer, read, stop) = (consumer.clone(), read.clone(), Arc::clone(&stop));
            move || poll(&consumer, &read, &stop)
        });
        Member {
            consumer: Some(consumer),
            topic: topic.to_owned(),
            read,
            watch,
            stop,
            reader: Some(reader),
        }
    }

    fn consumer(&self) -> &BaseConsumer<Callbacks> {
        self.consumer.as_deref().expect("a member that left")
    }

    /// The partitions it has.
    pub fn has(&self) -> Vec<i32> {
        let reader = self.reader.as_ref().expect("a member that left");
        assert!(!reader.is_finished(), "the member's thread ended");
        partitions(&self.consumer().assignment().unwrap())
    }

    /// What it was told of rebalances until now.
    pub fn watch(&self) -> (usize, Vec<i32>) {
        let watch = self.watch.lock().unwrap();
        let mut revoked = watch.revoked.clone();
        revoked.sort_unstable();
        (watch.assignments, revoked)
    }

    /// What it has read until now.
    pub fn read(&self) -> Read {
        self.read.lock().unwrap().clone()
    }

    /// Commits an offset for each of its partitions.
    pub fn commit(&self, offset: impl Fn(i32) -> i64) {
        let mut list = TopicPartitionList::new();
        for partition in self.has() {
            let mut at = list.add_partition(&self.topic, partition);
            at.set_offset(Offset::Offset(offset(partition))).unwrap();
            at.set_metadata(format!("grüße von {partition}"));
        }
        self.consumer().commit(&list, CommitMode::Sync).unwrap();
    }

    /// The committed offsets and their metadata.
    pub fn committed(&self) -> Vec<(Offset, String)> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, PARTITIONS - 1);
        let found = self.consumer().committed_offsets(list, STEP_MAX).unwrap();
        let found = found.elements();
        let offsets = found
            .iter()
            .map(|at| (at.offset(), at.metadata().to_owned()));
        offsets.collect()
    }

    /// Leaves the group, or if it is a static member just stops. What it read stays.
    pub fn leave(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.reader.take().unwrap().join().unwrap();
        // Closing is what dropping the last reference does.
        let consumer = self.consumer.take().unwrap();
        assert_eq!(Arc::strong_count(&consumer), 1);
    }
}

fn poll(consumer: &BaseConsumer<Callbacks>, read: &Mutex<Read>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match consumer.poll(Duration::from_millis(50)) {
            Some(Ok(message)) => {
                let record = (message.offset(), message.payload().unwrap().to_vec());
                let mut read = read.lock().unwrap();
                read.entry(message.partition()).or_default().push(record);
            }
            // Of a broker that was killed: the client tries again by itself.
            Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure,
            ))) => {}
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }
}

/// Waits until it holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + STEP_MAX;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the members have all the partitions, each as many, none twice.
pub fn share(members: &[&Member]) {
    until(&format!("{} share", members.len()), || {
        let mut all: Vec<i32> = Vec::new();
        for member in members {
            let has = member.has();
            if has.len() != PARTITIONS as usize / members.len() {
                return false;
            }
            all.extend(has);
        }
        all.sort_unstable();
        all == (0..PARTITIONS).collect::<Vec<_>>()
    });
}

/// Waits until the members have read each partition from `first` up to `end`, then checks
/// that every record was read once, by one of them, in order.
pub fn read_to(first: impl Fn(i32) -> i64, end: i64, members: &[&Member]) {
    let total = |partition| {
        let read = |member: &&Member| member.read().get(&partition).map_or(0, Vec::len);
        members.iter().map(read).sum::<usize>() as i64
    };
    until(&format!("read to {end}"), || {
        (0..PARTITIONS).all(|p| total(p) >= end - first(p))
    });
    let read: Vec<Read> = members.iter().map(|member| member.read()).collect();
    for partition in 0..PARTITIONS {
        let mut all = Vec::new();
        for some in read.iter().filter_map(|read| read.get(&partition)) {
            assert!(some.is_sorted_by(|a, b| a.0 < b.0), "in order");
            all.extend(some.clone());
        }
        all.sort();
        let wanted: Vec<_> = (first(partition)..end)
            .map(|offset| (offset, value(partition, offset)))
            .collect();
        assert_eq!(all, wanted, "partition {partition}");
    }
}

/// The value of every record of these tests.
pub fn value(partition: i32, offset: i64) -> Vec<u8> {
    format!("{partition}-{offset}").into_bytes()
}

/// A topic for a test.
pub fn topic(broker: &Broker, name: &str) {
    create_topic(&mut broker.client(), name, PARTITIONS, &[]);
}

//! librdkafka's admin client.

use futures_lite::future::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::rig::{STEP_MAX, config};
use crate::common::batches::one;
use crate::common::broker::Broker;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{delete_records, must_produce, produce};

matrix! {
    every cell: topics_are_created_grown_and_deleted, configs_are_described_and_altered,
        records_are_deleted;
}

fn admin(broker: &Broker) -> (AdminClient<DefaultClientContext>, AdminOptions) {
    let options = AdminOptions::new()
        .request_timeout(Some(STEP_MAX))
        .operation_timeout(Some(STEP_MAX));
    (config(broker).create().unwrap(), options)
}

/// Partitions of a topic as a client sees them; 0 if there is none.
fn partitions(broker: &Broker, setup: Setup, topic: &str) -> usize {
    let consumer: BaseConsumer = config(broker)
        .set("allow.auto.create.topics", "false")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), STEP_MAX).unwrap();
    assert_eq!(metadata.brokers().len(), usize::from(setup.nodes()));
    metadata.topics()[0].partitions().len()
}

fn topics_are_created_grown_and_deleted(setup: Setup) {
    let broker = setup.start();
    let (admin, options) = admin(&broker);
    let topics = [
        NewTopic::new("plain", 3, TopicReplication::Fixed(1)),
        // As tools made for clusters ask for it.
        NewTopic::new("replicated", 2, TopicReplication::Fixed(3)),
        NewTopic::new("configured", 1, TopicReplication::Fixed(1)).set("max.message.bytes", "900"),
    ];
    let created = block_on(admin.create_topics(&topics, &options)).unwrap();
    assert!(created.iter().all(Result::is_ok), "{created:?}");
    assert_eq!(partitions(&broker, setup, "plain"), 3);
    assert_eq!(partitions(&broker, setup, "replicated"), 2);
    let again = block_on(admin.create_topics(&topics[..1], &options)).unwrap();
    let exists = RDKafkaErrorCode::TopicAlreadyExists;
    assert_eq!(again, [Err(("plain".to_owned(), exists))]);
    let refused = produce(&mut broker.client(), "configured", 0, one(&[1; 1000]));
    assert!(refused.error.is_error(), "the config is in effect");

    let grown = [NewPartitions::new("plain", 5)];
    let grown = block_on(admin.create_partitions(&grown, &options)).unwrap();
    assert_eq!(grown, [Ok("plain".to_owned())]);
    assert_eq!(partitions(&broker, setup, "plain"), 5);
    must_produce(&mut broker.client(), "plain", 4, one(b"value"));

    let deleted = block_on(admin.delete_topics(&["plain", "absent"], &options)).unwrap();
    let unknown = RDKafkaErrorCode::UnknownTopicOrPartition;
    let expected = [Ok("plain".to_owned()), Err(("absent".to_owned(), unknown))];
    assert_eq!(deleted, expected);
    assert_eq!(partitions(&broker, setup, "plain"), 0);
}

fn configs_are_described_and_altered(setup: Setup) {
    let broker = setup.start();
    let (admin, options) = admin(&broker);
    let topic = NewTopic::new("configs", 1, TopicReplication::Fixed(1)).set("retention.ms", "1234");
    block_on(admin.create_topics(&[topic], &options)).unwrap();
    let value = |name: &str| {
        let resource = ResourceSpecifier::Topic("configs");
        let described = block_on(admin.describe_configs(&[resource], &options)).unwrap();
        let described = described.into_iter().next().unwrap().unwrap();
        described.get(name).unwrap().value.clone()
    };
    assert_eq!(value("retention.ms").as_deref(), Some("1234"));
    let alter = AlterConfig::new(ResourceSpecifier::Topic("configs")).set("retention.ms", "99");
    let altered = block_on(admin.alter_configs(&[alter], &options)).unwrap();
    assert!(altered[0].is_ok(), "{altered:?}");
    assert_eq!(value("retention.ms").as_deref(), Some("99"));
    let broker_id = ResourceSpecifier::Broker(0);
    let described = block_on(admin.describe_configs(&[broker_id], &options)).unwrap();
    assert!(described[0].is_ok(), "{described:?}");
}

fn records_are_deleted(setup: Setup) {
    let broker = setup.start();
    let (admin, options) = admin(&broker);
    let topic = NewTopic::new("records", 2, TopicReplication::Fixed(1));
    block_on(admin.create_topics(&[topic], &options)).unwrap();
    let mut client = broker.client();
    for partition in 0..2 {
        for _ in 0..10 {
            must_produce(&mut client, "records", partition, one(b"value"));
        }
    }
    let mut list = TopicPartitionList::new();
    for partition in 0..2 {
        let to = Offset::Offset(4 + i64::from(partition));
        list.add_partition_offset("records", partition, to).unwrap();
    }
    let deleted = block_on(admin.delete_records(&list, &options)).unwrap();
    for partition in 0..2 {
        let found = deleted.find_partition("records", partition).unwrap();
        found.error().unwrap();
        let start = 4 + i64::from(partition);
        assert_eq!(found.offset(), Offset::Offset(start));
        let same = delete_records(&mut client, "records", partition, 0);
        assert_eq!(same, Ok(start));
    }
}

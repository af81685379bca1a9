//! `__consumer_offsets` towards clients.

use corelane::kafka::ErrorCode;
use corelane::kafka::api::ApiKey;
use corelane::kafka::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use corelane::kafka::record::BatchBuilder;

use crate::common::client::{Client, newest};
use crate::common::groups::{commit, find_coordinator};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, delete_records, produce};
use crate::rig::{coordinator, start};

matrix! {
    every cell: it_comes_with_the_first_coordinator_and_only_the_broker_writes_to_it;
}

const OFFSETS: &str = "__consumer_offsets";

fn partitions(client: &mut Client) -> Option<usize> {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(OFFSETS),
            ..Default::default()
        }]),
        allow_auto_topic_creation: true,
        ..Default::default()
    };
    let frame = client.call(newest(ApiKey::Metadata), &request);
    let response: MetadataResponse<'_> = frame.decode();
    let topic = &response.topics[0];
    assert!(topic.is_internal);
    (!topic.error_code.is_error()).then_some(topic.partitions.len())
}

fn it_comes_with_the_first_coordinator_and_only_the_broker_writes_to_it(setup: Setup) {
    let broker = start(setup);
    let mut client = broker.client();
    assert_eq!(partitions(&mut client), None);
    // Both nodes at once.
    let other = std::thread::spawn({
        let mut client = broker.client_of(setup.nodes() - 1);
        move || find_coordinator(&mut client, "a").unwrap()
    });
    assert_eq!(
        find_coordinator(&mut client, "a"),
        Ok(other.join().unwrap())
    );
    assert_eq!(partitions(&mut client), Some(50));
    create_topic(&mut client, "t", 1, &[]);
    let mut owner = coordinator(&broker, "a");
    assert_eq!(commit(&mut owner, "a", "t", 0, 1), ErrorCode::NONE);
    let batch = BatchBuilder::new(0)
        .record(0, Some(b"k"), Some(b"v"))
        .build();
    for partition in [0, 49] {
        let refused = produce(&mut client, OFFSETS, partition, batch.clone());
        assert_eq!(refused.error, ErrorCode::INVALID_TOPIC_EXCEPTION);
        let refused = delete_records(&mut client, OFFSETS, partition, -1);
        assert_eq!(refused, Err(ErrorCode::INVALID_TOPIC_EXCEPTION));
    }
}

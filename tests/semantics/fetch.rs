//! Fetch without waiting: offsets, limits, errors.

use bytes::Bytes;
use corelane::base::TopicId;
use corelane::kafka::ErrorCode;
use corelane::kafka::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};

use crate::common::batches::{batch_of, one, split};
use crate::common::client::{Client, newest};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    FETCH_BY_NAME, create_topic, delete_records, fetch, fetch_request, fetched, must_produce,
};

matrix! {
    every cell: an_offset_in_the_middle_gives_its_whole_batch, offsets_out_of_range_are_told,
        limits_are_kept_but_for_the_first_batch, the_limit_of_the_response_holds_across_shards,
        unknown_topics_and_partitions_are_told_apart,
        leader_epochs_rise_with_every_start_and_are_checked,
        aborted_transactions_are_listed_only_under_read_committed;
}

fn an_offset_in_the_middle_gives_its_whole_batch(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "middle", 1, &[]);
    for _ in 0..3 {
        must_produce(&mut client, "middle", 0, batch_of(1, &[b"a", b"b", b"c"]));
    }
    for offset in 0..9 {
        let found = fetch(&mut client, "middle", 0, offset);
        assert_eq!(found.high_watermark, 9);
        assert_eq!(found.batches()[0].header.base_offset, offset / 3 * 3);
        assert_eq!(found.batches().len() as i64, 3 - offset / 3);
    }
    let end = fetch(&mut client, "middle", 0, 9);
    assert_eq!((end.error, end.records.len()), (ErrorCode::NONE, 0));
}

fn offsets_out_of_range_are_told(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "range", 2, &[]);
    for partition in 0..2 {
        for _ in 0..10 {
            must_produce(&mut client, "range", partition, one(b"value"));
        }
        assert_eq!(delete_records(&mut client, "range", partition, 4), Ok(4));
        for offset in [i64::MIN, -1, 0, 3, 11, i64::MAX] {
            let found = fetch(&mut client, "range", partition, offset);
            assert_eq!(found.error, ErrorCode::OFFSET_OUT_OF_RANGE, "{offset}");
            assert_eq!(found.records.len(), 0);
        }
        for offset in 4..=10 {
            let found = fetch(&mut client, "range", partition, offset);
            assert_eq!(found.error, ErrorCode::NONE, "{offset}");
            assert_eq!((found.log_start_offset, found.high_watermark), (4, 10));
        }
    }
}

/// Fetches the beginnings of partitions 0 to 2 under limits: bytes of each.
fn sizes(client: &mut Client, topic: &str, max_bytes: i32, partition_max_bytes: i32) -> Vec<usize> {
    let partition = |partition| FetchPartition {
        partition,
        partition_max_bytes,
        ..Default::default()
    };
    let request = FetchRequest {
        min_bytes: 1,
        max_bytes,
        topics: vec![FetchTopic {
            topic,
            partitions: (0..3).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let frame = client.call(FETCH_BY_NAME, &request);
    let response: FetchResponse<'_> = frame.decode();
    let partitions = response.responses[0].partitions.iter();
    partitions
        .map(|p| {
            assert_eq!(p.error_code, ErrorCode::NONE);
            // Only whole batches, whatever the limit.
            let bytes = p.records.0.iter().flatten().copied().collect::<Bytes>();
            split(&bytes);
            bytes.len()
        })
        .collect()
}

fn limits_are_kept_but_for_the_first_batch(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "limits", 3, &[]);
    let batch = one(&[7; 5000]);
    let size = batch.len();
    for partition in 0..3 {
        for _ in 0..10 {
            must_produce(&mut client, "limits", partition, batch.clone());
        }
    }
    let bytes = |batches: usize| (size * batches) as i32;
    let mut check = |max_bytes, partition_max_bytes, batches: [usize; 3]| {
        let found = sizes(&mut client, "limits", max_bytes, partition_max_bytes);
        let expected = batches.map(|n| n * size);
        assert_eq!(
            found, expected,
            "{max_bytes} bytes, {partition_max_bytes} each"
        );
    };
    check(bytes(100), bytes(100), [10, 10, 10]);
    check(bytes(100), bytes(2), [2, 2, 2]);
    check(bytes(100), bytes(2) + 1, [2, 2, 2]);
    check(bytes(100), bytes(2) - 1, [1, 1, 1]);
    // KIP-74: the first batch of the response is given whatever its size, and no other.
    check(bytes(100), 1, [1, 0, 0]);
    check(1, bytes(100), [1, 0, 0]);
    check(0, 0, [1, 0, 0]);
}

fn the_limit_of_the_response_holds_across_shards(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "across", 3, &[]);
    let batch = one(&[7; 5000]);
    for partition in 0..3 {
        for _ in 0..10 {
            must_produce(&mut client, "across", partition, batch.clone());
        }
    }
    for batches in 1..30 {
        let max_bytes = batches * batch.len();
        let found = sizes(&mut client, "across", max_bytes as i32, i32::MAX);
        let total: usize = found.iter().sum();
        assert!(total <= max_bytes, "{total} bytes, at most {max_bytes}");
        assert!(total > 0);
    }
}

/// The error and the fields of a fetch by topic id.
fn fetch_by_id(client: &mut Client, id: TopicId, partition: i32) -> (ErrorCode, i64) {
    let mut request = fetch_request("", partition, 0);
    request.topics[0].topic_id = id;
    let frame = client.call(newest(corelane::kafka::ApiKey::Fetch), &request);
    let response: FetchResponse<'_> = frame.decode();
    let partition = &response.responses[0].partitions[0];
    (partition.error_code, partition.high_watermark)
}

fn unknown_topics_and_partitions_are_told_apart(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    let id = create_topic(&mut client, "known", 1, &[]);
    must_produce(&mut client, "known", 0, one(b"value"));
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    for (topic, partition) in [("absent", 0), ("known", 1), ("known", -1), ("", 0)] {
        let found = fetch(&mut client, topic, partition, 0);
        assert_eq!(found.error, unknown, "{topic}-{partition}");
    }
    assert_eq!(fetch_by_id(&mut client, id, 0), (ErrorCode::NONE, 1));
    assert_eq!(fetch_by_id(&mut client, id, 1).0, unknown);
    for id in [TopicId::ZERO, TopicId::CATALOG, TopicId([9; 16])] {
        let found = fetch_by_id(&mut client, id, 0);
        assert_eq!(found.0, ErrorCode::UNKNOWN_TOPIC_ID, "{id}");
    }
}

fn leader_epochs_rise_with_every_start_and_are_checked(setup: Setup) {
    let mut broker = setup.start();
    create_topic(&mut broker.client(), "epochs", 1, &[]);
    let mut found = Vec::new();
    for _ in 0..3 {
        let mut client = broker.client();
        must_produce(&mut client, "epochs", 0, one(b"value"));
        let batches = fetch(&mut client, "epochs", 0, 0).batches();
        found.push(batches.last().unwrap().header.leader_epoch);
        broker.kill();
        broker.start_again();
    }
    assert!(found.is_sorted() && found[0] < found[1] && found[1] < found[2]);
    let mut client = broker.client();
    let mut with_epoch = |epoch| {
        let mut request = fetch_request("epochs", 0, 0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        fetched(&client.call(FETCH_BY_NAME, &request)).error
    };
    let current = found[2] + 1;
    assert_eq!(with_epoch(-1), ErrorCode::NONE);
    assert_eq!(with_epoch(current), ErrorCode::NONE);
    assert_eq!(with_epoch(current - 1), ErrorCode::FENCED_LEADER_EPOCH);
    assert_eq!(with_epoch(current + 1), ErrorCode::UNKNOWN_LEADER_EPOCH);
}

fn aborted_transactions_are_listed_only_under_read_committed(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, "isolation", 1, &[]);
    must_produce(&mut client, "isolation", 0, one(b"value"));
    for level in [0, 1] {
        let mut request = fetch_request("isolation", 0, 0);
        request.isolation_level = level;
        let frame = client.call(FETCH_BY_NAME, &request);
        let response: FetchResponse<'_> = frame.decode();
        let partition = &response.responses[0].partitions[0];
        assert_eq!(partition.last_stable_offset, 1);
        let listed = partition.aborted_transactions.as_ref().map(Vec::len);
        assert_eq!(listed, (level == 1).then_some(0));
    }
}

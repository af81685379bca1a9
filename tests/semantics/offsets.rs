//! ListOffsets and DeleteRecords, and what both remember across restarts.

use corelane::kafka::ErrorCode;
use corelane::kafka::messages::list_offsets::{
    EARLIEST_LOCAL_TIMESTAMP, EARLIEST_TIMESTAMP, LATEST_TIERED_TIMESTAMP, LATEST_TIMESTAMP,
    MAX_TIMESTAMP,
};

use crate::common::batches::batch_of;
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{
    create_topic, delete_records, fetch, list_offset, must_produce, read_all,
};

matrix! {
    every cell: offsets_are_found_by_time_whichever_shard_is_asked_and_after_a_restart,
        deleted_records_stay_deleted, an_emptied_partition_goes_on_where_it_was;
}

const TOPIC: &str = "offsets";

/// Batches of two records, their timestamps 1000, 2000, ... but for one that is late.
fn fill(client: &mut Client, partition: i32) {
    for i in 1..=10 {
        let timestamp = if i == 7 { 99_000 } else { i * 1000 };
        must_produce(client, TOPIC, partition, batch_of(timestamp, &[b"a", b"b"]));
    }
}

fn check_offsets(client: &mut Client, partition: i32, log_start: i64) {
    let mut list = |timestamp| list_offset(client, TOPIC, partition, timestamp);
    assert_eq!(list(LATEST_TIMESTAMP), (20, -1));
    assert_eq!(list(EARLIEST_TIMESTAMP), (log_start, -1));
    assert_eq!(list(EARLIEST_LOCAL_TIMESTAMP), (log_start, -1));
    assert_eq!(list(LATEST_TIERED_TIMESTAMP), (-1, -1));
    assert_eq!(list(MAX_TIMESTAMP), (12, 99_000));
    assert_eq!(
        list(9500),
        (12, 99_000),
        "the first record that is late enough"
    );
    assert_eq!(list(99_001), (-1, -1));
}

fn offsets_are_found_by_time_whichever_shard_is_asked_and_after_a_restart(setup: Setup) {
    let mut broker = setup.start();
    create_topic(&mut broker.client(), TOPIC, 2, &[]);
    for partition in 0..2 {
        fill(&mut broker.client(), partition);
    }
    for restart in 0..3 {
        for partition in 0..2 {
            for shard in 0..2 {
                let mut client = broker.client_of(shard);
                check_offsets(&mut client, partition, 0);
                let by_time = |client: &mut Client, ms| list_offset(client, TOPIC, partition, ms);
                assert_eq!(by_time(&mut client, 0), (0, 1000));
                assert_eq!(by_time(&mut client, 3000), (4, 3000));
                assert_eq!(by_time(&mut client, 3001), (6, 4000));
            }
        }
        if restart == 0 {
            broker.kill();
        } else {
            broker.stop();
        }
        broker.start_again();
    }
}

fn deleted_records_stay_deleted(setup: Setup) {
    let mut broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, TOPIC, 2, &[]);
    for partition in 0..2 {
        fill(&mut client, partition);
        let mut delete = |offset| delete_records(&mut client, TOPIC, partition, offset);
        assert_eq!(delete(5), Ok(5));
        assert_eq!(delete(3), Ok(5), "a log start never goes back");
        assert_eq!(delete(21), Err(ErrorCode::OFFSET_OUT_OF_RANGE));
        assert_eq!(delete(-2), Err(ErrorCode::OFFSET_OUT_OF_RANGE));
    }
    let unknown = Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(delete_records(&mut client, TOPIC, 2, 0), unknown);
    assert_eq!(delete_records(&mut client, "absent", 0, 0), unknown);
    for cores in [2, 1, 2] {
        broker.kill();
        broker.options().cores = cores;
        broker.start_again();
        let mut client = broker.client();
        for partition in 0..2 {
            check_offsets(&mut client, partition, 5);
            // The batch that the log start is in is still given whole.
            let found = read_all(&mut client, TOPIC, partition, 5);
            assert_eq!((found[0].header.base_offset, found.len()), (4, 8));
            let before = fetch(&mut client, TOPIC, partition, 4);
            assert_eq!(before.error, ErrorCode::OFFSET_OUT_OF_RANGE);
        }
    }
}

fn an_emptied_partition_goes_on_where_it_was(setup: Setup) {
    let mut broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, TOPIC, 2, &[]);
    for partition in 0..2 {
        fill(&mut client, partition);
        assert_eq!(delete_records(&mut client, TOPIC, partition, -1), Ok(20));
    }
    for start in 0..3i64 {
        let mut client = broker.client();
        for partition in 0..2 {
            let earliest = list_offset(&mut client, TOPIC, partition, EARLIEST_TIMESTAMP);
            assert_eq!(earliest.0, 20);
            let offset = must_produce(&mut client, TOPIC, partition, batch_of(1, &[b"next"]));
            assert_eq!(offset, 20 + start);
        }
        broker.kill();
        broker.start_again();
    }
}

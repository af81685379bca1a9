//! Idempotent producers (KIP-98): sequences, epochs, duplicates, and that all of it
//! survives the process.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use corelane::kafka::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, TopicRequest,
};
use corelane::kafka::{ApiKey, ErrorCode};

use crate::common::batches::idempotent;
use crate::common::broker::{Broker, Options};
use crate::common::client::{Client, newest};
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, init_producer_id, produce, read_all};

matrix! {
    every cell: duplicates_are_acknowledged_with_their_first_offset,
        gaps_and_old_epochs_are_refused, producer_ids_are_never_given_out_twice,
        a_damaged_batch_holds_nobody_back;
    every value: an_idle_producer_is_forgotten_and_begins_anywhere,
        who_has_expired_does_not_come_back_with_a_start;
    own shards, "it goes from one number of shards to another":
        the_state_of_producers_survives_kills_and_other_cores;
}

const TOPIC: &str = "idempotent";

/// Sends the batch that begins at `sequence`, of `count` records: the error and the offset.
fn send(
    client: &mut Client,
    partition: i32,
    producer: (i64, i16),
    sequence: i32,
    count: usize,
) -> (ErrorCode, i64) {
    let values: Vec<&[u8]> = vec![b"value"; count];
    let batch = idempotent(producer, sequence, &values);
    let answer = produce(client, TOPIC, partition, batch);
    (answer.error, answer.base_offset)
}

const OUT_OF_ORDER: (ErrorCode, i64) = (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1);

fn ok(offset: i64) -> (ErrorCode, i64) {
    (ErrorCode::NONE, offset)
}

fn duplicates_are_acknowledged_with_their_first_offset(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, TOPIC, 2, &[]);
    for partition in 0..2 {
        let producer = init_producer_id(&mut client);
        for i in 0..7 {
            let sent = send(&mut client, partition, producer, 2 * i, 2);
            assert_eq!(sent, ok(2 * i64::from(i)));
        }
        // The last five batches are remembered.
        for i in 2..7 {
            let again = send(&mut client, partition, producer, 2 * i, 2);
            assert_eq!(again, ok(2 * i64::from(i)), "batch {i}");
        }
        for i in 0..2 {
            let again = send(&mut client, partition, producer, 2 * i, 2);
            assert_eq!(again, OUT_OF_ORDER, "batch {i}");
        }
        // A part of a batch is no duplicate of it.
        let part = send(&mut client, partition, producer, 12, 1);
        assert_eq!(part, OUT_OF_ORDER);
        assert_eq!(read_all(&mut client, TOPIC, partition, 0).len(), 7);
    }
}

fn gaps_and_old_epochs_are_refused(setup: Setup) {
    let broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, TOPIC, 1, &[]);
    let (id, epoch) = init_producer_id(&mut client);
    let mut try_send = |epoch, sequence| send(&mut client, 0, (id, epoch), sequence, 1);
    assert_eq!(try_send(epoch, 0), ok(0));
    assert_eq!(try_send(epoch, 2), OUT_OF_ORDER);
    assert_eq!(try_send(epoch, 1), ok(1));
    // A new epoch begins at sequence 0.
    assert_eq!(try_send(epoch + 1, 2), OUT_OF_ORDER);
    assert_eq!(try_send(epoch + 1, 0), ok(2));
    let fenced = (ErrorCode::INVALID_PRODUCER_EPOCH, -1);
    assert_eq!(try_send(epoch, 2), fenced);
    assert_eq!(try_send(epoch + 1, 1), ok(3));
    // Of a producer that nobody remembers any sequence is the first.
    assert_eq!(send(&mut client, 0, (id + 1, 0), 77, 1), ok(4));
    assert_eq!(send(&mut client, 0, (id + 1, 0), 78, 1), ok(5));
    // After the last sequence comes 0.
    assert_eq!(send(&mut client, 0, (id + 2, 0), i32::MAX - 1, 2), ok(6));
    assert_eq!(send(&mut client, 0, (id + 2, 0), 0, 1), ok(8));
}

fn the_state_of_producers_survives_kills_and_other_cores(setup: Setup) {
    let mut broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, TOPIC, 4, &[]);
    let producer = init_producer_id(&mut client);
    for partition in 0..4 {
        for sequence in 0..7 {
            let sent = send(&mut client, partition, producer, sequence, 1);
            assert_eq!(sent, ok(i64::from(sequence)));
        }
    }
    let starts = [(2, true), (1, true), (3, false), (2, true)];
    for (next, (cores, kill)) in (7..).zip(starts) {
        if kill {
            broker.kill();
        } else {
            broker.stop();
        }
        broker.options().cores = cores;
        broker.start_again();
        let mut client = broker.client();
        for partition in 0..4 {
            for back in 1..=5 {
                let again = send(&mut client, partition, producer, next - back, 1);
                assert_eq!(again, ok(i64::from(next - back)), "{cores} cores");
            }
            let gap = send(&mut client, partition, producer, next + 1, 1);
            assert_eq!(gap, OUT_OF_ORDER);
            let sent = send(&mut client, partition, producer, next, 1);
            assert_eq!(sent, ok(i64::from(next)));
        }
    }
}

fn producer_ids_are_never_given_out_twice(setup: Setup) {
    let mut broker = setup.start();
    let mut seen = HashSet::new();
    for start in 0..3 {
        for shard in 0..2 {
            let mut client = broker.client_of(shard);
            for _ in 0..50 {
                let (id, epoch) = init_producer_id(&mut client);
                assert!(id >= 0 && epoch == 0);
                assert!(seen.insert(id), "{id} came twice");
            }
        }
        if start == 1 {
            broker.stop();
        } else {
            broker.kill();
        }
        broker.start_again();
    }
}

/// The producers that partition 0 remembers, each with its last sequence.
fn remembered(client: &mut Client) -> Vec<(i64, i32)> {
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: TOPIC,
            partition_indexes: vec![0],
        }],
    };
    let frame = client.call(newest(ApiKey::DescribeProducers), &request);
    let response: DescribeProducersResponse<'_> = frame.decode();
    let partition = &response.topics[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::NONE);
    let producers = partition.active_producers.iter();
    producers
        .map(|producer| (producer.producer_id, producer.last_sequence))
        .collect()
}

/// A broker that forgets producers idle for `expiration_ms`, and looks for them all the time.
fn forgetful(setup: Setup, expiration_ms: u32) -> Options {
    setup
        .options()
        .with("--producer-id-expiration-ms", &expiration_ms.to_string())
        .with("--retention-check-interval", "100ms")
}

fn an_idle_producer_is_forgotten_and_begins_anywhere(setup: Setup) {
    const EXPIRATION: Duration = Duration::from_secs(3);
    let mut broker = Broker::start_with(forgetful(setup, EXPIRATION.as_millis() as u32));
    let mut client = broker.client();
    create_topic(&mut client, TOPIC, 1, &[]);
    let idle = init_producer_id(&mut client);
    let busy = init_producer_id(&mut client);
    assert_eq!(send(&mut client, 0, idle, 0, 3), ok(0));
    assert_eq!(send(&mut client, 0, busy, 0, 1), ok(3));
    let mut known = vec![(idle.0, 2), (busy.0, 0)];
    known.sort_unstable();
    assert_eq!(remembered(&mut client), known);
    // Not by a start before its time.
    broker.kill();
    broker.start_again();
    let started = Instant::now();
    let mut client = broker.client();
    assert_eq!(remembered(&mut client), known);
    assert_eq!(send(&mut client, 0, idle, 0, 3), ok(0), "a duplicate");
    assert_eq!(send(&mut client, 0, idle, 5, 1), OUT_OF_ORDER);
    // Who goes on is remembered; of who does not there is nothing left.
    let mut sequence = 0;
    while remembered(&mut client).len() == 2 {
        assert!(started.elapsed() < 5 * EXPIRATION, "it is never forgotten");
        sequence += 1;
        assert_eq!(send(&mut client, 0, busy, sequence, 1).0, ErrorCode::NONE);
        std::thread::sleep(EXPIRATION / 20);
    }
    // Of three seconds the start may have taken one, as the process sees it.
    assert!(
        started.elapsed() > EXPIRATION / 2,
        "{:?}",
        started.elapsed()
    );
    assert_eq!(remembered(&mut client), [(busy.0, sequence)]);
    assert_eq!(send(&mut client, 0, busy, sequence + 2, 1), OUT_OF_ORDER);
    // As in Kafka, which cannot tell what it has forgotten: any sequence is the first, what
    // was a duplicate is appended, and from there on the order is kept.
    let end = 4 + i64::from(sequence);
    assert_eq!(send(&mut client, 0, idle, 5, 1), ok(end));
    assert_eq!(send(&mut client, 0, idle, 0, 3), OUT_OF_ORDER);
    assert_eq!(send(&mut client, 0, idle, 6, 1), ok(end + 1));
    broker.stop();
}

fn who_has_expired_does_not_come_back_with_a_start(setup: Setup) {
    let mut broker = Broker::start_with(forgetful(setup, 300));
    let mut client = broker.client();
    create_topic(&mut client, TOPIC, 1, &[]);
    let producer = init_producer_id(&mut client);
    assert_eq!(send(&mut client, 0, producer, 0, 1), ok(0));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !remembered(&mut client).is_empty() {
        assert!(Instant::now() < deadline, "it is never forgotten");
        std::thread::sleep(Duration::from_millis(20));
    }
    broker.stop();
    broker.start_again();
    let mut client = broker.client();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !remembered(&mut client).is_empty() {
        assert!(
            Instant::now() < deadline,
            "its batch made it known again, for good"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(send(&mut client, 0, producer, 7, 1), ok(1));
    broker.stop();
}

fn a_damaged_batch_holds_nobody_back(setup: Setup) {
    let mut broker = setup.start();
    let mut client = broker.client();
    create_topic(&mut client, TOPIC, 1, &[]);
    let producer = init_producer_id(&mut client);
    let mut damaged = idempotent(producer, 0, &[b"value"]).to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let answer = produce(&mut client, TOPIC, 0, Bytes::from(damaged));
    assert_eq!(answer.error, ErrorCode::CORRUPT_MESSAGE);
    // Whoever it was from, it was not from the producer that it names.
    assert_eq!(send(&mut client, 0, producer, 5, 1), ok(0));
    broker.stop();
}

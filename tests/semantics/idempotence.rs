//! Idempotent producers (KIP-98): sequences, epochs, duplicates, and that all of it
//! survives the process.

use std::collections::HashSet;

use corelane::kafka::ErrorCode;

use crate::common::batches::idempotent;
use crate::common::client::Client;
use crate::common::matrix::{Setup, matrix};
use crate::common::ops::{create_topic, init_producer_id, produce, read_all};

matrix! {
    every cell: duplicates_are_acknowledged_with_their_first_offset,
        gaps_and_old_epochs_are_refused, producer_ids_are_never_given_out_twice;
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

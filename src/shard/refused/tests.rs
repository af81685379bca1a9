//! What is let through, as tables, and clients that pipeline against a partition with and
//! without room.

use std::collections::VecDeque;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::base::{LogConfig, Now, TopicId};
use crate::kafka::record::BatchBuilder;
use crate::partition::{Origin, Partition, Verdict};

const TP: TopicPartition = TopicPartition {
    topic: TopicId([7; 16]),
    partition: 0,
};
const MAX: i32 = i32::MAX;

fn batch(producer_id: i64, epoch: i16, sequence: i32) -> ProducerBatch {
    ProducerBatch {
        producer_id,
        epoch,
        sequence,
    }
}

#[test]
fn those_behind_the_refused_one_wait_for_it() {
    // Refused, then what comes, and whether it may be the first.
    let table = [
        ((3, 0), (3, 0), true),
        ((3, 0), (3, 1), false),
        ((3, 0), (3, 1000), false),
        ((3, 0), (4, 0), true),
        ((3, 0), (4, 1), false),
        ((3, 0), (2, 0), false),
        ((3, 0), (2, 1), false),
        // Of a producer whose state had expired.
        ((3, 70), (3, 70), true),
        ((3, 70), (3, 71), false),
        ((3, 70), (3, 69), true),
        ((3, 70), (3, 0), true),
        ((3, 70), (4, 0), true),
        ((3, 70), (4, 70), false),
        // Sequences wrap.
        ((3, MAX), (3, 0), false),
        ((3, MAX), (3, MAX), true),
        ((3, MAX), (3, MAX - 1), true),
        ((3, 1), (3, MAX), true),
    ];
    for (refused, found, expected) in table {
        let mut producers = RefusedProducers::default();
        producers.note(5, TP, &batch(1, refused.0, refused.1));
        let allowed = producers.may_begin(6, TP, &batch(1, found.0, found.1));
        assert_eq!(allowed, expected, "{found:?} after {refused:?}");
    }
}

#[test]
fn others_are_not_concerned() {
    let mut producers = RefusedProducers::default();
    producers.note(5, TP, &batch(1, 0, 0));
    let elsewhere = TopicPartition { partition: 1, ..TP };
    assert!(producers.may_begin(5, TP, &batch(2, 0, 9)));
    assert!(producers.may_begin(5, elsewhere, &batch(1, 0, 9)));
    producers.forget(TP, 1);
    assert!(producers.may_begin(5, TP, &batch(1, 0, 9)));
}

#[test]
fn a_later_refusal_does_not_replace_an_earlier_one() {
    let mut producers = RefusedProducers::default();
    for sequence in [40, 50, 30, 60] {
        producers.note(5, TP, &batch(1, 0, sequence));
    }
    assert!(producers.may_begin(5, TP, &batch(1, 0, 30)));
    assert!(!producers.may_begin(5, TP, &batch(1, 0, 40)));
    producers.note(5, TP, &batch(1, 1, 0));
    producers.note(5, TP, &batch(1, 0, 20));
    assert!(producers.may_begin(5, TP, &batch(1, 1, 0)));
    assert!(!producers.may_begin(5, TP, &batch(1, 0, 20)));
}

#[test]
fn a_producer_that_does_not_come_back_is_forgotten() {
    let mut producers = RefusedProducers::default();
    producers.note(5, TP, &batch(1, 0, 0));
    let end = 5 + PRODUCER_REFUSED_MS_MAX;
    // Only the refused batch itself tells that the producer is still at it.
    producers.note(6, TP, &batch(1, 0, 1));
    assert!(!producers.may_begin(end - 1, TP, &batch(1, 0, 1)));
    assert!(producers.may_begin(end, TP, &batch(1, 0, 1)));
    producers.note(end - 1, TP, &batch(1, 0, 0));
    assert!(!producers.may_begin(end, TP, &batch(1, 0, 1)));
    producers.expire(end);
    assert_eq!(producers.by_producer.len(), 1);
    producers.expire(end + PRODUCER_REFUSED_MS_MAX);
    assert_eq!(producers.by_producer.capacity(), 0);
}

#[test]
fn with_too_many_only_first_batches_are_let_in() {
    let mut producers = RefusedProducers::default();
    let count = REFUSED_PRODUCERS_MAX as i64;
    (0..count).for_each(|id| producers.note(5, TP, &batch(id, 0, 0)));
    assert!(producers.may_begin(5, TP, &batch(count, 0, 9)));
    producers.note(7, TP, &batch(count, 0, 0));
    assert_eq!(producers.by_producer.len(), REFUSED_PRODUCERS_MAX);
    let end = 7 + PRODUCER_REFUSED_MS_MAX;
    for id in [count, count + 1] {
        assert!(producers.may_begin(7, TP, &batch(id, 0, 0)));
        assert!(!producers.may_begin(end - 1, TP, &batch(id, 0, 9)));
        assert!(producers.may_begin(end, TP, &batch(id, 0, 9)));
    }
    // Those that are noted go on as before.
    producers.note(8, TP, &batch(3, 0, 0));
    assert!(producers.may_begin(8, TP, &batch(3, 0, 0)));
}

#[test]
fn what_batches_merely_say_of_themselves_fills_half_of_the_room() {
    let mut producers = RefusedProducers::default();
    let count = REFUSED_PRODUCERS_MAX as i64;
    (0..count).for_each(|id| producers.note_claimed(5, TP, &batch(id, 0, 0)));
    assert_eq!(producers.by_producer.len(), CLAIMED_MAX);
    assert!(producers.may_begin(6, TP, &batch(count, 0, 9)), "held back");
    // One that is noted already is kept up to date.
    producers.note_claimed(6, TP, &batch(0, 1, 0));
    assert!(!producers.may_begin(6, TP, &batch(0, 0, 0)));
    // Those that found no room on the disk are noted all the same.
    (count..count + 1000).for_each(|id| producers.note(7, TP, &batch(id, 0, 0)));
    for id in count..count + 1000 {
        assert!(!producers.may_begin(7, TP, &batch(id, 0, 1)));
    }
    assert_eq!(producers.overflowed_at_ms, None);
}

#[test]
fn nobody_is_held_back_for_long_however_many_are_refused() {
    /// Shorter than Kafka's producer goes on trying (`delivery.timeout.ms`), by far.
    const PATIENCE_MS: u64 = 120_000 / 2;
    let mut producers = RefusedProducers::default();
    let (mut id, mut held_since) = (0, None);
    for second in 0..1800 {
        let now_ms = second * 1000;
        for _ in 0..500 {
            id += 1;
            producers.note(now_ms, TP, &batch(id, 0, 0));
        }
        if second % 300 == 0 {
            producers.expire(now_ms);
        }
        if producers.may_begin(now_ms, TP, &batch(-7, 0, 9)) {
            held_since = None;
        } else {
            let since = *held_since.get_or_insert(now_ms);
            assert!(now_ms - since < PATIENCE_MS, "from {since} to {now_ms} ms");
        }
    }
}

/// A client with one idempotent producer: five batches in flight at most, and what is
/// refused is sent again before anything that follows it.
#[derive(Default)]
struct Client {
    id: i64,
    next_sequence: i32,
    /// To be sent, in order.
    queue: VecDeque<i32>,
    /// On the connection, in order.
    in_flight: VecDeque<i32>,
    acknowledged: Vec<i32>,
}

const IN_FLIGHT_MAX: usize = 5;

impl Client {
    fn send(&mut self) {
        if self.in_flight.len() == IN_FLIGHT_MAX {
            return;
        }
        let sequence = self.queue.pop_front().unwrap_or_else(|| {
            self.next_sequence += 1;
            self.next_sequence - 1
        });
        self.in_flight.push_back(sequence);
    }

    /// The broker handles the oldest batch on the connection.
    fn on_handled(&mut self, broker: &mut Broker) {
        let Some(sequence) = self.in_flight.pop_front() else {
            return;
        };
        if broker.append(self.id, sequence) {
            self.acknowledged.push(sequence);
        } else {
            let at = self.queue.partition_point(|queued| *queued < sequence);
            self.queue.insert(at, sequence);
        }
    }
}

/// The partition and the refused producers, put together as the shard does.
struct Broker {
    log: Partition,
    refused: RefusedProducers,
    full: bool,
    appended: Vec<(i64, i32)>,
}

impl Broker {
    /// Whether the batch is acknowledged.
    fn append(&mut self, id: i64, sequence: i32) -> bool {
        let now = Now {
            wall_ms: 0,
            mono_ms: 0,
        };
        let batch: Bytes = BatchBuilder::new(0)
            .producer(id, 0, sequence)
            .record(0, None, Some(b"value"))
            .build();
        let candidate = match self.log.check(now, batch, Origin::Client) {
            Ok(Verdict::New(candidate)) => candidate,
            Ok(Verdict::Duplicate(_)) => panic!("nothing is sent twice"),
            // A known producer's batch behind one that was refused.
            Err(_) => return false,
        };
        let first = candidate.of_unknown_producer();
        if first.is_some_and(|first| !self.refused.may_begin(0, TP, &first)) {
            return false;
        }
        if self.full {
            if let Some(first) = first {
                self.refused.note(0, TP, &first);
            }
            return false;
        }
        self.log.commit(candidate);
        self.refused.forget(TP, id);
        self.appended.push((id, sequence));
        true
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Send(usize),
    Handle(usize),
    Full(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize).prop_map(Step::Send),
        4 => (0..3_usize).prop_map(Step::Handle),
        1 => any::<bool>().prop_map(Step::Full),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn pipelining_clients_keep_their_order(steps in prop::collection::vec(step(), 1..200)) {
        let mut broker = Broker {
            log: Partition::new(TP, LogConfig::default(), 1),
            refused: RefusedProducers::default(),
            full: true,
            appended: Vec::new(),
        };
        let mut clients: Vec<Client> = (0..3).map(|id| Client { id, ..Client::default() }).collect();
        for step in steps {
            match step {
                Step::Send(at) => clients[at].send(),
                Step::Handle(at) => clients[at].on_handled(&mut broker),
                Step::Full(full) => broker.full = full,
            }
        }
        broker.full = false;
        for client in &mut clients {
            // What follows from the steps so far is sent, and nothing new.
            while !client.in_flight.is_empty() || !client.queue.is_empty() {
                client.on_handled(&mut broker);
                if client.in_flight.is_empty() && !client.queue.is_empty() {
                    client.send();
                }
            }
            let in_order: Vec<i32> = (0..client.next_sequence).collect();
            prop_assert_eq!(&client.acknowledged, &in_order);
            let of_client = broker.appended.iter().filter(|(id, _)| *id == client.id);
            let stored: Vec<i32> = of_client.map(|(_, sequence)| *sequence).collect();
            prop_assert_eq!(stored, in_order);
        }
    }
}

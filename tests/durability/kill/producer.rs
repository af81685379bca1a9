//! Producers that remember what they have sent across the broker's deaths.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use corelane::kafka::ErrorCode;
use corelane::kafka::record::BatchBuilder;

use super::ledger::{News, Sent, digest};
use super::{PARTITIONS, TOPIC};
use crate::common::batches::now_ms;
use crate::common::client::Client;
use crate::common::ops::{PRODUCE_BY_NAME, produce_request, produced};
use crate::common::random::Random;

/// Batches that the broker recognizes when they come again (KIP-98).
pub const WINDOW: usize = 5;

/// An idempotent producer: one id, a sequence for each partition.
pub struct Idempotent {
    id: (i64, i16),
    pub random: Random,
    next_sequence: BTreeMap<i32, i32>,
    /// Sent and not acknowledged, oldest first, by partition.
    unanswered: BTreeMap<i32, VecDeque<(Sent, Bytes)>>,
}

impl Idempotent {
    /// A producer with an id from the broker.
    pub fn new(id: (i64, i16), random: Random) -> Idempotent {
        Idempotent {
            id,
            random,
            next_sequence: BTreeMap::new(),
            unanswered: (0..PARTITIONS).map(|p| (p, VecDeque::new())).collect(),
        }
    }

    /// Whether the partition takes another batch.
    pub fn may_send(&self, partition: i32) -> bool {
        self.unanswered[&partition].len() < WINDOW
    }

    /// The next batch for a partition.
    pub fn next_batch(&mut self, partition: i32) -> Bytes {
        let sequence = self.next_sequence.entry(partition).or_default();
        let builder = BatchBuilder::new(now_ms()).producer(self.id.0, self.id.1, *sequence);
        let (batch, records) = filled(builder, &mut self.random);
        *sequence += records as i32;
        let sent = Sent {
            partition,
            digest: digest(&batch),
            records,
        };
        let queue = self.unanswered.entry(partition).or_default();
        queue.push_back((sent, batch.clone()));
        batch
    }

    /// The newest batch without an answer, to be sent a second time.
    pub fn repeated(&self, partition: i32) -> Option<Bytes> {
        let last = self.unanswered[&partition].back();
        last.map(|(_, batch)| batch.clone())
    }

    /// The oldest batch of the partition without an answer got one.
    pub fn on_acknowledged(&mut self, partition: i32) -> Sent {
        let queue = self.unanswered.entry(partition).or_default();
        queue.pop_front().expect("an answer to what was sent").0
    }

    /// What is without an answer.
    pub fn unanswered(&self) -> Vec<Sent> {
        let all = self.unanswered.values().flatten();
        all.map(|(sent, _)| *sent).collect()
    }

    /// Sends again what has no answer, in order, and has every batch acknowledged.
    pub fn send_again(&mut self, client: &mut Client) -> News {
        let mut news = News::default();
        for (&partition, queue) in &mut self.unanswered {
            for (_, batch) in queue.iter() {
                let request = produce_request(TOPIC, partition, batch.clone());
                client.send(PRODUCE_BY_NAME, &request);
            }
            for (sent, _) in queue.drain(..) {
                let answer = produced(&client.receive());
                assert_eq!(answer.error, ErrorCode::NONE, "{sent:?}: {answer:?}");
                news.acknowledged.push((sent, answer.base_offset));
            }
        }
        news
    }
}

/// A producer that is not idempotent: what has no answer is not sent again.
pub struct Plain {
    name: u64,
    pub random: Random,
    batches: u64,
}

impl Plain {
    /// A producer whose records nobody else's are equal to.
    pub fn new(name: u64, random: Random) -> Plain {
        Plain {
            name,
            random,
            batches: 0,
        }
    }

    /// The next batch for a partition.
    pub fn next_batch(&mut self, partition: i32) -> (Sent, Bytes) {
        self.batches += 1;
        let unique = format!("{}/{}", self.name, self.batches);
        let builder = BatchBuilder::new(now_ms()).record(now_ms(), Some(unique.as_bytes()), None);
        let (batch, records) = filled(builder, &mut self.random);
        let sent = Sent {
            partition,
            digest: digest(&batch),
            records,
        };
        (sent, batch)
    }
}

/// Adds a few records, mostly small ones: the batch and how many records it has.
fn filled(mut builder: BatchBuilder, random: &mut Random) -> (Bytes, i64) {
    let (count, bytes_max) = match random.below(100) {
        0 => (1, 150_000),
        1..10 => (20, 200),
        _ => (1 + random.below(4), 400),
    };
    for _ in 0..count {
        let len = 8 + random.below(bytes_max) as usize;
        builder = builder.record(now_ms(), Some(b"key"), Some(&random.bytes(len)));
    }
    let records = i64::from(builder.record_count());
    (builder.build(), records)
}

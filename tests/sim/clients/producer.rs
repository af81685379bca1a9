//! A producer, idempotent or not. An idempotent one sends batches of several partitions in
//! sequence, some requests ahead of the answers, and sends again, in order, what was not
//! acknowledged. One that is not never sends anything twice.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use corelane::base::{TopicPartition, checksum};
use corelane::kafka::ErrorCode;
use corelane::kafka::batch::{BatchHeader, CRC_COVER_START, HEADER_BYTES};
use corelane::kafka::record::BatchBuilder;
use corelane::shard::{ProduceEntry, ProduceResult, ShardReply, ShardRequest};

use super::{any_partition, breathe, connect, is_busy};
use crate::plan::Fault;
use crate::process::Session;
use crate::sync::Pending;
use crate::world::World;

/// Most batches of one partition without an answer (Kafka's idempotent producers: 5).
const UNACKED_MAX: usize = 5;
/// How long an answer is waited for, milliseconds.
const TIMEOUT_MS: u64 = 8000;

struct Producer {
    world: Rc<World>,
    idempotent: bool,
    id: i64,
    epoch: i16,
    parts: BTreeMap<TopicPartition, Part>,
}

#[derive(Default)]
struct Part {
    next_sequence: i32,
    unacked: VecDeque<Sent>,
    /// A batch of the present epoch is in the log.
    acked: bool,
}

struct Sent {
    uid: u64,
    batch: Bytes,
}

/// Requests on their way: what was in each, and its answer.
type Window = VecDeque<(Vec<(TopicPartition, u64)>, Pending<ShardReply>)>;

/// How a sitting ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    /// Something must be sent again.
    Again,
}

/// Produces until it is to finish, and then until everything is acknowledged.
pub async fn run(world: Rc<World>, idempotent: bool) {
    let id = world.fresh() as i64;
    let mut producer = Producer {
        world: world.clone(),
        idempotent,
        id,
        epoch: 0,
        parts: BTreeMap::new(),
    };
    loop {
        producer.forget_deleted();
        if !is_busy(&world) && !producer.has_unacked() {
            break;
        }
        producer.sitting().await;
        breathe(&world).await;
    }
    world.producers_done.set(world.producers_done.get() + 1);
}

impl Producer {
    fn has_unacked(&self) -> bool {
        self.parts.values().any(|part| !part.unacked.is_empty())
    }

    fn forget_deleted(&mut self) {
        let topics = self.world.model.borrow().topics.all();
        self.parts
            .retain(|tp, _| topics.iter().any(|(_, topic)| topic.id == Some(tp.topic)));
    }

    /// One connection.
    async fn sitting(&mut self) {
        let first = self.parts.iter().find(|(_, p)| !p.unacked.is_empty());
        let tp = first
            .map(|(tp, _)| *tp)
            .or_else(|| any_partition(&self.world));
        let Some(session) = connect(&self.world, tp).await else {
            return;
        };
        let mut window = Window::new();
        let mut end = self.resend(&session, &mut window).await;
        if self.world.dice.one_in(6) {
            self.mischief(&session).await;
        }
        let count = self.world.dice.range(1, 30);
        for _ in 0..count {
            if end == End::Again || !is_busy(&self.world) {
                break;
            }
            if let Some(entries) = self.fresh_entries() {
                end = self.send(&session, entries, &mut window).await;
            } else {
                end = self.take_answer(&mut window).await;
            }
            if self.world.dice.one_in(4) {
                breathe(&self.world).await;
            }
        }
        if self.world.strikes(Fault::Reconnect, 3) {
            let zombie = self.world.strikes(Fault::Zombie, 2);
            session.abandon(zombie);
            self.give_up_unsent();
            return;
        }
        while !window.is_empty() {
            self.take_answer(&mut window).await;
        }
        session.abandon(false);
        self.give_up_unsent();
    }

    /// Without idempotence nothing is sent twice.
    fn give_up_unsent(&mut self) {
        if !self.idempotent {
            self.parts.clear();
        }
    }

    /// Sends what has no answer yet once more.
    async fn resend(&mut self, session: &Session, window: &mut Window) -> End {
        let all: Vec<(TopicPartition, u64, Bytes)> = self
            .parts
            .iter()
            .flat_map(|(tp, part)| {
                let unacked = part.unacked.iter();
                unacked.map(|sent| (*tp, sent.uid, sent.batch.clone()))
            })
            .collect();
        for entry in all {
            self.world.event("sent-again");
            if self.send(session, vec![entry], window).await == End::Again {
                return End::Again;
            }
        }
        End::Done
    }

    async fn send(
        &mut self,
        session: &Session,
        entries: Vec<(TopicPartition, u64, Bytes)>,
        window: &mut Window,
    ) -> End {
        let named = entries.iter().map(|(tp, uid, _)| (*tp, *uid)).collect();
        let request = entries
            .into_iter()
            .map(|(tp, _, batch)| ProduceEntry { tp, batch })
            .collect();
        let answer = session.ask(ShardRequest::Produce(request));
        window.push_back((named, answer));
        if window.len() as u64 >= self.world.plan.pipeline {
            return self.take_answer(window).await;
        }
        End::Done
    }

    /// Batches for one to three partitions.
    fn fresh_entries(&mut self) -> Option<Vec<(TopicPartition, u64, Bytes)>> {
        let mut entries: Vec<(TopicPartition, u64, Bytes)> = Vec::new();
        for _ in 0..self.world.dice.range(1, 3) {
            let tp = any_partition(&self.world)?;
            let part = self.parts.entry(tp).or_default();
            if part.unacked.len() >= UNACKED_MAX || entries.iter().any(|e| e.0 == tp) {
                continue;
            }
            let uid = self.world.fresh();
            let records = self.world.dice.range(1, 4) as i32;
            let producer = self
                .idempotent
                .then_some((self.id, self.epoch, part.next_sequence));
            let batch = batch(&self.world, uid, records, producer);
            part.next_sequence += records;
            let sent = Sent {
                uid,
                batch: batch.clone(),
            };
            part.unacked.push_back(sent);
            entries.push((tp, uid, batch));
        }
        (!entries.is_empty()).then_some(entries)
    }

    /// Waits for the oldest answer.
    async fn take_answer(&mut self, window: &mut Window) -> End {
        let Some((named, pending)) = window.pop_front() else {
            return End::Done;
        };
        let timeout = self.world.executor.sleep_ms(TIMEOUT_MS);
        let reply = crate::sync::within(pending, timeout).await;
        let Some(Some(ShardReply::Produce(results))) = reply else {
            self.world.event("produce-unanswered");
            return End::Again;
        };
        let mut end = End::Done;
        for ((tp, uid), result) in named.into_iter().zip(results) {
            if self.on_result(tp, uid, &result) == End::Again {
                end = End::Again;
            }
        }
        end
    }

    fn on_result(&mut self, tp: TopicPartition, uid: u64, result: &ProduceResult) -> End {
        let Some(part) = self.parts.get_mut(&tp) else {
            return End::Done;
        };
        match result.error {
            ErrorCode::NONE => {
                self.world.event("acknowledged");
                part.unacked.retain(|sent| sent.uid != uid);
                part.acked = true;
                End::Done
            }
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                self.parts.remove(&tp);
                End::Done
            }
            ErrorCode::KAFKA_STORAGE_ERROR | ErrorCode::REQUEST_TIMED_OUT => End::Again,
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
                if part.unacked.front().is_none_or(|first| first.uid != uid) =>
            {
                // An earlier batch was refused: all of them again.
                End::Again
            }
            error => {
                self.world.event(match error {
                    ErrorCode::INVALID_PRODUCER_EPOCH => "producer-fenced",
                    ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE => "too-large",
                    // Also out of order, for the first batch of all that are not acknowledged.
                    other => panic!("{tp}: a batch is refused with {other:?}"),
                });
                self.begin_anew();
                End::Again
            }
        }
    }

    /// Sends what must be refused: something that is no batch, or a batch of an epoch that is
    /// over in a partition that has seen the next.
    async fn mischief(&mut self, session: &Session) {
        let world = self.world.clone();
        let Some(tp) = any_partition(&world) else {
            return;
        };
        let acked_now = self.parts.get(&tp).is_some_and(|part| part.acked);
        let batch = if self.epoch > 0 && self.idempotent && acked_now {
            batch(&world, world.fresh(), 1, Some((self.id, self.epoch - 1, 0)))
        } else {
            malformed(&world, &batch(&world, world.fresh(), 2, None))
        };
        let entry = ProduceEntry { tp, batch };
        let pending = session.ask(ShardRequest::Produce(vec![entry]));
        let timeout = world.executor.sleep_ms(TIMEOUT_MS);
        let reply = crate::sync::within(pending, timeout).await;
        if let Some(Some(ShardReply::Produce(results))) = reply {
            let error = results[0].error;
            assert!(error.is_error(), "{tp}: mischief is accepted");
            world.event("mischief-refused");
        }
        if world.dice.one_in(4) && !self.has_unacked() {
            self.epoch += 1;
            self.parts.clear();
        }
    }

    /// Gives up what is not acknowledged, and goes on as another producer or epoch.
    fn begin_anew(&mut self) {
        self.parts.clear();
        if self.world.dice.one_in(2) {
            self.epoch += 1;
        } else {
            self.id = self.world.fresh() as i64;
            self.epoch = 0;
        }
    }
}

/// A batch whose first record begins with `uid`.
fn batch(world: &World, uid: u64, records: i32, producer: Option<(i64, i16, i32)>) -> Bytes {
    let timestamp = world.wall_ms() - world.dice.below(100) as i64;
    let mut builder = BatchBuilder::new(timestamp);
    if let Some((id, epoch, sequence)) = producer {
        builder = builder.producer(id, epoch, sequence);
    }
    let bytes = match world.dice.one_in(300) {
        // More than any segment holds.
        true => u64::from(world.plan.segment_bytes),
        false => world.dice.range(8, world.plan.batch_bytes_max),
    };
    let bytes = bytes as usize;
    let mut value = vec![uid as u8; bytes / records as usize + 8];
    value[..8].copy_from_slice(&uid.to_be_bytes());
    for n in 0..records {
        builder = builder.record(timestamp + i64::from(n), None, Some(&value));
    }
    builder.build()
}

/// A batch with something wrong.
fn malformed(world: &World, batch: &Bytes) -> Bytes {
    let mut bytes = batch.to_vec();
    let forge = |bytes: &mut Vec<u8>, change: &dyn Fn(&mut BatchHeader)| {
        let mut header = BatchHeader::decode(bytes).expect("a batch of ours");
        change(&mut header);
        bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
        header.crc = checksum::crc32c(&bytes[CRC_COVER_START..]);
        bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
    };
    match world.dice.below(10) {
        0 => bytes.truncate(world.dice.below(bytes.len() as u64) as usize),
        1 => bytes[16] = 1,
        2 => *bytes.last_mut().expect("a byte") ^= 1,
        3 => bytes.extend_from_slice(batch),
        4 => forge(&mut bytes, &|header| header.record_count += 1),
        5 => forge(&mut bytes, &|header| header.attributes |= 7),
        6 => forge(&mut bytes, &|header| header.attributes |= 8),
        7 => forge(&mut bytes, &|header| header.base_offset = 5),
        8 => forge(&mut bytes, &|header| {
            header.attributes |= 0x10;
            (header.producer_id, header.producer_epoch) = (1 << 40, 0);
            header.base_sequence = 0;
        }),
        _ => forge(&mut bytes, &|header| header.batch_length = 3),
    }
    bytes.into()
}

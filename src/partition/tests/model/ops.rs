//! The random operations, and what each does to the world.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    /// A batch; of a producer if the id is not 0, its sequence off by `skew`.
    Append {
        id: i64,
        bump: bool,
        skew: i32,
        count: i32,
        timestamp: i64,
        bytes: usize,
    },
    /// The batch before, once more.
    Repeat {
        back: usize,
    },
    /// This many more records of the WAL become durable.
    Durable(usize),
    EvictTail(f64),
    DeleteRecords(f64),
    Retention {
        wall_ms: i64,
        bytes: u64,
    },
    Checkpoint,
    Read {
        at: f64,
        bytes_max: usize,
        at_least_one: bool,
    },
    List {
        timestamp: i64,
    },
    /// A crash after which `survivors` records that were not durable are there,
    /// and dead segments are not.
    Crash {
        survivors: usize,
        recycle: bool,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => (0..4_i64, prop::bool::weighted(0.1), prop_oneof![5 => Just(0), 1 => -3..3],
               1..5, -1..2000_i64, 100..600_usize)
            .prop_map(|(id, bump, skew, count, timestamp, bytes)| Op::Append { id, bump, skew, count, timestamp, bytes }),
        2 => (0..9_usize).prop_map(|back| Op::Repeat { back }),
        8 => (0..4_usize).prop_map(Op::Durable),
        2 => (0.0..1.1).prop_map(Op::EvictTail),
        1 => (0.0..1.1).prop_map(Op::DeleteRecords),
        1 => (1000..3000_i64, 0..9000_u64).prop_map(|(wall_ms, bytes)| Op::Retention { wall_ms, bytes }),
        1 => Just(Op::Checkpoint),
        4 => (0.0..1.2, 0..3000_usize, any::<bool>())
            .prop_map(|(at, bytes_max, at_least_one)| Op::Read { at, bytes_max, at_least_one }),
        2 => (-3..2100_i64).prop_map(|timestamp| Op::List { timestamp }),
        1 => (0..4_usize, any::<bool>()).prop_map(|(survivors, recycle)| Op::Crash { survivors, recycle }),
    ]
}

impl World {
    fn apply(&mut self, op: Op) {
        match op {
            Op::Append {
                id,
                bump,
                skew,
                count,
                timestamp,
                bytes,
            } => {
                let mut batch = spec(count).at(timestamp).bytes(bytes);
                if id > 0 {
                    let last = self.history(id).pop();
                    let epoch = last.map_or(0, |h| h.producer_epoch) + i16::from(bump);
                    let next = last.map_or(0, |h| h.base_sequence + h.record_count);
                    let next = if bump { 0 } else { next };
                    batch = batch.by(id, epoch, (next + skew).max(0));
                }
                self.append(batch.build());
            }
            Op::Repeat { back } => {
                let batch = self.batches.iter().rev().nth(back);
                if let Some(batch) = batch {
                    let mut bytes = batch.to_vec();
                    bytes[..8].fill(0);
                    self.append(bytes.into());
                }
            }
            Op::Durable(count) => self.settle(count),
            Op::EvictTail(at) => self.evict_tail(self.offset_at(at)),
            Op::DeleteRecords(at) => self.delete_records(self.offset_at(at)),
            Op::Retention { wall_ms, bytes } => self.expire(wall_ms, bytes),
            Op::Checkpoint => self.log_record(Record::Checkpoint(self.log.checkpoint())),
            Op::Read {
                at,
                bytes_max,
                at_least_one,
            } => {
                self.read(self.offset_at(at), bytes_max, at_least_one);
            }
            Op::List { timestamp } => self.list(timestamp),
            Op::Crash { survivors, recycle } => self.crash(survivors, recycle),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn behaves_as_a_list_of_batches(ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::new();
        for op in ops {
            world.apply(op);
            world.check();
        }
        world.settle(usize::MAX);
        world.crash(0, true);
        world.check();
        world.read(world.log_start, usize::MAX, true);
    }
}

//! Clients, and how they behave badly: they retry what was not answered, on another
//! connection and while the first is still being worked on; they come back after crashes of
//! the broker with what they had not got acknowledged; they are slow. They speak in requests
//! of the shard; the wire has tests of its own.

pub mod admin;
pub mod auditor;
pub mod consumer;
pub mod grouper;
pub mod member;
pub mod producer;

use std::rc::Rc;

use corelane::base::{ShardId, TopicPartition};

use crate::plan::Fault;
use crate::process::Session;
use crate::world::{Phase, World};

/// Connects to the owner of `tp` or to any shard, once the broker is there. `None` when the
/// client should rather look whether it is to finish.
pub async fn connect(world: &World, tp: Option<TopicPartition>) -> Option<Rc<Session>> {
    for _ in 0..20 {
        let owner = tp.and_then(|tp| world.owner(tp));
        let shard = owner.filter(|_| !world.dice.one_in(3));
        if let Some(session) = world.connect(shard) {
            return Some(session);
        }
        world.executor.sleep_ms(world.dice.range(5, 50)).await;
    }
    None
}

/// As [`connect`], to shard 0 or any other.
pub async fn connect_any(world: &World) -> Option<Rc<Session>> {
    for _ in 0..20 {
        let shard = world.dice.one_in(2).then_some(ShardId(0));
        if let Some(session) = world.connect(shard) {
            return Some(session);
        }
        world.executor.sleep_ms(world.dice.range(5, 50)).await;
    }
    None
}

/// Between two things that a client does.
pub async fn breathe(world: &World) {
    let us = match world.strikes(Fault::SlowClient, 20) {
        true => world.dice.range(10_000, 3_000_000),
        false => world.dice.range(0, 2000),
    };
    world.executor.sleep_us(us).await;
}

/// A partition that there is, as far as is known.
pub fn any_partition(world: &World) -> Option<TopicPartition> {
    let topics = world.model.borrow().topics.all();
    if topics.is_empty() {
        return None;
    }
    let (_, topic) = world.dice.pick(&topics);
    let partition = world.dice.below(topic.partitions as u64) as i32;
    let topic = topic.id?;
    Some(TopicPartition { topic, partition })
}

/// Whether new work may begin.
pub fn is_busy(world: &World) -> bool {
    world.phase.get() == Phase::Busy
}

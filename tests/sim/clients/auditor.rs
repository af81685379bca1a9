//! The auditor: reads every partition from its log start to its end and compares all of it
//! with the history.

use std::rc::Rc;

use corelane::base::TopicPartition;
use corelane::kafka::ErrorCode;

use super::consumer::{fetch, offset_at};
use super::{admin, connect};
use crate::world::World;

/// Reads everything once.
pub async fn read_all(world: Rc<World>) {
    for tp in partitions(&world) {
        while read(&world, tp).await.is_none() {
            world.executor.sleep_ms(10).await;
        }
    }
    world.done.set(world.done.get() + 1);
}

/// Deletes everything: whatever waited for room must find some now.
pub async fn delete_all(world: Rc<World>) {
    for tp in partitions(&world) {
        while admin::delete_records(&world, tp, true).await.is_none() {
            world.executor.sleep_ms(10).await;
        }
    }
    world.done.set(world.done.get() + 1);
}

fn partitions(world: &World) -> Vec<TopicPartition> {
    let topics = world.model.borrow().topics.all();
    let each = topics.into_iter().filter_map(|(_, topic)| {
        let id = topic.id?;
        Some((0..topic.partitions).map(move |partition| TopicPartition {
            topic: id,
            partition,
        }))
    });
    each.flatten().collect()
}

async fn read(world: &World, tp: TopicPartition) -> Option<()> {
    let session = connect(world, Some(tp)).await?;
    let mut offset = offset_at(&session, tp, -2).await?;
    loop {
        let result = fetch(&session, tp, offset, 1 << 20).await?;
        match result.error {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => offset = result.log_start_offset,
            error => panic!("{tp}: reading all at {offset}: {error:?}"),
        }
        let next = world.model.borrow_mut().check_fetch(tp, offset, &result);
        if next >= result.high_watermark {
            session.abandon(false);
            return Some(());
        }
        assert!(next > offset, "{tp}: nothing is given at {offset}");
        offset = next;
    }
}

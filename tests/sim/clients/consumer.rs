//! A consumer: reads partitions from somewhere on, compares every record with what was
//! appended, and waits for more.

use std::rc::Rc;

use corelane::base::TopicPartition;
use corelane::kafka::ErrorCode;
use corelane::shard::{
    FetchEntry, FetchRead, FetchResult, ListOffsetsEntry, ShardReply, ShardRequest, Watch,
};

use super::{any_partition, breathe, connect, is_busy};
use crate::process::Session;
use crate::world::World;

/// Reads until it is to finish.
pub async fn run(world: Rc<World>) {
    while is_busy(&world) {
        if let Some(tp) = any_partition(&world) {
            sitting(&world, tp).await;
        }
        breathe(&world).await;
    }
    world.done.set(world.done.get() + 1);
}

async fn sitting(world: &World, tp: TopicPartition) -> Option<()> {
    let session = connect(world, Some(tp)).await?;
    let mut offset = match world.dice.below(3) {
        0 => 0,
        1 => offset_at(&session, tp, -2).await?,
        _ => offset_at(&session, tp, world.wall_ms() - 1000).await?,
    };
    for _ in 0..world.dice.range(1, 20) {
        let bytes = *world.dice.pick(&[0, 100, 5000, 100_000]);
        let result = fetch(&session, tp, offset, bytes).await?;
        offset = match step(world, tp, offset, &result) {
            Step::At(next) => next,
            Step::Stop => break,
            Step::Wait => {
                let watch = Watch {
                    id: 0,
                    entries: vec![(tp, result.high_watermark)],
                    bytes: world.dice.range(1, 5000) as usize,
                    wait_ms: world.dice.range(0, 500),
                };
                session.ask(ShardRequest::Watch(watch)).await?;
                world.event("watched");
                offset
            }
        };
        if world.dice.one_in(3) {
            breathe(world).await;
        }
    }
    session.abandon(world.dice.one_in(2));
    Some(())
}

enum Step {
    At(i64),
    Wait,
    Stop,
}

fn step(world: &World, tp: TopicPartition, offset: i64, result: &FetchResult) -> Step {
    match result.error {
        ErrorCode::NONE => {}
        ErrorCode::OFFSET_OUT_OF_RANGE => {
            let (start, end) = (result.log_start_offset, result.high_watermark);
            assert!(
                offset < start || offset > end,
                "{tp}: offset {offset} is refused within {start}..={end}"
            );
            return Step::At(start);
        }
        _ => return Step::Stop,
    }
    let next = world.model.borrow_mut().check_fetch(tp, offset, result);
    world.event("fetched");
    if next > offset {
        return Step::At(next);
    }
    assert!(
        offset >= result.high_watermark,
        "{tp}: nothing is given at {offset}, below {}",
        result.high_watermark
    );
    Step::Wait
}

/// Reads once.
pub async fn fetch(
    session: &Session,
    tp: TopicPartition,
    offset: i64,
    max_bytes: usize,
) -> Option<FetchResult> {
    let entry = FetchEntry {
        tp,
        offset,
        max_bytes,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    };
    let read = FetchRead {
        entries: vec![entry],
        max_bytes,
        first_whole: true,
    };
    match session.ask(ShardRequest::Fetch(read)).await? {
        ShardReply::Fetch(mut results) => results.pop(),
        _ => None,
    }
}

/// Looks up an offset.
pub async fn offset_at(session: &Session, tp: TopicPartition, timestamp: i64) -> Option<i64> {
    let entry = ListOffsetsEntry {
        tp,
        timestamp,
        current_leader_epoch: -1,
    };
    match session.ask(ShardRequest::ListOffsets(vec![entry])).await? {
        ShardReply::ListOffsets(results) => results.first().map(|result| result.offset.max(0)),
        _ => None,
    }
}

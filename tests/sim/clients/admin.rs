//! An admin: creates and deletes topics, adds partitions, changes configs, deletes records;
//! one thing after the other, each under names of its own.

use std::collections::BTreeMap;
use std::rc::Rc;

use corelane::base::{TopicId, TopicPartition};
use corelane::catalog::{
    CatalogReply, CatalogRequest, ConfigOp, GrowTopic, IncrementalAlterTopic, NewTopic, TopicRef,
};
use corelane::shard::{ShardReply, ShardRequest};

use super::{any_partition, breathe, connect, connect_any, is_busy};
use crate::model::{Change, Topic};
use crate::process::Session;
use crate::world::World;

/// Changes things until it is to finish.
pub async fn run(world: Rc<World>, number: u64) {
    let names: Vec<String> = (0..world.plan.topics)
        .map(|n| format!("admin{number}-topic{n}"))
        .collect();
    while is_busy(&world) {
        let name = world.dice.pick(&names).clone();
        act(&world, &name).await;
        breathe(&world).await;
        let pause = world.dice.range(0, 300);
        world.executor.sleep_ms(pause).await;
    }
    world.done.set(world.done.get() + 1);
}

async fn act(world: &World, name: &str) -> Option<()> {
    let session = connect_any(world).await?;
    let topic = world.model.borrow().topics.get(name).cloned();
    let Some(topic) = topic else {
        return create(world, &session, name).await;
    };
    match world.dice.below(12) {
        0 => delete(world, &session, name).await,
        1 | 2 => grow(world, &session, name, topic).await,
        3..=5 => configure(world, &session, name, topic).await,
        6 => describe(world, &session).await,
        _ => match any_partition(world) {
            Some(tp) => delete_records(world, tp, false).await.map(drop),
            None => None,
        },
    }
}

async fn create(world: &World, session: &Session, name: &str) -> Option<()> {
    let partitions = world.dice.range(1, world.plan.partitions_max) as i32;
    let configs: BTreeMap<String, String> = config(world).into_iter().collect();
    let topic = Topic {
        id: None,
        partitions,
        configs: configs.clone(),
    };
    let request = CatalogRequest::CreateTopics {
        topics: vec![NewTopic {
            name: name.to_owned(),
            partitions,
            replication_factor: 1,
            assignments: Vec::new(),
            configs: configs.into_iter().map(|(k, v)| (k, Some(v))).collect(),
        }],
        validate_only: false,
    };
    world.event("create-topic");
    change(world, session, name, Some(topic), request).await
}

async fn delete(world: &World, session: &Session, name: &str) -> Option<()> {
    let request = CatalogRequest::DeleteTopics {
        topics: vec![TopicRef {
            name: Some(name.to_owned()),
            id: TopicId::ZERO,
        }],
    };
    world.event("delete-topic");
    change(world, session, name, None, request).await
}

async fn grow(world: &World, session: &Session, name: &str, mut topic: Topic) -> Option<()> {
    if topic.partitions as u64 >= world.plan.partitions_max {
        return None;
    }
    topic.partitions += 1;
    let request = CatalogRequest::CreatePartitions {
        topics: vec![GrowTopic {
            name: name.to_owned(),
            count: topic.partitions,
            assignments: None,
        }],
        validate_only: false,
    };
    world.event("add-partition");
    change(world, session, name, Some(topic), request).await
}

async fn configure(world: &World, session: &Session, name: &str, mut topic: Topic) -> Option<()> {
    let (key, value) = config(world)?;
    topic.configs.insert(key.clone(), value.clone());
    let request = CatalogRequest::IncrementalAlterConfigs {
        topics: vec![IncrementalAlterTopic {
            name: name.to_owned(),
            ops: vec![ConfigOp {
                name: key,
                op: 0,
                value: Some(value),
            }],
        }],
        validate_only: false,
    };
    world.event("alter-config");
    change(world, session, name, Some(topic), request).await
}

/// A config that makes a difference to the log.
fn config(world: &World) -> Option<(String, String)> {
    let retention_ms = world.dice.range(100, 20_000).to_string();
    let retention_bytes = world.dice.range(100, 200_000).to_string();
    let choices = [
        None,
        Some(("retention.ms", retention_ms)),
        Some(("retention.bytes", retention_bytes)),
        Some(("message.timestamp.type", "LogAppendTime".to_owned())),
        Some(("message.timestamp.type", "CreateTime".to_owned())),
    ];
    let choice = world.dice.pick(&choices).clone();
    choice.map(|(key, value)| (key.to_owned(), value))
}

async fn change(
    world: &World,
    session: &Session,
    name: &str,
    after: Change,
    request: CatalogRequest,
) -> Option<()> {
    if session.is_gone() {
        return None;
    }
    world.say(|| format!("{name} is to be {after:?}"));
    world.model.borrow_mut().topics.ask(name, after);
    let reply = session.ask(ShardRequest::Catalog(request)).await;
    world.say(|| format!("{name} is answered with {reply:?}"));
    let reply = reply?;
    let ShardReply::Catalog(reply) = reply else {
        panic!("a change of the catalogue is answered with {reply:?}");
    };
    match outcome(reply) {
        Ok(id) => world.model.borrow_mut().topics.confirm(name, id),
        Err(error) => panic!("a change of {name} is refused: {error}"),
    }
    world.check_catalogs();
    session.abandon(false);
    Some(())
}

fn outcome(reply: CatalogReply) -> Result<Option<TopicId>, String> {
    let none = |_| None;
    let result = match reply {
        CatalogReply::Created(mut outcomes) => {
            let outcome = outcomes.pop().ok_or("no outcome")?;
            outcome.result.map(|created| Some(created.id))
        }
        CatalogReply::Deleted(mut outcomes) => outcomes.pop().ok_or("no outcome")?.result.map(none),
        CatalogReply::PartitionsCreated(mut outcomes)
        | CatalogReply::ConfigsAltered(mut outcomes) => {
            outcomes.pop().ok_or("no outcome")?.result.map(none)
        }
    };
    result.map_err(|error| error.message)
}

/// Deletes records before some offset, or all of them; the new log start.
pub async fn delete_records(world: &World, tp: TopicPartition, all: bool) -> Option<i64> {
    let session = connect(world, Some(tp)).await?;
    let offset = {
        let mut model = world.model.borrow_mut();
        let log = model.logs.entry(tp).or_default();
        match all || world.dice.one_in(4) {
            // Up to the high watermark at the time, which nobody knows before.
            true => {
                log.deleting_all += 1;
                -1
            }
            false => {
                let offset = world.dice.range(0, log.end() as u64) as i64;
                log.delete_asked = log.delete_asked.max(offset);
                offset
            }
        }
    };
    let reply = session
        .ask(ShardRequest::DeleteRecords(vec![(tp, offset)]))
        .await?;
    world.event("delete-records");
    let ShardReply::DeleteRecords(results) = reply else {
        panic!("a deletion is answered with {reply:?}");
    };
    session.abandon(false);
    let log_start = results.first().copied()?.ok()?;
    let mut model = world.model.borrow_mut();
    let log = model.logs.entry(tp).or_default();
    if offset == -1 {
        log.deleting_all -= 1;
        log.delete_asked = log.delete_asked.max(log_start);
    }
    log.delete_acked = log.delete_acked.max(log_start.min(log.end()));
    Some(log_start)
}

async fn describe(world: &World, session: &Session) -> Option<()> {
    let tp = any_partition(world)?;
    session
        .ask(ShardRequest::DescribeProducers(vec![tp]))
        .await?;
    session.ask(ShardRequest::LogSizes(vec![tp])).await?;
    session.abandon(false);
    Some(())
}

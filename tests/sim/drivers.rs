//! The drivers of one shard: loops that poll the core, perform on the simulated disk and
//! report back, each the likeness of its namesake in `src/runtime`.

use std::rc::Rc;

use bytes::Bytes;
use corelane::base::{ShardId, TopicId};
use corelane::catalog::{CatalogRecord, CatalogReply, CatalogRequest};
use corelane::shard::{
    CatalogStep, CatalogTask, GroupRewrite, GroupRewriteStep, ProduceEntry, Shard, ShardReply,
    ShardRequest, Upkeep,
};
use corelane::wal::{BlockPlan, Manifest, SegmentWork};

use crate::executor::Group;
use crate::model::Block;
use crate::node::Node;
use crate::sync::{Answer, Place, Queue, within};

/// Starts those that run from the beginning.
pub fn start(node: &Rc<Node>) {
    let spawn = &node.world.executor;
    spawn.spawn(Group::Process, wal(node.clone()));
    spawn.spawn(Group::Process, segments(node.clone()));
    spawn.spawn(Group::Process, releases(node.clone()));
    spawn.spawn(Group::Process, inbox(node.clone()));
}

async fn wal(node: Rc<Node>) {
    loop {
        loop {
            let plan = node.core.borrow_mut().poll_write();
            let Some(plan) = plan else { break };
            let writer = node.clone();
            node.world
                .executor
                .spawn(Group::Process, async move { write(&writer, plan).await });
        }
        node.wal_work.wait().await;
    }
}

async fn write(node: &Node, plan: BlockPlan) {
    let world = &node.world;
    let mut bytes = vec![0xaa; plan.bytes];
    plan.copy_to(&mut bytes);
    let bytes = world.memory.count(bytes);
    let (lsn, segment, slot, offset) = (plan.lsn, plan.segment, plan.slot, plan.offset);
    let block = Block {
        segment,
        slot,
        offset,
        bytes: plan.bytes,
        attests: plan.durable(),
        written: false,
    };
    drop(plan);
    world.model.borrow_mut().on_block_sent(lsn, block);
    node.slots.borrow_mut().on_write(segment, slot);
    let file = (segment.wal, slot);
    // The disk keeps a copy: it must not count as the broker's memory.
    let copy = Bytes::copy_from_slice(&bytes);
    if world.disk.write(file, offset, copy).await.is_err() {
        world.abort("writing a block failed");
        return std::future::pending().await;
    }
    world.model.borrow_mut().on_block_written(segment.wal, lsn);
    let hash = u64::from(corelane::base::checksum::crc32c(&bytes));
    world
        .executor
        .trace(hash << 32 ^ lsn.0 << 8 ^ u64::from(segment.wal));
    let durable = node.with(|core, now| core.on_written(now, lsn, bytes));
    world.model.borrow_mut().check_durable(segment.wal, durable);
    node.gate.advance(durable);
    node.wal_work.raise();
}

async fn segments(node: Rc<Node>) {
    loop {
        while let Some((wal, work)) = node.with(|core, _| core.poll_segment()) {
            let worker = node.clone();
            node.world.executor.spawn(Group::Process, async move {
                perform(&worker, wal, work).await;
            });
        }
        node.segment_work.wait().await;
    }
}

async fn perform(node: &Node, wal: u16, work: SegmentWork) {
    let world = &node.world;
    let disk = &world.disk;
    match work {
        SegmentWork::Prepare { slot, bytes } => {
            match disk.create((wal, slot), bytes as usize).await {
                Ok(()) => node.with(|core, _| core.on_prepared(slot)),
                Err(_) => node.with(|core, _| core.on_prepare_failed(slot)),
            }
        }
        SegmentWork::WriteHeader { slot, bytes } => {
            let file = (wal, slot);
            assert_eq!(
                disk.reads_of(file),
                0,
                "a new life of {file:?}, which is read"
            );
            let header = Bytes::copy_from_slice(&*bytes);
            if disk.write(file, 0, header).await.is_err() {
                world.abort("writing a header failed");
                return std::future::pending().await;
            }
            world.event("segment-life");
            node.with(|core, _| core.on_header_written(slot));
        }
        SegmentWork::WriteManifest { bytes } => {
            let manifest = Manifest::decode(&bytes).expect("a manifest of the broker's");
            world.model.borrow_mut().check_manifest(wal, &manifest);
            match disk.replace_manifest(wal, bytes).await {
                Ok(()) => {
                    let mut model = world.model.borrow_mut();
                    model.on_manifest(wal, manifest.durable);
                    drop(model);
                    node.with(|core, _| core.on_manifest_written(wal));
                }
                Err(_) => node.with(|core, _| core.on_manifest_failed(wal)),
            }
        }
        SegmentWork::Shorten { slot, bytes } => {
            world.event("segment-shortened");
            match disk.shorten((wal, slot), bytes as usize).await {
                Ok(()) => node.with(|core, _| core.on_shortened(wal, slot)),
                Err(_) => node.with(|core, _| core.on_shorten_failed(wal, slot)),
            }
        }
        SegmentWork::Delete { slot } => {
            disk.remove((wal, slot)).await;
            node.with(|core, _| core.on_deleted(wal, slot));
        }
    }
}

async fn releases(node: Rc<Node>) {
    loop {
        while let Some((keeper, segment)) = node.with(|core, _| core.poll_release()) {
            node.slots.borrow_mut().forget(segment);
            let request = ShardRequest::ReleaseSegment(segment);
            node.world.event("segment-released");
            node.ask(keeper, request).await;
        }
        node.release_work.wait().await;
    }
}

/// A message with batches, and where its answer goes.
type Forwarded = (Vec<ProduceEntry>, Answer<ShardReply>, Place);

/// Appends what other shards have sent, one message after the other: the mailbox goes on while
/// one of them waits for the disk.
async fn appender(node: Rc<Node>, parked: Rc<Queue<Forwarded>>) {
    while let Some((entries, reply, place)) = parked.next().await {
        let (results, lsn) = node.append_forwarded(entries).await;
        let acknowledging = node.clone();
        node.world.executor.spawn(Group::Process, async move {
            acknowledging.durable(lsn).await;
            reply.give(ShardReply::Produce(results));
            drop(place);
        });
    }
}

async fn inbox(node: Rc<Node>) {
    let parked: Rc<Queue<Forwarded>> = Rc::default();
    let appender = appender(node.clone(), parked.clone());
    node.world.executor.spawn(Group::Process, appender);
    while let Some(letter) = node.mailbox.next().await {
        node.world.mail_delay().await;
        let (request, reply, place) = (letter.request, letter.reply, letter.reply_place);
        let executor = node.world.executor.clone();
        match request {
            ShardRequest::Produce(entries) => parked.push((entries, reply, place)),
            // In the order of the catalogue's log, so never in a task of its own.
            ShardRequest::ApplyCatalog(records) => {
                apply(&node, &records);
                reply.give(ShardReply::Done);
            }
            request => {
                let node = node.clone();
                executor.spawn(Group::Process, async move {
                    let given = node.answer(request).await;
                    reply.give(given);
                    drop(place);
                });
            }
        }
    }
}

/// Rounds of upkeep, for the shard's life.
pub async fn upkeep(node: Rc<Node>) {
    let interval = node.world.plan.retention_interval_ms;
    let mut upkeep = node.with(|core, now| Upkeep::new(core, now, interval));
    loop {
        let due = node.with(|core, now| upkeep.round(core, now));
        if let Some(task) = due.rewrite_groups {
            node.world.event("group-logs-rewritten");
            let rewriter = node.clone();
            let executor = node.world.executor.clone();
            executor.spawn(Group::Process, async move {
                rewrite_groups(&rewriter, task).await;
            });
        }
        if due.rewrite_catalog {
            node.world.event("catalog-rewritten");
            let node = node.clone();
            let executor = node.world.executor.clone();
            executor.spawn(Group::Process, async move {
                let turn = node.catalog_turn.take().await;
                let task = node.with(|core, now| CatalogTask::rewrite(core, now));
                run(&node, task).await;
                drop(turn);
            });
        }
        node.world.executor.sleep_ms(upkeep.pause_ms()).await;
    }
}

async fn rewrite_groups(node: &Node, mut task: GroupRewrite) {
    loop {
        match node.with(|core, now| task.step(core, now)) {
            GroupRewriteStep::Retry => node.world.executor.sleep_ms(5).await,
            GroupRewriteStep::Durable(lsn) => node.durable(lsn).await,
            GroupRewriteStep::Done => return,
        }
    }
}

/// Does what is due in the coordinators, for the shard's life.
pub async fn groups(node: Rc<Node>) {
    loop {
        let next = node.with(|core, now| core.poll_groups(now));
        let executor = &node.world.executor;
        match next.map(|at| at.saturating_sub(node.now().mono_ms)) {
            None => node.group_work.wait().await,
            Some(ms) => {
                let pause = executor.sleep_ms(ms.max(1));
                within(node.group_work.wait(), pause).await;
            }
        }
    }
}

/// Decides and carries out a change of the catalogue.
pub async fn change(node: &Node, request: CatalogRequest) -> Option<CatalogReply> {
    let turn = node.catalog_turn.take().await;
    let dice = node.world.dice.clone();
    let mut fresh_id = move || {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&dice.bits().to_be_bytes());
        bytes[8..].copy_from_slice(&dice.bits().to_be_bytes());
        TopicId::from_random(bytes)
    };
    let task = node.with(|core, now| CatalogTask::change(core, now, &mut fresh_id, &request));
    let reply = run(node, task).await;
    drop(turn);
    reply
}

async fn run(node: &Node, mut task: CatalogTask) -> Option<CatalogReply> {
    let mut last = corelane::base::Lsn::default();
    loop {
        match node.with(|core, now| task.step(core, now)) {
            Ok(CatalogStep::Retry) => node.world.executor.sleep_ms(5).await,
            Ok(CatalogStep::Durable(lsn)) => {
                last = lsn;
                node.durable(lsn).await;
            }
            Ok(CatalogStep::Publish(records)) => {
                node.world.model.borrow_mut().check_catalog_durable(last);
                note(node, &records);
                publish(node, records).await;
            }
            Ok(CatalogStep::Done(reply)) => return reply,
            Err(error) => panic!("replaying the catalogue failed: {error}"),
        }
    }
}

/// Replays durable records here.
pub fn apply(node: &Node, records: &[Bytes]) {
    let applied = node.with(|core, _| core.apply_catalog(records));
    applied.expect("records that shard 0 encoded");
}

fn note(node: &Node, records: &[Bytes]) {
    let mut model = node.world.model.borrow_mut();
    for record in records {
        if let Ok(CatalogRecord::TopicDeleted { topic }) = CatalogRecord::decode(record) {
            model.on_applied(Some(topic));
        }
    }
}

async fn publish(node: &Node, records: Vec<Bytes>) {
    let Some(process) = node.process.upgrade() else {
        return;
    };
    if records.is_empty() {
        return;
    }
    let mut pending = Vec::new();
    for other in (0..process.shards).map(ShardId).filter(|id| *id != node.id) {
        let request = ShardRequest::ApplyCatalog(records.clone());
        pending.extend(node.send(other, request).await);
    }
    for reply in pending {
        reply.await;
    }
}

/// Waits until everything appended is durable and the WAL says where it ends.
pub async fn close(node: &Node) {
    node.durable(node.look(Shard::last_lsn)).await;
    node.with(|core, _| core.close_wal());
    while !node.look(Shard::is_wal_closed) {
        node.world.executor.sleep_ms(5).await;
    }
}

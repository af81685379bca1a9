//! One run of the broker, from reading the disk to its end, and its connections.
//!
//! It can be killed between any two steps: while it counts its start, while it reads the
//! WALs or flushes them, while it adopts what other shards wrote, and ever after. The next
//! run may have another number of shards.
//!
//! A connection carries requests in order; their answers come in the same order, and the next
//! request is looked at while the last one's batches are on their way to the disk. A client
//! may give a connection up; what is on it is then lost, or, as of a zombie, still done.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use corelane::base::{Lsn, SegmentId, ShardId, TopicId, TopicPartition};
use corelane::catalog::BrokerDefaults;
use corelane::kafka::ErrorCode;
use corelane::shard::{
    Assembly, FetchRead, Hold, ProduceEntry, ProduceResult, SegmentSlots, ShardConfig, ShardReply,
    ShardRequest, Watch, deal_wals, earliest,
};
use corelane::wal::{Manifest, Recovered, RecoveredRecord, Recovery, RecoveryStep, WalConfig};

use crate::disk::Meta;
use crate::drivers;
use crate::executor::Group;
use crate::node::Node;
use crate::sync::{Answer, Pending, Queue, answer};
use crate::world::{World, partitions_of, seen};

/// One run.
pub struct Process {
    pub world: Rc<World>,
    pub shards: u16,
    pub incarnation: u32,
    nodes: RefCell<Vec<Rc<Node>>>,
    sessions: RefCell<Vec<Weak<Session>>>,
    adopted: Cell<u16>,
    /// Shards that serve.
    serving: Cell<u16>,
    disk_bytes: BTreeMap<u16, u64>,
}

impl Process {
    pub fn node(&self, id: ShardId) -> Option<Rc<Node>> {
        self.nodes.borrow().get(usize::from(id.0)).cloned()
    }

    pub fn nodes(&self) -> Vec<Rc<Node>> {
        self.nodes.borrow().clone()
    }

    pub fn is_serving(&self) -> bool {
        self.serving.get() == self.shards
    }

    pub fn disk_bytes_at_start(&self, wal: u16) -> u64 {
        self.disk_bytes.get(&wal).copied().unwrap_or(0)
    }

    pub fn connect(self: &Rc<Self>, shard: ShardId) -> Option<Rc<Session>> {
        if !self.is_serving() {
            return None;
        }
        let node = self.node(shard)?;
        if node.stopping.get() {
            return None;
        }
        let session = Rc::new(Session::default());
        self.sessions.borrow_mut().push(Rc::downgrade(&session));
        let executor = &self.world.executor;
        executor.spawn(Group::Process, serve(node, session.clone()));
        Some(session)
    }

    /// The process is no more.
    pub fn end(&self) {
        for session in self.sessions.borrow().iter().filter_map(Weak::upgrade) {
            session.gone.set(true);
            session.queue.clear();
        }
        self.nodes.borrow_mut().clear();
    }
}

/// Runs the broker until it is killed.
pub async fn start(world: Rc<World>, shards: u16) {
    world.begin_clock();
    let disk = &world.disk;
    let before = disk.meta().unwrap_or_default();
    let meta = Meta {
        incarnation: before.incarnation + 1,
        wals: before.wals.max(shards),
    };
    for wal in before.wals..meta.wals {
        // Every WAL has a manifest before it is counted.
        let first = Manifest::empty(wal).encode();
        if disk.replace_manifest(wal, first).await.is_err() {
            world.abort("no room for the manifest of a new WAL");
            return std::future::pending().await;
        }
    }
    disk.replace_meta(meta).await;
    let mut found = Vec::new();
    for wal in 0..meta.wals {
        match recover_one(&world, wal).await {
            Ok(one) => found.push(one),
            Err(Failure::Io) => {
                world.abort("reading a WAL failed");
                return std::future::pending().await;
            }
            Err(Failure::Refused(error)) => {
                assert!(disk.repair(), "WAL {wal} is refused: {error}");
                world.event("refused-flipped");
                world.abort("a damaged WAL was refused");
                return std::future::pending().await;
            }
        }
    }
    assert!(
        !world.must_refuse.get(),
        "a WAL that somebody laid hands on was not refused"
    );
    disk.repair();
    open(&world, meta, shards, found);
}

type Found = (Vec<RecoveredRecord>, Recovered);

enum Failure {
    Io,
    Refused(corelane::wal::RecoveryError),
}

impl From<corelane::wal::RecoveryError> for Failure {
    fn from(error: corelane::wal::RecoveryError) -> Self {
        Failure::Refused(error)
    }
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Failure::Io
    }
}

async fn recover_one(world: &World, wal: u16) -> Result<Found, Failure> {
    let disk = &world.disk;
    let (files, manifest) = (disk.list(wal), disk.manifest(wal));
    let mut recovery = Recovery::new(wal, &files, manifest.as_deref())?;
    let mut records = Vec::new();
    let mut settled = BTreeSet::new();
    loop {
        match recovery.poll()? {
            RecoveryStep::Record(record) => records.push(record),
            RecoveryStep::Read(plan) => {
                let file = (wal, plan.slot);
                if settled.insert(file) {
                    disk.settle(file).await;
                }
                let bytes = disk.read_at_start(file, plan.offset, plan.bytes).await?;
                recovery.on_read(&bytes)?;
            }
            RecoveryStep::Done => break,
        }
    }
    let recovered = recovery.finish();
    for slot in &recovered.sync {
        disk.sync((wal, *slot)).await;
    }
    if recovered.cut.is_some() {
        world.event("recovery-cut");
    }
    Ok((records, recovered))
}

/// Puts the shards together and lets them run.
fn open(world: &Rc<World>, meta: Meta, shards: u16, found: Vec<Found>) {
    let mut assembly = Assembly::default();
    let mut wals = Vec::new();
    let mut sources = Vec::new();
    let mut slots: HashMap<SegmentId, u32> = HashMap::new();
    for (records, recovered) in found {
        world.model.borrow_mut().on_recovered(&recovered);
        slots.extend(recovered.segments.iter().map(|s| (s.id, s.slot)));
        wals.push(recovered);
        sources.push(records.into_iter().peekable());
    }
    while let Some(place) = earliest(sources.iter_mut().map(|source| source.peek())) {
        let record = sources[place].next().expect("a record was there");
        let taken = assembly.record(&record);
        taken.expect("records that the broker wrote");
    }
    let config = |id| ShardConfig {
        id: ShardId(id),
        shards,
        leader_epoch: meta.incarnation as i32,
        index_bytes: world.plan.index_bytes,
        tail_bytes: world.plan.tail_bytes,
        read_ahead_bytes: world.plan.read_ahead_bytes,
        producer_expiration_ms: world.plan.producer_expiration_ms,
        producers_max: usize::MAX,
        groups: world.plan.groups,
    };
    let configs: Vec<ShardConfig> = (0..shards).map(config).collect();
    let recovered = assembly.finish(BrokerDefaults::default(), world.now(), &configs);
    let recovered = recovered.expect("a whole catalogue and whole logs");
    let process = Rc::new(Process {
        world: world.clone(),
        shards,
        incarnation: meta.incarnation,
        nodes: RefCell::default(),
        sessions: RefCell::default(),
        adopted: Cell::new(0),
        serving: Cell::new(0),
        disk_bytes: (0..meta.wals)
            .map(|wal| (wal, world.disk.bytes(wal)))
            .collect(),
    });
    let slots = Arc::new(slots);
    let run_seed = world.dice.bits();
    let dealt = recovered.into_iter().zip(deal_wals(wals, shards));
    for (id, (recovered, wals)) in (0..).zip(dealt) {
        let wal_config = WalConfig {
            wal: id,
            segment_bytes: world.plan.segment_bytes,
            disk_bytes_max: u64::from(world.plan.segment_bytes) * world.plan.segments,
            run_seed: run_seed ^ u64::from(id) << 48,
        };
        let core = recovered.open(wal_config, wals.own, wals.adopted);
        let core = core.expect("a configuration that is allowed");
        let slots = SegmentSlots::new(ShardId(id), slots.clone());
        let node = Node::new(&process, core, slots);
        process.nodes.borrow_mut().push(node);
    }
    check_recovered(world, &process);
    *world.process.borrow_mut() = Some(process.clone());
    for node in process.nodes() {
        drivers::start(&node);
        let executor = &world.executor;
        executor.spawn(Group::Process, run_shard(process.clone(), node));
    }
}

/// What came back is what was on the disk.
fn check_recovered(world: &World, process: &Process) {
    let nodes = process.nodes();
    let mut model = world.model.borrow_mut();
    nodes[0].look(|core| model.topics.settle(core.catalog()));
    for node in &nodes {
        node.look(|core| model.topics.check(core.catalog()));
        for tp in partitions_of(node) {
            let seen = seen(node, tp).expect("a partition that the catalogue names");
            model.check_recovered(tp, seen);
        }
    }
    let catalog = nodes[0].core.borrow();
    let gone = model.logs.keys().map(|tp| tp.topic);
    let gone: Vec<_> = gone
        .filter(|id| catalog.catalog().topic_by_id(*id).is_none())
        .collect();
    gone.into_iter().for_each(|id| model.on_gone(id));
}

async fn run_shard(process: Rc<Process>, node: Rc<Node>) {
    let executor = &process.world.executor;
    loop {
        let next = node.with(|core, _| core.adopt());
        let Some(lsn) = next else { break };
        process.world.event("adopting");
        node.durable(lsn).await;
        executor.sleep_ms(1).await;
    }
    process.adopted.set(process.adopted.get() + 1);
    while process.adopted.get() < process.shards {
        executor.sleep_ms(1).await;
    }
    executor.spawn(Group::Process, drivers::groups(node.clone()));
    executor.spawn(Group::Process, drivers::upkeep(node));
    process.serving.set(process.serving.get() + 1);
}

/// One connection.
#[derive(Default)]
pub struct Session {
    queue: Queue<(ShardRequest, Answer<ShardReply>)>,
    gone: Cell<bool>,
}

impl Session {
    /// Sends a request; no answer comes when the connection breaks.
    pub fn ask(&self, request: ShardRequest) -> Pending<ShardReply> {
        let (answer, pending) = answer();
        if !self.gone.get() {
            self.queue.push((request, answer));
        }
        pending
    }

    pub fn is_gone(&self) -> bool {
        self.gone.get()
    }

    /// The client hangs up; as a `zombie` what it sent is carried out all the same.
    pub fn abandon(&self, zombie: bool) {
        self.gone.set(true);
        if !zombie {
            self.queue.clear();
        }
        self.queue.close();
    }
}

/// An answer on its way out, in the order of the requests.
enum Outgoing {
    Ready(Answer<ShardReply>, ShardReply),
    Produce(Produced),
}

struct Produced {
    answer: Answer<ShardReply>,
    entries: Vec<ProduceEntry>,
    results: Vec<ProduceResult>,
    pending: Vec<(Vec<usize>, Pending<ShardReply>)>,
    lsn: Lsn,
}

async fn serve(node: Rc<Node>, session: Rc<Session>) {
    let out: Rc<Queue<Outgoing>> = Rc::default();
    let executor = &node.world.executor;
    executor.spawn(Group::Process, respond(node.clone(), out.clone()));
    while let Some((request, answer)) = session.queue.next().await {
        match request {
            ShardRequest::Produce(entries) => {
                let produced = produce(&node, entries, answer).await;
                out.push(Outgoing::Produce(produced));
            }
            request => {
                if let Some(reply) = ask_owners(&node, request).await {
                    out.push(Outgoing::Ready(answer, reply));
                }
            }
        }
    }
    out.close();
}

async fn respond(node: Rc<Node>, out: Rc<Queue<Outgoing>>) {
    while let Some(outgoing) = out.next().await {
        match outgoing {
            Outgoing::Ready(answer, reply) => answer.give(reply),
            Outgoing::Produce(Produced {
                answer,
                entries,
                mut results,
                pending,
                lsn,
            }) => {
                for (places, reply) in pending {
                    if let Some(ShardReply::Produce(answers)) = reply.await {
                        for (place, answer) in places.into_iter().zip(answers) {
                            results[place] = answer;
                        }
                    }
                }
                node.durable(lsn).await;
                let mut model = node.world.model.borrow_mut();
                for (entry, result) in entries.iter().zip(&results) {
                    model.on_ack(entry.tp, &entry.batch, result);
                }
                drop(model);
                answer.give(ShardReply::Produce(results));
            }
        }
    }
}

async fn produce(node: &Node, entries: Vec<ProduceEntry>, answer: Answer<ShardReply>) -> Produced {
    let mut results = Vec::new();
    let mut remote: BTreeMap<ShardId, (Vec<usize>, Vec<ProduceEntry>)> = BTreeMap::new();
    let mut lsn = Lsn::default();
    for entry in &entries {
        let owner = node.look(|core| core.owner(entry.tp));
        if owner == node.id {
            let (result, after) = node.append(entry, Hold::produce(1500)).await;
            lsn = lsn.max(after);
            results.push(result);
        } else {
            let share = remote.entry(owner).or_default();
            share.0.push(results.len());
            share.1.push(entry.clone());
            results.push(ProduceResult::error(ErrorCode::REQUEST_TIMED_OUT));
        }
    }
    let mut pending = Vec::new();
    for (owner, (places, share)) in remote {
        let sent = node.send(owner, ShardRequest::Produce(share)).await;
        pending.extend(sent.map(|reply| (places, reply)));
    }
    Produced {
        answer,
        entries,
        results,
        pending,
        lsn,
    }
}

/// Clients here ask about one partition at a time, or about the catalogue.
async fn ask_owners(node: &Rc<Node>, request: ShardRequest) -> Option<ShardReply> {
    let tp: Option<TopicPartition> = match &request {
        ShardRequest::Fetch(FetchRead { entries, .. }) => entries.first().map(|e| e.tp),
        ShardRequest::Watch(Watch { entries, .. }) => entries.first().map(|e| e.0),
        ShardRequest::ListOffsets(entries) => entries.first().map(|e| e.tp),
        ShardRequest::DeleteRecords(entries) => entries.first().map(|e| e.0),
        ShardRequest::EpochEnd(entries) => entries.first().map(|e| e.tp),
        ShardRequest::DescribeProducers(partitions) | ShardRequest::LogSizes(partitions) => {
            partitions.first().copied()
        }
        ShardRequest::Group { partition, .. } => Some(TopicPartition {
            topic: TopicId::OFFSETS,
            partition: *partition,
        }),
        _ => None,
    };
    let owner = tp.map_or(ShardId(0), |tp| node.look(|core| core.owner(tp)));
    node.ask(owner, request).await
}

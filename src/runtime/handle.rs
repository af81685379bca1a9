//! This core's shard, as its sessions and drivers use it: one cell that is borrowed
//! for the length of a call and never across an await, and the events that tell
//! drivers of new work. Requests for other shards go over the mesh.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::task::Waker;

use bytes::Bytes;
use glommio::sync::Semaphore;

use crate::base::{Lsn, Now, ShardId, TopicPartition};
use crate::shard::{Shard, ShardReply, ShardRequest, WaiterId};
use crate::wal::BlockPlan;

use super::buffer::BlockBuffers;
use super::clock;
use super::event::Event;
use super::files::Files;
use super::gate::DurableGate;
use super::groups::Tickets;
use super::mesh::Mesh;
use super::read_pool::ReadPool;
use super::units::{Held, Units};
use super::watch::Wake;
use super::{inbox, serve};

/// One shard on its own core. Cheap to clone; never leaves the core.
#[derive(Clone)]
pub struct ShardHandle(Rc<ShardCell>);

/// How much memory one shard may use for what, bytes. The tail's share is the core's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Reads from the WAL that are under way.
    pub cold_bytes: u64,
    /// Chunks that sockets are read into.
    pub chunk_bytes: u64,
    /// What batches grow to that are searched by time.
    pub lookup_bytes: u64,
    /// Requests that fit no chunk, of ordinary size.
    pub request_bytes: u64,
    /// Requests above [`LARGE_REQUEST_BYTES`](crate::base::limits::LARGE_REQUEST_BYTES).
    pub large_request_bytes: u64,
    /// Requests that are kept while they are handled, as others came with them.
    pub parked_bytes: u64,
    /// Fetched records that are not sent yet.
    pub response_bytes: u64,
}

/// What drivers and sessions of one core share.
pub struct ShardCell {
    pub(super) shard: RefCell<Shard>,
    /// Where responses wait to be durable.
    pub gate: DurableGate,
    /// The way to the other shards.
    pub mesh: Rc<Mesh>,
    pub(super) wal_work: Event,
    pub(super) segment_work: Event,
    pub(super) release_work: Event,
    pub(super) group_work: Event,
    pub(super) files: Files,
    pub(super) buffers: Rc<BlockBuffers>,
    /// The catalogue changes one request at a time.
    pub(super) catalog_turn: Semaphore,
    pub(super) woken: RefCell<HashMap<WaiterId, Wake>>,
    /// The watches that other shards have here, by the asker and its number for them.
    pub(super) foreign_watches: RefCell<HashMap<(ShardId, u64), WaiterId>>,
    /// This shard's own number for its next watch.
    pub(super) next_watch: Cell<u64>,
    /// Batches of other shards that wait for the WAL.
    pub(super) parked: inbox::Parked,
    /// Requests to the groups' coordinators that await their answers.
    pub(super) groups: Tickets,
    /// Fetches that wait for what is being read ahead.
    pub(super) await_ahead: RefCell<Vec<Waker>>,
    /// Memory of reads from the WAL that are under way.
    pub(super) cold_units: Units,
    /// Memory of batches that are decompressed to be searched.
    pub(super) lookup_units: Units,
    /// Memory that sockets are read into.
    pub read_pool: ReadPool,
    /// Memory of requests that were taken out of there because handling them may take long.
    pub parked_units: Units,
    /// Memory of fetched records, until they are sent.
    pub response_units: Units,
    /// Raised once: the broker is to stop.
    pub stopping: Cell<bool>,
    pub(super) stop: Event,
}

impl std::ops::Deref for ShardHandle {
    type Target = ShardCell;

    fn deref(&self) -> &ShardCell {
        &self.0
    }
}

impl ShardHandle {
    /// Wraps a recovered shard; to be called on its own executor.
    pub fn new(shard: Shard, mesh: Rc<Mesh>, files: Files, budget: Budget) -> ShardHandle {
        ShardHandle(Rc::new(ShardCell {
            shard: RefCell::new(shard),
            gate: DurableGate::default(),
            mesh,
            wal_work: Event::default(),
            segment_work: Event::default(),
            release_work: Event::default(),
            group_work: Event::default(),
            files,
            buffers: Rc::new(BlockBuffers::here()),
            catalog_turn: Semaphore::new(1),
            woken: RefCell::default(),
            foreign_watches: RefCell::default(),
            next_watch: Cell::new(0),
            parked: inbox::Parked::default(),
            groups: Tickets::default(),
            await_ahead: RefCell::default(),
            cold_units: Units::new(budget.cold_bytes),
            lookup_units: Units::new(budget.lookup_bytes),
            read_pool: ReadPool::new(
                budget.chunk_bytes,
                budget.request_bytes,
                budget.large_request_bytes,
            ),
            parked_units: Units::new(budget.parked_bytes),
            response_units: Units::new(budget.response_bytes),
            stopping: Cell::new(false),
            stop: Event::default(),
        }))
    }

    /// Runs `decide` on the shard, then tells the drivers of whatever work came of it.
    pub fn with<R>(&self, decide: impl FnOnce(&mut Shard, Now) -> R) -> R {
        let mut shard = self.shard.borrow_mut();
        let result = decide(&mut shard, clock::now());
        self.settle(&mut shard);
        result
    }

    /// Looks at the shard without changing it.
    pub fn look<R>(&self, read: impl FnOnce(&Shard) -> R) -> R {
        read(&self.shard.borrow())
    }

    fn settle(&self, shard: &mut Shard) {
        if shard.has_blocks_to_write() {
            self.wal_work.raise();
        }
        if shard.has_segment_work() {
            self.segment_work.raise();
        }
        if shard.has_releases() {
            self.release_work.raise();
        }
        while let Some(waiter) = shard.poll_woken() {
            if let Some(wake) = self.woken.borrow_mut().get_mut(&waiter) {
                wake.wake();
            }
        }
        while let Some(answer) = shard.poll_group_answer() {
            self.groups.answer(answer);
        }
        if shard.has_group_work() {
            self.group_work.raise();
        }
    }

    /// The next block to write, for the WAL driver.
    pub(super) fn poll_write(&self) -> Option<BlockPlan> {
        self.shard.borrow_mut().poll_write()
    }

    /// A block was written; those who waited for it go on.
    pub(super) fn on_written(&self, lsn: Lsn, written: Bytes) {
        let durable = self.with(|core, now| core.on_written(now, lsn, written));
        self.gate.advance(durable);
        self.wal_work.raise();
    }

    /// The broker is to stop: no more connections, and what waits is answered.
    pub fn begin_stop(&self) {
        self.stopping.set(true);
        self.stop.raise();
        self.woken.borrow_mut().values_mut().for_each(Wake::wake);
        self.groups.close();
        self.response_units.end_waits();
    }

    /// Whether this is the only handle left.
    pub(super) fn is_last(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }

    /// Tells every shard that the broker is to stop.
    pub async fn stop_all(&self) {
        for other in (0..self.mesh.shards())
            .map(ShardId)
            .filter(|id| *id != self.id())
        {
            self.mesh.send(other, ShardRequest::Shutdown).await;
        }
        self.begin_stop();
    }

    /// Resolves when the broker is to stop.
    pub async fn stopped(&self) {
        if !self.stopping.get() {
            self.stop.wait().await;
        }
    }

    /// Takes memory for a response of `bytes`, or all there is for one that is larger, once it is
    /// free; none when the broker stops, since those who have it may not let go of it before.
    pub async fn pay_for_response(&self, bytes: usize) -> Option<Held> {
        let held = self.response_units.take(bytes as u64).await;
        (held.bytes() > 0).then_some(held)
    }

    /// This shard's number.
    pub fn id(&self) -> ShardId {
        self.look(Shard::id)
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        clock::now()
    }

    /// The shard that owns `tp`.
    pub fn owner(&self, tp: TopicPartition) -> ShardId {
        self.look(|shard| shard.owner(tp))
    }

    /// Answers a request here or on the shard it belongs to, once the answer is durable.
    /// `None` only while the broker shuts down.
    pub async fn ask(&self, to: ShardId, request: ShardRequest) -> Option<ShardReply> {
        if to == self.id() {
            return Some(serve::answer(self, request).await);
        }
        Some(self.mesh.send(to, request).await?.await)
    }

    /// Asks every owner for its share of `entries` in one message each, all at the same
    /// time, and gives the answers in the order of `entries`.
    pub async fn ask_owners<E, R>(
        &self,
        entries: Vec<E>,
        tp: impl Fn(&E) -> TopicPartition,
        wrap: impl Fn(Vec<E>) -> ShardRequest,
        unwrap: impl Fn(ShardReply) -> Option<Vec<R>>,
    ) -> Option<Vec<R>> {
        let mut shares: BTreeMap<ShardId, (Vec<usize>, Vec<E>)> = BTreeMap::new();
        let count = entries.len();
        for (place, entry) in entries.into_iter().enumerate() {
            let share = shares.entry(self.owner(tp(&entry))).or_default();
            share.0.push(place);
            share.1.push(entry);
        }
        let here = shares.remove(&self.id());
        let mut pending = Vec::with_capacity(shares.len());
        for (owner, (places, share)) in shares {
            pending.push((places, self.mesh.send(owner, wrap(share)).await?));
        }
        let mut answers: Vec<Option<R>> = (0..count).map(|_| None).collect();
        let mut fill = |places: Vec<usize>, reply: ShardReply| {
            for (place, answer) in places.into_iter().zip(unwrap(reply)?) {
                answers[place] = Some(answer);
            }
            Some(())
        };
        if let Some((places, share)) = here {
            fill(places, serve::answer(self, wrap(share)).await)?;
        }
        for (places, reply) in pending {
            fill(places, reply.await)?;
        }
        answers.into_iter().collect()
    }

    /// Resolves once everything up to `lsn` is on disk.
    pub async fn durable(&self, lsn: Lsn) {
        self.gate.wait(lsn).await;
    }
}

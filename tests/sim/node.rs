//! One shard as its drivers and sessions use it: the simulation's stand-in for the runtime's
//! handle. It carries requests out by waiting for the simulated disk, clock and mailboxes;
//! whatever is decided, the shard decides.
//!
//! Mailboxes are bounded queues in the order of sending; a request takes the place of its
//! reply before it is sent. A mailbox may hold as little as one message, and its shard may
//! look into it late; replies may be late as well. Nothing is lost or doubled.

mod disk_reads;
mod guards;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use bytes::Bytes;
use corelane::base::limits::{COLD_READ_BYTES_MAX, COLD_READ_GAP_BYTES_MAX};
use corelane::base::{Lsn, Now, ShardId, TopicPartition};
use corelane::group::{GroupReply, GroupRequest, Ticket};
use corelane::kafka::ErrorCode;
use corelane::partition::{ColdRead, Piece, group_cold};
use corelane::runtime::event::Event;
use corelane::runtime::gate::DurableGate;
use corelane::shard::{
    Appended, FetchPlan, FetchRead, FetchResult, GroupAnswer, Hold, Lane, ProduceEntry,
    ProduceResult, SegmentSlots, Shard, ShardReply, ShardRequest, Wait, WaiterId, Watch,
};

use guards::{EndWatch, Leave, Pins};

use crate::executor::Group;
use crate::plan::Fault;
use crate::process::Process;
use crate::sync::{Answer, Pending, Place, Places, Queue, answer};
use crate::world::World;

/// Pause between two tries while the disk budget is used up, milliseconds.
const FULL_RETRY_MS: u64 = 20;

/// A request on its way to another shard.
pub struct Letter {
    pub request: ShardRequest,
    pub reply: Answer<ShardReply>,
    /// The reply's place, free again when it is given.
    pub reply_place: Place,
    _mailbox_place: Place,
}

/// One shard on its core.
pub struct Node {
    pub id: ShardId,
    pub world: Rc<World>,
    pub process: Weak<Process>,
    pub core: RefCell<Shard>,
    pub epoch: i32,
    pub gate: DurableGate,
    pub wal_work: Event,
    pub segment_work: Event,
    pub release_work: Event,
    pub slots: RefCell<SegmentSlots>,
    pub catalog_turn: Places,
    pub mailbox: Queue<Letter>,
    mailbox_places: Places,
    reply_places: Places,
    watch_places: Places,
    woken: RefCell<BTreeMap<WaiterId, (bool, Option<Waker>)>>,
    /// Fetches that wait for what is being read ahead.
    await_ahead: RefCell<Vec<Waker>>,
    pub group_work: Event,
    /// Requests to coordinators that await their answers.
    tickets: RefCell<BTreeMap<Ticket, Answer<GroupAnswer>>>,
    last_ticket: Cell<u64>,
    pub stopping: Cell<bool>,
}

impl Node {
    pub fn new(process: &Rc<Process>, core: Shard, slots: SegmentSlots) -> Rc<Node> {
        let world = process.world.clone();
        let room = match world.plan.has(Fault::SmallMail) {
            true => {
                world.report.borrow_mut().fault(Fault::SmallMail);
                world.plan.mailbox
            }
            false => 64,
        };
        let gate = DurableGate::default();
        gate.advance(core.last_lsn());
        Rc::new(Node {
            id: core.id(),
            process: Rc::downgrade(process),
            core: RefCell::new(core),
            epoch: process.incarnation as i32,
            gate,
            wal_work: Event::default(),
            segment_work: Event::default(),
            release_work: Event::default(),
            slots: RefCell::new(slots),
            catalog_turn: Places::new(1),
            mailbox: Queue::default(),
            mailbox_places: Places::new(room),
            reply_places: Places::new(room),
            watch_places: Places::new(room),
            woken: RefCell::default(),
            await_ahead: RefCell::default(),
            group_work: Event::default(),
            tickets: RefCell::default(),
            last_ticket: Cell::new(0),
            stopping: Cell::new(false),
            world,
        })
    }

    pub fn now(&self) -> Now {
        self.world.now()
    }

    /// Runs `decide` on the shard, then tells the drivers of whatever work came of it.
    pub fn with<R>(&self, decide: impl FnOnce(&mut Shard, Now) -> R) -> R {
        let mut core = self.core.borrow_mut();
        let result = decide(&mut core, self.now());
        if core.has_blocks_to_write() {
            self.wal_work.raise();
        }
        if core.has_segment_work() {
            self.segment_work.raise();
        }
        if core.has_releases() {
            self.release_work.raise();
        }
        while let Some(waiter) = core.poll_woken() {
            if let Some(wake) = self.woken.borrow_mut().get_mut(&waiter) {
                wake.0 = true;
                if let Some(waker) = wake.1.take() {
                    waker.wake();
                }
            }
        }
        while let Some(answer) = core.poll_group_answer() {
            // Who left is not missed.
            if let Some(waiting) = self.tickets.borrow_mut().remove(&answer.ticket) {
                waiting.give(answer);
            }
        }
        if core.has_group_work() {
            self.group_work.raise();
        }
        self.world.touch(self.id);
        result
    }

    pub fn look<R>(&self, read: impl FnOnce(&Shard) -> R) -> R {
        read(&self.core.borrow())
    }

    pub async fn durable(&self, lsn: Lsn) {
        self.gate.wait(lsn).await;
    }

    /// Sends a request to another shard; `None` while the process ends.
    pub async fn send(&self, to: ShardId, request: ShardRequest) -> Option<Pending<ShardReply>> {
        let places = match request.lane() {
            Lane::Watch | Lane::Group => &self.watch_places,
            Lane::Quick | Lane::Produce => &self.reply_places,
        };
        let reply_place = places.take().await;
        let peer = self.process.upgrade()?.node(to)?;
        let mailbox_place = peer.mailbox_places.take().await;
        let (reply, pending) = answer();
        peer.mailbox.push(Letter {
            request,
            reply,
            reply_place,
            _mailbox_place: mailbox_place,
        });
        Some(pending)
    }

    pub async fn ask(self: &Rc<Self>, to: ShardId, request: ShardRequest) -> Option<ShardReply> {
        if to == self.id {
            return Some(self.answer(request).await);
        }
        let reply = self.send(to, request).await?.await;
        self.world.mail_delay().await;
        reply
    }

    /// Answers a request about what this shard owns, once the answer is durable.
    pub async fn answer(self: &Rc<Self>, request: ShardRequest) -> ShardReply {
        match request {
            ShardRequest::Produce(entries) => {
                let (results, lsn) = self.append_forwarded(entries).await;
                self.durable(lsn).await;
                ShardReply::Produce(results)
            }
            ShardRequest::Fetch(read) => ShardReply::Fetch(self.read(read).await),
            ShardRequest::Watch(request) => {
                self.watch(&request).await;
                ShardReply::Done
            }
            ShardRequest::Unwatch(_) => ShardReply::Done,
            ShardRequest::ListOffsets(entries) => {
                let mut results = Vec::new();
                for entry in &entries {
                    results.push(crate::lookup::list_offset(self, entry).await);
                }
                ShardReply::ListOffsets(results)
            }
            ShardRequest::DeleteRecords(requests) => {
                ShardReply::DeleteRecords(self.delete_records(&requests).await)
            }
            ShardRequest::EpochEnd(entries) => {
                ShardReply::EpochEnd(self.look(|core| core.epoch_ends(&entries)))
            }
            ShardRequest::DescribeProducers(partitions) => ShardReply::DescribeProducers(
                self.look(|core| core.describe_producers(&partitions)),
            ),
            ShardRequest::LogSizes(partitions) => ShardReply::LogSizes(
                self.look(|core| partitions.iter().map(|tp| core.log_size(*tp)).collect()),
            ),
            ShardRequest::Catalog(request) => match crate::drivers::change(self, request).await {
                Some(reply) => ShardReply::Catalog(reply),
                None => ShardReply::Done,
            },
            ShardRequest::ApplyCatalog(records) => {
                crate::drivers::apply(self, &records);
                ShardReply::Done
            }
            ShardRequest::Group { partition, request } => {
                ShardReply::Group(self.ask_coordinator(partition, request).await)
            }
            ShardRequest::ReleaseSegment(segment) => {
                self.with(|core, _| core.on_segment_released(segment));
                ShardReply::Done
            }
            ShardRequest::Shutdown => {
                self.stopping.set(true);
                ShardReply::Done
            }
        }
    }

    /// Has a coordinator of this shard answer; what it says is durable then.
    async fn ask_coordinator(
        &self,
        partition: i32,
        request: GroupRequest,
    ) -> Result<GroupReply, ErrorCode> {
        let ticket = Ticket(self.last_ticket.get() + 1);
        self.last_ticket.set(ticket.0);
        let (give, pending) = answer();
        self.tickets.borrow_mut().insert(ticket, give);
        let _gone = Leave { node: self, ticket };
        let mut hold = Hold::coordinator(self.now());
        let mut request = Some(request);
        loop {
            let step =
                self.with(|core, now| core.handle_group(now, partition, ticket, &mut request));
            match step {
                Ok(taken) => break taken?,
                Err(blocked) => match hold.next(self.now(), blocked) {
                    Wait::Disk | Wait::Room => {
                        self.world.event("group-held-back");
                        self.wait_for_disk().await;
                    }
                    Wait::Refuse => {
                        self.world.event("group-refused-full");
                        return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
                    }
                },
            }
        }
        let answer = pending.await.ok_or(ErrorCode::NOT_COORDINATOR)?;
        self.durable(answer.after).await;
        Ok(answer.reply)
    }

    pub async fn append_forwarded(&self, entries: Vec<ProduceEntry>) -> (Vec<ProduceResult>, Lsn) {
        let mut results = Vec::with_capacity(entries.len());
        let mut after = Lsn::default();
        for entry in entries {
            let (result, lsn) = self.append(&entry, Hold::forwarded()).await;
            results.push(result);
            after = after.max(lsn);
        }
        (results, after)
    }

    pub async fn append(&self, entry: &ProduceEntry, mut hold: Hold) -> (ProduceResult, Lsn) {
        loop {
            let blocked = match self.with(|core, now| core.append(now, entry.tp, &entry.batch)) {
                Ok(Appended { result, after }) => {
                    let mut model = self.world.model.borrow_mut();
                    let (wal, tp, batch) = (self.id.0, entry.tp, &entry.batch);
                    let new = model.on_append(wal, tp, batch, &result, after, self.epoch);
                    self.world.executor.trace(result.base_offset as u64);
                    let accepted = !result.error.is_error();
                    self.world.event(match (accepted, new) {
                        (true, true) => "appended",
                        (true, false) => "duplicate",
                        (false, _) => "refused",
                    });
                    return (result, after);
                }
                Err(blocked) => blocked,
            };
            match hold.next(self.now(), blocked) {
                Wait::Disk => {
                    self.world.event("held-back-busy");
                    self.wait_for_disk().await;
                }
                Wait::Room => {
                    self.world.event("held-back-full");
                    self.world.executor.sleep_ms(FULL_RETRY_MS).await;
                }
                Wait::Refuse => {
                    self.world.event("refused-full");
                    return (self.look(Shard::no_room), Lsn::default());
                }
            }
        }
    }

    async fn wait_for_disk(&self) {
        let next = self.gate.durable().next();
        let mut durable = pin!(self.durable(next));
        let mut pause = pin!(self.world.executor.sleep_ms(FULL_RETRY_MS));
        poll_fn(|cx| match durable.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => pause.as_mut().poll(cx),
        })
        .await;
    }

    async fn delete_records(
        &self,
        requests: &[(TopicPartition, i64)],
    ) -> Vec<Result<i64, ErrorCode>> {
        let mut results = Vec::with_capacity(requests.len());
        let mut last = Lsn::default();
        for &(tp, offset) in requests {
            let mut hold = Hold::deletion(self.now());
            let result = loop {
                match self.with(|core, _| core.delete_records(tp, offset)) {
                    Ok(result) => break result,
                    Err(blocked) => match hold.next(self.now(), blocked) {
                        Wait::Disk | Wait::Room => self.wait_for_disk().await,
                        Wait::Refuse => break Err(ErrorCode::KAFKA_STORAGE_ERROR),
                    },
                }
            };
            results.push(result.map(|(log_start, lsn)| {
                last = last.max(lsn);
                log_start
            }));
        }
        self.durable(last).await;
        results
    }

    async fn read(self: &Rc<Self>, request: FetchRead) -> Vec<FetchResult> {
        poll_fn(|cx| {
            if !self.look(|core| core.is_reading_ahead_for(&request)) {
                return Poll::Ready(());
            }
            self.await_ahead.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
        let plans = self.with(|core, now| core.fetch(now, &request));
        let mut results = Vec::with_capacity(plans.len());
        for plan in plans {
            results.push(self.carry_out(plan).await);
        }
        self.begin_ahead();
        results
    }

    /// Reads ahead what there is reason and memory for.
    fn begin_ahead(self: &Rc<Self>) {
        while let Some(ahead) = self.with(|core, _| core.poll_read_ahead()) {
            self.world.event("read-ahead");
            let node = self.clone();
            self.world.executor.spawn(Group::Process, async move {
                let found = node.read_batches(ahead.reads()).await;
                let found = found.into_iter().map(Result::ok).collect();
                node.with(|core, now| core.on_read_ahead(now, ahead, found));
                let waiting = std::mem::take(&mut *node.await_ahead.borrow_mut());
                waiting.into_iter().for_each(Waker::wake);
                node.begin_ahead();
            });
        }
    }

    async fn carry_out(&self, plan: FetchPlan) -> FetchResult {
        let cold: Vec<ColdRead> = plan
            .pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Cold(read) => Some(*read),
                Piece::Tail(_) => None,
            })
            .collect();
        let mut found = Vec::new();
        if !cold.is_empty() {
            self.world.event("cold-read");
            let _pins = Pins {
                node: self,
                reads: &cold,
            };
            found = self.read_batches(&cold).await;
        }
        let mut found = found.into_iter();
        let mut result = plan.result;
        for piece in plan.pieces {
            let bytes = match piece {
                Piece::Tail(bytes) => Some(bytes),
                Piece::Cold(_) => found.next().and_then(Result::ok),
            };
            match bytes {
                Some(bytes) => result.records.push(bytes),
                None => return FetchResult::error(ErrorCode::KAFKA_STORAGE_ERROR),
            }
        }
        result
    }

    /// Reads one whole batch. Its segment is unpinned afterwards.
    pub async fn read_cold(&self, read: ColdRead) -> io::Result<Bytes> {
        let _pins = Pins {
            node: self,
            reads: &[read],
        };
        let mut found = self.read_batches(&[read]).await;
        found.pop().expect("one for one")
    }

    /// Reads whole batches, each verified, and gives them in the order of `reads`.
    async fn read_batches(&self, reads: &[ColdRead]) -> Vec<io::Result<Bytes>> {
        let mut order: Vec<usize> = (0..reads.len()).collect();
        order.sort_by_key(|&at| reads[at].position);
        let sorted: Vec<ColdRead> = order.iter().map(|&at| reads[at]).collect();
        let mut found: Vec<Option<io::Result<Bytes>>> = reads.iter().map(|_| None).collect();
        for group in group_cold(&sorted, COLD_READ_GAP_BYTES_MAX, COLD_READ_BYTES_MAX) {
            let bytes = self.read_disk(&group).await;
            for at in group.reads.clone() {
                let read = &sorted[at];
                let batch = match &bytes {
                    Ok(bytes) => self.verified(bytes, group.offset, read),
                    Err(_) => Err(io::Error::other("simulated")),
                };
                found[order[at]] = Some(batch);
            }
        }
        found
            .into_iter()
            .map(|one| one.expect("each is read"))
            .collect()
    }

    async fn watch(&self, request: &Watch) {
        if self.stopping.get() {
            return;
        }
        let Some(waiter) = self.with(|core, _| core.watch(request)) else {
            return;
        };
        self.woken.borrow_mut().insert(waiter, (false, None));
        let _end = EndWatch {
            node: self,
            request,
            waiter,
        };
        let mut pause = pin!(self.world.executor.sleep_ms(request.wait_ms));
        let woken = poll_fn(|cx| {
            match self.woken.borrow_mut().get_mut(&waiter) {
                Some((false, waker)) => *waker = Some(cx.waker().clone()),
                _ => return Poll::Ready(true),
            }
            pause.as_mut().poll(cx).map(|()| false)
        })
        .await;
        if !woken {
            let model = self.world.model.borrow();
            model.check_not_woken(self.id.0, &request.entries, request.bytes);
        }
    }
}

//! Everything there is: the clock, the disk, the process that may be running, the model of
//! what must hold, and the checks after every step.
//!
//! The monotonic clock begins anew with each process. The wall clock goes on, and after a
//! start it may be minutes ahead or behind.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use corelane::base::{Now, ShardId, TopicId, TopicPartition};
use corelane::kafka::ErrorCode;
use corelane::shard::{FetchEntry, FetchRead};

use crate::dice::Dice;
use crate::disk::Disk;
use crate::executor::Executor;
use crate::model::{Model, Seen};
use crate::node::Node;
use crate::plan::{Fault, Plan};
use crate::process::{Process, Session};
use crate::report::Report;

/// What clients are to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// Work as ever.
    Busy,
    /// Begin nothing new, end what is begun.
    Finishing,
}

/// The world of one seed.
pub struct World {
    pub executor: Executor,
    pub dice: Dice,
    pub plan: Rc<Plan>,
    pub disk: Disk,
    pub model: RefCell<Model>,
    pub report: Rc<RefCell<Report>>,
    pub memory: Memory,
    pub process: RefCell<Option<Rc<Process>>>,
    pub phase: Cell<Phase>,
    /// Admins, consumers and audits that have nothing left to do.
    pub done: Cell<u64>,
    /// Producers that have nothing left to do.
    pub producers_done: Cell<u64>,
    /// What was done to the disk is so grave that no start may go on.
    pub must_refuse: Cell<bool>,
    aborted: Cell<Option<&'static str>>,
    touched: Cell<u64>,
    wall_offset_ms: Cell<i64>,
    /// The latest time that the broker was ever told.
    wall_ms_max: Rc<Cell<i64>>,
    process_start_us: Cell<u64>,
    next_number: Cell<u64>,
    verbose: bool,
}

impl World {
    pub fn new(plan: Plan) -> Rc<World> {
        let seed = plan.seed;
        let plan = Rc::new(plan);
        let executor = Executor::new(Dice::new(seed, 2));
        let report = Rc::new(RefCell::new(Report::default()));
        let wall_ms_max = Rc::new(Cell::new(0));
        let model = Model::new(wall_ms_max.clone());
        let disk = Disk::new(
            executor.clone(),
            Dice::new(seed, 3),
            plan.clone(),
            report.clone(),
        );
        Rc::new(World {
            disk,
            dice: Dice::new(seed, 4),
            plan,
            executor,
            model: RefCell::new(model),
            wall_ms_max,
            report,
            memory: Memory::default(),
            process: RefCell::default(),
            phase: Cell::new(Phase::Busy),
            done: Cell::new(0),
            producers_done: Cell::new(0),
            must_refuse: Cell::new(false),
            aborted: Cell::new(None),
            touched: Cell::new(0),
            wall_offset_ms: Cell::new(1_700_000_000_000),
            process_start_us: Cell::new(0),
            next_number: Cell::new(0),
            verbose: std::env::var_os("CORELANE_SIM_VERBOSE").is_some(),
        })
    }

    /// Both clocks of the broker.
    pub fn now(&self) -> Now {
        let us = self.executor.now_us();
        let now = Now {
            wall_ms: self.wall_ms(),
            mono_ms: (us - self.process_start_us.get()) / 1000,
        };
        self.wall_ms_max
            .set(self.wall_ms_max.get().max(now.wall_ms));
        now
    }

    pub fn wall_ms(&self) -> i64 {
        self.wall_offset_ms.get() + (self.executor.now_us() / 1000) as i64
    }

    /// A process begins.
    pub fn begin_clock(&self) {
        self.process_start_us.set(self.executor.now_us());
        if self.strikes(Fault::ClockJump, 2) {
            let jump = self.dice.range(0, 600_000) as i64 - 300_000;
            self.wall_offset_ms.set(self.wall_offset_ms.get() + jump);
        }
    }

    /// A number that nothing else has.
    pub fn fresh(&self) -> u64 {
        self.next_number.set(self.next_number.get() + 1);
        self.next_number.get()
    }

    /// Tells the story of a replay, to whoever asks for it (`CORELANE_SIM_VERBOSE=1`).
    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>10} us: {}", self.executor.now_us(), what());
        }
    }

    pub fn event(&self, what: &'static str) {
        self.report.borrow_mut().event(what);
    }

    /// Whether this fault happens now, once in `n` times.
    pub fn strikes(&self, fault: Fault, n: u64) -> bool {
        let strikes = self.plan.has(fault) && !self.disk.kind.get() && self.dice.one_in(n);
        if strikes {
            self.report.borrow_mut().fault(fault);
        }
        strikes
    }

    /// The time until somebody looks into a mailbox.
    pub async fn mail_delay(&self) {
        if self.strikes(Fault::SlowMail, 8) {
            let us = *self.dice.pick(&[10, 1000, 20_000, 300_000]);
            self.executor.sleep_us(us).await;
        }
    }

    /// The process cannot go on.
    pub fn abort(&self, why: &'static str) {
        self.aborted.set(Some(why));
    }

    /// Whether it could not.
    pub fn take_abort(&self) -> Option<&'static str> {
        self.aborted.take()
    }

    /// A shard may have changed.
    pub fn touch(&self, shard: ShardId) {
        self.touched.set(self.touched.get() | 1 << shard.0);
    }

    /// A connection to a shard, or to any; `None` while none is to be had.
    pub fn connect(&self, shard: Option<ShardId>) -> Option<Rc<Session>> {
        let process = self.process.borrow().clone()?;
        process.connect(
            shard.unwrap_or_else(|| ShardId(self.dice.below(u64::from(process.shards)) as u16)),
        )
    }

    /// The shard that owns a partition now.
    pub fn owner(&self, tp: TopicPartition) -> Option<ShardId> {
        let process = self.process.borrow().clone()?;
        let node = process.node(ShardId(0))?;
        Some(node.look(|core| core.owner(tp)))
    }

    /// Checks every shard that the last step may have changed.
    pub fn check_touched(&self) {
        let touched = self.touched.take();
        if touched == 0 {
            return;
        }
        let Some(process) = self.process.borrow().clone() else {
            return;
        };
        for node in process.nodes() {
            if touched & 1 << node.id.0 != 0 {
                self.check_node(&node);
            }
        }
    }

    fn check_node(&self, node: &Node) {
        for tp in partitions_of(node) {
            if let Some(seen) = seen(node, tp) {
                self.model.borrow_mut().check_partition(tp, seen);
            }
        }
        let stats = node.look(|core| core.wal_stats());
        let limit = 2 * corelane::base::limits::WAL_PENDING_BYTES_MAX;
        assert!(
            stats.pending_bytes <= limit,
            "more bytes pending than allowed"
        );
        let process = node.process.upgrade();
        let at_start = process.map_or(0, |p| p.disk_bytes_at_start(node.id.0));
        let budget = u64::from(self.plan.segment_bytes) * self.plan.segments;
        // What the broker's own records may take beyond: the reserve of a start, and the state of
        // all partitions, each in a block of its own, old and new.
        // A coordinator's partition has what lives in it besides.
        let partitions = self.plan.admins * self.plan.topics * self.plan.partitions_max;
        let coordinators = self.plan.groupers.min(2) + self.plan.members.min(2);
        let state = 2 * 4096 * (partitions + 3 * coordinators);
        let usable = u64::from(self.plan.segment_bytes) - 4096;
        let overdraft = 2 * (3 + state.div_ceil(usable)) * u64::from(self.plan.segment_bytes);
        let on_disk = self.disk.bytes(node.id.0);
        assert!(
            on_disk <= budget.max(at_start) + overdraft,
            "WAL {} takes {on_disk} bytes, {at_start} at the start, of {budget}: {stats:?}, \
             live {:?}, catalogue {}",
            node.id.0,
            self.model.borrow().live_by_segment(node.id.0),
            node.look(|core| core.log_size(TopicPartition {
                topic: corelane::base::TopicId::CATALOG,
                partition: 0
            }))
        );
    }

    /// Every shard's catalogue holds what was acknowledged.
    pub fn check_catalogs(&self) {
        let Some(process) = self.process.borrow().clone() else {
            return;
        };
        for node in process.nodes() {
            let model = self.model.borrow();
            node.look(|core| model.topics.check(core.catalog()));
        }
    }

    /// No more of the broker's buffers are alive than the tails may keep; to be called when
    /// nothing is being read or written.
    pub fn check_memory(&self, shards: u16) {
        let live = self.memory.live();
        let limit = usize::from(shards) * self.plan.tail_bytes;
        assert!(
            live <= limit,
            "{live} bytes of blocks in memory, {limit} allowed"
        );
    }
}

/// The partitions of clients that a shard should hold.
pub fn partitions_of(node: &Node) -> Vec<TopicPartition> {
    node.look(|core| {
        let topics = core.catalog().topics();
        let topics = topics.filter(|topic| topic.id != TopicId::OFFSETS);
        let all = topics.flat_map(|topic| {
            let id = topic.id;
            (0..topic.partitions).map(move |partition| TopicPartition {
                topic: id,
                partition,
            })
        });
        all.filter(|tp| core.owner(*tp) == node.id).collect()
    })
}

/// What a shard says about a partition: a fetch from beyond its end tells it all.
pub fn seen(node: &Node, tp: TopicPartition) -> Option<Seen> {
    let entry = FetchEntry {
        tp,
        offset: i64::MAX,
        max_bytes: 0,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    };
    let read = FetchRead {
        entries: vec![entry],
        max_bytes: 0,
        first_whole: true,
    };
    let plan = node.core.borrow_mut().fetch(node.now(), &read).pop()?;
    assert!(plan.pieces.is_empty());
    assert_eq!(plan.result.error, ErrorCode::OFFSET_OUT_OF_RANGE, "{tp}");
    Some(Seen {
        log_start: plan.result.log_start_offset,
        high_watermark: plan.result.high_watermark,
        last_stable: plan.result.last_stable_offset,
    })
}

/// The buffers that blocks were written from, as long as anybody holds them.
#[derive(Clone, Default)]
pub struct Memory(Arc<AtomicUsize>);

struct Counted {
    bytes: Vec<u8>,
    live: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.live.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Memory {
    /// Shares a buffer and counts it until its last slice is gone.
    pub fn count(&self, bytes: Vec<u8>) -> Bytes {
        self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        Bytes::from_owner(Counted {
            bytes,
            live: self.0.clone(),
        })
    }

    fn live(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

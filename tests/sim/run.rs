//! One seed from its beginning to its end: lives of the broker, each cut short by a crash or a
//! stop, and a last one without faults, in which everything that was begun must end.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::rc::Rc;
use std::sync::Once;

use corelane::base::{TopicId, TopicPartition};
use corelane::wal::{EntryContent, Manifest};

use crate::clients::{admin, auditor, consumer, grouper, member, producer};
use crate::drivers;
use crate::executor::Group;
use crate::plan::{Fault, Plan};
use crate::process;
use crate::report::Report;
use crate::world::{Phase, World};

/// What a seed came to.
pub struct Outcome {
    pub report: Report,
    pub trace: u64,
    /// What was wrong, if anything.
    pub failure: Option<String>,
}

/// Simulated time in which what is begun must end once faults have stopped, milliseconds.
const QUIET_MS_MAX: u64 = 300_000;

thread_local! {
    /// The words of a panic of the run on this thread; `None` outside of a run.
    static LAST_WORDS: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A run's panics are told by whoever runs it, once, and not by each of many tries.
fn keep_last_words() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |info| {
            let kept = LAST_WORDS.with_borrow_mut(|words| match words {
                Some(words) => {
                    let place = info.location().map(ToString::to_string);
                    let text = info.payload_as_str().unwrap_or("a panic without words");
                    *words = format!("{text} ({})", place.unwrap_or_default());
                    true
                }
                None => false,
            });
            if !kept {
                print(info);
            }
        }));
    });
}

/// Runs a plan; a failure is returned, not thrown.
pub fn run(plan: &Plan) -> Outcome {
    keep_last_words();
    let world = World::new(plan.clone());
    LAST_WORDS.set(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(|| Director::new(world.clone()).run()));
    let words = LAST_WORDS.take().unwrap_or_default();
    let failure = result.is_err().then_some(words);
    let mut report = world.report.borrow().clone();
    report.seeds = 1;
    report.steps = world.executor.steps();
    report.virtual_ms = world.executor.now_us() / 1000;
    let trace = world.executor.trace_hash();
    if failure.is_none() {
        end_world(&world);
    }
    Outcome {
        report,
        trace,
        failure,
    }
}

/// Breaks the circles of references.
fn end_world(world: &World) {
    world.executor.kill_all();
    if let Some(process) = world.process.take() {
        process.end();
    }
}

struct Director {
    world: Rc<World>,
    shards: Cell<u16>,
}

/// How a life ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Enough steps.
    Steps,
    /// It had to abort.
    Aborted,
}

impl Director {
    fn new(world: Rc<World>) -> Director {
        let shards = world.dice.range(1, world.plan.shards_max) as u16;
        Director {
            world,
            shards: Cell::new(shards),
        }
    }

    fn run(&self) {
        let (world, plan) = (&self.world, &self.world.plan);
        let spawn = |client| world.executor.spawn(Group::World, client);
        for number in 0..plan.admins {
            spawn(boxed(admin::run(world.clone(), number)));
        }
        for number in 0..plan.producers {
            spawn(boxed(producer::run(world.clone(), number % 4 != 3)));
        }
        for _ in 0..plan.consumers {
            spawn(boxed(consumer::run(world.clone())));
        }
        for number in 0..plan.groupers {
            spawn(boxed(grouper::run(world.clone(), number)));
        }
        for number in 0..plan.members {
            spawn(boxed(member::run(world.clone(), number)));
        }
        if plan.has(Fault::DiskFull) {
            spawn(boxed(fill_and_empty(world.clone())));
        }
        for life in 0..plan.lives {
            self.start();
            let steps = self.steps_of_a_life();
            let end = self.live(steps);
            if end == End::Steps && world.strikes(Fault::CleanStop, 4) {
                self.stop();
            }
            self.crash();
            world.executor.trace(life);
        }
        self.last_life();
    }

    fn start(&self) {
        let (world, plan) = (&self.world, &self.world.plan);
        if world.strikes(Fault::Reshard, 2) {
            self.shards.set(world.dice.range(1, plan.shards_max) as u16);
        }
        world.say(|| format!("a start with {} shards", self.shards.get()));
        let start = process::start(world.clone(), self.shards.get());
        world.executor.spawn(Group::Process, start);
    }

    fn steps_of_a_life(&self) -> u64 {
        let (world, plan) = (&self.world, &self.world.plan);
        if world.strikes(Fault::CrashInStart, 2) {
            return world.dice.range(1, 150);
        }
        world.dice.range(1, plan.life_steps)
    }

    /// Goes on for some steps.
    fn live(&self, steps: u64) -> End {
        for _ in 0..steps {
            assert!(self.world.executor.step(), "nothing is left to do");
            self.world.check_touched();
            if let Some(why) = self.world.take_abort() {
                self.world.say(|| format!("the process aborts: {why}"));
                return End::Aborted;
            }
        }
        End::Steps
    }

    /// Goes on until `is_so`; faults have stopped, so it must come true.
    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let world = &self.world;
        let deadline = world.executor.now_us() + QUIET_MS_MAX * 1000;
        while !is_so() {
            assert!(
                world.executor.now_us() < deadline,
                "without faults for {} s: {what}{}",
                QUIET_MS_MAX / 1000,
                self.state()
            );
            let stepped = world.executor.step();
            assert!(stepped, "nothing is left to do: {what}");
            world.check_touched();
            assert_eq!(world.take_abort(), None, "without faults: {what}");
        }
    }

    /// The process is gone.
    fn crash(&self) {
        let world = &self.world;
        let power_cut = world.strikes(Fault::PowerCut, 2);
        world.say(|| format!("the process is killed, power cut: {power_cut}"));
        world.report.borrow_mut().fault(Fault::Kill);
        world.executor.kill_process();
        if let Some(process) = world.process.take() {
            process.end();
        }
        world.take_abort();
        // A bit that no start has come upon is put right, so that one at a time is wrong.
        world.disk.repair();
        world.disk.crash(power_cut);
        world.must_refuse.set(false);
        if world.plan.has(Fault::Tamper) && world.dice.one_in(4) && !world.disk.kind.get() {
            let wals = u64::from(world.disk.meta().unwrap_or_default().wals);
            let wal = world.dice.below(wals.max(1)) as u16;
            let refused = world.disk.tamper(wal);
            world.must_refuse.set(refused == Some(true));
        } else if world.plan.has(Fault::BitFlip) && world.dice.one_in(3) && !world.disk.kind.get() {
            self.flip();
        }
    }

    /// Flips a bit that something on the disk attests.
    fn flip(&self) {
        let (world, disk) = (&self.world, &self.world.disk);
        let wals = u64::from(disk.meta().unwrap_or_default().wals);
        if wals == 0 {
            return;
        }
        let wal = world.dice.below(wals) as u16;
        if world.dice.one_in(6) {
            disk.flip_manifest(wal);
            return;
        }
        let Some(manifest) = disk.manifest(wal) else {
            return;
        };
        let manifest = Manifest::decode(&manifest).expect("a manifest of ours");
        let holds = |sequence: u64, slot: u32| {
            manifest.entries.iter().any(|entry| match entry.content {
                EntryContent::Open(life) | EntryContent::Sealed { life, .. } => {
                    entry.slot == slot && life.sequence == sequence
                }
                EntryContent::Free => false,
            })
        };
        let mut blocks = world.model.borrow().attested(wal);
        blocks.retain(|block| holds(block.segment.sequence, block.slot));
        if blocks.is_empty() {
            return;
        }
        let block = world.dice.pick(&blocks);
        let at = match world.dice.one_in(8) {
            true => world.dice.below(40) as usize,
            false => block.offset as usize + world.dice.below(block.bytes as u64) as usize,
        };
        disk.flip((wal, block.slot), at);
    }

    /// A stop as by SIGTERM: everything durable and written down.
    fn stop(&self) {
        let world = &self.world;
        let Some(process) = world.process.borrow().clone() else {
            return;
        };
        if !process.is_serving() {
            return;
        }
        let closed = Rc::new(Cell::new(0));
        for node in process.nodes() {
            node.stopping.set(true);
            let closed = closed.clone();
            world.executor.spawn(Group::Process, async move {
                drivers::close(&node).await;
                closed.set(closed.get() + 1);
            });
        }
        let shards = process.shards;
        for _ in 0..20_000 {
            if closed.get() == shards || self.live(1) == End::Aborted {
                break;
            }
        }
        if closed.get() == shards {
            world.event("stopped-clean");
        }
    }

    fn last_life(&self) {
        let world = &self.world;
        world.disk.kind.set(true);
        world.disk.full.set(false);
        world.disk.repair();
        world.must_refuse.set(false);
        self.start();
        self.until("the broker does not start", || self.is_serving());
        self.live(500);
        world.phase.set(Phase::Finishing);
        let plan = &world.plan;
        let quick = plan.admins + plan.consumers + plan.groupers + plan.members;
        self.until("admins, consumers and members do not end", || {
            world.done.get() >= quick
        });
        self.all("reading everything", auditor::read_all(world.clone()));
        // A full disk holds producers back until something is deleted, and again when they have
        // filled it with what they had not got rid of.
        let mut deletions = 1;
        self.all("deleting everything", auditor::delete_all(world.clone()));
        while world.producers_done.get() < plan.producers {
            assert!(deletions < 30, "producers do not end{}", self.state());
            self.quiet_for(10_000);
            self.all("deleting everything", auditor::delete_all(world.clone()));
            deletions += 1;
        }
        self.all("reading what is left", auditor::read_all(world.clone()));
        self.all("reading all offsets", grouper::read_all(world.clone()));
        self.all("owning all partitions", member::read_all(world.clone()));
        self.quiet();
        world.check_memory(self.shards.get());
        world.check_catalogs();
        self.stop();
        self.crash();
        self.start();
        self.until("the broker does not start again", || self.is_serving());
        self.all("reading it again", auditor::read_all(world.clone()));
        self.all("reading offsets again", grouper::read_all(world.clone()));
        world.check_catalogs();
    }

    /// What a reader of a failure wants to know first.
    fn state(&self) -> String {
        let process = self.world.process.borrow();
        let nodes = process.as_ref().map(|process| process.nodes());
        let line = |node: &Rc<crate::node::Node>| {
            let (last, stats) = node.look(|core| (core.last_lsn(), core.wal_stats()));
            let durable = node.gate.durable();
            let live = self.world.model.borrow().live_by_segment(node.id.0);
            let catalog = TopicPartition {
                topic: TopicId::CATALOG,
                partition: 0,
            };
            let catalog_bytes = node.look(|core| core.log_size(catalog));
            format!(
                "\nshard {}: {last:?}, durable {durable:?}, {stats:?}, live batches by segment \
                 {live:?}, catalogue {catalog_bytes} bytes",
                node.id
            )
        };
        nodes.unwrap_or_default().iter().map(line).collect()
    }

    fn is_serving(&self) -> bool {
        let process = self.world.process.borrow();
        process.as_ref().is_some_and(|process| process.is_serving())
    }

    /// Until nothing is under way but upkeep, which must come to an end as well: a broker that
    /// nobody uses writes nothing.
    fn quiet(&self) {
        let mut before = String::new();
        for _ in 0..20 {
            self.quiet_for(10_000);
            let state = self.state();
            if state == before {
                return;
            }
            before = state;
        }
        panic!("a broker that nobody uses goes on writing{before}");
    }

    fn quiet_for(&self, ms: u64) {
        let end = self.world.executor.now_us() + ms * 1000;
        while self.world.executor.now_us() < end && self.world.executor.step() {
            self.world.check_touched();
        }
    }

    /// Has `work` done, which counts itself.
    fn all(&self, what: &str, work: impl Future<Output = ()> + 'static) {
        let before = self.world.done.get();
        self.world.executor.spawn(Group::World, work);
        self.until(what, || self.world.done.get() > before);
    }
}

fn boxed(
    client: impl Future<Output = ()> + 'static,
) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(client)
}

/// A disk that is full now and then.
async fn fill_and_empty(world: Rc<World>) {
    while world.phase.get() == Phase::Busy && !world.disk.kind.get() {
        world.executor.sleep_ms(world.dice.range(10, 5000)).await;
        if world.strikes(Fault::DiskFull, 2) {
            world.disk.full.set(true);
            world.executor.sleep_ms(world.dice.range(10, 8000)).await;
            world.disk.full.set(false);
        }
    }
}

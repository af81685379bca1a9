//! One thread, one seed: tasks whose order and whose time are drawn from a generator.
//!
//! A step is one poll of one task, chosen among those that are ready. When none is, the
//! simulated clock jumps to the next timer. Tasks belong to the broker's process or to the
//! world around it; the process can be killed between any two steps, and all its tasks are
//! gone then, wherever they were.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::dice::Dice;

/// Whose task it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// The broker's: dies with it.
    Process,
    /// Clients, and the simulation's own.
    World,
}

type Work = Pin<Box<dyn Future<Output = ()>>>;

struct Task {
    group: Group,
    work: Option<Work>,
    waker: Arc<TaskWaker>,
}

struct TaskWaker {
    place: usize,
    queued: AtomicBool,
    ready: Arc<Mutex<Vec<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.lock().unwrap().push(self.place);
        }
    }
}

/// The tasks and the clock. Cheap to clone.
#[derive(Clone)]
pub struct Executor(Rc<Inner>);

struct Inner {
    tasks: RefCell<Vec<Option<Task>>>,
    free: RefCell<Vec<usize>>,
    ready: Arc<Mutex<Vec<usize>>>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    next_timer: Cell<u64>,
    now_us: Cell<u64>,
    steps: Cell<u64>,
    /// Steps since time last moved on.
    busy_steps: Cell<u64>,
    dice: Dice,
    trace: Cell<u64>,
}

/// More steps than this without time moving on are a loop that waits for nothing.
const BUSY_STEPS_MAX: u64 = 200_000;

impl Executor {
    /// Nothing to do yet; the schedule is drawn from `dice`.
    pub fn new(dice: Dice) -> Executor {
        Executor(Rc::new(Inner {
            tasks: RefCell::default(),
            free: RefCell::default(),
            ready: Arc::default(),
            timers: RefCell::default(),
            next_timer: Cell::new(0),
            now_us: Cell::new(0),
            steps: Cell::new(0),
            busy_steps: Cell::new(0),
            dice,
            trace: Cell::new(0xcbf2_9ce4_8422_2325),
        }))
    }

    /// Starts a task.
    pub fn spawn(&self, group: Group, work: impl Future<Output = ()> + 'static) {
        let inner = &self.0;
        let mut tasks = inner.tasks.borrow_mut();
        let place = inner.free.borrow_mut().pop().unwrap_or_else(|| {
            tasks.push(None);
            tasks.len() - 1
        });
        let waker = Arc::new(TaskWaker {
            place,
            queued: AtomicBool::new(false),
            ready: inner.ready.clone(),
        });
        waker.wake_by_ref();
        let work: Work = Box::pin(work);
        tasks[place] = Some(Task {
            group,
            work: Some(work),
            waker,
        });
    }

    /// Polls one task. Whether there was one, or one that waited for time.
    pub fn step(&self) -> bool {
        let inner = &self.0;
        loop {
            let place = {
                let mut ready = inner.ready.lock().unwrap();
                match ready.len() {
                    0 => None,
                    1 => ready.pop(),
                    n => {
                        let at = inner.dice.below(n as u64) as usize;
                        Some(ready.swap_remove(at))
                    }
                }
            };
            let Some(place) = place else {
                if !self.pass_time() {
                    return false;
                }
                continue;
            };
            let taken = {
                let mut tasks = inner.tasks.borrow_mut();
                let task = tasks.get_mut(place).and_then(Option::as_mut);
                task.and_then(|task| {
                    task.waker.queued.store(false, Ordering::Relaxed);
                    task.work.take().map(|work| (work, task.waker.clone()))
                })
            };
            // A waker may outlive its task.
            let Some((mut work, waker)) = taken else {
                continue;
            };
            inner.steps.set(inner.steps.get() + 1);
            inner.busy_steps.set(inner.busy_steps.get() + 1);
            assert!(
                inner.busy_steps.get() < BUSY_STEPS_MAX,
                "steps without end while the clock stands still"
            );
            self.trace(place as u64 ^ inner.now_us.get() << 16);
            let waker = Waker::from(waker);
            let done = work.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(());
            let mut finished = None;
            let mut tasks = inner.tasks.borrow_mut();
            if done {
                finished = tasks[place].take();
                inner.free.borrow_mut().push(place);
            } else if let Some(task) = &mut tasks[place] {
                task.work = Some(work);
            }
            drop(tasks);
            drop(finished);
            return true;
        }
    }

    fn pass_time(&self) -> bool {
        let inner = &self.0;
        let Some(((at, _), waker)) = inner.timers.borrow_mut().pop_first() else {
            return false;
        };
        if at > inner.now_us.get() {
            inner.busy_steps.set(0);
        }
        inner.now_us.set(inner.now_us.get().max(at));
        waker.wake();
        true
    }

    /// Kills every task of the process.
    pub fn kill_process(&self) {
        self.kill(|task| task.group == Group::Process);
    }

    /// Kills every task.
    pub fn kill_all(&self) {
        self.kill(|_| true);
    }

    fn kill(&self, is_meant: impl Fn(&Task) -> bool) {
        let mut dead = Vec::new();
        let mut tasks = self.0.tasks.borrow_mut();
        for (place, slot) in tasks.iter_mut().enumerate() {
            if slot.as_ref().is_some_and(&is_meant) {
                dead.extend(slot.take());
                self.0.free.borrow_mut().push(place);
            }
        }
        drop(tasks);
        // Their guards may use the executor.
        drop(dead);
    }

    /// Microseconds since the beginning.
    pub fn now_us(&self) -> u64 {
        self.0.now_us.get()
    }

    /// Polls so far.
    pub fn steps(&self) -> u64 {
        self.0.steps.get()
    }

    /// Mixes a number into the trace, whose hash tells one run from another.
    pub fn trace(&self, what: u64) {
        let mixed = (self.0.trace.get() ^ what).wrapping_mul(0x0000_0100_0000_01b3);
        self.0.trace.set(mixed.rotate_left(17));
    }

    /// The hash of everything that happened.
    pub fn trace_hash(&self) -> u64 {
        self.0.trace.get()
    }

    /// Resolves after `us` microseconds.
    pub fn sleep_us(&self, us: u64) -> Sleep {
        let sequence = self.0.next_timer.get();
        self.0.next_timer.set(sequence + 1);
        Sleep {
            executor: self.clone(),
            key: (self.now_us() + us, sequence),
        }
    }

    /// Resolves after `ms` milliseconds.
    pub fn sleep_ms(&self, ms: u64) -> Sleep {
        self.sleep_us(ms.saturating_mul(1000))
    }
}

/// See [`Executor::sleep_us`].
pub struct Sleep {
    executor: Executor,
    key: (u64, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.executor.now_us() >= self.key.0 {
            return Poll::Ready(());
        }
        let mut timers = self.executor.0.timers.borrow_mut();
        timers.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.executor.0.timers.borrow_mut().remove(&self.key);
    }
}

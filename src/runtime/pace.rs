//! Keeps executors going. When the preempt timer fires before the first task of a turn has
//! run (the thread was kept off its CPU for that long), glommio 0.12 parks although tasks are
//! ready, and sleeps until something else happens. A timer of its own does not help, since
//! its task may be among those that wait to run; a wake from another thread always reaches
//! a sleeping executor. The first thread of the process, which has nothing else to do while
//! the shards run, sees to it.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use super::sleep_ms;
use super::tasks::{self, Driver};

/// Longest sleep of an executor that has work to do.
const PERIOD: Duration = Duration::from_millis(5);

/// The waking side, for the first thread.
#[derive(Debug)]
pub struct Pacemaker {
    joining: Receiver<Note>,
    paced: Vec<Paced>,
}

/// How shards reach the pacemaker.
#[derive(Clone, Debug)]
pub struct Pace(Sender<Note>);

/// The place of one executor, which is to join. Dropped before, it tells that nobody will.
#[derive(Debug)]
pub struct Place {
    pace: Pace,
    shard: usize,
    has_joined: bool,
}

#[derive(Debug)]
enum Note {
    Joined(Paced),
    /// The shard's executor could not be made.
    Missing(usize),
}

#[derive(Debug)]
struct Paced {
    waker: Waker,
    ended: Arc<AtomicBool>,
}

/// A pacemaker, and how to join it.
pub fn maker() -> (Pacemaker, Pace) {
    let (join, joining) = mpsc::channel();
    (
        Pacemaker {
            joining,
            paced: Vec::new(),
        },
        Pace(join),
    )
}

impl Pacemaker {
    /// Wakes every executor that has joined again and again, until `shards` of them have
    /// joined and all of these have left.
    ///
    /// # Errors
    /// A shard whose executor will never join.
    pub fn run(mut self, shards: usize) -> Result<(), usize> {
        let mut joined = 0;
        while joined < shards || !self.paced.is_empty() {
            for note in self.joining.try_iter() {
                match note {
                    Note::Joined(paced) => self.paced.push(paced),
                    Note::Missing(shard) => return Err(shard),
                }
                joined += 1;
            }
            self.paced
                .retain(|paced| !paced.ended.load(Ordering::SeqCst));
            for paced in &self.paced {
                paced.waker.wake_by_ref();
            }
            thread::sleep(PERIOD);
        }
        Ok(())
    }
}

/// An executor's membership.
pub struct Member {
    ended: Arc<AtomicBool>,
    task: Driver,
}

impl Pace {
    /// The place of a shard's executor.
    pub fn place(&self, shard: usize) -> Place {
        Place {
            pace: self.clone(),
            shard,
            has_joined: false,
        }
    }

    /// Nobody listens any more only when the process ends.
    fn tell(&self, note: Note) {
        let _ = self.0.send(note);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.has_joined {
            self.pace.tell(Note::Missing(self.shard));
        }
    }
}

impl Place {
    /// Has the executor of this thread woken from now on.
    pub fn join(mut self) -> Member {
        self.has_joined = true;
        let pace = self.pace.clone();
        let ended = Arc::new(AtomicBool::new(false));
        let flag = ended.clone();
        let task = tasks::drive(async move {
            let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            pace.tell(Note::Joined(Paced { waker, ended: flag }));
            pending::<()>().await;
        });
        Member { ended, task }
    }
}

impl Member {
    /// Ends it, before the executor does: what is gone must not be woken.
    pub async fn leave(self) {
        self.ended.store(true, Ordering::SeqCst);
        sleep_ms(4 * PERIOD.as_millis() as u64).await;
        self.task.end().await;
    }
}

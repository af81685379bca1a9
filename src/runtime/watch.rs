//! Long polls: waiting for records that are yet to come, in partitions of this shard and of
//! others. A poll that ends leaves nothing behind on any shard.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use futures_lite::future;

use super::handle::ShardHandle;
use super::sleep_ms;
use crate::base::{ShardId, TopicPartition};
use crate::shard::{ShardRequest, WaiterId, Watch};

/// How far a long poll has come.
#[derive(Debug)]
pub enum Wake {
    /// Its task sleeps.
    Waiting(Option<std::task::Waker>),
    /// There is news.
    Woken,
}

impl Wake {
    /// There is news, or an end: its task goes on.
    pub fn wake(&mut self) {
        if let Wake::Waiting(Some(waker)) = std::mem::replace(self, Wake::Woken) {
            waker.wake();
        }
    }
}

/// A watch that has begun in partitions of this shard. It ends when this is dropped.
pub struct Watching {
    shard: ShardHandle,
    request: Watch,
    waiter: WaiterId,
    asker: Option<ShardId>,
}

/// Begins a watch in partitions of this shard, for `asker` if that is another. `None` if there
/// is news already, or the broker stops.
pub fn begin(shard: &ShardHandle, request: Watch, asker: Option<ShardId>) -> Option<Watching> {
    if shard.stopping.get() {
        return None;
    }
    let waiter = shard.with(|core, _| core.watch(&request))?;
    shard.woken.borrow_mut().insert(waiter, Wake::Waiting(None));
    if let Some(asker) = asker {
        let mut foreign = shard.foreign_watches.borrow_mut();
        foreign.insert((asker, request.id), waiter);
    }
    Some(Watching {
        shard: shard.clone(),
        request,
        waiter,
        asker,
    })
}

/// Ends the watch `id` of `asker`, which waits for it no more; it may have ended by itself.
pub fn end(shard: &ShardHandle, asker: ShardId, id: u64) {
    let waiter = shard.foreign_watches.borrow().get(&(asker, id)).copied();
    if let Some(waiter) = waiter
        && let Some(wake) = shard.woken.borrow_mut().get_mut(&waiter)
    {
        wake.wake();
    }
}

impl Watching {
    /// Waits for news, or until the time is up or the broker stops.
    pub async fn ended(self) {
        let woken = poll_fn(
            |cx| match self.shard.woken.borrow_mut().get_mut(&self.waiter) {
                Some(Wake::Waiting(waker)) => {
                    *waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                Some(Wake::Woken) | None => Poll::Ready(()),
            },
        );
        future::or(woken, sleep_ms(self.request.wait_ms)).await;
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.shard.woken.borrow_mut().remove(&self.waiter);
        if let Some(asker) = self.asker {
            let mut foreign = self.shard.foreign_watches.borrow_mut();
            foreign.remove(&(asker, self.request.id));
        }
        self.shard
            .with(|core, _| core.unwatch(self.waiter, &self.request));
    }
}

/// Waits for `bytes` of news in partitions of whatever shards, or until the time is up.
///
/// Several shards cannot add up what each of them has. One of them has its part of the bytes when
/// all have come, though; so each is asked to answer at its part, and it may be too early then.
/// As a part of what is missing has come with every answer, there are few of them.
pub async fn owners(
    shard: &ShardHandle,
    seen: Vec<(TopicPartition, i64)>,
    bytes: usize,
    wait_ms: u64,
) {
    let mut shares: BTreeMap<ShardId, Vec<_>> = BTreeMap::new();
    for entry in seen {
        shares.entry(shard.owner(entry.0)).or_default().push(entry);
    }
    let bytes = bytes.div_ceil(shares.len().max(1));
    let mut watches: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for (owner, entries) in shares {
        let id = shard.next_watch.get();
        shard.next_watch.set(id + 1);
        let request = Watch {
            id,
            entries,
            bytes,
            wait_ms,
        };
        watches.push(Box::pin(watch_at(shard.clone(), owner, request)));
    }
    let any = poll_fn(|cx| {
        let ready = watches
            .iter_mut()
            .any(|watch| watch.as_mut().poll(cx).is_ready());
        if ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    future::or(any, sleep_ms(wait_ms)).await;
}

async fn watch_at(shard: ShardHandle, owner: ShardId, request: Watch) {
    if owner == shard.id() {
        if let Some(watching) = begin(&shard, request, None) {
            watching.ended().await;
        }
        return;
    }
    let id = request.id;
    // Dropped before this it was never sent.
    let Some(reply) = shard.mesh.send(owner, ShardRequest::Watch(request)).await else {
        return;
    };
    let mut unwatch = Unwatch {
        shard: &shard,
        owner,
        id: Some(id),
    };
    reply.await;
    unwatch.id = None;
}

/// Ends a watch on another shard, unless it has answered: otherwise its place here and its
/// waiter there would be taken until its time is up, minutes later.
struct Unwatch<'a> {
    shard: &'a ShardHandle,
    owner: ShardId,
    id: Option<u64>,
}

impl Drop for Unwatch<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id else {
            return;
        };
        let (shard, owner) = (self.shard.clone(), self.owner);
        super::spawn(async move {
            shard.ask(owner, ShardRequest::Unwatch(id)).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::super::rig::{self, Disk, Rig, entry, partition_of, promptly, soon};
    use super::super::serve;
    use super::*;
    use crate::shard::{ListOffsetsEntry, ListOffsetsPlan, Shard};

    /// What a poll that nothing ends waits.
    const LONG_MS: u64 = 5 * 60 * 1000;
    const FIVE: [Disk; 5] = [Disk::Works; 5];

    /// The end of each shard's partition.
    fn ends(rig: &Rig) -> Vec<(TopicPartition, i64)> {
        let end = |shard: &ShardHandle| {
            let tp = partition_of(shard);
            let entry = ListOffsetsEntry {
                tp,
                timestamp: -1,
                current_leader_epoch: -1,
            };
            match shard.with(|core, _| core.list_offset(&entry, None)) {
                ListOffsetsPlan::Known(result) => (tp, result.offset),
                ListOffsetsPlan::Scan(_) => unreachable!("the end is known"),
            }
        };
        rig.shards.iter().map(end).collect()
    }

    fn is_at_rest(shard: &ShardHandle) -> bool {
        shard.mesh.is_idle()
            && shard.woken.borrow().is_empty()
            && shard.foreign_watches.borrow().is_empty()
            && !shard.look(Shard::has_waiters)
    }

    async fn append(shard: &ShardHandle, bytes: usize) {
        let (_, lsn) = serve::append(shard, &entry(partition_of(shard), bytes), 0).await;
        shard.durable(lsn).await;
    }

    #[test]
    fn small_records_everywhere_wake_a_poll_for_many_bytes_only_a_few_times() {
        rig::run(&FIVE, async |rig: Rc<Rig>| {
            const WANTED: usize = 1 << 20;
            const RECORDS: usize = 1000;
            let first = rig.shards[0].clone();
            let (came, rounds) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let poll = {
                let (rig, came, rounds) = (rig.clone(), came.clone(), rounds.clone());
                super::super::start(async move {
                    while came.get() < WANTED {
                        let (seen, missing) = (ends(&rig), WANTED - came.get());
                        owners(&first, seen, missing, LONG_MS).await;
                        rounds.set(rounds.get() + 1);
                    }
                })
            };
            for i in 0..RECORDS {
                append(&rig.shards[i % 5], WANTED / RECORDS + 1).await;
                came.set(came.get() + WANTED / RECORDS + 1);
            }
            promptly("the poll has all its bytes", poll).await;
            let rounds = rounds.get();
            assert!((2..60).contains(&rounds), "{rounds} rounds");
            for shard in &rig.shards {
                soon("a poll that ended leaves nothing", || is_at_rest(shard)).await;
            }
        });
    }

    #[test]
    fn a_poll_that_is_given_up_leaves_nothing() {
        rig::run(&FIVE, async |rig: Rc<Rig>| {
            let first = &rig.shards[0];
            let poll = owners(first, ends(&rig), 1, LONG_MS);
            future::or(poll, sleep_ms(50)).await;
            // One that was on its way to the others when it was given up.
            let poll = owners(first, ends(&rig), 1, LONG_MS);
            future::or(poll, super::super::yield_now()).await;
            for shard in &rig.shards {
                soon("nothing is left", || is_at_rest(shard)).await;
            }
        });
    }

    #[test]
    fn an_end_finds_the_watch_that_was_sent_before_it() {
        rig::run(&[Disk::Works; 2], async |rig: Rc<Rig>| {
            let (asker, owner) = (&rig.shards[0], &rig.shards[1]);
            let watch = |id| {
                let entries = vec![(partition_of(owner), 0)];
                ShardRequest::Watch(Watch {
                    id,
                    entries,
                    bytes: 1,
                    wait_ms: LONG_MS,
                })
            };
            let watched = asker.mesh.send(owner.id(), watch(1)).await.unwrap();
            let other = asker.mesh.send(owner.id(), watch(2)).await.unwrap();
            for id in [1, 7] {
                asker.ask(owner.id(), ShardRequest::Unwatch(id)).await;
            }
            promptly("its end", watched).await;
            assert_eq!(owner.foreign_watches.borrow().len(), 1);
            append(owner, 10).await;
            promptly("news", other).await;
        });
    }
}

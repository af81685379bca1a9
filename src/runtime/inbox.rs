//! The mailbox of one shard: requests of other shards, begun in the order in which they came and
//! answered when what they ask is durable. Batches for which the WAL has no room yet wait beside
//! it, one after the other, and with them those that come later: whatever the disk does, the
//! mailbox does not stand still.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::event::Event;
use super::handle::ShardHandle;
use super::mesh::ReplyTo;
use super::serve::{self, Attempt};
use super::{catalog, watch};
use crate::base::Lsn;
use crate::shard::{Blocked, Hold, ProduceEntry, ProduceResult, ShardReply, ShardRequest};

/// Forwarded batches that wait for the WAL, in the order in which they came.
#[derive(Default)]
pub struct Parked {
    waiting: RefCell<VecDeque<Forwarded>>,
    more: Event,
}

impl Parked {
    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    fn push(&self, forwarded: Forwarded) {
        self.waiting.borrow_mut().push_back(forwarded);
        self.more.raise();
    }
}

/// The batches of one message, on their way into the WAL.
struct Forwarded {
    to: ReplyTo,
    left: VecDeque<ProduceEntry>,
    /// Of the batch that is next.
    hold: Hold,
    results: Vec<ProduceResult>,
    after: Lsn,
}

impl Forwarded {
    fn new(to: ReplyTo, entries: Vec<ProduceEntry>) -> Forwarded {
        Forwarded {
            to,
            results: Vec::with_capacity(entries.len()),
            left: entries.into(),
            hold: Hold::forwarded(),
            after: Lsn::default(),
        }
    }

    /// Appends what there is room for, in order. An error names what the next batch waits for.
    fn advance(&mut self, shard: &ShardHandle) -> Result<(), Blocked> {
        while let Some(entry) = self.left.front() {
            match serve::try_append(shard, entry, &mut self.hold) {
                Attempt::Done(result, after) => {
                    self.results.push(result);
                    self.after = self.after.max(after);
                    self.left.pop_front();
                    self.hold = Hold::forwarded();
                }
                Attempt::Wait(blocked) => return Err(blocked),
            }
        }
        Ok(())
    }

    /// Answers once all of it is durable.
    fn finish(self, shard: &ShardHandle) {
        let shard = shard.clone();
        super::spawn(async move {
            shard.durable(self.after).await;
            shard.mesh.reply(self.to, ShardReply::Produce(self.results));
        });
    }
}

/// Serves the mailbox, for the shard's life.
pub async fn drive(shard: ShardHandle) {
    while let Some(envelope) = shard.mesh.next_request().await {
        let (to, request) = envelope.open();
        match request {
            ShardRequest::Produce(entries) => {
                let mut forwarded = Forwarded::new(to, entries);
                if shard.parked.is_empty() && forwarded.advance(&shard).is_ok() {
                    forwarded.finish(&shard);
                } else {
                    shard.parked.push(forwarded);
                }
            }
            // In the order of the catalogue's log, so never in a task of its own.
            ShardRequest::ApplyCatalog(records) => {
                catalog::apply(&shard, &records);
                shard.mesh.reply(to, ShardReply::Done);
            }
            // Begun here, so that the request that ends it finds it.
            ShardRequest::Watch(request) => {
                let watching = watch::begin(&shard, request, Some(to.shard()));
                let shard = shard.clone();
                super::spawn(async move {
                    if let Some(watching) = watching {
                        watching.ended().await;
                    }
                    shard.mesh.reply(to, ShardReply::Done);
                });
            }
            ShardRequest::Unwatch(id) => {
                watch::end(&shard, to.shard(), id);
                shard.mesh.reply(to, ShardReply::Done);
            }
            ShardRequest::Shutdown => {
                shard.begin_stop();
                shard.mesh.reply(to, ShardReply::Done);
            }
            request => {
                let shard = shard.clone();
                super::spawn(async move {
                    let reply = serve::answer(&shard, request).await;
                    shard.mesh.reply(to, reply);
                });
            }
        }
    }
}

/// Appends what waits as the WAL has room for it, for the shard's life.
pub async fn drive_parked(shard: ShardHandle) {
    loop {
        let advanced = {
            let mut waiting = shard.parked.waiting.borrow_mut();
            // It stays the first until it is through: who comes meanwhile comes behind it.
            let advanced = waiting.front_mut().map(|first| first.advance(&shard));
            if advanced == Some(Ok(()))
                && let Some(first) = waiting.pop_front()
            {
                first.finish(&shard);
            }
            advanced
        };
        match advanced {
            Some(Ok(())) => super::yield_if_needed().await,
            Some(Err(_)) => serve::wait_for_disk(&shard).await,
            None => shard.parked.more.wait().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::super::rig::{self, Disk, Rig, entry, partition_of, promptly, soon};
    use super::super::tasks;
    use super::super::wal;
    use super::*;
    use crate::base::limits::{MAILBOX_PRODUCES_MAX, WAL_PENDING_BYTES_MAX};
    use crate::kafka::ErrorCode;

    /// Bytes of a record that a topic allows.
    const LARGE: usize = 1_000_000;

    /// The base offset of a batch that was forwarded alone.
    fn offset(reply: ShardReply) -> i64 {
        let ShardReply::Produce(results) = reply else {
            panic!("another answer: {reply:?}");
        };
        assert_eq!(results[0].error, ErrorCode::NONE);
        results[0].base_offset
    }

    #[test]
    fn a_mailbox_goes_on_while_the_disk_stands_still() {
        let disks = [Disk::Works, Disk::StandsStill];
        rig::run(&disks, async |rig: Rc<Rig>| {
            let (asker, owner) = (&rig.shards[0], &rig.shards[1]);
            let tp = partition_of(owner);
            let produce = |bytes| ShardRequest::Produce(vec![entry(tp, bytes)]);
            let mut pending = Vec::new();
            // As many as the WAL takes, and some that have to wait.
            for _ in 0..WAL_PENDING_BYTES_MAX / LARGE + 8 {
                pending.extend(asker.mesh.send(owner.id(), produce(LARGE)).await);
            }
            soon("batches wait", || !owner.parked.is_empty()).await;
            // No number of them keeps other requests from being sent.
            for _ in pending.len()..MAILBOX_PRODUCES_MAX {
                pending.extend(asker.mesh.send(owner.id(), produce(10)).await);
            }
            let sizes = asker.ask(owner.id(), ShardRequest::LogSizes(vec![tp]));
            let answer = promptly("an answer beside the disk", sizes).await;
            assert!(matches!(answer, Some(ShardReply::LogSizes(sizes)) if sizes == [0]));
            let disk = tasks::drive(wal::drive(owner.clone()));
            for (place, reply) in pending.into_iter().enumerate() {
                let reply = promptly("the disk works again", reply).await;
                assert_eq!(offset(reply), place as i64, "in the order of sending");
            }
            assert!(owner.parked.is_empty());
            soon("places are free", || asker.mesh.is_idle()).await;
            disk.end().await;
        });
    }
}

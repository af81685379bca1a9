//! The mesh between shards: one bounded mailbox per shard for requests, one for
//! replies. A sender reserves the place of the reply when it sends, so a reply
//! never blocks and two full shards cannot wait for each other.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use glommio::sync::Semaphore;

use super::tasks;
use crate::base::ShardId;
use crate::base::limits::MAILBOX_REQUESTS_MAX;
use crate::shard::{Lane, ShardReply, ShardRequest};

/// A request on its way, with where to answer.
#[derive(Debug)]
pub struct Envelope {
    /// Who asks.
    pub from: ShardId,
    ticket: usize,
    /// What is asked.
    pub request: ShardRequest,
}

type Reply = (usize, ShardReply);

/// How many requests a mailbox holds, and how many replies each shard waits for.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    requests: usize,
    /// In the order of [`Lane::ALL`].
    lanes: [usize; Lane::ALL.len()],
}

/// The ends of every mailbox, made once and handed out one part per shard.
#[derive(Debug)]
pub struct MeshPart {
    id: ShardId,
    bounds: Bounds,
    requests: Vec<flume::Sender<Envelope>>,
    replies: Vec<flume::Sender<Reply>>,
    request_inbox: flume::Receiver<Envelope>,
    reply_inbox: flume::Receiver<Reply>,
}

/// The mailboxes of `shards` shards.
pub fn weave(shards: u16) -> Vec<MeshPart> {
    let bounds = Bounds {
        requests: MAILBOX_REQUESTS_MAX,
        lanes: Lane::ALL.map(Lane::places),
    };
    weave_within(shards, bounds)
}

fn weave_within(shards: u16, bounds: Bounds) -> Vec<MeshPart> {
    let requests: Vec<_> = (0..shards)
        .map(|_| flume::bounded::<Envelope>(bounds.requests))
        .collect();
    let replies: Vec<_> = (0..shards)
        .map(|_| flume::bounded::<Reply>(bounds.lanes.iter().sum()))
        .collect();
    let parts = requests.iter().zip(&replies).zip(0..shards);
    parts
        .map(|((request, reply), id)| MeshPart {
            id: ShardId(id),
            bounds,
            requests: requests.iter().map(|(tx, _)| tx.clone()).collect(),
            replies: replies.iter().map(|(tx, _)| tx.clone()).collect(),
            request_inbox: request.1.clone(),
            reply_inbox: reply.1.clone(),
        })
        .collect()
}

/// One shard's doorway to the others.
#[derive(Debug)]
pub struct Mesh {
    part: MeshPart,
    expected: RefCell<Expected>,
    /// In the order of [`Lane::ALL`].
    places: [Semaphore; Lane::ALL.len()],
}

#[derive(Debug, Default)]
struct Expected {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

#[derive(Debug)]
enum Slot {
    Free,
    Waiting {
        waker: Option<Waker>,
        lane: Lane,
    },
    Arrived(ShardReply),
    /// The asker went away; the place is kept until the reply has come.
    Abandoned {
        lane: Lane,
    },
}

impl Mesh {
    /// This shard's doorway. To be made on the shard's own executor.
    pub fn new(part: MeshPart) -> Rc<Mesh> {
        let bounds = part.bounds;
        Rc::new(Mesh {
            part,
            expected: RefCell::default(),
            places: bounds.lanes.map(|places| Semaphore::new(places as u64)),
        })
    }

    /// How many shards there are.
    pub fn shards(&self) -> u16 {
        self.part.requests.len() as u16
    }

    /// Sends `request` once there is room for it and its reply; the reply is awaited
    /// apart, so that requests keep their order and replies need not. `None` when the
    /// mesh is closing down.
    pub async fn send(self: &Rc<Self>, to: ShardId, request: ShardRequest) -> Option<PendingReply> {
        let lane = request.lane();
        self.places(lane).acquire(1).await.ok()?;
        let ticket = self.expected.borrow_mut().expect(lane);
        let pending = PendingReply {
            mesh: self.clone(),
            ticket,
            taken: false,
        };
        let from = self.part.id;
        let outbox = self.part.requests.get(usize::from(to.0))?;
        let sent = outbox.try_send(Envelope {
            from,
            ticket,
            request,
        });
        if let Err(flume::TrySendError::Full(envelope)) = sent {
            // In a task of its own: if the asker goes away meanwhile, the request arrives
            // nevertheless, and the place of its reply is given back by the reply.
            let outbox = outbox.clone();
            let sending = tasks::start(async move { outbox.send_async(envelope).await });
            sending.await?.ok()?;
        }
        Some(pending)
    }

    /// The next request for this shard.
    pub async fn next_request(&self) -> Option<Envelope> {
        self.part.request_inbox.recv_async().await.ok()
    }

    /// Answers; its place was reserved by the asker, so this never waits.
    pub fn reply(&self, to: ReplyTo, reply: ShardReply) {
        if let Some(outbox) = self.part.replies.get(usize::from(to.shard.0)) {
            let sent = outbox.try_send((to.ticket, reply));
            debug_assert!(!matches!(sent, Err(flume::TrySendError::Full(_))));
        }
    }

    /// Hands arrived replies to those who wait for them; runs for the shard's life.
    pub async fn deliver_replies(&self) {
        while let Ok((ticket, reply)) = self.part.reply_inbox.recv_async().await {
            let lane = self.expected.borrow_mut().arrive(ticket, reply);
            self.places(lane).signal(1);
        }
    }

    /// Whether no reply is expected.
    pub fn is_idle(&self) -> bool {
        let expected = self.expected.borrow();
        let bounds = self.part.bounds.lanes;
        let mut places = self.places.iter().zip(bounds);
        expected.free.len() == expected.slots.len()
            && places.all(|(free, places)| free.available() == places as u64)
    }

    fn places(&self, lane: Lane) -> &Semaphore {
        &self.places[lane as usize]
    }
}

/// Where the answer to an [`Envelope`] goes.
#[derive(Debug, Clone, Copy)]
pub struct ReplyTo {
    shard: ShardId,
    ticket: usize,
}

impl ReplyTo {
    /// The shard that asks.
    pub fn shard(self) -> ShardId {
        self.shard
    }
}

impl Envelope {
    /// Takes the request out and keeps the return address.
    pub fn open(self) -> (ReplyTo, ShardRequest) {
        (
            ReplyTo {
                shard: self.from,
                ticket: self.ticket,
            },
            self.request,
        )
    }
}

impl Expected {
    fn expect(&mut self, lane: Lane) -> usize {
        let slot = Slot::Waiting { waker: None, lane };
        match self.free.pop() {
            Some(ticket) => {
                self.slots[ticket] = slot;
                ticket
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        }
    }

    /// Stores or drops a reply; says which kind of place it held.
    fn arrive(&mut self, ticket: usize, reply: ShardReply) -> Lane {
        match std::mem::replace(&mut self.slots[ticket], Slot::Free) {
            Slot::Waiting { waker, lane } => {
                self.slots[ticket] = Slot::Arrived(reply);
                if let Some(waker) = waker {
                    waker.wake();
                }
                lane
            }
            Slot::Abandoned { lane } => {
                self.free.push(ticket);
                lane
            }
            Slot::Free | Slot::Arrived(_) => unreachable!("a reply without a request"),
        }
    }

    fn take(&mut self, ticket: usize, waker: &Waker) -> Poll<ShardReply> {
        match std::mem::replace(&mut self.slots[ticket], Slot::Free) {
            Slot::Arrived(reply) => {
                self.free.push(ticket);
                Poll::Ready(reply)
            }
            Slot::Waiting { lane, .. } => {
                self.slots[ticket] = Slot::Waiting {
                    waker: Some(waker.clone()),
                    lane,
                };
                Poll::Pending
            }
            Slot::Free | Slot::Abandoned { .. } => unreachable!("polled after its reply"),
        }
    }

    fn abandon(&mut self, ticket: usize) {
        match self.slots[ticket] {
            Slot::Waiting { lane, .. } => self.slots[ticket] = Slot::Abandoned { lane },
            Slot::Arrived(_) => {
                self.slots[ticket] = Slot::Free;
                self.free.push(ticket);
            }
            Slot::Free | Slot::Abandoned { .. } => {}
        }
    }
}

/// A reply that is on its way. Dropping it is allowed; the reply is then dropped too.
#[derive(Debug)]
pub struct PendingReply {
    mesh: Rc<Mesh>,
    ticket: usize,
    taken: bool,
}

impl Future for PendingReply {
    type Output = ShardReply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ShardReply> {
        let reply = self
            .mesh
            .expected
            .borrow_mut()
            .take(self.ticket, cx.waker());
        self.taken = reply.is_ready();
        reply
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        if !self.taken {
            self.mesh.expected.borrow_mut().abandon(self.ticket);
        }
    }
}

#[cfg(test)]
mod tests;

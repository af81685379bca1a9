//! Requests to the groups' coordinators of this shard: each has a ticket, under which its
//! answer comes at once or, for those that wait for other members, much later. A request that
//! nobody waits for any more takes its ticket with it. One task does what is due at some time.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use futures_lite::future;

use super::handle::ShardHandle;
use super::{serve, sleep_ms};
use crate::group::{GroupReply, GroupRequest, Ticket};
use crate::kafka::ErrorCode;
use crate::shard::{GroupAnswer, GroupRewrite, GroupRewriteStep, Hold, Wait};

/// Pause before a log's rewriting is tried again when the WAL had no room, milliseconds.
const RETRY_MS: u64 = 5;

/// The requests of one shard that await their coordinator's answer.
#[derive(Default)]
pub struct Tickets {
    last: Cell<u64>,
    waiting: RefCell<HashMap<Ticket, State>>,
}

enum State {
    Waiting(Option<Waker>),
    Answered(GroupAnswer),
    /// The broker stops: nobody will answer.
    Over,
}

impl Tickets {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    fn take(&self) -> Taken<'_> {
        let ticket = Ticket(self.last.get() + 1);
        self.last.set(ticket.0);
        self.waiting
            .borrow_mut()
            .insert(ticket, State::Waiting(None));
        Taken {
            tickets: self,
            ticket,
        }
    }

    /// A coordinator has answered. Who left is not missed.
    pub(super) fn answer(&self, answer: GroupAnswer) {
        self.settle(answer.ticket, State::Answered(answer));
    }

    /// Ends every wait.
    pub(super) fn close(&self) {
        let open: Vec<Ticket> = self.waiting.borrow().keys().copied().collect();
        for ticket in open {
            self.settle(ticket, State::Over);
        }
    }

    fn settle(&self, ticket: Ticket, state: State) {
        if let Some(waiting) = self.waiting.borrow_mut().get_mut(&ticket)
            && let State::Waiting(waker) = waiting
        {
            let waker = waker.take();
            *waiting = state;
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// A ticket, for as long as somebody waits.
struct Taken<'a> {
    tickets: &'a Tickets,
    ticket: Ticket,
}

impl Taken<'_> {
    /// The answer; `None` if none comes because the broker stops.
    async fn answered(&self) -> Option<GroupAnswer> {
        poll_fn(|cx| {
            let mut waiting = self.tickets.waiting.borrow_mut();
            match waiting.get_mut(&self.ticket) {
                Some(State::Waiting(waker)) => {
                    *waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                Some(state) => match std::mem::replace(state, State::Over) {
                    State::Answered(answer) => Poll::Ready(Some(answer)),
                    State::Waiting(_) | State::Over => Poll::Ready(None),
                },
                None => Poll::Ready(None),
            }
        })
        .await
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.tickets.waiting.borrow_mut().remove(&self.ticket);
    }
}

/// Has the coordinator of `partition`, which is on this shard, answer; what it says is durable
/// then.
///
/// # Errors
/// NOT_COORDINATOR if it is not here, or the broker stops while it waits for others;
/// COORDINATOR_NOT_AVAILABLE if the disk has no room for what it would decide.
pub async fn ask(
    shard: &ShardHandle,
    partition: i32,
    request: GroupRequest,
) -> Result<GroupReply, ErrorCode> {
    let ticket = shard.groups.take();
    let mut hold = Hold::coordinator(shard.now());
    let mut request = Some(request);
    loop {
        let step =
            shard.with(|core, now| core.handle_group(now, partition, ticket.ticket, &mut request));
        match step {
            Ok(taken) => break taken?,
            Err(blocked) => match hold.next(shard.now(), blocked) {
                Wait::Disk | Wait::Room if !shard.stopping.get() => {
                    serve::wait_for_disk(shard).await
                }
                _ => return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
            },
        }
    }
    if shard.stopping.get() {
        // Nobody waits for others any more; what is answered at once has been.
        shard.groups.close();
    }
    let answer = ticket.answered().await.ok_or(ErrorCode::NOT_COORDINATOR)?;
    shard.durable(answer.after).await;
    Ok(answer.reply)
}

/// Does what is due, for the shard's life.
pub async fn drive(shard: ShardHandle) {
    loop {
        let next = shard.with(|core, now| core.poll_groups(now));
        match next.map(|at| at.saturating_sub(shard.now().mono_ms)) {
            None => shard.group_work.wait().await,
            Some(0) => super::yield_now().await,
            Some(ms) => future::or(shard.group_work.wait(), sleep_ms(ms)).await,
        }
    }
}

/// Writes logs of coordinators again at their ends and drops what came before.
pub async fn rewrite(shard: &ShardHandle, mut task: GroupRewrite) {
    loop {
        match shard.with(|core, now| task.step(core, now)) {
            // What it leaves undone the next start finds done or does anew.
            GroupRewriteStep::Retry if shard.stopping.get() => return,
            GroupRewriteStep::Retry => sleep_ms(RETRY_MS).await,
            GroupRewriteStep::Durable(lsn) => shard.durable(lsn).await,
            GroupRewriteStep::Done => return,
        }
    }
}

//! What is taken back when whoever waits is gone.

use corelane::group::Ticket;
use corelane::partition::ColdRead;
use corelane::shard::{WaiterId, Watch};

use super::Node;

pub(super) struct EndWatch<'a> {
    pub node: &'a Node,
    pub request: &'a Watch,
    pub waiter: WaiterId,
}

impl Drop for EndWatch<'_> {
    fn drop(&mut self) {
        self.node.woken.borrow_mut().remove(&self.waiter);
        let (waiter, request) = (self.waiter, self.request);
        self.node.with(|core, _| core.unwatch(waiter, request));
    }
}

/// A ticket goes with whoever waits for its answer.
pub(super) struct Leave<'a> {
    pub node: &'a Node,
    pub ticket: Ticket,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.node.tickets.borrow_mut().remove(&self.ticket);
    }
}

pub(super) struct Pins<'a> {
    pub node: &'a Node,
    pub reads: &'a [ColdRead],
}

impl Drop for Pins<'_> {
    fn drop(&mut self) {
        self.node.with(|core, _| {
            for read in self.reads {
                core.on_read_done(read.position.segment);
            }
        });
    }
}

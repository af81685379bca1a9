//! Where responses wait for the WAL: a task waits for an LSN and is woken when
//! the durable prefix reaches it, not at every write.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use crate::base::Lsn;

/// One shard's durable LSN and the tasks that wait for it.
#[derive(Default, Debug)]
pub struct DurableGate {
    durable: Cell<Lsn>,
    waiting: RefCell<BTreeMap<(Lsn, u64), Waker>>,
    next_ticket: Cell<u64>,
}

impl DurableGate {
    /// Everything up to here is on disk.
    pub fn durable(&self) -> Lsn {
        self.durable.get()
    }

    /// Moves the durable prefix and wakes those who waited for it.
    pub fn advance(&self, durable: Lsn) {
        debug_assert!(durable >= self.durable.get());
        self.durable.set(durable);
        let mut waiting = self.waiting.borrow_mut();
        while let Some(first) = waiting.first_entry() {
            if first.key().0 > durable {
                break;
            }
            first.remove().wake();
        }
    }

    /// Resolves once `lsn` is durable.
    pub async fn wait(&self, lsn: Lsn) {
        if lsn <= self.durable.get() {
            return;
        }
        let ticket = self.next_ticket.get();
        self.next_ticket.set(ticket + 1);
        let _forget = Forget {
            gate: self,
            key: (lsn, ticket),
        };
        poll_fn(|cx| {
            if lsn <= self.durable.get() {
                return Poll::Ready(());
            }
            self.waiting
                .borrow_mut()
                .insert((lsn, ticket), cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Takes a cancelled wait out of the table.
struct Forget<'a> {
    gate: &'a DurableGate,
    key: (Lsn, u64),
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.gate.waiting.borrow_mut().remove(&self.key);
    }
}

//! A flag that one task waits for and others on the same core raise. Raising it
//! twice before the task runs wakes it once: that is what groups work.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// An auto-resetting event with one waiting task.
#[derive(Default, Debug)]
pub struct Event {
    raised: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Event {
    /// Raises the flag and wakes the waiting task, if any.
    pub fn raise(&self) {
        if !self.raised.replace(true)
            && let Some(waker) = self.waiter.borrow_mut().take()
        {
            waker.wake();
        }
    }

    /// Resolves once the flag is up, and lowers it.
    pub async fn wait(&self) {
        poll_fn(|cx| {
            if self.raised.take() {
                return Poll::Ready(());
            }
            *self.waiter.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

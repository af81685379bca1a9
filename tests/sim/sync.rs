//! What tasks wait for besides time: a turn, a queue with bounds, one answer.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Places that are taken and given back, first come, first served.
#[derive(Clone)]
pub struct Places(Rc<Inner>);

struct Inner {
    free: Cell<usize>,
    waiting: RefCell<VecDeque<Rc<Ticket>>>,
}

#[derive(Default)]
struct Ticket {
    granted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// A place that is taken; dropping it gives it back.
pub struct Place(Rc<Inner>);

impl Places {
    pub fn new(count: usize) -> Places {
        Places(Rc::new(Inner {
            free: Cell::new(count),
            waiting: RefCell::default(),
        }))
    }

    /// Takes a place once one is free.
    pub async fn take(&self) -> Place {
        if self.0.free.get() > 0 && self.0.waiting.borrow().is_empty() {
            self.0.free.set(self.0.free.get() - 1);
            return Place(self.0.clone());
        }
        let ticket = Rc::new(Ticket::default());
        self.0.waiting.borrow_mut().push_back(ticket.clone());
        let mut wait = Wait {
            inner: self.0.clone(),
            ticket,
            done: false,
        };
        poll_fn(|cx| {
            if wait.ticket.granted.get() {
                return Poll::Ready(());
            }
            *wait.ticket.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        wait.done = true;
        Place(self.0.clone())
    }
}

struct Wait {
    inner: Rc<Inner>,
    ticket: Rc<Ticket>,
    done: bool,
}

impl Drop for Wait {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        if self.ticket.granted.get() {
            self.inner.give_back();
        } else {
            let mut waiting = self.inner.waiting.borrow_mut();
            waiting.retain(|ticket| !Rc::ptr_eq(ticket, &self.ticket));
        }
    }
}

impl Inner {
    fn give_back(&self) {
        let next = self.waiting.borrow_mut().pop_front();
        match next {
            Some(ticket) => {
                ticket.granted.set(true);
                if let Some(waker) = ticket.waker.borrow_mut().take() {
                    waker.wake();
                }
            }
            None => self.free.set(self.free.get() + 1),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// One answer: the end that gives it.
pub struct Answer<T>(Rc<Slot<T>>);

/// One answer: the end that waits for it.
pub struct Pending<T>(Rc<Slot<T>>);

struct Slot<T> {
    value: RefCell<Option<T>>,
    gone: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// Both ends of one answer.
pub fn answer<T>() -> (Answer<T>, Pending<T>) {
    let slot = Rc::new(Slot {
        value: RefCell::new(None),
        gone: Cell::new(false),
        waker: RefCell::new(None),
    });
    (Answer(slot.clone()), Pending(slot))
}

impl<T> Answer<T> {
    pub fn give(self, value: T) {
        *self.0.value.borrow_mut() = Some(value);
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.0.gone.set(true);
        if let Some(waker) = self.0.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl<T> Future for Pending<T> {
    /// `None` when the other end went away.
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(value) = self.0.value.borrow_mut().take() {
            return Poll::Ready(Some(value));
        }
        if self.0.gone.get() {
            return Poll::Ready(None);
        }
        *self.0.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// A queue with one reader and no bound of its own.
pub struct Queue<T> {
    items: RefCell<VecDeque<T>>,
    closed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue {
            items: RefCell::default(),
            closed: Cell::new(false),
            waker: RefCell::default(),
        }
    }
}

impl<T> Queue<T> {
    pub fn push(&self, item: T) {
        self.items.borrow_mut().push_back(item);
        self.wake();
    }

    /// Drops what is in it.
    pub fn clear(&self) {
        let items = std::mem::take(&mut *self.items.borrow_mut());
        drop(items);
    }

    /// No more will come.
    pub fn close(&self) {
        self.closed.set(true);
        self.wake();
    }

    /// The next; `None` once it is closed and empty.
    pub async fn next(&self) -> Option<T> {
        poll_fn(|cx| {
            if let Some(item) = self.items.borrow_mut().pop_front() {
                return Poll::Ready(Some(item));
            }
            if self.closed.get() {
                return Poll::Ready(None);
            }
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// What `work` gives, or `None` if `time` is up first.
pub async fn within<T>(work: impl Future<Output = T>, time: impl Future<Output = ()>) -> Option<T> {
    let (mut work, mut time) = (std::pin::pin!(work), std::pin::pin!(time));
    poll_fn(|cx| {
        if let Poll::Ready(value) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        time.as_mut().poll(cx).map(|()| None)
    })
    .await
}

//! Memory as units that are taken before it is used and come back by themselves: a byte
//! a unit. Waiting for units is how a budget pushes back. Whoever comes first is served
//! first: a small share that is free now does not overtake a large one that waits, or
//! that one would wait forever.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A budget of one shard. It is taken from on the shard's core; what was taken may come back
/// on any, since records that were forwarded are dropped where they went.
#[derive(Clone, Debug)]
pub struct Units {
    state: Arc<Mutex<State>>,
    all: u64,
}

/// Units taken; they return when this is dropped.
#[derive(Debug)]
pub struct Held {
    of: Units,
    units: u64,
}

#[derive(Debug)]
struct State {
    free: u64,
    /// In the order in which they came.
    waiting: VecDeque<Waiting>,
    /// Tickets whose units were set aside, and whose tasks have not seen it yet.
    granted: Vec<u64>,
    next_ticket: u64,
    /// Nobody waits any more.
    ended: bool,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    units: u64,
    waker: Waker,
}

impl Units {
    /// A budget of `bytes`.
    pub fn new(bytes: u64) -> Units {
        let all = bytes.max(1);
        let state = State {
            free: all,
            waiting: VecDeque::new(),
            granted: Vec::new(),
            next_ticket: 0,
            ended: false,
        };
        Units {
            state: Arc::new(Mutex::new(state)),
            all,
        }
    }

    /// Takes `bytes`, or all there are if that is less, once they are free and all who came
    /// before have theirs. Nothing, if they are not when waits are ended.
    pub async fn take(&self, bytes: u64) -> Held {
        let units = bytes.clamp(1, self.all);
        if let Some(held) = self.try_take(units) {
            return held;
        }
        Take {
            of: self,
            units,
            ticket: None,
        }
        .await
    }

    /// Takes `bytes` if they are free now and nobody waits.
    pub fn try_take(&self, bytes: u64) -> Option<Held> {
        let units = bytes.max(1);
        let mut state = self.lock();
        if !state.waiting.is_empty() || state.free < units {
            return None;
        }
        state.free -= units;
        Some(self.held(units))
    }

    /// Ends all waits, and those that would begin.
    pub fn end_waits(&self) {
        let mut state = self.lock();
        state.ended = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(|waiting| waiting.waker.wake());
    }

    /// Bytes free now.
    pub fn free(&self) -> u64 {
        self.lock().free
    }

    /// All bytes that there are.
    pub fn all(&self) -> u64 {
        self.all
    }

    /// Whether somebody waits for bytes.
    pub fn is_short(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    fn held(&self, units: u64) -> Held {
        Held {
            of: self.clone(),
            units,
        }
    }

    fn give_back(&self, units: u64) {
        let mut state = self.lock();
        state.free += units;
        debug_assert!(state.free <= self.all);
        let woken = state.grant();
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sets units aside for those who are first and for whom there are enough. Gives whom to
    /// wake once the lock is free.
    fn grant(&mut self) -> Vec<Waker> {
        let mut woken = Vec::new();
        while let Some(first) = self.waiting.pop_front_if(|first| first.units <= self.free) {
            self.free -= first.units;
            self.granted.push(first.ticket);
            woken.push(first.waker);
        }
        woken
    }

    fn take_granted(&mut self, ticket: u64) -> bool {
        let place = self.granted.iter().position(|granted| *granted == ticket);
        place.map(|at| self.granted.swap_remove(at)).is_some()
    }
}

/// A wait for units. Dropping it gives up the place.
struct Take<'a> {
    of: &'a Units,
    units: u64,
    ticket: Option<u64>,
}

impl Future for Take<'_> {
    type Output = Held;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Held> {
        let mut state = self.of.lock();
        let Some(ticket) = self.ticket else {
            if state.waiting.is_empty() && state.free >= self.units {
                state.free -= self.units;
                return Poll::Ready(self.of.held(self.units));
            }
            if state.ended {
                return Poll::Ready(self.of.held(0));
            }
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            let (units, waker) = (self.units, cx.waker().clone());
            state.waiting.push_back(Waiting {
                ticket,
                units,
                waker,
            });
            drop(state);
            self.ticket = Some(ticket);
            return Poll::Pending;
        };
        if state.take_granted(ticket) {
            drop(state);
            self.ticket = None;
            return Poll::Ready(self.of.held(self.units));
        }
        if state.ended {
            drop(state);
            self.ticket = None;
            return Poll::Ready(self.of.held(0));
        }
        if let Some(waiting) = state.waiting.iter_mut().find(|w| w.ticket == ticket) {
            waiting.waker.clone_from(cx.waker());
        }
        Poll::Pending
    }
}

impl Drop for Take<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else {
            return;
        };
        let mut state = self.of.lock();
        state.waiting.retain(|waiting| waiting.ticket != ticket);
        let back = if state.take_granted(ticket) {
            self.units
        } else {
            0
        };
        drop(state);
        // Those behind may have waited for this one only.
        self.of.give_back(back);
    }
}

impl Held {
    /// Bytes taken.
    pub fn bytes(&self) -> u64 {
        self.units
    }

    /// Whether there is no more than this.
    pub fn is_all(&self) -> bool {
        self.units == self.of.all
    }

    /// Gives back what is not needed after all.
    pub fn shrink_to(&mut self, bytes: u64) {
        let back = self.units.saturating_sub(bytes);
        self.units -= back;
        self.of.give_back(back);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.give_back(self.units);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    type Taking<'a> = Pin<Box<dyn Future<Output = Held> + 'a>>;

    fn poll(taking: &mut Taking<'_>) -> Option<Held> {
        let mut context = Context::from_waker(Waker::noop());
        match taking.as_mut().poll(&mut context) {
            Poll::Ready(held) => Some(held),
            Poll::Pending => None,
        }
    }

    fn begin(units: &Units, bytes: u64) -> Taking<'_> {
        let mut taking: Taking<'_> = Box::pin(units.take(bytes));
        assert!(poll(&mut taking).is_none(), "{bytes} were free");
        taking
    }

    #[test]
    fn who_comes_first_is_served_first() {
        let units = Units::new(10);
        let held = units.try_take(6).unwrap();
        let mut large = begin(&units, 10);
        // Four are free, and yet one that wants two has to wait its turn.
        assert!(units.try_take(2).is_none());
        let mut small = begin(&units, 2);
        drop(held);
        assert!(poll(&mut small).is_none());
        let large = poll(&mut large).expect("its turn");
        drop(large);
        assert!(poll(&mut small).is_some());
        assert_eq!(units.free(), 10 - 2 + 2);
    }

    #[test]
    fn who_gives_up_holds_up_nobody() {
        let units = Units::new(10);
        let held = units.try_take(6).unwrap();
        let large = begin(&units, 10);
        let mut small = begin(&units, 2);
        drop(large);
        let small = poll(&mut small).expect("the one before has gone");
        // Granted, and given up without having been looked at.
        let next = begin(&units, 4);
        drop((held, small));
        drop(next);
        assert_eq!(units.free(), 10);
        assert!(!units.is_short());
    }

    #[test]
    fn more_than_there_is_takes_all() {
        let units = Units::new(10);
        let mut taking: Taking<'_> = Box::pin(units.take(1000));
        let mut held = poll(&mut taking).unwrap();
        assert_eq!(units.free(), 0);
        held.shrink_to(3);
        assert_eq!(units.free(), 7);
    }

    #[test]
    fn ended_waits_give_nothing() {
        let units = Units::new(10);
        let held = units.try_take(6).unwrap();
        let mut waiting = begin(&units, 10);
        units.end_waits();
        assert_eq!(poll(&mut waiting).expect("the end").bytes(), 0);
        let mut late: Taking<'_> = Box::pin(units.take(5));
        assert_eq!(poll(&mut late).expect("the end").bytes(), 0);
        drop((waiting, late, held));
        assert!(!units.is_short());
        let mut all: Taking<'_> = Box::pin(units.take(20));
        assert!(poll(&mut all).is_some_and(|held| held.is_all()));
        assert_eq!(units.free(), 10);
    }
}

//! Long polls: who waits for how many more bytes. One wake per poll, when enough
//! has come, however many partitions it covers; no polling loop.

use std::collections::HashMap;

/// Names one long poll on one shard.
pub type WaiterId = u64;

/// The long polls of one shard.
#[derive(Default, Debug)]
pub struct Waiters {
    needs: HashMap<WaiterId, usize>,
    woken: Vec<WaiterId>,
    next: WaiterId,
}

impl Waiters {
    /// A new poll that wants `bytes` more; it must be registered with its partitions.
    pub fn add(&mut self, bytes: usize) -> WaiterId {
        self.next += 1;
        self.needs.insert(self.next, bytes.max(1));
        self.next
    }

    /// `bytes` became readable where `waiter` is registered.
    pub fn on_bytes(&mut self, waiter: WaiterId, bytes: usize) {
        if let Some(need) = self.needs.get_mut(&waiter) {
            *need = need.saturating_sub(bytes);
            if *need == 0 {
                self.wake(waiter);
            }
        }
    }

    /// Wakes `waiter` whatever it still needs: its partition changed or went away.
    pub fn wake(&mut self, waiter: WaiterId) {
        if self.needs.remove(&waiter).is_some() {
            self.woken.push(waiter);
        }
    }

    /// Forgets a poll whose time is up.
    pub fn remove(&mut self, waiter: WaiterId) {
        self.needs.remove(&waiter);
    }

    /// The next poll to answer.
    pub fn poll_woken(&mut self) -> Option<WaiterId> {
        self.woken.pop()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.needs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_once_when_enough_has_come() {
        let mut waiters = Waiters::default();
        let a = waiters.add(10);
        let b = waiters.add(0);
        waiters.on_bytes(a, 9);
        assert_eq!(waiters.poll_woken(), None);
        waiters.on_bytes(a, 1);
        waiters.on_bytes(a, 1);
        waiters.on_bytes(b, 1);
        assert_eq!(waiters.poll_woken(), Some(b));
        assert_eq!(waiters.poll_woken(), Some(a));
        assert_eq!(waiters.poll_woken(), None);
        assert!(waiters.is_empty());
    }
}

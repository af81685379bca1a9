//! Memory as units that are taken before it is used and come back by themselves: a byte
//! a unit. Waiting for units is how a budget pushes back.

use std::rc::Rc;

use glommio::sync::Semaphore;

/// A budget of one shard.
#[derive(Clone, Debug)]
pub struct Units {
    free: Rc<Semaphore>,
    all: u64,
}

/// Units taken; they return when this is dropped.
#[derive(Debug)]
pub struct Held {
    free: Rc<Semaphore>,
    all: u64,
    units: u64,
}

impl Units {
    /// A budget of `bytes`.
    pub fn new(bytes: u64) -> Units {
        let all = bytes.max(1);
        Units {
            free: Rc::new(Semaphore::new(all)),
            all,
        }
    }

    /// Takes `bytes`, or all there are if that is less, once they are free.
    pub async fn take(&self, bytes: u64) -> Held {
        let units = bytes.clamp(1, self.all);
        // Closed is what this semaphore never is.
        let _ = self.free.acquire(units).await;
        Held {
            free: self.free.clone(),
            all: self.all,
            units,
        }
    }

    /// Takes `bytes` if they are free now.
    pub fn try_take(&self, bytes: u64) -> Option<Held> {
        let units = bytes.max(1);
        let taken = self.free.try_acquire(units).unwrap_or(false);
        taken.then(|| Held {
            free: self.free.clone(),
            all: self.all,
            units,
        })
    }

    /// Bytes free now.
    pub fn free(&self) -> u64 {
        self.free.available()
    }
}

impl Held {
    /// Takes more, up to `bytes` or all there are if that is less, once they are free.
    pub async fn grow_to(&mut self, bytes: u64) {
        let more = bytes.min(self.all).saturating_sub(self.units);
        if more > 0 {
            let _ = self.free.acquire(more).await;
            self.units += more;
        }
    }

    /// Gives back what is not needed after all.
    pub fn shrink_to(&mut self, bytes: u64) {
        let back = self.units.saturating_sub(bytes);
        self.units -= back;
        self.free.signal(back);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.free.signal(self.units);
    }
}

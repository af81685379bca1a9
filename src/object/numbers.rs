//! The numbers of one shard's objects in one start of the broker: each is given out
//! once, and is under way until its object is recorded, or given up.

use std::collections::BTreeSet;

/// Gives out numbers.
#[derive(Clone, Default, Debug)]
pub struct Numbers {
    next: u32,
    under_way: BTreeSet<u32>,
}

impl Numbers {
    /// From 0 on.
    pub fn new() -> Numbers {
        Numbers::default()
    }

    /// A number for a new object.
    ///
    /// # Panics
    /// When four thousand million objects were begun in one start.
    pub fn take(&mut self) -> u32 {
        let number = self.next;
        self.next = number
            .checked_add(1)
            .expect("objects of one start are numbered by a u32");
        self.under_way.insert(number);
        number
    }

    /// The object of this number is recorded durably, or will never be.
    pub fn end(&mut self, number: u32) {
        self.under_way.remove(&number);
    }

    /// Below this no object is under way: what is unknown there is an orphan.
    pub fn lowest_under_way(&self) -> u32 {
        self.under_way.first().copied().unwrap_or(self.next)
    }
}

//! Long polls that wait for this partition to grow. They are few, so a plain
//! list serves; without any it allocates nothing.

/// Numbers by which the shard knows its waiting fetches.
#[derive(Clone, Default, Debug)]
pub(super) struct Waiters {
    ids: Vec<u64>,
}

impl Waiters {
    /// Adds `id`; once is enough.
    pub(super) fn register(&mut self, id: u64) {
        if !self.ids.contains(&id) {
            self.ids.push(id);
        }
    }

    /// Removes `id`. Returns whether it was there.
    pub(super) fn deregister(&mut self, id: u64) -> bool {
        let Some(at) = self.ids.iter().position(|waiter| *waiter == id) else {
            return false;
        };
        self.ids.swap_remove(at);
        if self.ids.is_empty() {
            self.ids = Vec::new();
        }
        true
    }

    pub(super) fn ids(&self) -> &[u64] {
        &self.ids
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.ids.capacity() * size_of::<u64>()
    }
}

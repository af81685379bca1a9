//! What expires in the store, and when an object that nobody wants is removed.

use std::collections::BTreeMap;

use crate::base::limits::{OBJECT_DELETES_MAX, OBJECT_GRACE_MS};
use crate::object::key::ObjectId;
use crate::object::manifest::{Manifest, PartitionMap};
use crate::object::upload::{Pace, PutError};

impl PartitionMap {
    /// The log start offset that retention asks for, as far as the store goes, if it is beyond
    /// the present one. An extent goes as a whole.
    ///
    /// By time, extents go from the front as long as their largest timestamp is more than
    /// `retention_ms` before `wall_ms`; those without timestamps go when one after them does.
    /// By size, an extent goes when what is behind it, together with the `unstored_bytes` that
    /// are in the WAL only, is `retention_bytes` at least (Kafka: the same of segments).
    pub fn expired_to(
        &self,
        wall_ms: i64,
        retention_ms: Option<u64>,
        retention_bytes: Option<u64>,
        unstored_bytes: u64,
    ) -> Option<i64> {
        let by_time = retention_ms.and_then(|ms| {
            let horizon = wall_ms.saturating_sub(i64::try_from(ms).unwrap_or(i64::MAX));
            let expired = self
                .extents()
                .take_while(|extent| extent.max_timestamp < horizon);
            let timed = expired.filter(|extent| extent.max_timestamp >= 0);
            timed.last().map(|extent| extent.end)
        });
        let by_bytes = retention_bytes.and_then(|keep| {
            let mut left = self.bytes() + unstored_bytes;
            let expired = self.extents().take_while(|extent| {
                left -= u64::from(extent.bytes);
                left >= keep
            });
            expired.last().map(|extent| extent.end)
        });
        by_time.max(by_bytes).filter(|to| *to > self.log_start())
    }
}

/// Which objects to remove, and when: after a grace, and after a snapshot of the manifest that
/// does not want them is in the store.
#[derive(Debug)]
pub struct Sweeper {
    dead: BTreeMap<ObjectId, Dead>,
    /// The newest state of the manifest of which the store has a snapshot.
    snapshot: Option<u64>,
    pace: Pace,
    failures: u32,
}

#[derive(Clone, Copy, Debug)]
struct Dead {
    since_ms: u64,
    /// The state of the manifest that first did not want it; `None` for an orphan.
    version: Option<u64>,
    is_going: bool,
}

impl Sweeper {
    /// Nothing is to be removed. `seed` is for the jitter of retries, and any number.
    pub fn new(seed: u64) -> Sweeper {
        Sweeper {
            dead: BTreeMap::new(),
            snapshot: None,
            pace: Pace::new(1, seed),
            failures: 0,
        }
    }

    /// Looks for objects that nobody wants. The records that made it so must be durable:
    /// `version` is the end of the manifest's log with them. `is_free` tells of an object that
    /// is this shard's to remove, and that no other shard wants.
    pub fn look(
        &mut self,
        now_ms: u64,
        version: u64,
        manifest: &Manifest,
        is_free: &dyn Fn(ObjectId) -> bool,
    ) {
        for object in manifest.objects() {
            let id = object.info.id;
            if object.is_dead() && is_free(id) {
                self.dead.entry(id).or_insert(Dead {
                    since_ms: now_ms,
                    version: Some(version),
                    is_going: false,
                });
            }
        }
    }

    /// An orphan, which is covered without it, is to be removed.
    pub fn add_orphan(&mut self, now_ms: u64, id: ObjectId) {
        self.dead.entry(id).or_insert(Dead {
            since_ms: now_ms,
            version: None,
            is_going: false,
        });
    }

    /// Whether objects wait for a snapshot.
    pub fn wants_snapshot(&self) -> bool {
        self.dead.values().any(|dead| !self.is_in_snapshot(dead))
    }

    /// The store has a snapshot of the manifest as it was at `version`.
    pub fn on_snapshot(&mut self, version: u64) {
        self.snapshot = self.snapshot.max(Some(version));
    }

    fn is_in_snapshot(&self, dead: &Dead) -> bool {
        dead.version.is_none() || self.snapshot >= dead.version
    }

    /// Objects to remove now, as many as one request may name.
    pub fn poll(&mut self, now_ms: u64) -> Vec<ObjectId> {
        let is_under_way = self.dead.values().any(|dead| dead.is_going);
        if is_under_way || self.pace.window(now_ms) == 0 {
            return Vec::new();
        }
        let snapshot = self.snapshot;
        let due = self.dead.iter_mut().filter(|(_, dead)| {
            let is_in_snapshot = dead.version.is_none() || snapshot >= dead.version;
            is_in_snapshot && now_ms.saturating_sub(dead.since_ms) >= OBJECT_GRACE_MS
        });
        let due = due.take(OBJECT_DELETES_MAX);
        let going = due.map(|(id, dead)| {
            dead.is_going = true;
            *id
        });
        going.collect()
    }

    /// What [`Sweeper::poll`] named is no more in the store. Those that the manifest knows are
    /// to be recorded as removed.
    pub fn on_removed(&mut self) -> Vec<ObjectId> {
        self.failures = 0;
        self.pace.on_success();
        let going = self.dead.extract_if(.., |_, dead| dead.is_going);
        going.map(|(id, _)| id).collect()
    }

    /// The request failed, whatever it did of it: it is made again.
    pub fn on_failed(&mut self, now_ms: u64, error: PutError) {
        self.failures = self.failures.saturating_add(1);
        let until_ms = self.pace.on_error(now_ms, error, self.failures);
        for dead in self.dead.values_mut().filter(|dead| dead.is_going) {
            dead.is_going = false;
            // The grace is over, so what counts from here is the pause.
            dead.since_ms = until_ms.saturating_sub(OBJECT_GRACE_MS);
        }
    }

    /// Objects that wait to be removed.
    pub fn len(&self) -> usize {
        self.dead.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.dead.is_empty()
    }
}

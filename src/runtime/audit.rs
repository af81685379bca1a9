//! What must be left of a shard when its last connection is gone: nothing. Whatever a bug
//! leaves behind would pile up in a process that runs for months, so each clean stop looks
//! for it and says so; the tests take that WARN for a failure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::handle::ShardHandle;
use super::tasks::{self, Driver};
use super::units::Units;
use crate::shard::Shard;

/// How long what is on its way may take to be gone, milliseconds.
const PATIENCE_MS: u64 = 1000;
/// Tasks of an executor without a shard: the one that the pacemaker wakes.
const TASKS_OF_AN_EXECUTOR: usize = 1;
/// Pause between two looks at the descriptors, milliseconds.
const LOOK_MS: u64 = 2;

/// Says what somebody still holds though nobody is there any more.
pub async fn left_in_use(shard: &ShardHandle) -> Vec<&'static str> {
    shard.read_pool.close();
    super::within(PATIENCE_MS, || in_use(shard).is_empty()).await;
    in_use(shard)
}

fn in_use(shard: &ShardHandle) -> Vec<&'static str> {
    let units = |name, units: &Units| (name, units.free() < units.all());
    let [chunks, requests, large_requests] = shard.read_pool.units();
    let found = [
        units("memory of chunks", chunks),
        units("memory of requests", requests),
        units("memory of large requests", large_requests),
        units("memory of parked requests", &shard.parked_units),
        units("memory of reads from the WAL", &shard.cold_units),
        units("memory of lookups", &shard.lookup_units),
        units("memory of responses", &shard.response_units),
        ("places in mailboxes", !shard.mesh.is_idle()),
        ("long polls", !shard.woken.borrow().is_empty()),
        (
            "watches of other shards",
            !shard.foreign_watches.borrow().is_empty(),
        ),
        ("batches that wait for the WAL", !shard.parked.is_empty()),
        ("requests to coordinators", !shard.groups.is_empty()),
        ("watches of partitions", shard.look(Shard::has_waiters)),
        ("pinned segments", shard.look(Shard::has_reads)),
    ];
    let left = found.into_iter().filter(|(_, is_left)| *is_left);
    left.map(|(name, _)| name).collect()
}

/// Ends the shard's drivers and drops it. Says what goes on nevertheless: the only task left
/// is the one that asks, and nobody but that has the shard or one of its files.
pub async fn left_running(shard: ShardHandle, drivers: Vec<Driver>) -> Vec<&'static str> {
    for driver in drivers {
        driver.end().await;
    }
    super::within(PATIENCE_MS, || tasks::running() == TASKS_OF_AN_EXECUTOR).await;
    let found = [
        ("tasks", tasks::running() > TASKS_OF_AN_EXECUTOR),
        ("open segments", !shard.files.close_all().await),
        ("handles of the shard", !shard.is_last()),
    ];
    let left = found.into_iter().filter(|(_, is_left)| *is_left);
    left.map(|(name, _)| name).collect()
}

/// The open descriptors of this process.
#[derive(Debug)]
pub struct Descriptors {
    /// What each is of, by its number; none where the host does not tell.
    open: BTreeMap<String, String>,
}

impl Descriptors {
    /// Those that are open now.
    pub fn now() -> Descriptors {
        let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
        let described = entries.flatten().filter_map(|entry| {
            let number = entry.file_name().to_string_lossy().into_owned();
            // One that is gone by now was that of reading the directory.
            let target = std::fs::read_link(entry.path()).ok()?;
            Some((number, target.to_string_lossy().into_owned()))
        });
        Descriptors {
            open: described
                .filter(|(_, target)| !target.ends_with("/fd"))
                .collect(),
        }
    }

    /// Says which are open now, when all shards have ended, that were not among these. Threads
    /// that the executors have left to themselves may take a moment to be gone.
    pub fn look_for_others(&self) {
        let mut others = self.others();
        for _ in 0..PATIENCE_MS / LOOK_MS {
            if others.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(LOOK_MS));
            others = self.others();
        }
        tracing::warn!(left = ?others, "descriptors were left behind; this is a bug");
    }

    fn others(&self) -> BTreeMap<String, String> {
        let mut now = Descriptors::now().open;
        now.retain(|number, target| self.open.get(number) != Some(target));
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_seen_while_it_is_open() {
        let before = Descriptors::now();
        let file = std::fs::File::open("/dev/null").unwrap();
        let is_seen = || before.others().values().any(|target| target == "/dev/null");
        assert!(is_seen());
        drop(file);
        assert!(!is_seen());
    }
}

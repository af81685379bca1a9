//! What must be left of a shard when its last connection is gone: nothing. Whatever a bug
//! leaves behind would pile up in a process that runs for months, so each clean stop looks
//! for it and says so; the tests take that WARN for a failure.

use super::handle::ShardHandle;
use super::units::Units;
use crate::shard::Shard;

/// Says what somebody still holds though nobody is there any more.
pub fn left_over(shard: &ShardHandle) -> Vec<&'static str> {
    shard.read_pool.close();
    let units = |name, units: &Units| (name, units.free() < units.all());
    let [chunks, requests, large_requests] = shard.read_pool.units();
    let found = [
        units("memory of chunks", chunks),
        units("memory of requests", requests),
        units("memory of large requests", large_requests),
        units("memory of parked requests", &shard.parked_units),
        units("memory of reads from the WAL", &shard.cold_units),
        units("memory of responses", &shard.response_units),
        ("places in mailboxes", !shard.mesh.is_idle()),
        ("long polls", !shard.woken.borrow().is_empty()),
        ("requests to coordinators", !shard.groups.is_empty()),
        ("watches of partitions", shard.look(Shard::has_waiters)),
        ("pinned segments", shard.look(Shard::has_reads)),
    ];
    let left = found.into_iter().filter(|(_, is_left)| *is_left);
    left.map(|(name, _)| name).collect()
}

//! Runs a shard's upkeep round by round, and gives back memory that nobody uses.

use super::handle::ShardHandle;
use super::{catalog, groups, sleep_ms};
use crate::shard::Upkeep;

/// Runs for the shard's life; retention is checked every `retention_interval_ms`.
pub async fn drive(shard: ShardHandle, retention_interval_ms: u64) {
    let mut upkeep = shard.with(|core, now| Upkeep::new(core, now, retention_interval_ms));
    loop {
        shard.read_pool.look_for_idle();
        let due = shard.with(|core, now| upkeep.round(core, now));
        if due.rewrite_catalog {
            let shard = shard.clone();
            super::spawn(async move { catalog::rewrite(&shard).await });
        }
        if let Some(task) = due.rewrite_groups {
            let shard = shard.clone();
            super::spawn(async move { groups::rewrite(&shard, task).await });
        }
        sleep_ms(upkeep.pause_ms()).await;
    }
}

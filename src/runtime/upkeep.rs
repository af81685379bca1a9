//! What a shard does now and then: retention, reclaiming, trying again what found no
//! room, forgetting who did not come back, giving memory back, and writing down that all is
//! durable when it has nothing else to write.

use super::handle::ShardHandle;
use super::{catalog, sleep_ms};

/// Pause between two rounds, milliseconds.
const ROUND_MS: u64 = 1000;

/// Runs for the shard's life; retention is checked every `retention_interval_ms`. The first
/// round comes at once: every start leaves one more file behind, and a broker that is killed
/// again and again before a second has passed must not keep those that nobody needs.
pub async fn drive(shard: ShardHandle, retention_interval_ms: u64) {
    let mut next_retention = shard.now().mono_ms + retention_interval_ms;
    let mut last_lsn = shard.look(|core| core.last_lsn());
    loop {
        let now = shard.now();
        if now.mono_ms >= next_retention {
            next_retention = now.mono_ms + retention_interval_ms;
            shard.with(|core, now| core.check_retention(now));
        }
        shard.read_pool.look_for_idle();
        let snapshot = shard.with(|core, now| {
            core.expire_readers(now);
            core.retry_segments();
            core.reclaim()
        });
        if snapshot {
            catalog::snapshot(&shard).await;
        }
        let newest = shard.look(|core| core.last_lsn());
        if newest == last_lsn {
            shard.with(|core, _| core.attest_durable());
        }
        last_lsn = newest;
        sleep_ms(ROUND_MS.min(retention_interval_ms)).await;
    }
}

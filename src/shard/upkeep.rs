//! What a shard does now and then: retention, reclaiming, trying again what found no
//! room, forgetting who did not come back, and writing down that all is durable when it has nothing else to write.

use super::group_rewrite::GroupRewrite;
use super::state::Shard;
use crate::base::{Lsn, Now};

/// Pause between two rounds, milliseconds.
const ROUND_MS: u64 = 1000;

/// What a round leaves to be done beside the next ones.
#[derive(Debug)]
pub struct Due {
    /// The catalogue's log is to be rewritten now, see
    /// [`CatalogTask::rewrite`](super::CatalogTask::rewrite).
    pub rewrite_catalog: bool,
    /// The logs of these coordinators are.
    pub rewrite_groups: Option<GroupRewrite>,
}

/// One shard's upkeep. The first round may come at once: every start leaves one more file
/// behind, and a broker that is killed again and again before a second has passed must not keep
/// those that nobody needs.
#[derive(Clone, Copy, Debug)]
pub struct Upkeep {
    retention_interval_ms: u64,
    next_retention: u64,
    last_lsn: Lsn,
}

impl Upkeep {
    /// Retention is checked every `retention_interval_ms`.
    pub fn new(shard: &Shard, now: Now, retention_interval_ms: u64) -> Upkeep {
        Upkeep {
            retention_interval_ms,
            next_retention: now.mono_ms + retention_interval_ms,
            last_lsn: shard.last_lsn(),
        }
    }

    /// Pause between two rounds, milliseconds.
    pub fn pause_ms(&self) -> u64 {
        ROUND_MS.min(self.retention_interval_ms)
    }

    /// Does a round. The next one must not wait for what it finds due: it may be what makes the
    /// room that the rewriting, or a change of the catalogue before it, waits for.
    pub fn round(&mut self, shard: &mut Shard, now: Now) -> Due {
        if now.mono_ms >= self.next_retention {
            self.next_retention = now.mono_ms + self.retention_interval_ms;
            shard.check_retention(now);
        }
        shard.expire_readers(now);
        shard.retry_segments();
        let rewrite_catalog = shard.reclaim();
        let rewrite_groups = shard.group_logs_to_rewrite();
        let newest = shard.last_lsn();
        if newest == self.last_lsn {
            shard.attest_durable();
        }
        self.last_lsn = newest;
        Due {
            rewrite_catalog,
            rewrite_groups,
        }
    }
}

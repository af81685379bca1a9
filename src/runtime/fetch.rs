//! Reading what is there now, from whichever shards own it.

use super::handle::ShardHandle;
use super::serve;
use crate::shard::{FetchEntry, FetchResult, FetchShares, ShardReply, ShardRequest};

/// Reads from all owners at the same time, `max_bytes` in all, and at least `min_bytes` if they
/// are there. The results are in the order of `entries`; `None` only while the broker shuts down.
pub async fn owners(
    shard: &ShardHandle,
    entries: &[FetchEntry],
    min_bytes: usize,
    max_bytes: usize,
) -> Option<Vec<FetchResult>> {
    let owned = shard.look(|core| {
        let owned = entries.iter().map(|entry| (core.owner(entry.tp), *entry));
        owned.collect()
    });
    let mut shares = FetchShares::new(owned, min_bytes, max_bytes);
    loop {
        let round = shares.poll();
        if round.is_empty() {
            return Some(shares.finish());
        }
        let mut here = None;
        let mut pending = Vec::with_capacity(round.len());
        for (owner, read) in round {
            if owner == shard.id() {
                here = Some(read);
            } else {
                let sent = shard.mesh.send(owner, ShardRequest::Fetch(read)).await?;
                pending.push((owner, sent));
            }
        }
        if let Some(read) = here {
            shares.on_results(shard.id(), serve::read(shard, read).await);
        }
        for (owner, reply) in pending {
            match reply.await {
                ShardReply::Fetch(results) => shares.on_results(owner, results),
                _ => return None,
            }
        }
    }
}

//! Changes of the catalogue, one after the other, on shard 0: decided, made durable,
//! replayed here and on every other shard, and only then answered.

use bytes::Bytes;

use super::handle::ShardHandle;
use super::{process, sleep_ms};
use crate::base::{Lsn, ShardId, TopicId};
use crate::catalog::{CatalogReply, CatalogRequest};
use crate::shard::{Blocked, ShardRequest};

/// Pause before an append is tried again when the WAL had no room, milliseconds.
const RETRY_MS: u64 = 5;

/// Decides and carries out one request. Shard 0 only.
pub async fn change(shard: &ShardHandle, request: CatalogRequest) -> CatalogReply {
    let turn = shard.catalog_turn.acquire_permit(1).await;
    let change = shard.with(|core, now| core.decide_catalog(now, &mut fresh_id, &request));
    let (_, after) = append(shard, change.batches).await;
    shard.durable(after).await;
    if !change.records.is_empty() {
        apply(shard, &change.records);
        publish(shard, change.records).await;
    }
    drop(turn);
    change.reply
}

/// Replays durable records here.
pub fn apply(shard: &ShardHandle, records: &[Bytes]) {
    if let Err(error) = shard.with(|core, _| core.apply_catalog(records)) {
        // Written by this very process a moment ago: nothing can be trusted any more.
        process::abort(
            "replaying the catalogue failed",
            &std::io::Error::other(error),
        );
    }
}

/// Writes the catalogue again at the end of its log and drops what came before, so that
/// the segments with its old records can be reclaimed.
pub async fn snapshot(shard: &ShardHandle) {
    let turn = shard.catalog_turn.acquire_permit(1).await;
    let batches = shard.with(|core, now| core.snapshot_catalog(now));
    let end = shard.look(|core| core.catalog_end());
    let (first, after) = append(shard, batches).await;
    shard.durable(after).await;
    shard.with(|core, _| core.trim_catalog(first.unwrap_or(end)));
    drop(turn);
}

/// Appends all batches, waiting for room; the first offset and when all are durable.
async fn append(shard: &ShardHandle, batches: Vec<Bytes>) -> (Option<i64>, Lsn) {
    let mut first = None;
    let mut after = Lsn::default();
    for batch in batches {
        loop {
            match shard.with(|core, now| core.append_catalog(now, &batch)) {
                Ok((offset, lsn)) => {
                    first.get_or_insert(offset);
                    after = lsn;
                    break;
                }
                Err(Blocked::Busy | Blocked::Full) => sleep_ms(RETRY_MS).await,
            }
        }
    }
    (first, after)
}

/// Has every other shard replay the records, and waits until all have.
async fn publish(shard: &ShardHandle, records: Vec<Bytes>) {
    let mut pending = Vec::new();
    for other in (0..shard.mesh.shards())
        .map(ShardId)
        .filter(|id| *id != shard.id())
    {
        pending.extend(
            shard
                .mesh
                .send(other, ShardRequest::ApplyCatalog(records.clone()))
                .await,
        );
    }
    for reply in pending {
        reply.await;
    }
}

fn fresh_id() -> TopicId {
    TopicId::from_random(process::random())
}

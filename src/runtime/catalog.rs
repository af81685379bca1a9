//! Changes of the catalogue, one after the other, on shard 0: this waits for disks and other
//! shards, and the core says for what.

use bytes::Bytes;

use super::handle::ShardHandle;
use super::steps::step;
use super::{process, sleep_ms};
use crate::base::{ShardId, TopicId};
use crate::catalog::{CatalogReply, CatalogRequest, DecodeError};
use crate::shard::{CatalogStep, CatalogTask, ShardRequest};

/// Pause before an append is tried again when the WAL had no room, milliseconds.
const RETRY_MS: u64 = 5;

/// Decides and carries out one request. Shard 0 only; `None` never comes of a change.
pub async fn change(shard: &ShardHandle, request: CatalogRequest) -> Option<CatalogReply> {
    let turn = shard.catalog_turn.acquire_permit(1).await;
    let task = shard.with(|core, now| CatalogTask::change(core, now, &mut fresh_id, &request));
    let (reply, task) = run(shard, task).await;
    drop(turn);
    for topic in &task.newly_compacted {
        tracing::warn!(
            topic,
            "cleanup.policy has 'compact', which this broker does not do yet: it keeps every record \
             that retention does not delete"
        );
    }
    reply
}

/// Writes the catalogue again at the end of its log and drops what came before.
pub async fn rewrite(shard: &ShardHandle) {
    let turn = shard.catalog_turn.acquire_permit(1).await;
    let task = shard.with(|core, now| CatalogTask::rewrite(core, now));
    run(shard, task).await;
    drop(turn);
}

async fn run(shard: &ShardHandle, mut task: CatalogTask) -> (Option<CatalogReply>, CatalogTask) {
    loop {
        match shard.with(|core, now| task.step(core, now)) {
            Ok(CatalogStep::Retry) => sleep_ms(RETRY_MS).await,
            Ok(CatalogStep::Durable(lsn)) => {
                shard.durable(lsn).await;
                step!("catalog.durable");
            }
            Ok(CatalogStep::Publish(records)) => {
                publish(shard, records).await;
                step!("catalog.published");
            }
            Ok(CatalogStep::Done(reply)) => return (reply, task),
            Err(error) => malformed(error),
        }
    }
}

/// Replays durable records here.
pub fn apply(shard: &ShardHandle, records: &[Bytes]) {
    if let Err(error) = shard.with(|core, _| core.apply_catalog(records)) {
        malformed(error);
    }
}

/// Written by this very process a moment ago: nothing can be trusted any more.
fn malformed(error: DecodeError) -> ! {
    process::abort(
        "replaying the catalogue failed",
        &std::io::Error::other(error),
    )
}

/// Has every other shard replay the records, and waits until all have.
async fn publish(shard: &ShardHandle, records: Vec<Bytes>) {
    if records.is_empty() {
        return;
    }
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

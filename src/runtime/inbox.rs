//! The mailbox of one shard: requests of other shards, appended in the order in which
//! they came and answered when what they ask is durable.

use super::handle::ShardHandle;
use super::{catalog, serve};
use crate::shard::{ShardReply, ShardRequest};

/// Serves the mailbox, for the shard's life.
pub async fn drive(shard: ShardHandle) {
    while let Some(envelope) = shard.mesh.next_request().await {
        let (to, request) = envelope.open();
        match request {
            ShardRequest::Produce(entries) => {
                let (results, lsn) = serve::append_forwarded(&shard, entries).await;
                let shard = shard.clone();
                super::spawn(async move {
                    shard.durable(lsn).await;
                    shard.mesh.reply(to, ShardReply::Produce(results));
                });
            }
            // In the order of the catalogue's log, so never in a task of its own.
            ShardRequest::ApplyCatalog(records) => {
                catalog::apply(&shard, &records);
                shard.mesh.reply(to, ShardReply::Done);
            }
            ShardRequest::Shutdown => {
                shard.begin_stop();
                shard.mesh.reply(to, ShardReply::Done);
            }
            request => {
                let shard = shard.clone();
                super::spawn(async move {
                    let reply = serve::answer(&shard, request).await;
                    shard.mesh.reply(to, reply);
                });
            }
        }
    }
}

//! The WAL driver: takes blocks from the shard, copies each once into aligned memory,
//! writes it, and reports it durable. Several writes are under way at once.

use std::rc::Rc;

use super::handle::ShardHandle;
use super::process;
use super::steps::{slow_step, step};
use crate::wal::BlockPlan;

/// Writes what there is to write, for the shard's life.
pub async fn drive(shard: ShardHandle) {
    loop {
        while let Some(plan) = shard.poll_write() {
            let shard = shard.clone();
            super::spawn(async move { write(&shard, plan).await });
        }
        shard.wal_work.wait().await;
    }
}

async fn write(shard: &ShardHandle, plan: BlockPlan) {
    let mut block = shard.buffers.allocate(plan.bytes);
    plan.copy_to(block.as_bytes_mut());
    let (lsn, segment, slot, offset) = (plan.lsn, plan.segment, plan.slot, plan.offset);
    // The records' own memory, the clients' read buffers, is free from here on.
    drop(plan);
    let block = Rc::new(block);
    slow_step!("block.copied");
    let written = match shard.files.own(segment, slot).await {
        Ok(file) => file.write(&block, u64::from(offset)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = written {
        let path = shard.files.path(segment.wal, slot);
        process::abort(&format!("writing to {} failed", path.display()), &error);
    }
    step!("block.written");
    shard.on_written(lsn, shard.buffers.share(block));
    step!("block.reported");
}

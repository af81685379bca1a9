//! Carrying out fetch plans: what is in memory goes along uncopied, what is not is read
//! from the WAL's files, neighbours together and all of a plan at the same time.

use std::io;

use bytes::Bytes;

use super::handle::ShardHandle;
use crate::base::limits::{COLD_READ_BYTES_MAX, COLD_READ_GAP_BYTES_MAX};
use crate::kafka::ErrorCode;
use crate::partition::{ColdRead, DiskRead, Piece, group_cold, verify_cold};
use crate::shard::{FetchPlan, FetchResult};

/// Reads what the plans name.
pub async fn carry_out(shard: &ShardHandle, plans: Vec<FetchPlan>) -> Vec<FetchResult> {
    let mut results = Vec::with_capacity(plans.len());
    for plan in plans {
        results.push(carry_out_one(shard, plan).await);
    }
    results
}

async fn carry_out_one(shard: &ShardHandle, plan: FetchPlan) -> FetchResult {
    let mut result = plan.result;
    let mut cold = Vec::new();
    let mut tail = Vec::new();
    // What is on disk comes before what is in memory.
    for piece in plan.pieces {
        match piece {
            Piece::Cold(read) => cold.push(read),
            Piece::Tail(bytes) => tail.push(bytes),
        }
    }
    if !cold.is_empty() {
        match read_cold(shard, &cold).await {
            Ok(records) => result.records = records,
            Err(error) => {
                tracing::error!(%error, "reading records from the WAL failed");
                return FetchResult::error(ErrorCode::KAFKA_STORAGE_ERROR);
            }
        }
    }
    result.records.extend(tail);
    result
}

/// Reads whole batches, each verified. Their segments are unpinned afterwards.
pub async fn read_cold(shard: &ShardHandle, reads: &[ColdRead]) -> io::Result<Vec<Bytes>> {
    let _pins = Pins { shard, reads };
    // Waiting here holds up this reader only; the tail and its readers need no units.
    let bytes: u64 = reads.iter().map(|read| u64::from(read.len)).sum();
    let _units = shard.cold_units.take(bytes).await;
    let disk_reads = group_cold(reads, COLD_READ_GAP_BYTES_MAX, COLD_READ_BYTES_MAX);
    let mut pending = Vec::with_capacity(disk_reads.len());
    for disk_read in disk_reads {
        let task = {
            let shard = shard.clone();
            let disk_read = disk_read.clone();
            super::start(async move { read_disk(&shard, &disk_read).await })
        };
        pending.push((disk_read, task));
    }
    let mut records = Vec::with_capacity(reads.len());
    for (disk_read, task) in pending {
        let bytes = task
            .await
            .unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into()))?;
        for read in reads.get(disk_read.reads.clone()).unwrap_or_default() {
            records.push(cut_out(&bytes, &disk_read, read)?);
        }
    }
    Ok(records)
}

async fn read_disk(shard: &ShardHandle, read: &DiskRead) -> io::Result<Bytes> {
    let file = shard.files.holding(read.segment).await?;
    file.read(u64::from(read.offset), read.len as usize).await
}

fn cut_out(bytes: &Bytes, disk_read: &DiskRead, read: &ColdRead) -> io::Result<Bytes> {
    let start = (read.position.offset - disk_read.offset) as usize;
    let end = start + read.len as usize;
    if end > bytes.len() || !verify_cold(read, &bytes[start..end]) {
        let message = format!(
            "the batch at offset {} is damaged: segment {} of WAL {}, byte {}; see `corelane inspect wal`",
            read.base_offset,
            read.position.segment.sequence,
            read.position.segment.wal,
            read.position.offset,
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(bytes.slice(start..end))
}

/// Gives the segments of some reads free again, however the reads end.
struct Pins<'a> {
    shard: &'a ShardHandle,
    reads: &'a [ColdRead],
}

impl Drop for Pins<'_> {
    fn drop(&mut self) {
        self.shard.with(|core, _| {
            self.reads
                .iter()
                .for_each(|read| core.on_read_done(read.position.segment));
        });
    }
}

//! Carrying out fetch plans: what is in memory goes along uncopied, what is not is read
//! from the WAL's files, neighbours together, whichever partitions they belong to, and
//! several reads at the same time.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::rc::Rc;

use bytes::Bytes;

use super::handle::ShardHandle;
use crate::base::limits::{
    COLD_READ_BYTES_MAX, COLD_READ_GAP_BYTES_MAX, COLD_READS_IN_FLIGHT_MAX,
    READ_AHEAD_IN_FLIGHT_MAX,
};
use crate::kafka::ErrorCode;
use crate::partition::{ColdRead, DiskRead, Piece, group_cold, verify_cold};
use crate::shard::{FetchPlan, FetchResult};

/// Who wants the data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Urgency {
    /// Somebody waits for it.
    Now,
    /// Nobody yet.
    Ahead,
}

/// Reads what the plans name.
pub async fn carry_out(shard: &ShardHandle, plans: Vec<FetchPlan>) -> Vec<FetchResult> {
    let mut reads = Vec::new();
    for (of, plan) in plans.iter().enumerate() {
        reads.extend(plan.pieces.iter().filter_map(|piece| match piece {
            Piece::Cold(read) => Some((of, *read)),
            Piece::Tail(_) => None,
        }));
    }
    let mut found = Vec::new();
    if !reads.is_empty() {
        let _pins = Pins::new(shard, reads.iter().map(|(_, read)| *read).collect());
        found = read_batches(shard, &reads, Urgency::Now).await;
    }
    let mut found = found.into_iter();
    plans
        .into_iter()
        .map(|plan| fill(plan, &mut found))
        .collect()
}

/// Fills in the records; `found` has the cold ones of this plan next.
fn fill(plan: FetchPlan, found: &mut impl Iterator<Item = io::Result<Bytes>>) -> FetchResult {
    let mut result = plan.result;
    let mut failed = None;
    for piece in plan.pieces {
        let bytes = match piece {
            Piece::Tail(bytes) => Ok(bytes),
            Piece::Cold(_) => found.next().unwrap_or_else(|| Err(interrupted())),
        };
        match bytes {
            Ok(bytes) => result.records.push(bytes),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        None => result,
        Some(error) => {
            tracing::error!(%error, "reading records from the WAL failed");
            FetchResult::error(ErrorCode::KAFKA_STORAGE_ERROR)
        }
    }
}

/// Reads whole batches, each verified, and gives them in the order of `reads`. Each comes with
/// a number; what is read at the same time for the same number shares its memory. The
/// segments must be pinned.
pub async fn read_batches(
    shard: &ShardHandle,
    reads: &[(usize, ColdRead)],
    urgency: Urgency,
) -> Vec<io::Result<Bytes>> {
    let mut order: Vec<usize> = (0..reads.len()).collect();
    order.sort_by_key(|&at| reads.get(at).map(|(_, read)| read.position));
    let sorted: Rc<[(usize, ColdRead)]> = order.iter().map(|&at| reads[at]).collect();
    let cold: Vec<ColdRead> = sorted.iter().map(|(_, read)| *read).collect();
    let groups = group_cold(&cold, COLD_READ_GAP_BYTES_MAX, COLD_READ_BYTES_MAX);
    let mut found: Vec<io::Result<Bytes>> = reads.iter().map(|_| Err(interrupted())).collect();
    let mut keep = |first: usize, batches: Vec<io::Result<Bytes>>| {
        for (&at, batch) in order.iter().skip(first).zip(batches) {
            found[at] = batch;
        }
    };
    // A few at a time: a consumer that is far behind must not keep the disk from the others.
    let in_flight_max = match urgency {
        Urgency::Now => COLD_READS_IN_FLIGHT_MAX,
        Urgency::Ahead => READ_AHEAD_IN_FLIGHT_MAX,
    };
    let mut under_way = VecDeque::new();
    for group in groups {
        if under_way.len() == in_flight_max
            && let Some((first, task)) = under_way.pop_front()
        {
            keep(first, ended(task).await);
        }
        let (shard, sorted) = (shard.clone(), sorted.clone());
        let first = group.reads.start;
        let task = super::start(async move { read_group(&shard, &group, &sorted).await });
        under_way.push_back((first, task));
    }
    for (first, task) in under_way {
        keep(first, ended(task).await);
    }
    found
}

async fn ended(
    task: impl Future<Output = Option<Vec<io::Result<Bytes>>>>,
) -> Vec<io::Result<Bytes>> {
    task.await.unwrap_or_default()
}

/// Makes one disk read and takes the batches out of it.
async fn read_group(
    shard: &ShardHandle,
    group: &DiskRead,
    sorted: &[(usize, ColdRead)],
) -> Vec<io::Result<Bytes>> {
    let wanted = sorted.get(group.reads.clone()).unwrap_or_default();
    // Waiting here holds up this reader only, and it holds none itself meanwhile.
    let _units = shard.cold_units.take(u64::from(group.len)).await;
    let read = async {
        let file = shard.files.holding(group.segment).await?;
        file.read(u64::from(group.offset), group.len as usize).await
    };
    match read.await {
        Ok(bytes) => take_out(&bytes, group.offset, wanted),
        Err(error) => {
            let again = || io::Error::new(error.kind(), error.to_string());
            wanted.iter().map(|_| Err(again())).collect()
        }
    }
}

/// Copies what is wanted: what was read along with it is not kept.
fn take_out(bytes: &[u8], offset: u32, wanted: &[(usize, ColdRead)]) -> Vec<io::Result<Bytes>> {
    let batches: Vec<io::Result<&[u8]>> = wanted
        .iter()
        .map(|(_, read)| verified(bytes, offset, read))
        .collect();
    let mut owners: Vec<usize> = wanted.iter().map(|(owner, _)| *owner).collect();
    owners.sort_unstable();
    owners.dedup();
    let at = |owner: usize| owners.partition_point(|of| *of < owner);
    let mut lens = vec![0; owners.len()];
    for ((owner, _), batch) in wanted.iter().zip(&batches) {
        lens[at(*owner)] += batch.as_ref().map_or(0, |batch| batch.len());
    }
    let mut kept: Vec<Vec<u8>> = lens.into_iter().map(Vec::with_capacity).collect();
    for ((owner, _), batch) in wanted.iter().zip(&batches) {
        kept[at(*owner)].extend_from_slice(batch.as_ref().map_or(&[], |batch| batch));
    }
    let mut kept: Vec<Bytes> = kept.into_iter().map(Bytes::from).collect();
    let places = wanted.iter().zip(batches);
    places
        .map(|((owner, _), batch)| batch.map(|batch| kept[at(*owner)].split_to(batch.len())))
        .collect()
}

fn verified<'a>(bytes: &'a [u8], offset: u32, read: &ColdRead) -> io::Result<&'a [u8]> {
    let start = (read.position.offset - offset) as usize;
    let batch = bytes.get(start..start + read.len as usize);
    batch
        .filter(|batch| verify_cold(read, batch))
        .ok_or_else(|| {
            let message = format!(
                "the batch at offset {} is damaged: segment {} of WAL {}, byte {}; see `corelane inspect wal`",
                read.base_offset,
                read.position.segment.sequence,
                read.position.segment.wal,
                read.position.offset,
            );
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
}

fn interrupted() -> io::Error {
    io::ErrorKind::Interrupted.into()
}

/// Gives the segments of some reads free again, however the reads end.
pub struct Pins<'a> {
    shard: &'a ShardHandle,
    reads: Vec<ColdRead>,
}

impl<'a> Pins<'a> {
    /// For `reads`, whose segments the core has pinned.
    pub fn new(shard: &'a ShardHandle, reads: Vec<ColdRead>) -> Pins<'a> {
        Pins { shard, reads }
    }
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

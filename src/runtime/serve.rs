//! Carrying out requests on the shard that owns what they are about: the core decides,
//! this waits for disks, deadlines and durability.

use futures_lite::future;

use super::handle::ShardHandle;
use super::steps::step;
use super::{ahead, catalog, groups, lookup, read, sleep_ms, watch};
use crate::base::{Lsn, TopicPartition};
use crate::kafka::ErrorCode;
use crate::shard::{
    Appended, Blocked, FetchRead, FetchResult, Hold, ProduceEntry, ProduceResult, Shard,
    ShardReply, ShardRequest, Wait,
};

/// Pause between two tries while the disk budget is used up, milliseconds.
const FULL_RETRY_MS: u64 = 20;

/// Answers a request about what this shard owns, once the answer is durable.
pub async fn answer(shard: &ShardHandle, request: ShardRequest) -> ShardReply {
    match request {
        ShardRequest::Produce(entries) => {
            let (results, lsn) = append_all(shard, entries).await;
            shard.durable(lsn).await;
            ShardReply::Produce(results)
        }
        ShardRequest::Fetch(request) => ShardReply::Fetch(read(shard, request).await),
        // Others' watches begin in the mailbox, and this shard ends its own by dropping them.
        ShardRequest::Watch(request) => {
            if let Some(watching) = watch::begin(shard, request, None) {
                watching.ended().await;
            }
            ShardReply::Done
        }
        ShardRequest::Unwatch(_) => ShardReply::Done,
        ShardRequest::ListOffsets(entries) => {
            ShardReply::ListOffsets(lookup::list_offsets(shard, &entries).await)
        }
        ShardRequest::DeleteRecords(requests) => {
            ShardReply::DeleteRecords(delete_records(shard, &requests).await)
        }
        ShardRequest::EpochEnd(entries) => {
            ShardReply::EpochEnd(shard.look(|core| core.epoch_ends(&entries)))
        }
        ShardRequest::DescribeProducers(partitions) => {
            ShardReply::DescribeProducers(shard.look(|core| core.describe_producers(&partitions)))
        }
        ShardRequest::LogSizes(partitions) => ShardReply::LogSizes(
            shard.look(|core| partitions.iter().map(|tp| core.log_size(*tp)).collect()),
        ),
        ShardRequest::Catalog(request) => match catalog::change(shard, request).await {
            Some(reply) => ShardReply::Catalog(reply),
            None => ShardReply::Done,
        },
        ShardRequest::ApplyCatalog(records) => {
            catalog::apply(shard, &records);
            ShardReply::Done
        }
        ShardRequest::Group { partition, request } => {
            ShardReply::Group(groups::ask(shard, partition, request).await)
        }
        ShardRequest::ReleaseSegment(segment) => {
            shard.with(|core, _| core.on_segment_released(segment));
            ShardReply::Done
        }
        ShardRequest::Shutdown => {
            shard.begin_stop();
            ShardReply::Done
        }
    }
}

/// Moves log starts, which are durable when this returns.
async fn delete_records(
    shard: &ShardHandle,
    requests: &[(TopicPartition, i64)],
) -> Vec<Result<i64, ErrorCode>> {
    let mut results = Vec::with_capacity(requests.len());
    let mut last = Lsn::default();
    for &(tp, offset) in requests {
        let mut hold = Hold::deletion(shard.now());
        let result = loop {
            match shard.with(|core, _| core.delete_records(tp, offset)) {
                Ok(result) => break result,
                Err(blocked) => match hold.next(shard.now(), blocked) {
                    Wait::Disk | Wait::Room => wait_for_disk(shard).await,
                    Wait::Refuse => break Err(ErrorCode::KAFKA_STORAGE_ERROR),
                },
            }
        };
        results.push(result.map(|(log_start, lsn)| {
            last = last.max(lsn);
            log_start
        }));
    }
    shard.durable(last).await;
    step!("records.deleted");
    results
}

/// Appends one batch, held back while there is no room: briefly when the disk is behind,
/// up to the client's timeout when the disk budget is used up. The result may leave once
/// the LSN is durable.
pub async fn append(
    shard: &ShardHandle,
    entry: &ProduceEntry,
    timeout_ms: i32,
) -> (ProduceResult, Lsn) {
    append_within(shard, entry, Hold::produce(timeout_ms)).await
}

/// Appends one batch after the other, as if another shard had forwarded them.
async fn append_all(shard: &ShardHandle, entries: Vec<ProduceEntry>) -> (Vec<ProduceResult>, Lsn) {
    let mut results = Vec::with_capacity(entries.len());
    let mut after = Lsn::default();
    for entry in entries {
        let (result, lsn) = append_within(shard, &entry, Hold::forwarded()).await;
        results.push(result);
        after = after.max(lsn);
    }
    (results, after)
}

async fn append_within(
    shard: &ShardHandle,
    entry: &ProduceEntry,
    mut hold: Hold,
) -> (ProduceResult, Lsn) {
    loop {
        match try_append(shard, entry, &mut hold) {
            Attempt::Done(result, after) => return (result, after),
            Attempt::Wait(Blocked::Busy) => wait_for_disk(shard).await,
            Attempt::Wait(Blocked::Full) => sleep_ms(FULL_RETRY_MS).await,
        }
    }
}

/// What came of a try to append a batch.
pub(super) enum Attempt {
    /// It is appended, or refused for good.
    Done(ProduceResult, Lsn),
    /// It is worth another try, after a while.
    Wait(Blocked),
}

/// Tries to append a batch, which is held back no longer than `hold` allows.
pub(super) fn try_append(shard: &ShardHandle, entry: &ProduceEntry, hold: &mut Hold) -> Attempt {
    let blocked = match shard.with(|core, now| core.append(now, entry.tp, &entry.batch)) {
        Ok(Appended { result, after }) => return Attempt::Done(result, after),
        Err(blocked) => blocked,
    };
    match hold.next(shard.now(), blocked) {
        Wait::Disk => Attempt::Wait(Blocked::Busy),
        // Nothing makes room any more in a stop, which waits for this answer.
        Wait::Room if !shard.stopping.get() => Attempt::Wait(Blocked::Full),
        Wait::Room | Wait::Refuse => Attempt::Done(shard.look(Shard::no_room), Lsn::default()),
    }
}

/// Waits until a write under way has ended, or a moment if none is.
pub(super) async fn wait_for_disk(shard: &ShardHandle) {
    let next = shard.gate.durable().next();
    future::or(shard.durable(next), sleep_ms(FULL_RETRY_MS)).await;
}

/// Reads what is there now. While the response is sent, what its consumer will want next is
/// read ahead.
pub async fn read(shard: &ShardHandle, request: FetchRead) -> Vec<FetchResult> {
    ahead::ready(shard, &request).await;
    let plans = shard.with(|core, now| core.fetch(now, &request));
    let results = read::carry_out(shard, plans).await;
    ahead::begin(shard);
    results
}

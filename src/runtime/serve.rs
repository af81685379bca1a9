//! Carrying out requests on the shard that owns what they are about: the core decides,
//! this waits for disks, deadlines and durability.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use futures_lite::future;

use super::handle::ShardHandle;
use super::steps::step;
use super::{ahead, catalog, groups, lookup, read, sleep_ms};
use crate::base::{Lsn, TopicPartition};
use crate::kafka::ErrorCode;
use crate::shard::{
    Appended, FetchRead, FetchResult, Hold, ProduceEntry, ProduceResult, Shard, ShardReply,
    ShardRequest, Wait, WaiterId, Watch,
};

/// Pause between two tries while the disk budget is used up, milliseconds.
const FULL_RETRY_MS: u64 = 20;

/// Answers a request about what this shard owns, once the answer is durable.
pub async fn answer(shard: &ShardHandle, request: ShardRequest) -> ShardReply {
    match request {
        ShardRequest::Produce(entries) => {
            let (results, lsn) = append_forwarded(shard, entries).await;
            shard.durable(lsn).await;
            ShardReply::Produce(results)
        }
        ShardRequest::Fetch(request) => ShardReply::Fetch(read(shard, request).await),
        ShardRequest::Watch(request) => {
            watch(shard, &request).await;
            ShardReply::Done
        }
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

/// Appends what another shard forwarded.
pub async fn append_forwarded(
    shard: &ShardHandle,
    entries: Vec<ProduceEntry>,
) -> (Vec<ProduceResult>, Lsn) {
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
        let blocked = match shard.with(|core, now| core.append(now, entry.tp, &entry.batch)) {
            Ok(Appended { result, after }) => return (result, after),
            Err(blocked) => blocked,
        };
        match hold.next(shard.now(), blocked) {
            Wait::Disk => wait_for_disk(shard).await,
            // Nothing makes room any more, and the stop waits for this answer.
            Wait::Room if shard.stopping.get() => {
                return (shard.look(Shard::no_room), Lsn::default());
            }
            Wait::Room => sleep_ms(FULL_RETRY_MS).await,
            Wait::Refuse => return (shard.look(Shard::no_room), Lsn::default()),
        }
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

/// Waits for news in partitions of this shard, or until the time is up or the broker stops.
pub async fn watch(shard: &ShardHandle, request: &Watch) {
    if shard.stopping.get() {
        return;
    }
    let Some(waiter) = shard.with(|core, _| core.watch(request)) else {
        return;
    };
    shard.woken.borrow_mut().insert(waiter, Wake::Waiting(None));
    let _end = EndWatch {
        shard,
        request,
        waiter,
    };
    let woken = poll_fn(|cx| match shard.woken.borrow_mut().get_mut(&waiter) {
        Some(Wake::Waiting(waker)) => {
            *waker = Some(cx.waker().clone());
            Poll::Pending
        }
        Some(Wake::Woken) | None => Poll::Ready(()),
    });
    future::or(woken, sleep_ms(request.wait_ms)).await;
}

/// How far a long poll has come.
#[derive(Debug)]
pub enum Wake {
    /// Its task sleeps.
    Waiting(Option<std::task::Waker>),
    /// There is news.
    Woken,
}

impl Wake {
    /// There is news, or an end: its task goes on.
    pub fn wake(&mut self) {
        if let Wake::Waiting(Some(waker)) = std::mem::replace(self, Wake::Woken) {
            waker.wake();
        }
    }
}

/// Ends a watch however its task ends.
struct EndWatch<'a> {
    shard: &'a ShardHandle,
    request: &'a Watch,
    waiter: WaiterId,
}

impl Drop for EndWatch<'_> {
    fn drop(&mut self) {
        self.shard.woken.borrow_mut().remove(&self.waiter);
        self.shard
            .with(|core, _| core.unwatch(self.waiter, self.request));
    }
}

/// Waits for any news in partitions of several shards, or until the time is up.
pub async fn watch_owners(shard: &ShardHandle, seen: Vec<(TopicPartition, i64)>, wait_ms: u64) {
    let mut shares: std::collections::BTreeMap<_, Vec<_>> = std::collections::BTreeMap::new();
    for entry in seen {
        shares.entry(shard.owner(entry.0)).or_default().push(entry);
    }
    let mut watches: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for (owner, entries) in shares {
        let request = Watch {
            entries,
            bytes: 1,
            wait_ms,
        };
        let shard = shard.clone();
        watches.push(Box::pin(async move {
            if owner == shard.id() {
                watch(&shard, &request).await;
            } else {
                shard.ask(owner, ShardRequest::Watch(request)).await;
            }
        }));
    }
    let any = poll_fn(|cx| {
        let ready = watches
            .iter_mut()
            .any(|watch| watch.as_mut().poll(cx).is_ready());
        if ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    future::or(any, sleep_ms(wait_ms)).await;
}

//! Reading ahead: carries out what the core thinks consumers will want next, and lets
//! a fetch that comes early wait for it. A read ahead that fails is as if it had not been:
//! whoever wants the data reads it and is told.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use super::handle::ShardHandle;
use super::read::{Urgency, read_batches};
use crate::partition::ColdRead;
use crate::shard::{FetchRead, ReadAhead};

/// Begins what there is reason and memory for; it goes on by itself.
pub fn begin(shard: &ShardHandle) {
    while let Some(ahead) = shard.with(|core, _| core.poll_read_ahead()) {
        let shard = shard.clone();
        super::spawn(async move { carry_out(&shard, ahead).await });
    }
}

async fn carry_out(shard: &ShardHandle, ahead: ReadAhead) {
    let runs = ahead.run_lens().enumerate();
    let owners = runs.flat_map(|(run, len)| std::iter::repeat_n(run, len));
    let reads: Vec<(usize, ColdRead)> = owners.zip(ahead.reads().iter().copied()).collect();
    let found = read_batches(shard, &reads, Urgency::Ahead).await;
    let found = found
        .into_iter()
        .map(|result| match result {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                tracing::debug!(%error, "reading ahead failed");
                None
            }
        })
        .collect();
    shard.with(|core, now| core.on_read_ahead(now, ahead, found));
    let waiting = std::mem::take(&mut *shard.await_ahead.borrow_mut());
    waiting.into_iter().for_each(Waker::wake);
    // Others may have had to wait for this one's memory.
    begin(shard);
}

/// Resolves when nothing that `request` wants is being read ahead any more.
pub async fn ready(shard: &ShardHandle, request: &FetchRead) {
    poll_fn(|cx| {
        if !shard.look(|core| core.is_reading_ahead_for(request)) {
            return Poll::Ready(());
        }
        shard.await_ahead.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

//! The catalogue's changes, step by step: decided, appended, durable, replayed here and on
//! every other shard, and only then answered. Rewriting its log takes the same way. The
//! driver runs one task after the other, never two at a time.

use std::collections::VecDeque;

use bytes::Bytes;

use super::catalog_log::CatalogChange;
use super::state::Shard;
use crate::base::mark::mark;
use crate::base::{Lsn, Now, TopicId};
use crate::catalog::{CatalogReply, CatalogRequest, DecodeError};

/// What a task waits for.
#[derive(Debug)]
pub enum CatalogStep {
    /// The WAL has no room: step again after a pause.
    Retry,
    /// Step again once this is durable.
    Durable(Lsn),
    /// Step again once every other shard has replayed these.
    Publish(Vec<Bytes>),
    /// It is over; a change has an answer.
    Done(Option<CatalogReply>),
}

/// One change of the catalogue, or the rewriting of its log.
#[derive(Debug)]
pub struct CatalogTask {
    stage: Stage,
    batches: VecDeque<Bytes>,
    records: Vec<Bytes>,
    reply: Option<CatalogReply>,
    /// Topics that are to be compacted from now on, which the broker does not do: whoever runs
    /// it is to be told when the task is over.
    pub newly_compacted: Vec<String>,
    after: Lsn,
    /// Where the rewritten log begins.
    trim_to: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Append,
    Replay,
    Answer,
}

impl CatalogTask {
    /// Decides `request`. Shard 0 only, and never while another task is under way.
    pub fn change(
        shard: &Shard,
        now: Now,
        fresh_ids: &mut dyn FnMut() -> TopicId,
        request: &CatalogRequest,
    ) -> CatalogTask {
        let CatalogChange {
            reply,
            records,
            newly_compacted,
            batches,
        } = shard.decide_catalog(now, fresh_ids, request);
        CatalogTask {
            stage: Stage::Append,
            batches: batches.into(),
            records,
            reply: Some(reply),
            newly_compacted,
            after: Lsn::default(),
            trim_to: None,
        }
    }

    /// Writes the catalogue again at the end of its log and drops what came before, so that
    /// the segments with its old records can be reclaimed.
    pub fn rewrite(shard: &Shard, now: Now) -> CatalogTask {
        CatalogTask {
            stage: Stage::Append,
            batches: shard.snapshot_catalog(now).into(),
            records: Vec::new(),
            reply: None,
            newly_compacted: Vec::new(),
            after: Lsn::default(),
            trim_to: Some(shard.catalog_end()),
        }
    }

    /// Goes on as far as it can.
    ///
    /// # Errors
    /// Its own records do not decode: nothing can be trusted any more.
    pub fn step(&mut self, shard: &mut Shard, now: Now) -> Result<CatalogStep, DecodeError> {
        match self.stage {
            Stage::Append => {
                while let Some(batch) = self.batches.front() {
                    let Ok((_, lsn)) = shard.append_catalog(now, batch) else {
                        mark!("shard.catalog.no-room");
                        return Ok(CatalogStep::Retry);
                    };
                    self.after = lsn;
                    self.batches.pop_front();
                }
                self.stage = Stage::Replay;
                Ok(CatalogStep::Durable(self.after))
            }
            Stage::Replay => {
                self.stage = Stage::Answer;
                if let Some(offset) = self.trim_to {
                    shard.trim_catalog(offset);
                    shard.rewriting_catalog = false;
                }
                shard.apply_catalog(&self.records)?;
                Ok(CatalogStep::Publish(std::mem::take(&mut self.records)))
            }
            Stage::Answer => Ok(CatalogStep::Done(self.reply.take())),
        }
    }
}

//! Reading: from the tail where it is in memory, else a plan of what to read from
//! which segments. Nothing beyond the high watermark is ever given out.

use super::request::{FetchEntry, FetchRead, FetchResult, Watch};
use super::state::Shard;
use super::waiters::WaiterId;
use crate::base::{Now, SegmentId};
use crate::kafka::ErrorCode;
use crate::partition::{EpochError, Piece};

/// What to give for one partition of a fetch.
#[derive(Debug)]
pub struct FetchPlan {
    /// The result, with its records still to be filled in from `pieces`.
    pub result: FetchResult,
    /// Where the records are, in offset order. The segments of cold ones stay as they are
    /// until [`Shard::on_read_done`].
    pub pieces: Vec<Piece>,
}

impl Shard {
    /// Plans a read. Segments that must be read are pinned; each cold piece is to be
    /// reported with [`Shard::on_read_done`] when its read has ended.
    pub fn fetch(&mut self, now: Now, read: &FetchRead) -> Vec<FetchPlan> {
        let mut left = read.max_bytes;
        let mut nothing_yet = read.first_whole;
        let mut plans = Vec::with_capacity(read.entries.len());
        for entry in &read.entries {
            let plan = match self.fetch_partition(now, entry, left, nothing_yet) {
                Ok(plan) => plan,
                Err(error) => self.fetch_error(entry, error),
            };
            let bytes: usize = plan.pieces.iter().map(Piece::len).sum();
            nothing_yet &= bytes == 0;
            left = left.saturating_sub(bytes);
            plans.push(plan);
        }
        plans
    }

    /// A cold piece in `segment` was read, or its read has failed.
    pub fn on_read_done(&mut self, segment: SegmentId) {
        if self.needs.unpin(segment) {
            self.give_back(segment);
        }
    }

    fn fetch_partition(
        &mut self,
        now: Now,
        entry: &FetchEntry,
        left: usize,
        nothing_yet: bool,
    ) -> Result<FetchPlan, ErrorCode> {
        let log = &self.held(entry.tp)?.log;
        log.check_leader_epoch(entry.current_leader_epoch)
            .map_err(epoch_error)?;
        let mut result = FetchResult {
            error: ErrorCode::NONE,
            high_watermark: log.high_watermark(),
            last_stable_offset: log.last_stable(),
            log_start_offset: log.log_start(),
            diverging: None,
            records: Vec::new(),
            cut_short: false,
        };
        let divergence = log.check_divergence(entry.last_fetched_epoch, entry.offset);
        if let Some(end) = divergence.map_err(|_| ErrorCode::OFFSET_OUT_OF_RANGE)? {
            result.diverging = Some((end.epoch, end.end_offset));
            return Ok(FetchPlan {
                result,
                pieces: Vec::new(),
            });
        }
        let max_bytes = entry.max_bytes.min(left);
        let plan = log.plan_read(entry.offset, max_bytes, nothing_yet);
        let mut plan = plan.map_err(|_| ErrorCode::OFFSET_OUT_OF_RANGE)?;
        result.cut_short = left < entry.max_bytes && plan.next_offset < result.high_watermark;
        // What is on disk comes before what is in memory.
        if let Some(Piece::Cold(_)) = plan.pieces.first() {
            let stays_cold = log.is_cold(plan.next_offset);
            let next = stays_cold.then_some((entry.tp, plan.next_offset));
            let sequential = self
                .readers
                .arrive((entry.tp, entry.offset), &mut plan.pieces);
            if let Some(next) = next {
                self.readers
                    .expect(now.mono_ms, next, sequential, max_bytes);
            }
        }
        if let Some(position) = plan.first_position {
            self.tail.on_read(now.mono_ms, position);
        }
        for piece in &plan.pieces {
            if let Piece::Cold(cold) = piece {
                self.needs.pin(cold.position.segment);
            }
        }
        Ok(FetchPlan {
            result,
            pieces: plan.pieces,
        })
    }

    fn fetch_error(&self, entry: &FetchEntry, error: ErrorCode) -> FetchPlan {
        let mut result = FetchResult::error(error);
        // Where the log begins and ends helps a client whose offset is out of range.
        if let Ok(held) = self.held(entry.tp) {
            result.high_watermark = held.log.high_watermark();
            result.last_stable_offset = held.log.last_stable();
            result.log_start_offset = held.log.log_start();
        }
        FetchPlan {
            result,
            pieces: Vec::new(),
        }
    }

    /// Begins a long poll; `None` when there is news already.
    pub fn watch(&mut self, watch: &Watch) -> Option<WaiterId> {
        // What came while the request was on its way counts, but is no reason to look again for
        // a few bytes: where records come all the time, that would be always.
        let mut missing = watch.bytes.max(1);
        for &(tp, seen) in &watch.entries {
            let log = &self.partitions.get(&tp)?.log;
            if seen < log.log_start() {
                // What came is gone again, which whoever reads there has to be told.
                return None;
            }
            missing = missing.saturating_sub(log.bytes_since(seen, missing));
        }
        if missing == 0 {
            return None;
        }
        let waiter = self.waiters.add(missing);
        for &(tp, _) in &watch.entries {
            if let Some(held) = self.partitions.get_mut(&tp) {
                held.log.register_waiter(waiter);
            }
        }
        Some(waiter)
    }

    /// Ends a long poll, answered or not.
    pub fn unwatch(&mut self, waiter: WaiterId, watch: &Watch) {
        self.waiters.remove(waiter);
        for &(tp, _) in &watch.entries {
            if let Some(held) = self.partitions.get_mut(&tp) {
                held.log.deregister_waiter(waiter);
            }
        }
    }
}

pub(super) fn epoch_error(error: EpochError) -> ErrorCode {
    match error {
        EpochError::Fenced => ErrorCode::FENCED_LEADER_EPOCH,
        EpochError::Unknown => ErrorCode::UNKNOWN_LEADER_EPOCH,
    }
}

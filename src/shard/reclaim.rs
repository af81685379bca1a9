//! Getting room back: records expire or are deleted, log starts move, and a segment
//! in which nothing is live any more is reclaimed. What still matters in such a
//! segment, though it is no data (producers, epochs, the catalogue), is written again
//! at the end of the WAL first.

use std::collections::BTreeMap;

use super::append::Blocked;
use super::segments::SegmentNeeds;
use super::state::{CATALOG_LOG, Shard};
use crate::base::mark::mark;
use crate::base::{Lsn, Now, SegmentId, ShardId, TopicPartition};
use crate::kafka::ErrorCode;
use crate::partition::Released;
use crate::wal::{LiveSegment, Priority, Record};

/// The catalogue is written again when it keeps so many segments that hold nothing else: what
/// is written anew may itself end in one and begin in the next.
const REWRITE_SEGMENTS_MIN: usize = 2;
/// And when that frees this many times what it takes: a large catalogue fills segments of its
/// own, and must not be written over and over.
const REWRITE_GAIN_MIN: usize = 2;

impl Shard {
    /// Looks for expired records and idle producers in all partitions; the log starts that
    /// follow are on their way to the disk then.
    pub fn check_retention(&mut self, now: Now) {
        let expiration_ms = self.config.producer_expiration_ms;
        self.refused.expire(now.mono_ms);
        let mut expired = Vec::new();
        for (&tp, held) in &mut self.partitions {
            let forgotten = held.log.expire_producers(now, expiration_ms);
            self.producers.on_change(forgotten, 0);
            if tp != CATALOG_LOG
                && !held.log_start_pending
                && let Some(offset) = held.log.expired_to(now)
            {
                expired.push((tp, offset));
            }
        }
        // In an order of its own, so that the same history writes the same WAL.
        expired.sort_unstable();
        for (tp, offset) in expired {
            // Without room it is tried again at the next check.
            let _ = self.log_start(tp, offset);
        }
    }

    /// Deletes records below `offset` (KIP-107); -1 is the high watermark. The new log start
    /// holds once the LSN is durable.
    pub fn delete_records(
        &mut self,
        tp: TopicPartition,
        offset: i64,
    ) -> Result<Result<(i64, Lsn), ErrorCode>, Blocked> {
        let log = match self.held(tp) {
            Ok(held) => &held.log,
            Err(error) => return Ok(Err(error)),
        };
        match log.check_delete_records(offset) {
            Err(_) => Ok(Err(ErrorCode::OFFSET_OUT_OF_RANGE)),
            Ok(target) if target <= log.log_start() => Ok(Ok((target, Lsn::default()))),
            Ok(target) => self.log_start(tp, target).map(|lsn| Ok((target, lsn))),
        }
    }

    /// Writes down a log start.
    pub(super) fn log_start(&mut self, tp: TopicPartition, offset: i64) -> Result<Lsn, Blocked> {
        let record = Record::log_start(tp, offset);
        let lsn = self
            .wal
            .append(record, Priority::Internal)
            .map_err(Blocked::from)?;
        self.last_lsn = self.last_lsn.max(lsn);
        if let Some(held) = self.partitions.get_mut(&tp) {
            held.log_start_pending = true;
            held.log.plan_log_start(offset);
        }
        Ok(lsn)
    }

    pub(super) fn on_log_start_durable(
        &mut self,
        tp: TopicPartition,
        offset: i64,
        segment: SegmentId,
    ) {
        let Some(held) = self.partitions.get_mut(&tp) else {
            mark!("shard.durable.log-start-of-deleted-topic");
            return;
        };
        held.log_start_pending = false;
        held.state_since.get_or_insert(segment);
        if offset > held.log.log_start() {
            let released = held.log.advance_log_start(offset);
            self.on_released(released);
        }
    }

    pub(super) fn on_checkpoint_durable(&mut self, tp: TopicPartition, segment: SegmentId) {
        if let Some(held) = self.partitions.get_mut(&tp) {
            held.checkpoint_pending = false;
            held.state_since = Some(segment);
        }
    }

    /// Batches that are gone: their segments may be free now.
    pub(super) fn on_released(&mut self, released: Released) {
        for gone in released.segments {
            self.release(gone.segment, gone.batches);
        }
    }

    /// `batches` batches in `segment` are needed no more.
    pub(super) fn release(&mut self, segment: SegmentId, batches: u64) {
        if self.needs.release(segment, batches) {
            self.give_back(segment);
        }
    }

    /// Tells the keeper of a segment that this shard needs it no more; once, because the
    /// keeper counts who does.
    pub(super) fn give_back(&mut self, segment: SegmentId) {
        let keeper = self.keeper(segment);
        if keeper != self.config.id {
            mark!("shard.reclaim.given-back");
            self.releases.push_back((keeper, segment));
        }
    }

    /// Which shard reclaims a segment: the one that writes its WAL, or for a WAL that no
    /// shard writes any more one that all agree on.
    fn keeper(&self, segment: SegmentId) -> ShardId {
        ShardId(segment.wal % self.config.shards)
    }

    /// Whether there are releases to send.
    pub fn has_releases(&self) -> bool {
        !self.releases.is_empty()
    }

    /// The next segment to give back to its keeper.
    pub fn poll_release(&mut self) -> Option<(ShardId, SegmentId)> {
        self.releases.pop_front()
    }

    /// Another shard needs `segment` of a WAL kept here no more.
    pub fn on_segment_released(&mut self, segment: SegmentId) {
        if let Some(holders) = self.lent.get_mut(&segment) {
            *holders = holders.saturating_sub(1);
            if *holders == 0 {
                mark!("shard.reclaim.last-holder-gone");
                self.lent.remove(&segment);
            }
        }
    }

    /// Reclaims what is free, and writes checkpoints for what keeps segments from being
    /// free. Worth calling now and then, and often while the disk budget is used up.
    /// Whether the catalogue must be written again, by a
    /// [`CatalogTask`](super::CatalogTask::rewrite); not again until that is over.
    pub fn reclaim(&mut self) -> bool {
        self.reclaim_free();
        let begins = !self.rewriting_catalog && self.is_rewriting_worth_it();
        if begins {
            mark!("shard.catalog.rewrite");
            self.rewriting_catalog = true;
        }
        begins
    }

    /// A segment is ready to be written to. Checkpoints that [`Shard::reclaim`] found no room for
    /// come first: others might use it up, and again every one that follows, while nothing is
    /// ever given up.
    pub(super) fn on_room(&mut self) {
        if std::mem::take(&mut self.checkpoints_starved) {
            mark!("shard.reclaim.starved-checkpoints");
            self.reclaim_free();
        }
    }

    pub(super) fn reclaim_free(&mut self) {
        let own: Vec<LiveSegment> = self.wal.live_segments().filter(is_sealed).collect();
        for segment in own {
            if is_free(&self.needs, &self.lent, segment.id) {
                self.reclaim_own(segment.id);
            }
        }
        self.reclaim_adopted();
    }

    fn is_rewriting_worth_it(&self) -> bool {
        let sealed = self.wal.live_segments().filter(is_sealed);
        let kept = sealed.filter(|segment| self.holds_only_catalog(segment.id));
        let (segments, bytes) = kept.fold((0, 0), |(segments, bytes), segment| {
            (segments + 1, bytes + segment.bytes_used as usize)
        });
        segments >= REWRITE_SEGMENTS_MIN && bytes > REWRITE_GAIN_MIN * self.rewriting_bytes()
    }

    fn reclaim_own(&mut self, segment: SegmentId) {
        let mut dependent = false;
        let mut due = Vec::new();
        for (&tp, held) in &self.partitions {
            if held.state_since.is_some_and(|since| since <= segment) {
                dependent = true;
                if !held.checkpoint_pending {
                    due.push(tp);
                }
            }
        }
        due.sort_unstable();
        for tp in due {
            self.checkpoints_starved |= self.checkpoint(tp).is_none();
        }
        if !dependent {
            // A segment whose last blocks are not durable yet is tried again later.
            let _ = self.wal.reclaim(segment);
        }
    }

    fn reclaim_adopted(&mut self) {
        for wal in self.adopted.values_mut() {
            let live = wal.live_segments().map(|segment| segment.id);
            let free = live.filter(|id| is_free(&self.needs, &self.lent, *id));
            for segment in free.collect::<Vec<_>>() {
                mark!("shard.reclaim.adopted");
                let _ = wal.reclaim(segment);
            }
        }
    }

    /// Writes down the state of `tp`; `None` when the WAL has no room even for this.
    pub(super) fn checkpoint(&mut self, tp: TopicPartition) -> Option<Lsn> {
        let held = self.partitions.get_mut(&tp)?;
        let record = Record::partition_state(tp, held.log.checkpoint());
        let Ok(lsn) = self.wal.append(record, Priority::Internal) else {
            mark!("shard.checkpoint.no-room");
            return None;
        };
        held.checkpoint_pending = true;
        self.last_lsn = self.last_lsn.max(lsn);
        Some(lsn)
    }

    fn holds_only_catalog(&self, segment: SegmentId) -> bool {
        let Some(held) = self.partitions.get(&CATALOG_LOG) else {
            return false;
        };
        let uses = held.log.segments();
        let catalog: u64 = uses
            .iter()
            .filter(|u| u.segment == segment)
            .map(|u| u.batches)
            .sum();
        catalog > 0 && catalog == self.needs.batches(segment) && !held.log_start_pending
    }
}

/// Whether no shard has live batches or reads in a segment.
fn is_free(needs: &SegmentNeeds, lent: &BTreeMap<SegmentId, u16>, segment: SegmentId) -> bool {
    !needs.needs(segment) && !lent.contains_key(&segment)
}

fn is_sealed(segment: &LiveSegment) -> bool {
    segment.end_lsn.is_some()
}

//! The front of the log: what has expired (`retention.ms`, `retention.bytes`),
//! what DeleteRecords removes (KIP-107), and what that leaves in each WAL
//! segment. The log start may lie inside a batch; the batch then stays until
//! the log start has passed it.

use crate::base::{Now, SegmentId};

use super::error::ReadError;
use super::index::Stretch;
use super::log::Partition;

/// What advancing the log start let go.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Released {
    /// Per segment, in the order of the log.
    pub segments: Vec<ReleasedSegment>,
    /// Bytes that left the tail.
    pub tail_bytes: usize,
}

/// Batches of one segment that are no longer live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReleasedSegment {
    /// The segment.
    pub segment: SegmentId,
    /// How many batches.
    pub batches: u64,
    /// Their sizes together, without the WAL's own framing.
    pub bytes: u64,
}

/// Live batches in one segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentUse {
    /// The segment.
    pub segment: SegmentId,
    /// How many batches.
    pub batches: u64,
    /// Their sizes together, without the WAL's own framing.
    pub bytes: u64,
}

impl Partition {
    /// The log start offset that retention asks for now, if it is beyond the one planned.
    ///
    /// By time, batches go from the front as long as their largest timestamp is
    /// more than `retention.ms` ago; batches without timestamps go when one
    /// after them does. By size, batches go until the log is within
    /// `retention.bytes`. Only durable batches count and go.
    pub fn expired_to(&self, now: Now) -> Option<i64> {
        if !self.config().expires {
            return None;
        }
        let by_time = self
            .config()
            .retention_ms
            .and_then(|ms| self.expired_by_time(now, ms));
        let by_bytes = self
            .config()
            .retention_bytes
            .and_then(|bytes| self.expired_by_bytes(bytes));
        by_time
            .max(by_bytes)
            .filter(|to| *to > self.planned_log_start)
    }

    /// A batch stays for as long as its header says, and what is behind it with it: a log begins
    /// somewhere. The header's time is its producer's word, so one from the future keeps the log from
    /// expiring, as it does in Kafka, where it keeps its segment and those behind it; how far ahead
    /// it may be is `message.timestamp.after.max.ms`. `retention.bytes` heeds no time.
    fn expired_by_time(&self, now: Now, retention_ms: u64) -> Option<i64> {
        let age_max = i64::try_from(retention_ms).unwrap_or(i64::MAX);
        let horizon = now.wall_ms.saturating_sub(age_max);
        let mut to = None;
        for entry in self.index.iter() {
            if entry.max_timestamp >= horizon {
                break;
            }
            if entry.max_timestamp >= 0 {
                to = Some(entry.last_offset + 1);
            }
        }
        to
    }

    fn expired_by_bytes(&self, retention_bytes: u64) -> Option<i64> {
        let mut excess = self
            .log_bytes()
            .checked_sub(retention_bytes)
            .filter(|bytes| *bytes > 0)?;
        let last = self.index.iter().find(|entry| {
            excess = excess.saturating_sub(u64::from(entry.len));
            excess == 0
        });
        last.map(|entry| entry.last_offset + 1)
    }

    /// The log start offset that DeleteRecords asks for with `offset`; -1 means
    /// the high watermark. Never below the present one.
    pub fn check_delete_records(&self, offset: i64) -> Result<i64, ReadError> {
        let to = if offset == -1 {
            self.high_watermark()
        } else {
            offset
        };
        if to < 0 || to > self.high_watermark() {
            return Err(ReadError::OffsetOutOfRange);
        }
        Ok(to.max(self.log_start()))
    }

    /// Tells that a record with the log start `to` has been given to the WAL.
    /// Readers see it with [`Partition::advance_log_start`], once it is durable;
    /// a checkpoint taken in between must know it, for the WAL may then recycle
    /// the record together with what it deleted.
    ///
    /// # Panics
    /// If `to` is above the high watermark.
    pub fn plan_log_start(&mut self, to: i64) {
        self.planned_log_start = self.planned_log_start.max(to);
        self.assert_invariants();
    }

    /// Moves the log start offset up to `to`; a lower one changes nothing. What
    /// is released must stay on disk until the new log start is durable, or
    /// [`super::Recovery::finish`] will find records missing.
    ///
    /// # Panics
    /// If `to` is above the high watermark.
    pub fn advance_log_start(&mut self, to: i64) -> Released {
        assert!(
            to <= self.high_watermark(),
            "the log start beyond what is durable"
        );
        let released = self.release_below(to);
        self.assert_invariants();
        released
    }

    pub(super) fn release_below(&mut self, to: i64) -> Released {
        let mut released = Released::default();
        if to <= self.log_start {
            return released;
        }
        self.log_start = to;
        self.planned_log_start = self.planned_log_start.max(to);
        released.tail_bytes = self.tail.evict_before(to);
        let segments = &mut released.segments;
        self.index.drop_below(
            to,
            |Stretch {
                 segment,
                 batches,
                 bytes,
             }| match segments.last_mut() {
                Some(last) if last.segment == segment => {
                    last.batches += batches;
                    last.bytes += bytes;
                }
                _ => segments.push(ReleasedSegment {
                    segment,
                    batches,
                    bytes,
                }),
            },
        );
        self.epochs.trim(to);
        released
    }

    /// The live batches per segment, in the order of the log: for counting what
    /// keeps a segment after recovery.
    pub fn segments(&self) -> Vec<SegmentUse> {
        let mut uses: Vec<SegmentUse> = Vec::new();
        for Stretch {
            segment,
            batches,
            bytes,
        } in self.index.stretches()
        {
            match uses.last_mut() {
                Some(last) if last.segment == segment => {
                    last.batches += batches;
                    last.bytes += bytes;
                }
                _ => uses.push(SegmentUse {
                    segment,
                    batches,
                    bytes,
                }),
            }
        }
        uses
    }
}

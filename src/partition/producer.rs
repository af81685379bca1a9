//! One idempotent producer: its last batches, and the arithmetic of sequences.

use crate::base::limits::PRODUCER_BATCHES_KEPT;
use crate::kafka::batch::BatchHeader;

/// One producer's state. It always has at least one batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Producer {
    pub(super) epoch: i16,
    /// Largest timestamp of the last batch, milliseconds.
    pub(super) last_timestamp: i64,
    /// When it last appended, or when the partition was recovered.
    pub(super) active_mono_ms: u64,
    count: u8,
    recent: [RecentBatch; PRODUCER_BATCHES_KEPT],
}

/// A batch that may still be repeated.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct RecentBatch {
    pub(super) last_sequence: i32,
    pub(super) last_offset_delta: i32,
    pub(super) last_offset: i64,
    /// Milliseconds, or -1 for CreateTime.
    pub(super) log_append_time: i64,
}

impl RecentBatch {
    pub(super) fn of(header: &BatchHeader, log_append_time: i64) -> RecentBatch {
        RecentBatch {
            last_sequence: last_sequence(header),
            last_offset_delta: header.last_offset_delta,
            last_offset: header.last_offset(),
            log_append_time,
        }
    }

    pub(super) fn base_offset(&self) -> i64 {
        self.last_offset - i64::from(self.last_offset_delta)
    }
}

impl Producer {
    /// A producer known by one batch.
    pub(super) fn new(epoch: i16, batch: RecentBatch) -> Producer {
        let recent = [batch; PRODUCER_BATCHES_KEPT];
        Producer {
            epoch,
            last_timestamp: -1,
            active_mono_ms: 0,
            count: 1,
            recent,
        }
    }

    /// The batches remembered, oldest first.
    pub(super) fn batches(&self) -> &[RecentBatch] {
        &self.recent[..usize::from(self.count)]
    }

    /// The last batch.
    pub(super) fn last(&self) -> RecentBatch {
        self.recent[usize::from(self.count) - 1]
    }

    /// Remembers one more batch, and forgets the oldest of too many.
    pub(super) fn push(&mut self, batch: RecentBatch) {
        if usize::from(self.count) == PRODUCER_BATCHES_KEPT {
            self.recent.rotate_left(1);
        } else {
            self.count += 1;
        }
        self.recent[usize::from(self.count) - 1] = batch;
    }

    /// The sequence after the last one.
    pub(super) fn next_sequence(&self) -> i32 {
        self.last().last_sequence.checked_add(1).unwrap_or(0)
    }

    /// The remembered batch with the epoch and exactly the sequences of `header`.
    pub(super) fn original_of(&self, header: &BatchHeader) -> Option<RecentBatch> {
        let (last_sequence, delta) = (last_sequence(header), header.last_offset_delta);
        let same = |batch: &&RecentBatch| {
            batch.last_sequence == last_sequence && batch.last_offset_delta == delta
        };
        self.batches()
            .iter()
            .find(same)
            .copied()
            .filter(|_| self.epoch == header.producer_epoch)
    }
}

/// Sequence of the batch's last record. The sequence is not negative, and 0
/// follows `i32::MAX`.
fn last_sequence(header: &BatchHeader) -> i32 {
    let sum = i64::from(header.base_sequence) + i64::from(header.last_offset_delta);
    (sum & i64::from(i32::MAX)) as i32
}

//! Leader epochs (KIP-101, KIP-279): where each began in this log, by which a
//! client finds out whether what it read is still the log (KIP-320). The epoch
//! of a partition is the broker's incarnation, so it rises at every start.

use crate::base::limits::EPOCHS_PER_PARTITION_MAX;

use super::error::{EpochError, ReadError};
use super::log::Partition;

/// The epochs in which something was appended, oldest first; both fields rise.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Epochs {
    starts: Vec<EpochStart>,
}

/// The first offset of an epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct EpochStart {
    pub(super) epoch: i32,
    pub(super) start: i64,
}

/// An epoch and the offset after its last record; both -1 for "unknown".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEnd {
    /// The leader epoch, or -1.
    pub epoch: i32,
    /// The end offset, exclusive, or -1.
    pub end_offset: i64,
}

impl EpochEnd {
    /// Kafka's UNDEFINED_EPOCH and UNDEFINED_EPOCH_OFFSET.
    pub const UNKNOWN: EpochEnd = EpochEnd {
        epoch: -1,
        end_offset: -1,
    };
}

impl Epochs {
    /// Notes that a batch of `epoch` was appended at `offset`.
    pub(super) fn on_append(&mut self, epoch: i32, offset: i64) {
        match self.starts.last() {
            Some(last) if last.epoch == epoch => return,
            Some(last) => assert!(last.epoch < epoch, "the leader epoch went back"),
            None => {}
        }
        // An epoch whose records are all gone gives way to the next.
        while self.starts.last().is_some_and(|last| last.start >= offset) {
            self.starts.pop();
        }
        if self.starts.len() == EPOCHS_PER_PARTITION_MAX {
            self.starts.remove(0);
        }
        self.starts.push(EpochStart {
            epoch,
            start: offset,
        });
    }

    /// Drops the epochs that ended at or below `log_start`; the one that holds
    /// it begins there.
    pub(super) fn trim(&mut self, log_start: i64) {
        let below = self
            .starts
            .partition_point(|entry| entry.start <= log_start);
        if below > 0 {
            self.starts.drain(..below - 1);
            if let Some(first) = self.starts.first_mut() {
                first.start = log_start;
            }
        }
    }

    pub(super) fn last(&self) -> Option<EpochStart> {
        self.starts.last().copied()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = EpochStart> {
        self.starts.iter().copied()
    }

    /// The epochs of a checkpoint, already checked to rise.
    pub(super) fn from_starts(starts: Vec<EpochStart>) -> Epochs {
        Epochs { starts }
    }

    /// The epoch of the record at `offset`.
    fn of(&self, offset: i64) -> Option<i32> {
        let after = self.starts.partition_point(|entry| entry.start <= offset);
        self.starts
            .get(after.checked_sub(1)?)
            .map(|entry| entry.epoch)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.starts.capacity() * size_of::<EpochStart>()
    }
}

impl Partition {
    /// Compares the leader epoch that a request carries with the partition's;
    /// -1 is "not given".
    pub fn check_leader_epoch(&self, current_leader_epoch: i32) -> Result<(), EpochError> {
        match current_leader_epoch {
            -1 => Ok(()),
            epoch if epoch < self.leader_epoch() => Err(EpochError::Fenced),
            epoch if epoch > self.leader_epoch() => Err(EpochError::Unknown),
            _ => Ok(()),
        }
    }

    /// What OffsetForLeaderEpoch answers for `epoch`: the largest epoch not
    /// above it, and where that ended. The current epoch ends at the high
    /// watermark, since nothing beyond it may be seen.
    pub fn end_offset_for(&self, epoch: i32) -> EpochEnd {
        if epoch < 0 || epoch > self.leader_epoch() {
            return EpochEnd::UNKNOWN;
        }
        if epoch == self.leader_epoch() {
            return EpochEnd {
                epoch,
                end_offset: self.high_watermark(),
            };
        }
        let starts = &self.epochs.starts;
        let higher = starts.partition_point(|entry| entry.epoch <= epoch);
        // Until something is appended in it, the current epoch begins at the end.
        let end_offset = starts
            .get(higher)
            .map_or(self.log_end(), |entry| entry.start);
        let floor = higher.checked_sub(1).and_then(|at| starts.get(at));
        EpochEnd {
            epoch: floor.map_or(epoch, |entry| entry.epoch),
            end_offset,
        }
    }

    /// Whether a consumer that last fetched a record of `last_fetched_epoch`
    /// and is now at `fetch_offset` has read what is not in this log (KIP-320):
    /// then the epoch and offset up to which both agree. -1 is "not given".
    pub fn check_divergence(
        &self,
        last_fetched_epoch: i32,
        fetch_offset: i64,
    ) -> Result<Option<EpochEnd>, ReadError> {
        if last_fetched_epoch < 0 {
            return Ok(None);
        }
        let end = self.end_offset_for(last_fetched_epoch);
        if end == EpochEnd::UNKNOWN || fetch_offset < self.log_start() {
            return Err(ReadError::OffsetOutOfRange);
        }
        let diverges = end.epoch < last_fetched_epoch || end.end_offset < fetch_offset;
        Ok(diverges.then_some(end))
    }

    /// The leader epoch of the record at `offset`, or of the next to be
    /// appended; -1 if it is no longer known.
    pub fn epoch_of(&self, offset: i64) -> i32 {
        if offset >= self.log_end() {
            return self.leader_epoch();
        }
        self.epochs.of(offset).unwrap_or(-1)
    }
}

//! Building a partition again from what the WALs hold. Feed everything that
//! belongs to it, ordered by the broker incarnation that wrote it (the leader
//! epoch), then by LSN within the WAL: batches, log starts and checkpoints
//! alike. The result is the state of the partition that wrote them.
//!
//! Segments are recycled in any order once nothing in them is live, so offsets
//! may be missing as long as the log start ends above them.

use thiserror::Error;

use crate::base::mark::mark;
use crate::base::{LogConfig, LogPosition, Now, TopicPartition};
use crate::kafka::batch::BatchHeader;

use super::append;
use super::checkpoint::{Checkpoint, CheckpointError};
use super::index::IndexEntry;
use super::log::Partition;

/// A partition being recovered.
#[derive(Clone, Debug)]
pub struct Recovery {
    partition: Partition,
    /// What stands for the time of what is fed, see [`Recovery::set_clock`].
    clock: u64,
}

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recovered {
    /// It is part of the state.
    Applied,
    /// It says nothing new: below the log start, or seen already.
    Skipped,
}

/// What the WALs hold is not one log. Nothing may be served from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RecoveryError {
    /// A checkpoint that does not decode.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Two different batches claim an offset, or the order of feeding is wrong.
    #[error("a batch at offset {found} where the log already reaches {log_end}")]
    Overlap {
        /// The offset claimed.
        found: i64,
        /// Where the log ends.
        log_end: i64,
    },
    /// A checkpoint of a shorter log than what precedes it.
    #[error("a checkpoint with log end {found} where the log already reaches {log_end}")]
    CheckpointBehind {
        /// The log end in the checkpoint.
        found: i64,
        /// Where the log ends.
        log_end: i64,
    },
    /// The leader epoch went back.
    #[error("leader epoch {found} after {last}")]
    EpochBack {
        /// The epoch found.
        found: i32,
        /// The epoch before it.
        last: i32,
    },
    /// A batch header with impossible fields.
    #[error("a stored batch at offset {0} has an impossible header")]
    Header(i64),
    /// Records that should be there are not.
    #[error("records from offset {log_start} on are missing; the first found is at {found}")]
    Missing {
        /// The log start offset.
        log_start: i64,
        /// The first offset that exists at or after it.
        found: i64,
    },
}

impl Recovery {
    /// Begins with an empty log.
    pub fn new(topic_partition: TopicPartition, config: LogConfig) -> Recovery {
        Recovery {
            partition: Partition::new(topic_partition, config, i32::MAX),
            clock: 0,
        }
    }

    /// Producers of batches fed from here on count as active at `clock`, and those of checkpoints:
    /// any number that grows with the records of the WALs does.
    pub fn set_clock(&mut self, clock: u64) {
        self.clock = clock;
    }

    /// How many producers are remembered so far.
    pub fn producer_count(&self) -> usize {
        self.partition.producer_count()
    }

    /// As [`Partition::active_producers`], by the clock of this recovery.
    pub fn active_producers(&self) -> impl Iterator<Item = (u64, i64)> {
        self.partition.active_producers()
    }

    /// As [`Partition::forget_producer`].
    pub fn forget_producer(&mut self, id: i64) -> bool {
        self.partition.forget_producer(id)
    }

    /// Takes a batch found at `position`; `header` is as stored and its
    /// checksum has been verified.
    pub fn on_batch(
        &mut self,
        header: &BatchHeader,
        position: LogPosition,
    ) -> Result<Recovered, RecoveryError> {
        let base_offset = header.base_offset;
        check_header(header)?;
        let log_end = self.partition.log_end();
        if base_offset < log_end {
            return self.skip_known(header, position);
        }
        if let Some(last) = self.partition.epochs.last()
            && header.leader_epoch < last.epoch
        {
            let (found, last) = (header.leader_epoch, last.epoch);
            return Err(RecoveryError::EpochBack { found, last });
        }
        if base_offset > log_end {
            // What lies between was recycled; `finish` checks that it may.
            mark!("partition.recovery.gap");
            self.partition.skip_to(base_offset);
        }
        self.partition.take_offsets(header);
        self.partition
            .producers
            .apply(header, append::log_append_time(header), self.clock);
        self.partition.recover_entry(IndexEntry {
            base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.newest_timestamp(),
            position,
            len: header.total_bytes() as u32,
        });
        Ok(Recovered::Applied)
    }

    fn skip_known(
        &self,
        header: &BatchHeader,
        position: LogPosition,
    ) -> Result<Recovered, RecoveryError> {
        let found = header.base_offset;
        let same = |entry: IndexEntry| {
            entry.base_offset == found
                && entry.last_offset == header.last_offset()
                && entry.position == position
        };
        let below = header.last_offset() < self.partition.log_start();
        if below
            || self
                .partition
                .index
                .starting_at(found)
                .next()
                .is_some_and(same)
        {
            return Ok(Recovered::Skipped);
        }
        Err(RecoveryError::Overlap {
            found,
            log_end: self.partition.log_end(),
        })
    }

    /// Takes a log start offset that was recorded.
    pub fn on_log_start(&mut self, offset: i64) -> Recovered {
        if offset <= self.partition.log_start() {
            mark!("partition.recovery.log-start-known");
            return Recovered::Skipped;
        }
        if offset > self.partition.log_end() {
            // It was durable when the log start moved there; it is gone since.
            mark!("partition.recovery.log-start-beyond-end");
            self.partition.skip_to(offset);
        }
        self.partition.release_below(offset);
        Recovered::Applied
    }

    /// Takes a checkpoint ([`Partition::checkpoint`]).
    pub fn on_checkpoint(&mut self, bytes: &[u8]) -> Result<Recovered, RecoveryError> {
        let Checkpoint {
            log_start,
            log_end,
            epochs,
            producers,
        } = Checkpoint::decode(bytes)?;
        let ours = self.partition.log_end();
        if log_end < ours {
            return Err(RecoveryError::CheckpointBehind {
                found: log_end,
                log_end: ours,
            });
        }
        if let (Some(last), Some(found)) = (self.partition.epochs.last(), epochs.last())
            && found.epoch < last.epoch
        {
            let (found, last) = (found.epoch, last.epoch);
            return Err(RecoveryError::EpochBack { found, last });
        }
        if log_end > ours {
            mark!("partition.recovery.checkpoint-beyond-end");
            self.partition.skip_to(log_end);
        }
        self.partition.release_below(log_start);
        self.partition.epochs = epochs;
        self.partition.epochs.trim(self.partition.log_start());
        self.partition.producers = producers;
        self.partition.producers.touch_all(self.clock);
        Ok(Recovered::Applied)
    }

    /// Log start offset, as far as it has been fed.
    pub fn log_start(&self) -> i64 {
        self.partition.log_start()
    }

    /// Where the log ends, as far as it has been fed.
    pub fn log_end(&self) -> i64 {
        self.partition.log_end()
    }

    /// The partition, ready to lead in `leader_epoch`. Producers count as
    /// active `now`: when they really were is not known.
    pub fn finish(mut self, leader_epoch: i32, now: Now) -> Result<Partition, RecoveryError> {
        if let Some(last) = self.partition.epochs.last()
            && leader_epoch < last.epoch
        {
            let (found, last) = (leader_epoch, last.epoch);
            return Err(RecoveryError::EpochBack { found, last });
        }
        let log_start = self.partition.log_start();
        let found = self
            .partition
            .index
            .first_offset()
            .unwrap_or(self.partition.log_end());
        if found > log_start {
            return Err(RecoveryError::Missing { log_start, found });
        }
        self.partition.begin_epoch(leader_epoch);
        self.partition.producers.touch_all(now.mono_ms);
        self.partition.assert_invariants();
        Ok(self.partition)
    }
}

/// The WAL's checksum says that the bytes are ours, not that they make sense.
fn check_header(header: &BatchHeader) -> Result<(), RecoveryError> {
    let delta = header.last_offset_delta;
    let end = header
        .base_offset
        .checked_add(i64::from(delta))
        .and_then(|o| o.checked_add(1));
    let impossible = header.base_offset < 0
        || delta < 0
        || end.is_none()
        || header.leader_epoch < 0
        || (header.has_producer() && header.producer_epoch < 0);
    if impossible {
        Err(RecoveryError::Header(header.base_offset))
    } else {
        Ok(())
    }
}

//! Appending in two steps: [`Partition::check`] decides without changing
//! anything, so that the shard can look for room in the WAL, and
//! [`Partition::commit`] assigns the offsets.

use bytes::{Buf, Bytes};

use crate::base::{Now, TimestampType, checksum};
use crate::kafka::batch::{BatchHeader, CRC_COVER_START, HEADER_BYTES, LOG_APPEND_TIME_BIT};

use super::error::AppendError;
use super::log::Partition;
use super::producers::{ProducerBatch, Sequenced};
use super::{timestamp_bounds, validate};

/// Who appends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A Produce request: everything is checked.
    Client,
    /// The broker itself (catalogue, coordinators): shape and checksum are
    /// checked, sequence numbers, timestamps and `max.message.bytes` are not.
    Internal,
}

/// What [`Partition::check`] found.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// A new batch: [`Partition::commit`] appends it.
    New(Candidate),
    /// A batch that is in the log already; nothing is to be appended.
    Duplicate(Duplicate),
}

/// A checked batch that has no offset yet. It must be committed, or dropped,
/// before anything else is appended to the partition.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub(super) header: BatchHeader,
    pub(super) body: Bytes,
    pub(super) base_offset: i64,
    pub(super) mono_ms: u64,
    pub(super) unknown_producer: bool,
}

impl Candidate {
    /// What the batch would be the first of, if the partition does not know its producer.
    pub fn of_unknown_producer(&self) -> Option<ProducerBatch> {
        self.unknown_producer
            .then(|| ProducerBatch::of(&self.header))
    }

    /// Bytes of the whole batch as it will be stored.
    pub fn total_bytes(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }
}

/// A batch that has its offsets. It is in the log once the WAL made it durable
/// and [`Partition::on_durable`] was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Appended {
    /// The batch header with offset, leader epoch and, for LogAppendTime, the
    /// timestamp and its checksum.
    pub head: [u8; HEADER_BYTES],
    /// The rest of the batch, uncopied.
    pub body: Bytes,
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// Largest timestamp in the batch, milliseconds; -1 if none has one.
    pub max_timestamp: i64,
    /// Milliseconds, for LogAppendTime; -1 for CreateTime.
    pub log_append_time: i64,
    /// Log start offset at the time of the append.
    pub log_start: i64,
}

impl Appended {
    /// Bytes of the whole batch.
    pub fn total_bytes(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }
}

/// A batch that an idempotent producer sent again. It is acknowledged like the
/// original, once the high watermark has passed `last_offset`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Duplicate {
    /// Offset of the original's first record.
    pub base_offset: i64,
    /// Offset of the original's last record.
    pub last_offset: i64,
    /// The original's LogAppendTime, milliseconds; -1 for CreateTime.
    pub log_append_time: i64,
    /// Log start offset now.
    pub log_start: i64,
    /// The high watermark from which on the duplicate may be acknowledged.
    pub wait_for: i64,
}

/// What [`Partition::append`] did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Appended: give it to the WAL.
    Appended(Appended),
    /// Nothing was appended.
    Duplicate(Duplicate),
}

impl Partition {
    /// Decides what appending `batch` would do, changing nothing. A client's timestamps are
    /// checked apart, by [`Partition::check_timestamps`].
    pub fn check(&self, now: Now, batch: Bytes, origin: Origin) -> Result<Verdict, AppendError> {
        let mut header = validate::validate(&batch, self.config(), origin)?;
        let unknown_producer = match self.producers.check(&header, origin)? {
            Sequenced::InOrder => false,
            Sequenced::Unknown => true,
            Sequenced::Duplicate(original) => {
                return Ok(Verdict::Duplicate(Duplicate {
                    base_offset: original.base_offset(),
                    last_offset: original.last_offset,
                    log_append_time: original.log_append_time,
                    log_start: self.log_start(),
                    wait_for: original.last_offset + 1,
                }));
            }
        };
        let base_offset = self.log_end();
        // A count is the client's word: enough lies would run past i64::MAX.
        if base_offset
            .checked_add(i64::from(header.record_count))
            .is_none()
        {
            return Err(AppendError::Invalid(
                "the partition's offsets are exhausted",
            ));
        }
        let mut body = batch;
        body.advance(HEADER_BYTES);
        header.base_offset = base_offset;
        header.leader_epoch = self.leader_epoch();
        if self.config().timestamp_type == TimestampType::LogAppendTime {
            stamp_append_time(&mut header, &body, now.wall_ms);
        }
        let mono_ms = now.mono_ms;
        Ok(Verdict::New(Candidate {
            header,
            body,
            base_offset,
            mono_ms,
            unknown_producer,
        }))
    }

    /// Whether the topic takes the timestamps of a client's batch that is to be committed. Asked
    /// last, when there is room: records may have to be unpacked for it, and a batch that is held
    /// back is checked again and again.
    pub fn check_timestamps(&self, now: Now, candidate: &Candidate) -> Result<(), AppendError> {
        let Candidate { header, body, .. } = candidate;
        timestamp_bounds::check(header, body, self.config(), now.wall_ms)
    }

    /// Whether a batch of this producer is judged by those that it appended before.
    pub fn knows_producer(&self, producer_id: i64) -> bool {
        self.producers.knows(producer_id)
    }

    /// Appends a batch that [`Partition::check`] found new: from here on its
    /// offsets are taken and a repetition of it is a duplicate.
    ///
    /// # Panics
    /// If something else was appended since the check.
    pub fn commit(&mut self, candidate: Candidate) -> Appended {
        let Candidate {
            header,
            body,
            base_offset,
            mono_ms,
            unknown_producer: _,
        } = candidate;
        assert_eq!(
            base_offset,
            self.log_end(),
            "a candidate committed out of turn"
        );
        assert_eq!(
            header.leader_epoch,
            self.leader_epoch(),
            "a candidate of another epoch"
        );
        let last_offset = header.last_offset();
        let max_timestamp = header.newest_timestamp();
        let log_append_time = log_append_time(&header);
        self.take_offsets(&header);
        self.producers.apply(&header, log_append_time, mono_ms);
        self.assert_invariants();
        let log_start = self.log_start();
        let head = header.encode();
        Appended {
            head,
            body,
            base_offset,
            last_offset,
            max_timestamp,
            log_append_time,
            log_start,
        }
    }

    /// All checks and [`Partition::commit`] in one, for callers that know there is
    /// room.
    pub fn append(
        &mut self,
        now: Now,
        batch: Bytes,
        origin: Origin,
    ) -> Result<Outcome, AppendError> {
        Ok(match self.check(now, batch, origin)? {
            Verdict::New(candidate) => {
                if origin == Origin::Client {
                    self.check_timestamps(now, &candidate)?;
                }
                Outcome::Appended(self.commit(candidate))
            }
            Verdict::Duplicate(duplicate) => Outcome::Duplicate(duplicate),
        })
    }
}

/// Marks the batch LogAppendTime. Attributes and timestamp are under the
/// checksum, so it is computed anew over all that it covers.
fn stamp_append_time(header: &mut BatchHeader, body: &[u8], wall_ms: i64) {
    header.attributes |= LOG_APPEND_TIME_BIT;
    header.max_timestamp = wall_ms;
    let head = header.encode();
    header.crc = checksum::crc32c_append(checksum::crc32c(&head[CRC_COVER_START..]), body);
}

/// The LogAppendTime that a stored batch carries, or -1.
pub(super) fn log_append_time(header: &BatchHeader) -> i64 {
    if header.attributes & LOG_APPEND_TIME_BIT != 0 {
        header.max_timestamp
    } else {
        -1
    }
}

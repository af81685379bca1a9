//! Appending a client's batch: the partition's checks, then room, then what is dear to check,
//! then the offsets and the WAL, so that a refusal leaves nothing half done.

use bytes::Bytes;

use super::request::ProduceResult;
use super::state::{Held, Shard};
use crate::base::mark::mark;
use crate::base::{Lsn, Now, TopicPartition};
use crate::kafka::ErrorCode;
use crate::kafka::batch::crc_matches;
use crate::partition::{AppendError, Appended as Placed, Origin, ProducerBatch, Verdict};
use crate::wal::{self, Priority, Record};

/// What became of a batch, and when its response may leave.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The response.
    pub result: ProduceResult,
    /// The response may leave once this is durable.
    pub after: Lsn,
}

/// Why a batch cannot be taken now. Nothing has changed; the same call may succeed later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blocked {
    /// The disk is behind: as soon as a write ends there is room.
    Busy,
    /// The disk budget is used up: there is room when something expires.
    Full,
}

impl From<wal::AppendError> for Blocked {
    /// A record of the broker's own is never too large for a segment.
    fn from(error: wal::AppendError) -> Blocked {
        match error {
            wal::AppendError::Busy => Blocked::Busy,
            wal::AppendError::Full | wal::AppendError::TooLarge(_) => Blocked::Full,
        }
    }
}

impl Shard {
    /// Appends one batch of a client to `tp`.
    pub fn append(
        &mut self,
        now: Now,
        tp: TopicPartition,
        batch: &Bytes,
    ) -> Result<Appended, Blocked> {
        let index_full = self.is_index_full();
        let Some(held) = self.partitions.get_mut(&tp) else {
            mark!("shard.append.unknown-partition");
            // It may be here in a moment, and the client's next batch comes then.
            self.note_refused(now, tp, batch);
            return Ok(refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None));
        };
        let candidate = match held.log.check(now, batch.clone(), Origin::Client) {
            Err(error) => {
                self.note_refused(now, tp, batch);
                return Ok(refused_by_log(error));
            }
            Ok(Verdict::Duplicate(original)) => {
                let durable = held.log.high_watermark() >= original.wait_for;
                // Which block holds the original is not known; the newest is late enough.
                let after = if durable {
                    Lsn::default()
                } else {
                    mark!("shard.append.duplicate-not-durable");
                    self.last_lsn
                };
                let result = acknowledged(
                    original.base_offset,
                    original.log_append_time,
                    original.log_start,
                );
                return Ok(Appended { result, after });
            }
            Ok(Verdict::New(candidate)) => candidate,
        };
        let first = candidate.of_unknown_producer();
        if let Some(first) = first
            && !self.refused.may_begin(now.mono_ms, tp, &first)
        {
            mark!("shard.append.behind-a-refused-batch");
            return Ok(refused_behind_another());
        }
        let room = if index_full {
            mark!("shard.append.index-full");
            Err(wal::AppendError::Full)
        } else {
            self.wal.can_append(candidate.total_bytes(), Priority::Data)
        };
        if let Err(error) = room {
            if let Some(first) = first
                && error != wal::AppendError::Busy
            {
                self.refused.note(now.mono_ms, tp, &first);
            }
            return refused_by_wal(error);
        }
        if let Err(error) = held.log.check_timestamps(now, &candidate) {
            self.note_refused(now, tp, batch);
            return Ok(refused_by_log(error));
        }
        if let Some(first) = first {
            self.refused.forget(tp, first.producer_id);
        }
        let known = held.log.producer_count();
        let placed = held.log.commit(candidate);
        self.producers.on_change(known, held.log.producer_count());
        self.forget_excess_producers();
        let result = acknowledged(placed.base_offset, placed.log_append_time, placed.log_start);
        let after = self.log(tp, placed, Priority::Data);
        Ok(Appended { result, after })
    }

    /// Keeps what a client has in flight behind its refused batch from getting in first,
    /// unless the partition sees to that. What a damaged batch says of itself tells nothing.
    fn note_refused(&mut self, now: Now, tp: TopicPartition, batch: &[u8]) {
        let held = self.partitions.get(&tp);
        let is_known = |id| held.is_some_and(|held| held.log.knows_producer(id));
        if let Some(first) = ProducerBatch::of_refused(batch)
            && !is_known(first.producer_id)
            && crc_matches(batch)
        {
            self.refused.note_claimed(now.mono_ms, tp, &first);
        }
    }

    /// Gives a batch that has its offsets to the WAL, which must have room.
    pub(super) fn log(&mut self, tp: TopicPartition, placed: Placed, priority: Priority) -> Lsn {
        let record = Record::batch(tp, placed.head, placed.body);
        match self.wal.append(record, priority) {
            Ok(lsn) => {
                self.last_lsn = self.last_lsn.max(lsn);
                lsn
            }
            // The offsets are given out: going on would leave a hole in the log.
            Err(error) => panic!("the WAL refused a batch it had room for: {error}"),
        }
    }

    pub(super) fn held(&self, tp: TopicPartition) -> Result<&Held, ErrorCode> {
        self.partitions
            .get(&tp)
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }
}

fn acknowledged(base_offset: i64, log_append_time_ms: i64, log_start_offset: i64) -> ProduceResult {
    ProduceResult {
        error: ErrorCode::NONE,
        message: None,
        bad_timestamps: None,
        base_offset,
        log_append_time_ms,
        log_start_offset,
    }
}

fn refused(error: ErrorCode, message: Option<String>) -> Appended {
    let result = ProduceResult {
        message,
        ..ProduceResult::error(error)
    };
    Appended {
        result,
        after: Lsn::default(),
    }
}

fn refused_by_wal(error: wal::AppendError) -> Result<Appended, Blocked> {
    match error {
        wal::AppendError::Busy => Err(Blocked::Busy),
        wal::AppendError::Full => Err(Blocked::Full),
        wal::AppendError::TooLarge(_) => Ok(refused(
            ErrorCode::RECORD_LIST_TOO_LARGE,
            Some(error.to_string()),
        )),
    }
}

/// See [`super::refused`] for why it is this error.
fn refused_behind_another() -> Appended {
    let message = "an earlier batch of this producer was refused and has to come first";
    refused(ErrorCode::KAFKA_STORAGE_ERROR, Some(message.into()))
}

fn refused_by_log(error: AppendError) -> Appended {
    let code = match &error {
        AppendError::Corrupt(_) => ErrorCode::CORRUPT_MESSAGE,
        AppendError::Invalid(_) => ErrorCode::INVALID_RECORD,
        AppendError::TooLarge { .. } | AppendError::UnpackedTooLarge(_) => {
            ErrorCode::MESSAGE_TOO_LARGE
        }
        AppendError::UnsupportedCodec(_) => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        AppendError::TimestampType | AppendError::Timestamps(_) => ErrorCode::INVALID_TIMESTAMP,
        AppendError::NoTransaction => ErrorCode::INVALID_TXN_STATE,
        AppendError::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        AppendError::InvalidProducerEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
    };
    let mut refused = refused(code, Some(error.to_string()));
    if let AppendError::Timestamps(bad) = error {
        refused.result.bad_timestamps = Some(Box::new(bad));
    }
    refused
}

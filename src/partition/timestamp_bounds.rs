//! The bounds of a topic on the timestamps that producers give its records (KIP-937):
//! `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms`. Under
//! LogAppendTime they mean nothing.
//!
//! Kafka opens every batch for them. Here the header answers what it can: it has the
//! largest timestamp, and with Kafka's defaults there is an upper bound only. Records are
//! looked at below a lower bound, behind a header that contradicts itself (there are
//! clients that leave its largest timestamp out), and to name those that a refusal is
//! about (KIP-467).
//!
//! Retention and searches by time go by the header. So one that says too much is refused
//! even if its records are in order: they would be kept for as long as it says. One that
//! says too little, without contradicting itself, is found out below a lower bound only;
//! what hides behind it is early for retention, never late.

use crate::base::limits::{CHECKED_BYTES_MAX, RECORD_ERRORS_MAX};
use crate::base::{LogConfig, TimestampType};
use crate::kafka::batch::BatchHeader;
use crate::kafka::compression::{Codec, CompressionError, decompress_within};
use crate::kafka::record::RecordIter;

use super::error::AppendError;

/// The timestamp of a record that has none.
const NO_TIMESTAMP: i64 = -1;

/// What is wrong with the timestamps of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadTimestamps {
    /// The oldest that the topic takes now, milliseconds.
    pub least: i64,
    /// The latest.
    pub most: i64,
    /// The index in the batch and the timestamp of records outside, the first
    /// [`RECORD_ERRORS_MAX`]. Empty where only the header is: its records are in order, or too
    /// large to be looked at.
    pub records: Vec<(i32, i64)>,
}

impl BadTimestamps {
    /// Each record's index in the batch, and what is wrong with it in words.
    pub fn reasons(&self) -> impl Iterator<Item = (i32, String)> {
        let Self { least, most, .. } = self;
        self.records.iter().map(move |(index, timestamp)| {
            let reason = format!("timestamp {timestamp} is not within {least} to {most}");
            (*index, reason)
        })
    }
}

/// Refuses a producer's batch if a timestamp of it is outside of what its topic takes at
/// `now_ms`. `section` is what follows the header.
///
/// # Errors
/// Which records they are, or that they cannot be looked at.
pub(super) fn check(
    header: &BatchHeader,
    section: &[u8],
    config: &LogConfig,
    now_ms: i64,
) -> Result<(), AppendError> {
    if config.timestamp_type == TimestampType::LogAppendTime {
        return Ok(());
    }
    let bounds = Bounds::at(now_ms, config);
    if bounds.hold_by(header) {
        return Ok(());
    }
    let header_is_late = header.newest_timestamp() > bounds.most;
    let records = match bounds.outside(header, section) {
        Err(AppendError::UnpackedTooLarge(_)) if header_is_late => Vec::new(),
        records => records?,
    };
    if records.is_empty() && !header_is_late {
        return Ok(());
    }
    let Bounds { least, most } = bounds;
    Err(AppendError::Timestamps(BadTimestamps {
        least,
        most,
        records,
    }))
}

/// From when to when, both included.
#[derive(Clone, Copy)]
struct Bounds {
    /// `i64::MIN` is no bound.
    least: i64,
    /// `i64::MAX` is no bound.
    most: i64,
}

impl Bounds {
    fn at(now_ms: i64, config: &LogConfig) -> Bounds {
        let before = config.timestamp_before_max_ms;
        let after = config.timestamp_after_max_ms;
        Bounds {
            least: before.map_or(i64::MIN, |ms| now_ms.saturating_sub_unsigned(ms)),
            most: after.map_or(i64::MAX, |ms| now_ms.saturating_add_unsigned(ms)),
        }
    }

    /// Whether the header alone tells that every record is within.
    fn hold_by(self, header: &BatchHeader) -> bool {
        let has_newest = header.max_timestamp >= header.base_timestamp;
        let is_early = self.most == i64::MAX || (has_newest && header.max_timestamp <= self.most);
        self.least == i64::MIN && is_early
    }

    /// The records outside.
    fn outside(self, header: &BatchHeader, section: &[u8]) -> Result<Vec<(i32, i64)>, AppendError> {
        let unpacked = Codec::try_from(header.codec())
            .and_then(|codec| decompress_within(codec, section, CHECKED_BYTES_MAX));
        let unpacked = unpacked.map_err(|error| match error {
            CompressionError::TooLarge => AppendError::UnpackedTooLarge(CHECKED_BYTES_MAX),
            _ => AppendError::Invalid("the records cannot be unpacked"),
        })?;
        let mut found = Vec::new();
        let mut count = 0;
        for record in RecordIter::new(&unpacked) {
            let record = record.map_err(|_| AppendError::Invalid("the records cannot be read"))?;
            let timestamp = header.base_timestamp.saturating_add(record.timestamp_delta);
            let is_within = (self.least..=self.most).contains(&timestamp);
            if !is_within && timestamp != NO_TIMESTAMP && found.len() < RECORD_ERRORS_MAX {
                found.push((count, timestamp));
            }
            count += 1;
        }
        match count == header.record_count {
            true => Ok(found),
            false => Err(AppendError::Invalid("more or fewer records than declared")),
        }
    }
}

//! ListOffsets: offsets by position and by time. The index knows each batch's
//! largest timestamp; where that is not precise enough the answer is a scan of
//! one batch, which the shard reads and decompresses and [`resolve_scan`] decides.

use crate::kafka::batch::BatchHeader;

use super::append;
use super::cold::ColdRead;
use super::index::IndexEntry;
use super::log::Partition;
use super::read::Piece;

/// The timestamps that mean something else (`ListOffsetsRequest`).
pub mod timestamps {
    /// The high watermark, or last stable offset for read_committed.
    pub const LATEST: i64 = -1;
    /// The log start offset.
    pub const EARLIEST: i64 = -2;
    /// The record with the largest timestamp (KIP-734).
    pub const MAX: i64 = -3;
    /// The first offset on the broker's own disk (KIP-405).
    pub const EARLIEST_LOCAL: i64 = -4;
    /// The last offset in tiered storage (KIP-1005).
    pub const LATEST_TIERED: i64 = -5;
    /// The first offset not yet in tiered storage (KIP-1023).
    pub const EARLIEST_PENDING_UPLOAD: i64 = -6;
}

/// An answer to ListOffsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetAnswer {
    /// The offset, or -1.
    pub offset: i64,
    /// The record's timestamp, or -1 where the question was not one of time.
    pub timestamp: i64,
    /// Leader epoch of the record at the offset, or -1.
    pub leader_epoch: i32,
}

impl OffsetAnswer {
    /// What Kafka answers, without an error, when there is no such record, and
    /// to the questions about tiered storage when it has none.
    pub const NONE: OffsetAnswer = OffsetAnswer {
        offset: -1,
        timestamp: -1,
        leader_epoch: -1,
    };
}

/// A record looked for by time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListTarget {
    /// The first whose timestamp is at least this, milliseconds.
    AtLeast(i64),
    /// The first of those with the largest timestamp.
    Max,
}

/// A batch to look into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimeScan {
    /// The batch.
    pub piece: Piece,
    /// What to look for in it.
    pub target: ListTarget,
    /// Records before this offset do not count.
    pub from_offset: i64,
    /// Where [`Partition::list_offset_from`] continues if it is not in this batch.
    pub next_offset: i64,
}

/// What [`Partition::list_offset`] knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listed {
    /// The answer.
    Known(OffsetAnswer),
    /// The answer is in this batch, if its header tells the truth.
    Scan(TimeScan),
}

impl Partition {
    /// Looks up `timestamp`, which is milliseconds or one of [`timestamps`].
    pub fn list_offset(&self, timestamp: i64) -> Listed {
        let (offset, leader_epoch) = match timestamp {
            timestamps::LATEST => (self.last_stable(), self.leader_epoch()),
            timestamps::EARLIEST | timestamps::EARLIEST_LOCAL => {
                (self.log_start(), self.epoch_of(self.log_start()))
            }
            timestamps::LATEST_TIERED | timestamps::EARLIEST_PENDING_UPLOAD => {
                return Listed::Known(OffsetAnswer::NONE);
            }
            timestamps::MAX => return self.listed(self.index.first_of_max(), ListTarget::Max),
            _ => return self.list_offset_from(timestamp, self.log_start()),
        };
        Listed::Known(OffsetAnswer {
            offset,
            timestamp: -1,
            leader_epoch,
        })
    }

    /// The first record at or after `from_offset` with at least `timestamp`:
    /// continues where a scan found nothing.
    pub fn list_offset_from(&self, timestamp: i64, from_offset: i64) -> Listed {
        let entry = self.index.first_at_least(timestamp, from_offset);
        self.listed(entry, ListTarget::AtLeast(timestamp))
    }

    fn listed(&self, entry: Option<IndexEntry>, target: ListTarget) -> Listed {
        let Some(entry) = entry else {
            return Listed::Known(OffsetAnswer::NONE);
        };
        if entry.base_offset == entry.last_offset {
            return Listed::Known(OffsetAnswer {
                offset: entry.base_offset,
                timestamp: entry.max_timestamp,
                leader_epoch: self.epoch_of(entry.base_offset),
            });
        }
        let in_tail = self.tail.starting_at(entry.base_offset).next();
        let piece = match in_tail.filter(|batch| batch.base_offset == entry.base_offset) {
            Some(batch) => Piece::Tail(batch.bytes.clone()),
            None => Piece::Cold(ColdRead::new(&entry, self.epoch_of(entry.last_offset))),
        };
        Listed::Scan(TimeScan {
            piece,
            target,
            from_offset: self.log_start(),
            next_offset: entry.last_offset + 1,
        })
    }
}

/// Finds the record of a scanned batch. `records` are the (offset delta,
/// timestamp delta) of its records in order; they are not looked at if the
/// batch carries the broker's time, which then is every record's. `None` if no
/// record matches: the header promised what the records do not hold.
pub fn resolve_scan(
    scan: &TimeScan,
    header: &BatchHeader,
    records: impl IntoIterator<Item = (i32, i64)>,
) -> Option<OffsetAnswer> {
    let answer = |offset, timestamp| OffsetAnswer {
        offset,
        timestamp,
        leader_epoch: header.leader_epoch,
    };
    let stamped = append::log_append_time(header);
    if stamped >= 0 {
        let matches = match scan.target {
            ListTarget::AtLeast(timestamp) => stamped >= timestamp,
            ListTarget::Max => true,
        };
        let offset = header.base_offset.max(scan.from_offset);
        return (matches && offset <= header.last_offset()).then(|| answer(offset, stamped));
    }
    // The records are a producer's: deltas may be anything.
    let mut records = records
        .into_iter()
        .filter_map(|(offset_delta, timestamp_delta)| {
            let offset = header.base_offset.checked_add(i64::from(offset_delta))?;
            let timestamp = header.base_timestamp.checked_add(timestamp_delta)?;
            let inside =
                (header.base_offset.max(scan.from_offset)..=header.last_offset()).contains(&offset);
            inside.then_some((offset, timestamp))
        });
    let found = match scan.target {
        ListTarget::AtLeast(target) => records.find(|(_, timestamp)| *timestamp >= target),
        ListTarget::Max => records.reduce(|best, next| if next.1 > best.1 { next } else { best }),
    };
    found.map(|(offset, timestamp)| answer(offset, timestamp))
}

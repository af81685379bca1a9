//! The logs that the broker writes for itself, the catalogue's and those of the groups'
//! coordinators, while they are recovered: their batches are kept until all are known that
//! count, and then replayed in the order of their offsets. They are no more than what is live,
//! as each new log start drops what is below it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::state::CATALOG_LOG;
use crate::base::mark::mark;
use crate::base::{TopicId, TopicPartition};
use crate::kafka::batch::{BatchHeader, HEADER_BYTES};
use crate::kafka::reader::WireError;
use crate::kafka::record::RecordIter;

/// One record of such a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnRecord<'a> {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, wall clock, milliseconds.
    pub time_ms: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// The live batches of one such log.
#[derive(Default, Debug)]
pub(super) struct OwnLog {
    /// By the offset of the first record.
    batches: BTreeMap<i64, (BatchHeader, Bytes)>,
}

/// Whether `tp` is a log that the broker replays.
pub(super) fn is_own(tp: TopicPartition) -> bool {
    tp == CATALOG_LOG || tp.topic == TopicId::OFFSETS
}

impl OwnLog {
    /// Keeps a batch: a copy, so as not to keep the whole read that it is a part of.
    pub fn keep(&mut self, header: BatchHeader, batch: &[u8]) {
        let batch = Bytes::copy_from_slice(batch);
        self.batches.insert(header.base_offset, (header, batch));
    }

    /// Drops what lies wholly below `log_start`.
    pub fn trim(&mut self, log_start: i64) {
        while let Some(first) = self.batches.first_entry()
            && first.get().0.last_offset() < log_start
        {
            mark!("shard.recovery.trimmed-own-batch");
            first.remove();
        }
    }

    /// Hands every record to `replay`, in order, and gives its first error.
    pub fn replay<E>(
        &self,
        mut replay: impl FnMut(Result<OwnRecord<'_>, (i64, WireError)>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (header, batch) in self.batches.values() {
            let section = batch.get(HEADER_BYTES..).unwrap_or_default();
            for record in RecordIter::new(section) {
                let record = record.map(|record| OwnRecord {
                    offset: header.base_offset + i64::from(record.offset_delta),
                    time_ms: header.base_timestamp.saturating_add(record.timestamp_delta),
                    key: record.key,
                    value: record.value,
                });
                replay(record.map_err(|error| (header.base_offset, error)))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::record::BatchBuilder;

    fn batch(base_offset: i64, values: &[&str]) -> (BatchHeader, Bytes) {
        let mut builder = BatchBuilder::new(7);
        for value in values {
            builder = builder.record(8, Some(b"k"), Some(value.as_bytes()));
        }
        let bytes = builder.build();
        let mut header = BatchHeader::decode(&bytes).unwrap();
        header.base_offset = base_offset;
        (header, bytes)
    }

    fn replayed(log: &OwnLog) -> Vec<(i64, i64, String)> {
        let mut records = Vec::new();
        log.replay(|record| {
            let record = record.unwrap();
            let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
            records.push((record.offset, record.time_ms, value));
            Ok::<(), ()>(())
        })
        .unwrap();
        records
    }

    #[test]
    fn records_come_in_order_and_what_is_below_the_log_start_does_not() {
        let mut log = OwnLog::default();
        for (base_offset, values) in [(0, &["a", "b"][..]), (5, &["d"]), (2, &["c"])] {
            let (header, bytes) = batch(base_offset, values);
            log.keep(header, &bytes);
        }
        let whole = ["a", "b", "c", "d"].map(str::to_owned);
        let values = |log: &OwnLog| replayed(log).into_iter().map(|r| r.2).collect::<Vec<_>>();
        assert_eq!(values(&log), whole);
        log.trim(1);
        assert_eq!(values(&log), whole, "a batch goes as a whole");
        log.trim(3);
        assert_eq!(replayed(&log), [(5, 8, "d".to_owned())]);
        log.trim(6);
        assert!(replayed(&log).is_empty());
    }

    #[test]
    fn the_first_error_ends_the_replay() {
        let mut log = OwnLog::default();
        let (header, bytes) = batch(3, &["a", "b"]);
        log.keep(header, &bytes[..bytes.len() - 1]);
        let found = log.replay(|record| record.map(drop));
        assert_eq!(found, Err((3, WireError::Truncated)));
    }
}

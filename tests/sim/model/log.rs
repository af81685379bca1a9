//! The history of one partition: every batch that has offsets, where it went, and what may
//! have become of it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use corelane::base::{Lsn, TopicPartition};
use corelane::kafka::batch::{self, BatchHeader, HEADER_BYTES};
use corelane::kafka::record::RecordIter;
use corelane::shard::{FetchResult, ProduceResult};

use super::Seen;
use super::topics::Loosest;

/// One batch in the log.
#[derive(Clone, Debug)]
pub struct Entry {
    pub base: i64,
    pub last: i64,
    pub uid: u64,
    pub wal: u16,
    pub lsn: Lsn,
    epoch: i32,
    max_timestamp: i64,
    batch: Bytes,
}

/// A partition's batches.
#[derive(Default, Debug)]
pub struct Log {
    entries: VecDeque<Entry>,
    by_uid: BTreeMap<u64, i64>,
    /// As last seen; it is durable then, and never goes back.
    log_start: i64,
    high_watermark: i64,
    /// The highest offset before which somebody asked to delete.
    pub delete_asked: i64,
    /// Deletions of everything that were asked for and not answered: they may still come to pass.
    pub deleting_all: u32,
    /// The highest offset before which a deletion was acknowledged.
    pub delete_acked: i64,
}

/// The number that each batch of the simulation carries in its first record.
pub fn uid_of(batch: &[u8]) -> u64 {
    let section = batch.get(HEADER_BYTES..).unwrap_or_default();
    let record = RecordIter::new(section)
        .next()
        .expect("a record")
        .expect("of ours");
    let value = record.value.expect("with a value");
    u64::from_be_bytes(value[..8].try_into().expect("that begins with a number"))
}

impl Log {
    /// Where the log ends, by all that was appended.
    pub fn end(&self) -> i64 {
        self.entries.back().map_or(self.log_start, |e| e.last + 1)
    }

    /// Whether it was new.
    pub fn on_append(
        &mut self,
        tp: TopicPartition,
        wal: u16,
        batch: &Bytes,
        result: &ProduceResult,
        lsn: Lsn,
        epoch: i32,
    ) -> bool {
        let uid = uid_of(batch);
        let base = result.base_offset;
        if let Some(known) = self.by_uid.get(&uid) {
            assert_eq!(
                *known, base,
                "{tp}: batch {uid} is in the log at {known} and again at {base}"
            );
            return false;
        }
        let end = self.end();
        assert_eq!(base, end, "{tp}: offsets are dense and increasing");
        let header = BatchHeader::decode(batch).expect("a batch of ours");
        let max_timestamp = match result.log_append_time_ms {
            -1 => header.max_timestamp,
            stamped => stamped,
        };
        self.entries.push_back(Entry {
            base,
            last: base + i64::from(header.last_offset_delta),
            uid,
            wal,
            lsn,
            epoch,
            max_timestamp,
            batch: batch.clone(),
        });
        self.by_uid.insert(uid, base);
        true
    }

    pub fn entry_of(&self, uid: u64) -> Option<&Entry> {
        let base = self.by_uid.get(&uid)?;
        let at = self.entries.partition_point(|e| e.base < *base);
        self.entries.get(at)
    }

    /// The end of the first entries of which `is_so` holds.
    pub fn end_where(&self, is_so: impl Fn(&Entry) -> bool) -> i64 {
        // What is durable is a prefix: only the end need be looked at.
        for entry in self.entries.iter().rev() {
            if is_so(entry) {
                return entry.last + 1;
            }
        }
        self.entries.front().map_or(self.log_start, |e| e.base)
    }

    /// The entries that no durable log start has passed.
    pub fn live(&self) -> impl Iterator<Item = &Entry> {
        let first = self.entries.partition_point(|e| e.last < self.log_start);
        self.entries.range(first..)
    }

    /// Bytes of the batches from `offset` on of which `is_so` holds.
    pub fn bytes_from(&self, offset: i64, is_so: impl Fn(&Entry) -> bool) -> usize {
        let from = self.entries.partition_point(|e| e.base < offset);
        let entries = self.entries.range(from..).filter(|e| is_so(e));
        entries.map(|e| e.batch.len()).sum()
    }

    /// Takes out the entries that a crash has taken.
    pub fn cut(&mut self, is_gone: impl Fn(&Entry) -> bool) {
        let Some(first) = self.entries.iter().position(is_gone) else {
            return;
        };
        for entry in self.entries.drain(first..) {
            self.by_uid.remove(&entry.uid);
        }
    }

    /// What the shard says agrees with what it said before and with what it may do.
    pub fn check(&mut self, tp: TopicPartition, seen: Seen, wall_ms: i64, config: Loosest) {
        assert!(
            seen.high_watermark >= self.high_watermark,
            "{tp}: the high watermark went back from {} to {}",
            self.high_watermark,
            seen.high_watermark
        );
        self.high_watermark = seen.high_watermark;
        assert!(
            seen.log_start >= self.log_start.max(self.delete_acked),
            "{tp}: the log starts at {}, but had been at {} and deleted to {}",
            seen.log_start,
            self.log_start,
            self.delete_acked
        );
        if seen.log_start > self.log_start {
            self.check_deleted(tp, seen.log_start, wall_ms, config);
            self.log_start = seen.log_start;
        }
    }

    /// Everything from the old log start to `to` had to go.
    fn check_deleted(&self, tp: TopicPartition, to: i64, wall_ms: i64, config: Loosest) {
        if to <= self.delete_asked || self.deleting_all > 0 {
            return;
        }
        let from = self.log_start.max(self.delete_asked);
        let first = self.entries.partition_point(|e| e.last < from);
        let from_first = self.entries.iter().skip(first);
        let mut left: u64 = from_first.clone().map(|e| e.batch.len() as u64).sum();
        // Clients choose the timestamps, so one may go by size and the next, though older, by time.
        for entry in from_first.take_while(|e| e.last < to) {
            let by_time = config
                .retention_ms
                .is_some_and(|ms| entry.max_timestamp < wall_ms - ms as i64);
            let by_size = config.retention_bytes.is_some_and(|bytes| left > bytes);
            assert!(
                by_time || by_size,
                "{tp}: the batch at {} is gone, nobody deleted it and it has not expired: {left} bytes from there, timestamp {}, {config:?} at {wall_ms}",
                entry.base,
                entry.max_timestamp
            );
            left -= entry.batch.len() as u64;
        }
    }

    /// A start found this.
    pub fn on_recovered(&mut self, _tp: TopicPartition, seen: Seen) {
        self.high_watermark = seen.high_watermark;
        self.log_start = seen.log_start;
    }

    /// What a fetch at `offset` gave is what was appended; the offset after it.
    pub fn check_fetch(&self, tp: TopicPartition, offset: i64, result: &FetchResult) -> i64 {
        let mut next = offset;
        for stored in &result.records {
            let header = BatchHeader::decode(stored).expect("a whole batch");
            let at = self.entries.partition_point(|e| e.last < next);
            let Some(entry) = self.entries.get(at) else {
                panic!("{tp}: a batch at {next}, where there is none");
            };
            assert_eq!(
                header.base_offset, entry.base,
                "{tp}: read at {next}, the batch that holds it begins elsewhere"
            );
            assert_eq!(header.last_offset(), entry.last, "{tp}: batch at {next}");
            assert_eq!(header.total_bytes(), stored.len(), "{tp}: a whole batch");
            assert!(
                entry.last < result.high_watermark,
                "{tp}: read at {next}, beyond the high watermark {}",
                result.high_watermark
            );
            assert_eq!(
                stored[HEADER_BYTES..],
                entry.batch[HEADER_BYTES..],
                "{tp}: other records at {next}"
            );
            assert!(batch::crc_matches(stored), "{tp}: CRC at {next}");
            assert!(
                header.leader_epoch == entry.epoch,
                "{tp}: epoch {} at {next}, appended in {}",
                header.leader_epoch,
                entry.epoch
            );
            next = entry.last + 1;
        }
        next
    }
}

//! What must be in the log, and what may be.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hasher};

use crate::common::batches::{KEPT_START, Stored};

/// A batch that was sent: where to, its fingerprint and its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// The partition.
    pub partition: i32,
    /// See [`digest`]; contents are unique, so it tells batches apart.
    pub digest: u64,
    /// How many records.
    pub records: i64,
}

/// What one client knows when the broker has died.
#[derive(Default, Debug)]
pub struct News {
    /// Acknowledged, with the base offset.
    pub acknowledged: Vec<(Sent, i64)>,
    /// Sent without an answer: may be in the log, once.
    pub unanswered: Vec<Sent>,
}

/// A fingerprint of what the broker must keep of a batch.
pub fn digest(batch: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&batch[KEPT_START..]);
    hasher.finish()
}

/// One batch in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    digest: u64,
    records: i64,
    bytes: u64,
}

#[derive(Default, Debug)]
struct Log {
    /// What was found, by base offset, down to the log start.
    entries: BTreeMap<i64, Entry>,
    /// The offset up to which everything was found.
    end: i64,
    /// Acknowledged: to be found at the next check.
    acknowledged: Vec<(Sent, i64)>,
    /// Given to a consumer: likewise.
    seen: Vec<(Sent, i64)>,
}

/// All partitions.
pub struct Ledger {
    logs: Vec<Log>,
    /// Every batch that was ever found, and where.
    found: HashMap<u64, (i32, i64)>,
    /// Batches that may be found.
    possible: HashMap<u64, Sent>,
    /// Batches acknowledged so far.
    pub acknowledged_batches: u64,
    /// Records in them.
    pub acknowledged_records: u64,
}

impl Ledger {
    /// Nothing in any partition.
    pub fn new(partitions: i32) -> Ledger {
        Ledger {
            logs: (0..partitions).map(|_| Log::default()).collect(),
            found: HashMap::new(),
            possible: HashMap::new(),
            acknowledged_batches: 0,
            acknowledged_records: 0,
        }
    }

    /// Where the last check ended.
    pub fn end(&self, partition: i32) -> i64 {
        self.logs[partition as usize].end
    }

    /// As [`Ledger::end`], all partitions.
    pub fn ends(&self) -> Vec<i64> {
        self.logs.iter().map(|log| log.end).collect()
    }

    /// Bytes of all batches found and not trimmed.
    pub fn log_bytes(&self) -> u64 {
        let entries = self.logs.iter().flat_map(|log| log.entries.values());
        entries.map(|entry| entry.bytes).sum()
    }

    /// Takes in what a producer knows.
    pub fn note(&mut self, news: News) {
        for (sent, base_offset) in news.acknowledged {
            self.acknowledged_batches += 1;
            self.acknowledged_records += sent.records as u64;
            self.possible.remove(&sent.digest);
            self.logs[sent.partition as usize]
                .acknowledged
                .push((sent, base_offset));
        }
        for sent in news.unanswered {
            self.possible.insert(sent.digest, sent);
        }
    }

    /// Takes in what a consumer was given: it must never disappear.
    pub fn note_seen(&mut self, seen: Vec<(Sent, i64)>) {
        for (sent, base_offset) in seen {
            self.logs[sent.partition as usize]
                .seen
                .push((sent, base_offset));
        }
    }

    /// Checks what the broker has behind the last check, without a gap.
    pub fn check_news(&mut self, partition: i32, batches: &[Stored]) {
        let log = &mut self.logs[partition as usize];
        let acknowledged = std::mem::take(&mut log.acknowledged);
        let known = acknowledged.iter().map(|(sent, _)| (sent.digest, *sent));
        let known: HashMap<u64, Sent> = known.collect();
        for batch in batches {
            let base_offset = batch.header.base_offset;
            assert_eq!(base_offset, log.end, "offsets have a gap");
            let digest = digest(&batch.bytes);
            let sent = known.get(&digest).or_else(|| self.possible.get(&digest));
            let sent = *sent.unwrap_or_else(|| {
                panic!("{partition} at {base_offset}: a batch that nobody sent: {batch:?}")
            });
            assert_eq!(sent.partition, partition, "a batch in a foreign partition");
            assert_eq!(sent.records, i64::from(batch.header.record_count));
            if let Some(before) = self.found.insert(digest, (partition, base_offset)) {
                panic!("{partition} at {base_offset}: the batch is also at {before:?}");
            }
            let entry = Entry {
                digest,
                records: sent.records,
                bytes: batch.bytes.len() as u64,
            };
            log.entries.insert(base_offset, entry);
            log.end = batch.end();
        }
        let seen = std::mem::take(&mut log.seen);
        for (sent, base_offset) in acknowledged.into_iter().chain(seen) {
            let found = self.found.get(&sent.digest);
            assert_eq!(
                found,
                Some(&(partition, base_offset)),
                "acknowledged or seen in partition {partition} at {base_offset}, found at {found:?}; \
                 the log ends at {}",
                log.end
            );
        }
    }

    /// Checks the whole log of a partition against what was found before.
    pub fn check_all(&self, partition: i32, log_start: i64, batches: &[Stored]) {
        let log = &self.logs[partition as usize];
        let entries: Vec<_> = log.entries.iter().collect();
        assert_eq!(
            batches.len(),
            entries.len(),
            "partition {partition} from {log_start} to {}",
            log.end
        );
        for (batch, (base_offset, entry)) in batches.iter().zip(entries) {
            assert_eq!(batch.header.base_offset, *base_offset);
            assert_eq!(digest(&batch.bytes), entry.digest, "at {base_offset}");
        }
    }

    /// The log start has moved.
    pub fn trim(&mut self, partition: i32, log_start: i64) {
        let log = &mut self.logs[partition as usize];
        log.entries
            .retain(|base_offset, entry| base_offset + entry.records > log_start);
    }
}

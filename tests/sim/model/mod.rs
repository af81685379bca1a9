//! What must hold: the history of every partition, block and topic, kept beside the broker
//! and compared with it after every step. The broker's own word is never believed where the
//! disk's can be asked.

mod holders;
mod ledger;
mod log;
mod offsets;
mod topics;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;
use corelane::base::{Lsn, TopicId, TopicPartition};
use corelane::kafka::ErrorCode;
use corelane::shard::{FetchResult, ProduceResult};
use corelane::wal::{EntryContent, Manifest, Recovered};

use holders::Holders;
pub use holders::Partition;
pub use ledger::Block;
use ledger::Ledger;
pub use log::{Log, uid_of};
pub use offsets::Key;
use offsets::Offsets;
pub use topics::{Change, Topic, Topics};

/// What a shard says about one of its partitions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    pub log_start: i64,
    pub high_watermark: i64,
    pub last_stable: i64,
}

/// Everything that is known.
#[derive(Default)]
pub struct Model {
    ledgers: BTreeMap<u16, Ledger>,
    pub logs: BTreeMap<TopicPartition, Log>,
    pub topics: Topics,
    pub offsets: Offsets,
    pub holders: Holders,
    /// Topics whose deletion has been replayed somewhere.
    dropped: BTreeSet<TopicId>,
    /// The latest time that the broker was ever told.
    wall_ms_max: Rc<Cell<i64>>,
}

impl Model {
    pub fn new(wall_ms_max: Rc<Cell<i64>>) -> Model {
        Model {
            wall_ms_max,
            ..Model::default()
        }
    }

    fn ledger(&mut self, wal: u16) -> &mut Ledger {
        self.ledgers.entry(wal).or_default()
    }

    pub fn on_block_sent(&mut self, lsn: Lsn, block: Block) {
        self.ledger(block.segment.wal).on_sent(lsn, block);
    }

    pub fn on_block_written(&mut self, wal: u16, lsn: Lsn) {
        self.ledger(wal).on_written(lsn);
    }

    /// The broker says that everything up to `durable` is on the disk.
    pub fn check_durable(&mut self, wal: u16, durable: Lsn) {
        let on_disk = self.ledger(wal).durable();
        assert_eq!(durable, on_disk, "WAL {wal}: what is durable");
    }

    /// A batch was appended, or recognised as a repetition.
    pub fn on_append(
        &mut self,
        wal: u16,
        tp: TopicPartition,
        batch: &Bytes,
        result: &ProduceResult,
        lsn: Lsn,
        epoch: i32,
    ) -> bool {
        if result.error != ErrorCode::NONE {
            return false;
        }
        let log = self.logs.entry(tp).or_default();
        log.on_append(tp, wal, batch, result, lsn, epoch)
    }

    /// An acknowledgement leaves the broker.
    pub fn on_ack(&mut self, tp: TopicPartition, batch: &Bytes, result: &ProduceResult) {
        if result.error != ErrorCode::NONE {
            return;
        }
        let uid = uid_of(batch);
        let log = self.logs.entry(tp).or_default();
        let Some(entry) = log.entry_of(uid) else {
            panic!("{tp}: batch {uid} is acknowledged, but not in the log");
        };
        assert_eq!(
            entry.base, result.base_offset,
            "{tp}: batch {uid} is acknowledged at another offset"
        );
        let (wal, lsn) = (entry.wal, entry.lsn);
        let durable = self.ledger(wal).durable();
        assert!(
            lsn <= durable,
            "{tp}: batch {uid} in {lsn:?} is acknowledged, {durable:?} is durable"
        );
    }

    /// Checks one partition as its shard sees it.
    pub fn check_partition(&mut self, tp: TopicPartition, seen: Seen) {
        let Seen {
            log_start,
            high_watermark,
            last_stable,
        } = seen;
        assert!(
            last_stable <= high_watermark,
            "{tp}: the last stable offset {last_stable} is above the high watermark {high_watermark}"
        );
        assert!(
            0 <= log_start && log_start <= high_watermark,
            "{tp}: {seen:?}"
        );
        let horizon = self.wall_ms_max.get();
        let config = self.topics.loosest(tp.topic);
        let ledgers = &self.ledgers;
        let log = self.logs.entry(tp).or_default();
        let durable = log.end_where(|entry| {
            ledgers
                .get(&entry.wal)
                .is_some_and(|ledger| entry.lsn <= ledger.durable())
        });
        assert!(
            high_watermark <= durable,
            "{tp}: high watermark {high_watermark}, durable up to {durable}"
        );
        log.check(tp, seen, horizon, config);
    }

    /// Catalogue records that a shard replays: they must be durable.
    pub fn on_applied(&mut self, deleted: Option<TopicId>) {
        self.dropped.extend(deleted);
    }

    /// The catalogue's log may be replayed up to here only.
    pub fn check_catalog_durable(&mut self, lsn: Lsn) {
        let durable = self.ledger(0).durable();
        assert!(
            lsn <= durable,
            "catalogue records in {lsn:?} are replayed, {durable:?} is durable"
        );
    }

    /// A manifest is about to replace the last one: whatever is live must be in it.
    pub fn check_manifest(&mut self, wal: u16, manifest: &Manifest) {
        let mut named = BTreeSet::new();
        for entry in &manifest.entries {
            match entry.content {
                EntryContent::Open(life) | EntryContent::Sealed { life, .. } => {
                    named.insert(life.sequence);
                }
                EntryContent::Free => {}
            }
        }
        let Some(ledger) = self.ledgers.get(&wal) else {
            return;
        };
        for (tp, log) in &self.logs {
            if self.dropped.contains(&tp.topic) {
                continue;
            }
            for entry in log.live().filter(|entry| entry.wal == wal) {
                let Some(block) = ledger.block(entry.lsn) else {
                    continue;
                };
                assert!(
                    named.contains(&block.segment.sequence),
                    "{tp}: segment {:?} is given up, but the batch at offset {} is live in it",
                    block.segment,
                    entry.base
                );
            }
        }
    }

    /// A manifest is on the disk.
    pub fn on_manifest(&mut self, wal: u16, durable: Lsn) {
        self.ledger(wal).on_manifest(durable);
    }

    /// A start has read a WAL.
    pub fn on_recovered(&mut self, recovered: &Recovered) {
        let (wal, next) = (recovered.wal, recovered.next_lsn);
        self.ledger(wal).on_recovered(wal, next);
        for log in self.logs.values_mut() {
            log.cut(|entry| entry.wal == wal && entry.lsn >= next);
        }
    }

    /// After a start: what a shard has of a partition is exactly what is on the disk.
    pub fn check_recovered(&mut self, tp: TopicPartition, seen: Seen) {
        let log = self.logs.entry(tp).or_default();
        let end = log.end();
        assert_eq!(
            seen.high_watermark, end,
            "{tp}: recovered up to {}, the disk had up to {end}",
            seen.high_watermark
        );
        self.check_partition(tp, seen);
        if let Some(log) = self.logs.get_mut(&tp) {
            log.on_recovered(tp, seen);
        }
    }

    /// A topic that a start did not find.
    pub fn on_gone(&mut self, topic: TopicId) {
        self.dropped.insert(topic);
    }

    /// The records that a fetch at `offset` gave.
    pub fn check_fetch(&mut self, tp: TopicPartition, offset: i64, result: &FetchResult) -> i64 {
        match self.logs.get(&tp) {
            Some(log) => log.check_fetch(tp, offset, result),
            None => {
                assert!(result.records.is_empty(), "{tp}: records from nowhere");
                offset
            }
        }
    }

    /// A long poll has come to its end: what it waited for must not have come.
    pub fn check_not_woken(&self, wal: u16, entries: &[(TopicPartition, i64)], wanted: usize) {
        let Some(ledger) = self.ledgers.get(&wal) else {
            return;
        };
        let news: usize = entries
            .iter()
            .filter_map(|(tp, seen)| Some((self.logs.get(tp)?, *seen)))
            .map(|(log, seen)| {
                log.bytes_from(seen, |entry| {
                    entry.wal == wal && entry.lsn <= ledger.durable()
                })
            })
            .sum();
        assert!(
            news < wanted.max(1),
            "{news} bytes came, {wanted} were waited for, and the long poll slept on"
        );
    }

    /// How many live batches are in each segment of a WAL, by its sequence.
    pub fn live_by_segment(&self, wal: u16) -> BTreeMap<u64, usize> {
        let mut live = BTreeMap::new();
        for (tp, log) in &self.logs {
            let gone = self.dropped.contains(&tp.topic);
            for entry in log.live().filter(|entry| entry.wal == wal && !gone) {
                let block = self.ledgers.get(&wal).and_then(|l| l.block(entry.lsn));
                if let Some(block) = block {
                    *live
                        .entry(block.segment.sequence & 0xffff_ffff)
                        .or_default() += 1;
                }
            }
        }
        live
    }

    /// Where bits may flip: blocks of WAL `wal` that something attests.
    pub fn attested(&self, wal: u16) -> Vec<Block> {
        self.ledgers.get(&wal).map_or(Vec::new(), Ledger::attested)
    }
}

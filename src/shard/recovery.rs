//! Putting the shards together again from every WAL in the data directory, whichever
//! shard wrote it: partitions go to the owners that the new count of shards gives
//! them, the catalogue to all. Before the shards run, so nothing here is shared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use thiserror::Error;

use super::group_topics::GroupTopics;
use super::groups::Groups;
use super::index_memory::IndexMemory;
use super::own_log::{OwnLog, is_own};
use super::readers::ColdReaders;
use super::refused::RefusedProducers;
use super::segments::SegmentNeeds;
use super::state::{CATALOG_LOG, Held, Shard, ShardConfig, owner};
use super::tail::TailQueue;
use super::waiters::Waiters;
use crate::base::mark::mark;
use crate::base::{LogConfig, Lsn, Now, SegmentId, TopicId, TopicPartition};
use crate::catalog::{BrokerDefaults, Catalog, CatalogRecord, DecodeError};
use crate::group::Coordinator;
use crate::kafka::batch::BatchHeader;
use crate::kafka::reader::WireError;
use crate::partition::{self, Partition};
use crate::wal::{
    AdoptedWal, RecordKind, Recovered, RecoveredRecord, Wal, WalConfig, WalConfigError,
    decode_log_start,
};

/// Sequences of segments begin here in each start of the broker, so that a segment's
/// sequence tells in which start it was written.
pub const SEQUENCES_PER_START: u64 = 1 << 32;

/// Records that survived but make no sense together. Their checksums are right, so this
/// is a bug or another's data, and going on might lose what is there.
#[derive(Debug, Error)]
pub enum RecoveryError {
    /// A record that its partition cannot have.
    #[error("{tp}: {reason} (segment {segment:?}, byte {offset})")]
    Record {
        /// Whose record.
        tp: TopicPartition,
        /// What is wrong with it.
        reason: String,
        /// Where it is.
        segment: SegmentId,
        /// Where it is there.
        offset: u32,
    },
    /// A partition whose records do not make a whole log.
    #[error("{tp}: {source}")]
    Partition {
        /// Which.
        tp: TopicPartition,
        /// What is wrong with it.
        source: partition::RecoveryError,
    },
    /// A record of a group.
    #[error("{tp}: the group's record at offset {offset}: {reason}")]
    Group {
        /// Its partition of `__consumer_offsets`.
        tp: TopicPartition,
        /// Offset there.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// A record of the catalogue.
    #[error("the catalogue's record at offset {offset}: {source}")]
    Catalog {
        /// Offset in the catalogue's log.
        offset: i64,
        /// What is wrong with it.
        source: DecodeError,
    },
}

/// Which of several WALs' next records was written in the earliest start of the broker: in
/// this order [`Assembly::record`] wants them.
pub fn earliest<'a>(heads: impl Iterator<Item = Option<&'a RecoveredRecord>>) -> Option<usize> {
    let starts = heads.enumerate().filter_map(|(place, record)| {
        Some((
            record?.position.segment.sequence / SEQUENCES_PER_START,
            place,
        ))
    });
    starts.min().map(|(_, place)| place)
}

/// The WALs that one shard goes on with.
#[derive(Debug)]
pub struct ShardWals {
    /// Its own.
    pub own: Recovered,
    /// Those without a shard that it empties.
    pub adopted: Vec<Recovered>,
}

/// Deals WALs out to `shards` shards: to each its own, and what belongs to no shard any more
/// to the one that [keeps](Shard::on_segment_released) its segments.
pub fn deal_wals(mut wals: Vec<Recovered>, shards: u16) -> Vec<ShardWals> {
    let fresh = |own| ShardWals {
        own: Recovered::fresh(own),
        adopted: Vec::new(),
    };
    let mut dealt: Vec<ShardWals> = (0..shards).map(fresh).collect();
    for (shard, number) in dealt.iter_mut().zip(0..) {
        for wal in wals.extract_if(.., |wal| wal.wal % shards == number) {
            if wal.wal == number {
                shard.own = wal;
            } else {
                mark!("shard.recovery.wal-without-shard");
                shard.adopted.push(wal);
            }
        }
    }
    dealt
}

/// Collects the records of all WALs, in the order of the starts that wrote them.
#[derive(Default, Debug)]
pub struct Assembly {
    partitions: HashMap<TopicPartition, Collected>,
}

#[derive(Debug)]
struct Collected {
    log: partition::Recovery,
    state_since: Option<SegmentId>,
    /// The WALs with records that the state depends on.
    state_wals: BTreeSet<u16>,
    /// Its live batches, if the broker itself replays them.
    own: Option<OwnLog>,
}

/// What one shard begins with. Moves to the shard's own core.
#[derive(Debug)]
pub struct RecoveredShard {
    config: ShardConfig,
    catalog: Catalog,
    partitions: HashMap<TopicPartition, Held>,
    /// Partitions whose state must be written to the own WAL before it may change.
    adoptions: Vec<TopicPartition>,
    coordinators: BTreeMap<i32, Coordinator>,
    needs: SegmentNeeds,
    lent: BTreeMap<SegmentId, u16>,
}

impl Assembly {
    /// Takes in one record. Records of a partition must come in the order in which they
    /// were written: start by start, and in LSN order within the WAL of one start.
    pub fn record(&mut self, record: &RecoveredRecord) -> Result<(), RecoveryError> {
        let refuse = |reason: String| RecoveryError::Record {
            tp: record.tp,
            reason,
            segment: record.position.segment,
            offset: record.position.offset,
        };
        let collected = self
            .partitions
            .entry(record.tp)
            .or_insert_with(|| Collected {
                log: partition::Recovery::new(record.tp, LogConfig::default()),
                state_since: None,
                state_wals: BTreeSet::new(),
                own: is_own(record.tp).then(OwnLog::default),
            });
        collected.recover(record).map_err(refuse)
    }

    /// Deals everything out to the shards; `configs` has one for each.
    pub fn finish(
        mut self,
        defaults: BrokerDefaults,
        now: Now,
        configs: &[ShardConfig],
    ) -> Result<Vec<RecoveredShard>, RecoveryError> {
        let catalog = self.replay_catalog(defaults)?;
        let shards = configs.len() as u16;
        let mut recovered: Vec<RecoveredShard> = configs
            .iter()
            .map(|config| RecoveredShard::new(*config, catalog.clone()))
            .collect();
        let catalog_log = (
            CATALOG_LOG,
            LogConfig {
                retention_ms: None,
                ..LogConfig::default()
            },
        );
        let partitions = catalog.topics().flat_map(|topic| {
            let tps = (0..topic.partitions).map(|partition| TopicPartition {
                topic: topic.id,
                partition,
            });
            tps.map(|tp| (tp, topic.log))
        });
        for (tp, log) in partitions.chain([catalog_log]) {
            let owner = recovered.get_mut(usize::from(owner(tp, shards).0));
            let collected = self.partitions.remove(&tp);
            owner.map_or(Ok(()), |shard| shard.take(tp, log, now, collected))?;
        }
        // What is left belongs to topics that were deleted; its segments are free.
        lend(&mut recovered);
        Ok(recovered)
    }

    fn replay_catalog(&mut self, defaults: BrokerDefaults) -> Result<Catalog, RecoveryError> {
        let mut catalog = Catalog::new(defaults);
        let log = self.partitions.get_mut(&CATALOG_LOG);
        let Some(own) = log.and_then(|collected| collected.own.take()) else {
            return Ok(catalog);
        };
        let malformed = |offset| move |source| RecoveryError::Catalog { offset, source };
        own.replay(|record| {
            let cut_short = |(offset, _)| malformed(offset)(DecodeError::Truncated);
            let record = record.map_err(cut_short)?;
            let value = record.value.unwrap_or_default();
            let decoded = CatalogRecord::decode(value).map_err(malformed(record.offset))?;
            catalog.replay(&decoded);
            Ok(())
        })?;
        Ok(catalog)
    }
}

impl Collected {
    fn recover(&mut self, record: &RecoveredRecord) -> Result<(), String> {
        let segment = record.position.segment;
        let words = |error: partition::RecoveryError| error.to_string();
        match record.kind {
            RecordKind::Batch => {
                let header = BatchHeader::decode(&record.payload).map_err(|e| e.to_string())?;
                let recovered = self.log.on_batch(&header, record.position).map_err(words)?;
                if let (Some(own), partition::Recovered::Applied) = (&mut self.own, recovered) {
                    own.keep(header, &record.payload);
                }
            }
            RecordKind::LogStart => {
                let offset = decode_log_start(&record.payload).ok_or("malformed log start")?;
                self.log.on_log_start(offset);
            }
            RecordKind::PartitionState => {
                self.log.on_checkpoint(&record.payload).map_err(words)?;
                self.state_since = None;
                self.state_wals.clear();
            }
        }
        self.state_since.get_or_insert(segment);
        self.state_wals.insert(segment.wal);
        if let Some(own) = &mut self.own {
            own.trim(self.log.log_start());
        }
        Ok(())
    }
}

impl RecoveredShard {
    fn new(config: ShardConfig, catalog: Catalog) -> RecoveredShard {
        RecoveredShard {
            config,
            catalog,
            partitions: HashMap::new(),
            adoptions: Vec::new(),
            coordinators: BTreeMap::new(),
            needs: SegmentNeeds::default(),
            lent: BTreeMap::new(),
        }
    }

    fn take(
        &mut self,
        tp: TopicPartition,
        config: LogConfig,
        now: Now,
        collected: Option<Collected>,
    ) -> Result<(), RecoveryError> {
        let epoch = self.config.leader_epoch;
        if tp.topic == TopicId::OFFSETS {
            let own = collected
                .as_ref()
                .and_then(|collected| collected.own.as_ref());
            let coordinator = self.coordinator(tp, own, now)?;
            self.coordinators.insert(tp.partition, coordinator);
        }
        let Some(collected) = collected else {
            self.partitions
                .insert(tp, Held::new(Partition::new(tp, config, epoch)));
            return Ok(());
        };
        let log = collected.log.finish(epoch, now);
        let mut log = log.map_err(|source| RecoveryError::Partition { tp, source })?;
        log.set_config(config);
        for held in log.segments() {
            self.needs.add(held.segment, held.batches);
        }
        let mut held = Held::new(log);
        if collected
            .state_wals
            .iter()
            .all(|wal| *wal == self.config.id.0)
        {
            held.state_since = collected.state_since;
        } else {
            mark!("shard.recovery.adopt");
            self.adoptions.push(tp);
        }
        self.partitions.insert(tp, held);
        Ok(())
    }

    /// The coordinator of a partition, as its records have it.
    fn coordinator(
        &self,
        tp: TopicPartition,
        own: Option<&OwnLog>,
        now: Now,
    ) -> Result<Coordinator, RecoveryError> {
        let mut coordinator = Coordinator::new(self.config.groups);
        let malformed = |offset, reason| RecoveryError::Group { tp, offset, reason };
        own.map_or(Ok(()), |own| {
            own.replay(|record| {
                let cut_short =
                    |(offset, error): (i64, WireError)| malformed(offset, error.to_string());
                let record = record.map_err(cut_short)?;
                let key = record.key.unwrap_or_default();
                let replayed = coordinator.replay(key, record.value, record.time_ms);
                replayed.map_err(|error| malformed(record.offset, error.to_string()))
            })
        })?;
        coordinator.on_recovered(now, &GroupTopics::new(&self.catalog, 0));
        Ok(coordinator)
    }

    /// Makes the shard of it. `wal` is its own, `adopted` those that it is to empty; the
    /// files that recovery names must have been flushed.
    pub fn open(
        self,
        wal_config: WalConfig,
        mut wal: Recovered,
        adopted: Vec<Recovered>,
    ) -> Result<Shard, WalConfigError> {
        let first_sequence = self.config.leader_epoch as u64 * SEQUENCES_PER_START;
        wal.next_sequence = wal.next_sequence.max(first_sequence);
        let next_lsn = wal.next_lsn;
        let is_topic = |name: &str| self.catalog.topic(name).is_some();
        let groups = Groups::new(self.config.groups, self.coordinators, is_topic);
        let adopted = adopted
            .into_iter()
            .map(|r| (r.wal, AdoptedWal::open(r.wal, &r)));
        Ok(Shard {
            wal: Wal::open(wal_config, &wal)?,
            adopted: adopted.collect(),
            catalog: self.catalog,
            topics_version: 0,
            partitions: self.partitions,
            adoptions: self.adoptions,
            segment_work: None,
            tail: TailQueue::new(self.config.tail_bytes, wal_config.segment_bytes),
            index_memory: IndexMemory::new(self.config.index_bytes, self.config.tail_bytes),
            waiters: Waiters::default(),
            refused: RefusedProducers::default(),
            readers: ColdReaders::new(self.config.read_ahead_bytes),
            needs: self.needs,
            lent: self.lent,
            releases: std::collections::VecDeque::new(),
            checkpoints_starved: false,
            groups,
            rewriting_catalog: false,
            written: BTreeMap::new(),
            last_lsn: Lsn(next_lsn.0 - 1),
            config: self.config,
        })
    }
}

/// Notes at each segment's keeper how many other shards need it.
fn lend(recovered: &mut [RecoveredShard]) {
    let shards = recovered.len() as u16;
    let mut lent: BTreeMap<SegmentId, u16> = BTreeMap::new();
    for shard in recovered.iter() {
        for segment in shard.needs.segments() {
            if segment.wal % shards != shard.config.id.0 {
                *lent.entry(segment).or_default() += 1;
            }
        }
    }
    for (segment, holders) in lent {
        if let Some(keeper) = recovered.get_mut(usize::from(segment.wal % shards)) {
            keeper.lent.insert(segment, holders);
        }
    }
}

impl Shard {
    /// Writes the state of partitions that came from other shards' WALs into the own one,
    /// as much of it as there is room for now. `None` when all of it is written; call
    /// again once the LSN is durable until then.
    pub fn adopt(&mut self) -> Option<Lsn> {
        let mut after = None;
        while let Some(&tp) = self.adoptions.last() {
            match self.checkpoint(tp) {
                Some(lsn) => {
                    after = Some(lsn);
                    self.adoptions.pop();
                }
                // No room yet: the segments are still being prepared, or writes are under way.
                None => return Some(after.unwrap_or(self.last_lsn)),
            }
        }
        after
    }
}

//! Shards by themselves, on a disk that does what it is told: what each function answers. What
//! becomes of several of them when things go wrong is for the simulation.

mod appending;
mod lookups;
mod reading;
mod restarts;

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::base::limits::WAL_SEGMENT_BYTES_MIN;
use crate::base::{LogConfig, Now, ShardId, TopicId, TopicPartition};
use crate::catalog::BrokerDefaults;
use crate::kafka::record::BatchBuilder;
use crate::wal::{ListedFile, Recovered, Recovery, RecoveryStep, SegmentWork, WalConfig};

pub(super) const NOW: Now = Now {
    wall_ms: 0,
    mono_ms: 0,
};
pub(super) const TP: TopicPartition = TopicPartition {
    topic: TopicId([1; 16]),
    partition: 0,
};
/// The leader epoch of a bench's first start.
const EPOCH: i32 = 3;

/// Segment files by WAL and slot, and the manifests.
#[derive(Default)]
struct Disk {
    files: BTreeMap<(u16, u32), Vec<u8>>,
    manifests: BTreeMap<u16, Vec<u8>>,
    /// Nothing can be shortened.
    is_full: bool,
}

/// One shard of several and its disk.
pub(super) struct Bench {
    pub shard: Shard,
    /// The blocks as they were handed back, in the order of their writes.
    pub written: Vec<Bytes>,
    disk: Disk,
}

/// Shard 0 of one, which keeps nothing in memory.
pub(super) fn config() -> ShardConfig {
    ShardConfig {
        id: ShardId(0),
        shards: 1,
        leader_epoch: EPOCH,
        index_bytes: 1 << 20,
        tail_bytes: 0,
        read_ahead_bytes: 1 << 20,
        producer_expiration_ms: 1000,
        producers_max: usize::MAX,
        groups: crate::group::GroupConfig::default(),
    }
}

fn wal_config(wal: u16) -> WalConfig {
    let segment_bytes = WAL_SEGMENT_BYTES_MIN as u32;
    WalConfig {
        wal,
        segment_bytes,
        disk_bytes_max: 8 * u64::from(segment_bytes),
        run_seed: 1,
    }
}

/// A batch of one record.
pub(super) fn batch(value: &[u8]) -> Bytes {
    BatchBuilder::new(0).record(0, None, Some(value)).build()
}

impl Bench {
    /// A shard that holds [`TP`] and whose WAL is ready.
    pub fn new(config: ShardConfig) -> Bench {
        let mut bench = Bench::start(Disk::default(), config);
        bench.shard.create_partition(TP, LogConfig::default());
        bench.drain();
        bench
    }

    /// What a start of the broker makes of a disk: the shard of `config` alone, its WAL not ready.
    fn start(disk: Disk, config: ShardConfig) -> Bench {
        let mut assembly = Assembly::default();
        let mut wals = Vec::new();
        for &wal in disk.manifests.keys() {
            let (records, recovered) = disk.recover(wal);
            for record in &records {
                assembly.record(record).unwrap();
            }
            wals.push(recovered);
        }
        let id = |number| ShardConfig {
            id: ShardId(number),
            ..config
        };
        let configs: Vec<ShardConfig> = (0..config.shards).map(id).collect();
        let shards = assembly.finish(BrokerDefaults::default(), NOW, &configs);
        let dealt = deal_wals(wals, config.shards);
        let place = usize::from(config.id.0);
        let (shard, wals) = shards.unwrap().into_iter().zip(dealt).nth(place).unwrap();
        let shard = shard.open(wal_config(config.id.0), wals.own, wals.adopted);
        Bench {
            shard: shard.unwrap(),
            written: Vec::new(),
            disk,
        }
    }

    /// The records in the own WAL.
    pub fn records(&self) -> Vec<crate::wal::RecoveredRecord> {
        self.disk.recover(0).0
    }

    /// Carries out all work.
    pub fn drain(&mut self) {
        while self.step() {}
    }

    /// Carries out one piece of work. Whether there was any.
    fn step(&mut self) -> bool {
        if let Some((wal, work)) = self.shard.poll_segment() {
            self.work(wal, work);
            return true;
        }
        let Some(plan) = self.shard.poll_write() else {
            return false;
        };
        let mut block = vec![0; plan.bytes];
        plan.copy_to(&mut block);
        let file = self.disk.files.get_mut(&(plan.segment.wal, plan.slot));
        let start = plan.offset as usize;
        file.unwrap()[start..start + plan.bytes].copy_from_slice(&block);
        let block = Bytes::from(block);
        self.written.push(block.clone());
        self.shard.on_written(NOW, plan.lsn, block);
        true
    }

    fn work(&mut self, wal: u16, work: SegmentWork) {
        let Disk {
            files,
            manifests,
            is_full,
        } = &mut self.disk;
        match work {
            SegmentWork::Prepare { slot, bytes } => {
                files.insert((wal, slot), vec![0; bytes as usize]);
                self.shard.on_prepared(slot);
            }
            SegmentWork::WriteHeader { slot, bytes } => {
                let file = files.get_mut(&(wal, slot)).unwrap();
                file[..bytes.len()].copy_from_slice(&bytes[..]);
                self.shard.on_header_written(slot);
            }
            SegmentWork::WriteManifest { bytes } => {
                manifests.insert(wal, bytes);
                self.shard.on_manifest_written(wal);
            }
            SegmentWork::Shorten { slot, .. } if *is_full => {
                self.shard.on_shorten_failed(wal, slot);
            }
            SegmentWork::Shorten { slot, bytes } => {
                files
                    .get_mut(&(wal, slot))
                    .unwrap()
                    .truncate(bytes as usize);
                self.shard.on_shortened(wal, slot);
            }
            SegmentWork::Delete { slot } => {
                files.remove(&(wal, slot));
                self.shard.on_deleted(wal, slot);
            }
        }
    }

    /// Appends a batch, which must be taken, and makes it durable. Its base offset.
    pub fn append(&mut self, value: &[u8]) -> i64 {
        let appended = self.shard.append(NOW, TP, &batch(value)).unwrap();
        self.drain();
        appended.result.base_offset
    }
}

impl Disk {
    fn recover(&self, wal: u16) -> (Vec<crate::wal::RecoveredRecord>, Recovered) {
        let of_wal = self.files.range((wal, 0)..=(wal, u32::MAX));
        let listed: Vec<ListedFile> = of_wal
            .map(|(&(_, slot), file)| ListedFile {
                slot,
                bytes: file.len() as u64,
            })
            .collect();
        let manifest = self.manifests.get(&wal).map(Vec::as_slice);
        let mut recovery = Recovery::new(wal, &listed, manifest).unwrap();
        let mut records = Vec::new();
        loop {
            match recovery.poll().unwrap() {
                RecoveryStep::Record(record) => records.push(record),
                RecoveryStep::Done => return (records, recovery.finish()),
                RecoveryStep::Read(plan) => {
                    let start = plan.offset as usize;
                    let file = &self.files[&(wal, plan.slot)];
                    recovery.on_read(&file[start..start + plan.bytes]).unwrap();
                }
            }
        }
    }
}

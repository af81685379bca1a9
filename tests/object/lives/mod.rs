//! A shard's store with everything that happens to it, step by step: appends, puts, records,
//! recycling, merges, trims, snapshots, removals. It dies between any two steps, with its disk
//! or without it, and requests of the dead arrive late. No record is ever lost that was durable
//! (or, without the disk, stored), no object that is wanted is removed, and in the end none is
//! left over.

mod ends;

use std::collections::{BTreeMap, VecDeque};

use corelane::base::limits::OBJECT_GRACE_MS;
use corelane::base::{SegmentId, ShardId, TopicPartition};
use corelane::object::format::{Footer, NewChunk};
use corelane::object::manifest::{
    Extent, Manifest, ManifestRecord, PartitionMap, Rebuild, Snapshot, find_orphans, is_covered,
};
use corelane::object::merge::{MergeConfig, Merger};
use corelane::object::retention::Sweeper;
use corelane::object::upload::{
    Cut, Part, PutError, UploadConfig, UploadStats, UploadWork, Uploader,
};
use corelane::object::{Numbers, ObjectId, SnapshotId};

use crate::merges::joined;
use crate::random::Random;
use crate::records::{CLUSTER, batch, header, id, object, tp};

const PARTITIONS: i32 = 3;
/// Offsets of one batch.
const BATCH: i64 = 10;

/// What a crash leaves, and the loss of the disk does not.
#[derive(Default)]
struct Disk {
    /// The durable records of the manifest.
    log: Vec<ManifestRecord>,
    partitions: BTreeMap<TopicPartition, Log>,
}

#[derive(Clone, Default)]
struct Log {
    /// The leader epoch of each batch: what tells one from another that took its offsets.
    epochs: Vec<i32>,
    log_start: i64,
    /// Below this the WAL has nothing any more.
    floor: i64,
}

impl Log {
    fn end(&self) -> i64 {
        BATCH * self.epochs.len() as i64
    }
}

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<ObjectId, Footer>,
    snapshots: BTreeMap<SnapshotId, Vec<u8>>,
}

enum Effect {
    Uploaded(u32),
    Merged(u32),
    None,
}

/// What is in memory.
struct Memory {
    start: u32,
    manifest: Manifest,
    /// Records that are not durable yet.
    tail: VecDeque<(ManifestRecord, Effect)>,
    uploader: Uploader,
    merger: Merger,
    sweeper: Sweeper,
    numbers: Numbers,
    /// Objects that are being put, and those that wait to be recorded.
    made: BTreeMap<u32, Footer>,
    putting: Vec<u32>,
    merging: Option<Footer>,
    merged: Option<Footer>,
    trims: Vec<TopicPartition>,
    going: Vec<ObjectId>,
    snapshots: u32,
    /// The last start from the bucket alone.
    floor: u32,
}

struct World {
    disk: Disk,
    bucket: Bucket,
    memory: Memory,
    /// The manifest as the disk has it.
    durable: Manifest,
    /// Puts of earlier starts that may still arrive.
    late: Vec<Footer>,
    /// How many merges were recorded, and how many objects removed.
    merges: usize,
    removals: usize,
    now_ms: u64,
    random: Random,
}

fn memory(start: u32, manifest: Manifest) -> Memory {
    let config = UploadConfig {
        object_bytes: 400,
        interval_ms: 500,
        seed: 1,
    };
    let merging = MergeConfig {
        bytes_per_second: 1 << 30,
        seed: 2,
    };
    Memory {
        start,
        manifest,
        tail: VecDeque::new(),
        uploader: Uploader::new(config),
        merger: Merger::new(merging),
        sweeper: Sweeper::new(3),
        numbers: Numbers::new(),
        made: BTreeMap::new(),
        putting: Vec::new(),
        merging: None,
        merged: None,
        trims: Vec::new(),
        going: Vec::new(),
        snapshots: 0,
        floor: 0,
    }
}

impl World {
    fn new(seed: u64) -> World {
        let mut disk = Disk::default();
        for partition in 0..PARTITIONS {
            disk.partitions.insert(tp(1, partition), Log::default());
        }
        World {
            disk,
            bucket: Bucket::default(),
            memory: memory(1, Manifest::default()),
            durable: Manifest::default(),
            late: Vec::new(),
            merges: 0,
            removals: 0,
            now_ms: 0,
            random: Random::new(seed),
        }
    }

    fn any_tp(&mut self) -> TopicPartition {
        tp(1, self.random.below(PARTITIONS as u64) as i32)
    }

    fn record(&mut self, record: ManifestRecord, effect: Effect) {
        self.memory.manifest.replay(&record).unwrap();
        self.memory.tail.push_back((record, effect));
        self.memory.merger.on_change();
    }

    /// One step of a random kind.
    fn step(&mut self) {
        match self.random.below(28) {
            0..4 => self.append(),
            4 => self.trim(),
            5..12 => {
                let merging = 14 + self.random.below(3);
                self.work(merging);
            }
            kind => self.work(kind - 8),
        }
        self.now_ms += self.random.below(300);
        self.check();
    }

    /// One step of those that come to an end by themselves.
    fn work(&mut self, kind: u64) {
        match kind {
            4..6 => self.poll_upload(),
            6..8 => self.put(),
            8..10 => self.record_upload(),
            10..13 => self.make_durable(),
            13 => self.recycle(),
            14 => self.poll_merge(),
            15 => self.put_merge(),
            16 => self.record_merge(),
            17 => self.snapshot(),
            18 => self.remove(),
            19 => self.look(),
            _ => self.trim_manifest(),
        }
    }

    fn append(&mut self) {
        let tp = self.any_tp();
        let epoch = self.memory.start as i32;
        let log = self.disk.partitions.get_mut(&tp).unwrap();
        let base = log.end();
        log.epochs.push(epoch);
        self.durable_part(tp, base, base + BATCH);
    }

    fn durable_part(&mut self, tp: TopicPartition, base: i64, end: i64) {
        let segment = SegmentId {
            wal: 1,
            sequence: 1 + self.now_ms / 2000,
        };
        let bytes = 70 * (end - base) as u64 / BATCH as u64;
        let part = Part {
            tp,
            base,
            end,
            bytes,
        };
        self.memory.uploader.on_durable(self.now_ms, segment, part);
    }

    fn poll_upload(&mut self) {
        let Memory {
            uploader, numbers, ..
        } = &mut self.memory;
        let partitions = &self.disk.partitions;
        let log_start = |tp| partitions.get(&tp).map(|log| log.log_start);
        match uploader.poll(self.now_ms, numbers, &log_start) {
            Some(UploadWork::Put(cut)) => {
                let footer = self.make(&cut);
                self.memory.made.insert(cut.number, footer);
                self.memory.putting.push(cut.number);
            }
            Some(UploadWork::Again(number)) => self.memory.putting.push(number),
            None => {}
        }
    }

    fn make(&self, cut: &Cut) -> Footer {
        let chunks = cut.parts.iter().map(|part| {
            let log = &self.disk.partitions[&part.tp];
            // What was deleted since may have left the WAL.
            let base = part.base.max(log.floor);
            assert!(
                base == part.base || base <= log.log_start,
                "the WAL has it no more"
            );
            let batches = (base / BATCH..part.end / BATCH).map(|n| {
                batch(
                    BATCH * n,
                    BATCH as i32,
                    log.epochs[n as usize],
                    5,
                    b"123456789",
                )
            });
            NewChunk {
                tp: part.tp,
                log_start: log.log_start,
                batches: batches.collect(),
                state: None,
            }
        });
        let name = id(self.memory.start, cut.number);
        object(header(name, 0), chunks.collect()).footer
    }

    /// A put ends, one way or another; with an error it may have taken effect or not.
    fn put(&mut self) {
        let Memory {
            putting,
            made,
            uploader,
            ..
        } = &mut self.memory;
        let Some(at) = (self.random.next() as usize).checked_rem(putting.len()) else {
            return;
        };
        let number = putting[at];
        let effect = self.random.below(4);
        if effect > 0 {
            let footer = &made[&number];
            self.bucket.objects.insert(footer.header.id, footer.clone());
        }
        // Seen by nobody yet: the answer is on its way.
        if effect < 3 {
            let result = if effect == 2 {
                Ok(())
            } else {
                Err(PutError::Transient)
            };
            putting.swap_remove(at);
            uploader.on_put(self.now_ms, number, result);
        }
    }

    fn record_upload(&mut self) {
        if let Some(number) = self.memory.uploader.poll_record() {
            let footer = &self.memory.made[&number];
            let log_start = |tp| self.disk.partitions.get(&tp).map(|log| log.log_start);
            let record = self.memory.manifest.decide_uploaded(footer, &log_start);
            self.record(record.unwrap(), Effect::Uploaded(number));
        }
    }

    fn make_durable(&mut self) {
        let Some((record, effect)) = self.memory.tail.pop_front() else {
            return;
        };
        self.durable.replay(&record).unwrap();
        self.disk.log.push(record);
        let Memory {
            uploader,
            merger,
            numbers,
            made,
            ..
        } = &mut self.memory;
        match effect {
            Effect::Uploaded(number) => {
                uploader.on_recorded(number, numbers);
                made.remove(&number);
            }
            Effect::Merged(number) => merger.on_recorded(number, numbers),
            Effect::None => {}
        }
    }

    /// The WAL gives up what the durable manifest has, and what is deleted.
    fn recycle(&mut self) {
        for (tp, log) in &mut self.disk.partitions {
            let stored = self.durable.partition(*tp).map_or(0, PartitionMap::end);
            log.floor = log.floor.max(stored).max(log.log_start / BATCH * BATCH);
        }
    }

    fn trim(&mut self) {
        let tp = self.any_tp();
        let back = self.random.below(60) as i64;
        let log = self.disk.partitions.get_mut(&tp).unwrap();
        log.log_start = log.log_start.max(log.end() - back);
        self.memory.trims.push(tp);
    }

    fn trim_manifest(&mut self) {
        for tp in std::mem::take(&mut self.memory.trims) {
            let log_start = self.disk.partitions[&tp].log_start;
            if let Some(record) = self.memory.manifest.decide_trimmed(tp, log_start) {
                self.record(record, Effect::None);
            }
        }
    }

    fn poll_merge(&mut self) {
        let Memory {
            merger,
            manifest,
            numbers,
            merging,
            start,
            ..
        } = &mut self.memory;
        let job = merger.poll(self.now_ms, manifest, numbers, &|_| None, &|_| true);
        if let Some(job) = job {
            *merging = Some(joined(&job, id(*start, job.number), &self.bucket.objects));
        }
    }

    fn put_merge(&mut self) {
        let Some(footer) = self.memory.merging.take() else {
            return;
        };
        let effect = self.random.below(4);
        if effect > 0 {
            self.bucket.objects.insert(footer.header.id, footer.clone());
        }
        if effect > 1 {
            self.memory.merged = Some(footer);
        } else {
            let Memory {
                merger, numbers, ..
            } = &mut self.memory;
            let number = footer.header.id.number;
            merger.on_failed(self.now_ms, number, PutError::Transient, numbers);
        }
    }

    fn record_merge(&mut self) {
        if let Some(footer) = self.memory.merged.take() {
            let record = self.memory.manifest.decide_merged(&footer).unwrap();
            self.record(record, Effect::Merged(footer.header.id.number));
            self.merges += 1;
        }
    }

    /// Snapshots and removals are about what is durable.
    fn version(&self) -> Option<u64> {
        self.memory
            .tail
            .is_empty()
            .then_some(self.disk.log.len() as u64)
    }

    fn snapshot(&mut self) {
        let Some(version) = self.version() else {
            return;
        };
        let memory = &mut self.memory;
        let name = SnapshotId {
            shard: ShardId(1),
            start: memory.start,
            count: memory.snapshots,
        };
        memory.snapshots += 1;
        let bytes = Snapshot::encode(name, CLUSTER, memory.floor, &memory.manifest);
        self.bucket.snapshots.insert(name, bytes);
        if !self.random.one_in(3) {
            memory.sweeper.on_snapshot(version);
        }
    }

    fn look(&mut self) {
        let Some(version) = self.version() else {
            return;
        };
        let Memory {
            sweeper,
            manifest,
            numbers,
            start,
            ..
        } = &mut self.memory;
        sweeper.look(self.now_ms, version, manifest, &|_| true);
        let listed: Vec<ObjectId> = self.bucket.objects.keys().copied().collect();
        let under_way = numbers.lowest_under_way();
        let found = find_orphans(manifest, listed, &|_| true, *start, under_way).unwrap();
        for orphan in found {
            if self.is_covered(&self.bucket.objects[&orphan]) {
                self.memory.sweeper.add_orphan(self.now_ms, orphan);
            }
        }
        self.now_ms += OBJECT_GRACE_MS / 4;
    }

    fn is_covered(&self, footer: &Footer) -> bool {
        let range = |tp| {
            let log: Option<&Log> = self.disk.partitions.get(&tp);
            log.map(|log| log.log_start..log.end())
        };
        is_covered(footer, &range)
    }

    /// A request to remove objects: asked for, done in part, done, recorded.
    fn remove(&mut self) {
        if self.memory.going.is_empty() {
            self.memory.going = self.memory.sweeper.poll(self.now_ms);
            return;
        }
        let all = self.memory.going.len();
        let count = match self.random.one_in(3) {
            true => self.random.below(all as u64) as usize,
            false => all,
        };
        for id in &self.memory.going[..count] {
            self.bucket.objects.remove(id);
        }
        if count < self.memory.going.len() {
            self.memory.going.clear();
            self.memory
                .sweeper
                .on_failed(self.now_ms, PutError::Transient);
        } else {
            self.memory.going.clear();
            for id in self.memory.sweeper.on_removed() {
                if let Some(record) = self.memory.manifest.decide_removed(id) {
                    self.record(record, Effect::None);
                    self.removals += 1;
                }
            }
        }
    }
}

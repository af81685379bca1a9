//! Random histories of uploads, merges, trims, deletions and removals. After each step the
//! manifest knows of every live offset an object in the store that has it; its log, a snapshot
//! of it, and the footers alone give the same manifest.

use std::collections::{BTreeMap, BTreeSet};

use corelane::base::{ShardId, TopicPartition};
use corelane::object::format::{Footer, Run, join};
use corelane::object::manifest::{
    Manifest, ManifestRecord, Object, PartitionMap, Rebuild, Recovery, Snapshot, keeper,
};
use corelane::object::{ObjectId, SnapshotId};
use proptest::prelude::*;

use crate::records::{CLUSTER, batches, chunk, header, id, object, tp};

const TPS: usize = 4;

#[derive(Clone, Debug)]
enum Op {
    /// Bit by bit, which partitions are in the object.
    Upload {
        parts: u8,
        is_recorded: bool,
    },
    /// Some neighbouring extents of some partitions, and a trim before it is recorded.
    Merge {
        parts: u8,
        skip: usize,
        len: usize,
        trim: Option<usize>,
    },
    Trim {
        of: usize,
        back: i64,
    },
    Drop {
        topic: u8,
    },
    Remove,
}

fn op() -> impl Strategy<Value = Op> {
    let parts = 1u8..16;
    prop_oneof![
        10 => parts.clone().prop_map(|parts| Op::Upload { parts, is_recorded: true }),
        1 => parts.clone().prop_map(|parts| Op::Upload { parts, is_recorded: false }),
        5 => (parts, 0usize..4, 1usize..5, prop::option::of(0..TPS))
            .prop_map(|(parts, skip, len, trim)| Op::Merge { parts, skip, len, trim }),
        3 => (0..TPS, 0i64..60).prop_map(|(of, back)| Op::Trim { of, back }),
        1 => (0u8..2).prop_map(|topic| Op::Drop { topic }),
        3 => Just(Op::Remove),
    ]
}

/// A store and its manifest.
#[derive(Default)]
struct World {
    manifest: Manifest,
    log: Vec<ManifestRecord>,
    store: BTreeMap<ObjectId, Footer>,
    /// As it was before an object was removed last: nothing is removed without one.
    snapshot: Manifest,
    dropped: BTreeSet<u8>,
    next: u32,
    has_orphans: bool,
}

fn tp_of(n: usize) -> TopicPartition {
    tp((n / 2) as u8, (n % 2) as i32)
}

impl World {
    fn record(&mut self, record: ManifestRecord) {
        assert_eq!(
            ManifestRecord::decode(&record.encode()).as_ref(),
            Ok(&record)
        );
        self.manifest.replay(&record).unwrap();
        self.log.push(record);
    }

    fn next_id(&mut self) -> ObjectId {
        self.next += 1;
        // Now and then the broker starts anew, or with other shards.
        ObjectId {
            shard: ShardId((self.next / 7 % 3) as u16),
            ..id(1 + self.next / 5, self.next)
        }
    }

    fn log_start(&self, tp: TopicPartition) -> i64 {
        self.manifest
            .partition(tp)
            .map_or(0, PartitionMap::log_start)
    }

    fn exists(&self, tp: TopicPartition) -> bool {
        !self.dropped.contains(&tp.topic.0[0])
    }

    fn run(&mut self, op: &Op) {
        match *op {
            Op::Upload { parts, is_recorded } => self.upload(parts, is_recorded),
            Op::Merge {
                parts,
                skip,
                len,
                trim,
            } => self.merge(parts, skip, len, trim),
            Op::Trim { of, back } => self.trim(of, back),
            Op::Drop { topic } => {
                // The last topic stays, or nothing more would happen.
                if topic == 0 {
                    self.dropped.insert(topic);
                    if let Some(record) = self.manifest.decide_dropped(tp(topic, 0).topic) {
                        self.record(record);
                    }
                }
            }
            Op::Remove => {
                let dead = self.manifest.objects().find(|object| object.is_dead());
                if let Some(id) = dead.map(|object| object.info.id) {
                    self.snapshot = self.manifest.clone();
                    self.store.remove(&id);
                    let record = self.manifest.decide_removed(id).unwrap();
                    self.record(record);
                }
            }
        }
    }

    fn upload(&mut self, parts: u8, is_recorded: bool) {
        let mut chunks = Vec::new();
        for n in (0..TPS).filter(|n| parts >> n & 1 == 1) {
            let tp = tp_of(n);
            let end = self.manifest.partition(tp).map_or(0, PartitionMap::end);
            // One that the manifest does not know yet may have begun anywhere.
            let count = 1 + i64::from(parts) % 3 + i64::from(!is_recorded);
            let mut chunk = chunk(tp, batches(end, count, 1, 3));
            chunk.log_start = self.log_start(tp);
            chunks.push(chunk);
        }
        let id = self.next_id();
        let footer = object(header(id, 0), chunks).footer;
        self.store.insert(id, footer.clone());
        if is_recorded {
            let decided = self
                .manifest
                .decide_uploaded(&footer, &|tp| self.exists(tp).then(|| self.log_start(tp)));
            self.record(decided.unwrap());
        } else {
            self.has_orphans = true;
        }
    }

    fn merge(&mut self, parts: u8, skip: usize, len: usize, trim: Option<usize>) {
        let mut runs = Vec::new();
        let mut level = 0;
        for n in (0..TPS).filter(|n| parts >> n & 1 == 1) {
            let Some(map) = self.manifest.partition(tp_of(n)) else {
                continue;
            };
            let extents = map.extents().skip(skip).take(len);
            let mut parts = Vec::new();
            for extent in extents {
                level = level.max(extent.level);
                let chunks = &self.store[&extent.object].chunks;
                let chunk = chunks
                    .iter()
                    .find(|chunk| chunk.position == extent.position);
                parts.push((extent.object, chunk.unwrap()));
            }
            if !parts.is_empty() {
                runs.push(Run { parts });
            }
        }
        if runs.is_empty() {
            return;
        }
        self.next += 1;
        let id = id(1 + self.next / 5, self.next);
        let footer = join(header(id, level + 1), &runs).unwrap().footer;
        self.store.insert(id, footer.clone());
        if let Some(of) = trim {
            self.trim(of, 15);
        }
        let record = self.manifest.decide_merged(&footer).unwrap();
        self.record(record);
    }

    fn trim(&mut self, of: usize, back: i64) {
        let Some(map) = self.manifest.partition(tp_of(of)) else {
            return;
        };
        let to = map.end() - back;
        if let Some(record) = self.manifest.decide_trimmed(tp_of(of), to) {
            self.record(record);
        }
    }

    fn check(&self) {
        self.check_extents();
        self.check_replays();
        self.check_rebuilt();
        self.check_dealt();
    }

    /// Every live offset is in a block of an object that has it, and what the objects are said
    /// to be wanted for is what the partitions want.
    fn check_extents(&self) {
        let mut wanted: BTreeMap<ObjectId, (u32, u64)> = BTreeMap::new();
        for (tp, map) in self.manifest.partitions() {
            for extent in map.extents() {
                let wanted = wanted.entry(extent.object).or_default();
                wanted.0 += 1;
                wanted.1 += u64::from(extent.bytes);
                let chunks = &self.store[&extent.object].chunks;
                let has = |c: &corelane::object::format::ChunkEntry| {
                    c.tp == tp
                        && (c.position, c.bytes) == (extent.position, extent.bytes)
                        && (c.base_offset, c.end_offset) == (extent.base, extent.end)
                };
                assert!(chunks.iter().any(has), "{tp} {extent:?}");
            }
            for offset in map.log_start()..map.end() {
                let extent = map.extents_from(offset).next().unwrap();
                let block = extent.blocks_from(offset).next().unwrap();
                assert!(
                    (block.base..block.end).contains(&offset),
                    "{tp} {offset}: {block:?}"
                );
            }
            assert!(map.extents_from(map.end()).next().is_none());
        }
        for object in self.manifest.objects() {
            let (chunks, bytes) = wanted.remove(&object.info.id).unwrap_or_default();
            assert_eq!((object.live_chunks, object.live_bytes), (chunks, bytes));
            assert!(
                self.store.contains_key(&object.info.id),
                "said to be there and is not"
            );
        }
    }

    fn check_replays(&self) {
        let replay = |records: &mut dyn Iterator<Item = ManifestRecord>| {
            let mut manifest = Manifest::default();
            records.for_each(|record| manifest.replay(&record).unwrap());
            manifest
        };
        let log = || self.log.iter().cloned();
        assert_eq!(replay(&mut log()), self.manifest);
        assert_eq!(replay(&mut self.manifest.snapshot()), self.manifest);
        assert_eq!(
            replay(&mut log().chain(self.manifest.snapshot())),
            self.manifest
        );
        let id = SnapshotId {
            shard: ShardId(1),
            start: 2,
            count: 3,
        };
        let bytes = Snapshot::encode(id, CLUSTER, 4, &self.manifest);
        let snapshot = Snapshot::decode(&bytes).unwrap();
        assert_eq!(
            (snapshot.id, snapshot.cluster, snapshot.floor),
            (id, CLUSTER, 4)
        );
        assert_eq!(snapshot.manifest().as_ref(), Ok(&self.manifest));
    }

    fn check_rebuilt(&self) {
        let mut rebuild = Rebuild::new(self.snapshot.clone(), 0);
        for footer in self.store.values().rev() {
            rebuild.add(footer, &|tp| self.exists(tp));
        }
        let rebuilt = rebuild.finish();
        assert!(
            rebuilt.gaps.iter().all(|gap| !gap.is_loss),
            "{:?}",
            rebuilt.gaps
        );
        let mut rebuilt = rebuilt.manifest;
        for topic in &self.dropped {
            if let Some(record) = rebuilt.decide_dropped(tp(*topic, 0).topic) {
                rebuilt.replay(&record).unwrap();
            }
        }
        for (tp, map) in self.manifest.partitions() {
            if let Some(record) = rebuilt.decide_trimmed(tp, map.log_start()) {
                rebuilt.replay(&record).unwrap();
            }
            // Whatever orphans there are, nothing live is missing.
            let found = rebuilt.partition(tp);
            for offset in map.log_start()..map.end() {
                let found = found.and_then(|map| map.extents_from(offset).next());
                assert!(
                    found.is_some_and(|extent| extent.end > offset),
                    "{tp} {offset}"
                );
            }
        }
        if !self.has_orphans {
            assert_eq!(live(&rebuilt), live(&self.manifest));
            // What was removed since the snapshot is dead, and is removed again.
            let is_there = |object: &&Object| self.store.contains_key(&object.info.id);
            let objects = |m: &Manifest| m.objects().filter(is_there).copied().collect::<Vec<_>>();
            assert_eq!(objects(&rebuilt), objects(&self.manifest));
            let gone = rebuilt.objects().filter(|object| !is_there(object));
            assert!(gone.into_iter().all(Object::is_dead));
        }
    }

    fn check_dealt(&self) {
        for shards in 1..4 {
            let owner = |tp: TopicPartition| ShardId((tp.partition as u16 + 1) % shards);
            let dealt = self.manifest.clone().deal(shards, &owner);
            let mut all = Recovery::default();
            for (shard, dealt) in dealt.iter().enumerate() {
                let mut snapshot = dealt.manifest.snapshot();
                snapshot.try_for_each(|record| all.record(&record)).unwrap();
                for (tp, _) in dealt.manifest.partitions() {
                    assert_eq!(usize::from(owner(tp).0), shard);
                }
                for object in dealt.manifest.objects() {
                    let id = object.info.id;
                    let is_kept = usize::from(keeper(id, shards).0) == shard;
                    assert!(is_kept || !object.is_dead());
                    let others = dealt_to_others(
                        &dealt.manifest,
                        &all_manifests(&self.manifest, shards, &owner),
                        id,
                    );
                    assert_eq!(
                        dealt.lent.get(&id).copied().unwrap_or(0),
                        if is_kept { others } else { 0 }
                    );
                }
            }
            assert_eq!(
                all.finish().as_ref(),
                Ok(&self.manifest),
                "and back together"
            );
        }
    }
}

fn all_manifests(
    manifest: &Manifest,
    shards: u16,
    owner: &dyn Fn(TopicPartition) -> ShardId,
) -> Vec<Manifest> {
    let dealt = manifest.clone().deal(shards, owner);
    dealt.into_iter().map(|dealt| dealt.manifest).collect()
}

/// How many manifests but this one want the object.
fn dealt_to_others(own: &Manifest, all: &[Manifest], id: ObjectId) -> u16 {
    let wants = |m: &&Manifest| m.object(id).is_some_and(|object| !object.is_dead());
    let all = all.iter().filter(wants).count() as u16;
    all - u16::from(wants(&own))
}

/// What is live in a manifest, partition by partition.
fn live(manifest: &Manifest) -> Vec<(TopicPartition, PartitionMap)> {
    let all = manifest.partitions().map(|(tp, map)| (tp, map.clone()));
    all.filter(|(_, map)| map.extents().len() > 0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn log_snapshot_and_footers_give_the_same_manifest(
        ops in prop::collection::vec(op(), 1..40),
    ) {
        let mut world = World::default();
        for op in &ops {
            world.run(op);
            world.check();
        }
    }
}

//! Merges: what is joined with what, how often a byte is copied, and how many extents are left.

use std::collections::BTreeMap;

use corelane::base::TopicPartition;
use corelane::base::limits::{MERGE_FAN_IN, MERGE_SPAN_MS_MIN};
use corelane::object::format::{ChunkEntry, Footer, Run, join};
use corelane::object::manifest::{Manifest, ManifestRecord};
use corelane::object::merge::{MergeConfig, MergeJob, Merger};
use corelane::object::upload::PutError;
use corelane::object::{Numbers, ObjectId};

use crate::random::Random;
use crate::records::{batch, chunk, header, id, object, tp};

const CONFIG: MergeConfig = MergeConfig {
    bytes_per_second: 1 << 20,
    seed: 3,
};

/// A store that merges.
pub struct Rig {
    pub manifest: Manifest,
    pub merger: Merger,
    pub numbers: Numbers,
    pub footers: BTreeMap<ObjectId, Footer>,
    pub retention_ms: Option<u64>,
    now_ms: u64,
    copied: u64,
    uploaded: u64,
}

/// The entry of an extent's chunk in its object.
fn entry(footers: &BTreeMap<ObjectId, Footer>, object: ObjectId, position: u32) -> &ChunkEntry {
    let chunks = &footers[&object].chunks;
    chunks
        .iter()
        .find(|chunk| chunk.position == position)
        .unwrap()
}

/// The object that a job asks for.
pub fn joined(job: &MergeJob, id: ObjectId, footers: &BTreeMap<ObjectId, Footer>) -> Footer {
    let runs = job.groups.iter().map(|group| Run {
        parts: group
            .extents
            .iter()
            .map(|e| (e.object, entry(footers, e.object, e.position)))
            .collect(),
    });
    join(header(id, job.level), &runs.collect::<Vec<_>>())
        .unwrap()
        .footer
}

impl Rig {
    pub fn new() -> Rig {
        Rig {
            manifest: Manifest::default(),
            merger: Merger::new(CONFIG),
            numbers: Numbers::new(),
            footers: BTreeMap::new(),
            retention_ms: None,
            now_ms: 0,
            copied: 0,
            uploaded: 0,
        }
    }

    fn record(&mut self, record: &ManifestRecord) {
        self.manifest.replay(record).unwrap();
        self.merger.on_change();
    }

    /// An object with a batch of so many bytes for each partition, at a time.
    fn upload(&mut self, parts: &[(i32, usize)], timestamp: i64) {
        let chunks = parts.iter().map(|(partition, bytes)| {
            let tp = tp(1, *partition);
            let end = self.manifest.partition(tp).map_or(0, |map| map.end());
            chunk(tp, vec![batch(end, 10, 1, timestamp, &vec![1; *bytes])])
        });
        let chunks = chunks.collect();
        let id = id(1, self.numbers.take());
        let footer = object(header(id, 0), chunks).footer;
        self.uploaded += footer
            .chunks
            .iter()
            .map(|c| u64::from(c.bytes))
            .sum::<u64>();
        let record = self
            .manifest
            .decide_uploaded(&footer, &|_| Some(0))
            .unwrap();
        self.footers.insert(id, footer);
        self.record(&record);
        self.numbers.end(id.number);
    }

    fn poll(&mut self) -> Option<MergeJob> {
        let retention_ms = self.retention_ms;
        let retention = |_: TopicPartition| retention_ms;
        let (now_ms, manifest) = (self.now_ms, &self.manifest);
        self.merger
            .poll(now_ms, manifest, &mut self.numbers, &retention, &|_| true)
    }

    /// Merges until there is nothing to merge. Gives how many objects were made.
    fn settle(&mut self) -> usize {
        for made in 0..1000 {
            self.now_ms = self
                .merger
                .deadline_ms()
                .unwrap_or(self.now_ms)
                .max(self.now_ms);
            let Some(job) = self.poll() else {
                assert_eq!(self.poll(), None);
                return made;
            };
            let id = id(1, job.number);
            let footer = joined(&job, id, &self.footers);
            self.copied += footer
                .chunks
                .iter()
                .map(|c| u64::from(c.bytes))
                .sum::<u64>();
            let record = self.manifest.decide_merged(&footer).unwrap();
            self.footers.insert(id, footer);
            self.record(&record);
            self.merger.on_recorded(job.number, &mut self.numbers);
            // What is dead is removed at once.
            let dead = self.manifest.objects().filter(|object| object.is_dead());
            let dead: Vec<ObjectId> = dead.map(|object| object.info.id).collect();
            for id in dead {
                let record = self.manifest.decide_removed(id).unwrap();
                self.manifest.replay(&record).unwrap();
            }
        }
        panic!("it merges for ever");
    }

    fn extents(&self, partition: i32) -> Vec<(u8, i64, i64)> {
        let map = self.manifest.partition(tp(1, partition)).unwrap();
        map.extents().map(|e| (e.level, e.base, e.end)).collect()
    }
}

#[test]
fn sixteen_small_objects_become_one_run_for_each_partition() {
    let mut rig = Rig::new();
    for n in 0..MERGE_FAN_IN as i64 {
        assert_eq!(rig.settle(), 0);
        rig.upload(&[(0, 100), (1, 50), (2, 10)], n);
    }
    assert_eq!(rig.settle(), 1);
    for partition in 0..3 {
        assert_eq!(rig.extents(partition), [(1, 0, 160)]);
    }
    assert_eq!(rig.manifest.objects().count(), 1);
}

#[test]
fn those_that_seldom_write_come_along() {
    let mut rig = Rig::new();
    for n in 0..MERGE_FAN_IN as i64 {
        let parts: &[_] = if n == 3 {
            &[(0, 100), (9, 10)]
        } else {
            &[(0, 100)]
        };
        rig.upload(parts, n);
    }
    rig.settle();
    assert_eq!(
        rig.extents(9),
        [(1, 0, 10)],
        "or it would keep an object for itself"
    );
    assert_eq!(rig.manifest.objects().count(), 1);
}

#[test]
fn the_number_of_extents_and_of_copies_is_logarithmic() {
    let mut rig = Rig::new();
    let mut random = Random::new(5);
    let uploads = 2000;
    for n in 0..uploads {
        // Some write always, some now and then, one hardly ever.
        let mut parts = vec![(0, 200), (1, 60)];
        if random.one_in(5) {
            parts.push((2, 100));
        }
        if random.one_in(300) {
            parts.push((3, 10));
        }
        rig.upload(&parts, n);
        rig.settle();
    }
    let levels = 3; // 16 x 16 x 16 > 2000
    for partition in 0..4 {
        let extents = rig.extents(partition);
        assert!(
            extents.len() <= levels * MERGE_FAN_IN,
            "{partition}: {extents:?}"
        );
        assert!(
            extents.is_sorted_by(|a, b| a.2 == b.1 && a.0 >= b.0),
            "{extents:?}"
        );
    }
    let objects = rig.manifest.objects().count();
    assert!(objects <= levels * MERGE_FAN_IN, "{objects} objects");
    assert!(
        rig.copied <= levels as u64 * rig.uploaded,
        "{} of {}",
        rig.copied,
        rig.uploaded
    );
    assert!(
        rig.manifest.memory_bytes() < 20_000,
        "{}",
        rig.manifest.memory_bytes()
    );
}

#[test]
fn long_extents_are_left_alone() {
    let mut rig = Rig::new();
    let long = corelane::base::limits::MERGE_RUN_BYTES as usize / 4;
    for n in 0..5 {
        // An object whose chunk is long enough, of four batches.
        let end = 40 * n;
        let batches = (0..4)
            .map(|m| batch(end + 10 * m, 10, 1, 1, &vec![0; long]))
            .collect();
        let number = rig.numbers.take();
        let footer = object(header(id(1, number), 0), vec![chunk(tp(1, 0), batches)]).footer;
        let record = rig.manifest.decide_uploaded(&footer, &|_| Some(0)).unwrap();
        rig.footers.insert(id(1, number), footer);
        rig.record(&record);
        for small in 0..3 {
            rig.upload(&[(1, 10)], small);
        }
    }
    assert_eq!(rig.settle(), 0);
    rig.upload(&[(1, 10)], 0);
    rig.settle();
    assert_eq!(rig.extents(0).len(), 5);
    assert!(rig.extents(0).iter().all(|(level, ..)| *level == 0));
    assert_eq!(rig.extents(1), [(1, 0, 160)]);
}

#[test]
fn what_expires_together_stays_within_a_part_of_the_retention() {
    let mut rig = Rig::new();
    let hour = MERGE_SPAN_MS_MIN as i64;
    rig.retention_ms = Some(32 * MERGE_SPAN_MS_MIN);
    // Sixteen an hour, for eight hours: two hours may be in one extent.
    for n in 0..128 {
        rig.upload(&[(0, 10)], n * hour / 16);
        rig.settle();
    }
    let map = rig.manifest.partition(tp(1, 0)).unwrap();
    let mut before = 0;
    for extent in map.extents() {
        assert!(
            extent.max_timestamp - before <= 2 * hour + hour / 16,
            "{extent:?}"
        );
        before = extent.max_timestamp;
    }
    assert!(map.extents().len() < 2 * MERGE_FAN_IN);
}

#[test]
fn an_object_of_which_little_is_wanted_is_rewritten() {
    let mut rig = Rig::new();
    rig.upload(&[(0, 1000), (1, 100)], 0);
    rig.upload(&[(1, 100)], 0);
    let trim = rig.manifest.decide_trimmed(tp(1, 0), 10).unwrap();
    rig.record(&trim);
    assert_eq!(rig.settle(), 1);
    assert_eq!(
        rig.extents(1),
        [(0, 0, 10), (0, 10, 20)],
        "at its level, with no other"
    );
    assert_eq!(rig.manifest.objects().count(), 2);
    assert_eq!(rig.settle(), 0, "it is dense now");
    // One that others want as well is left to its fate.
    rig.upload(&[(0, 1000), (2, 100)], 0);
    let trim = rig.manifest.decide_trimmed(tp(1, 0), 20).unwrap();
    rig.record(&trim);
    let (manifest, numbers) = (&rig.manifest, &mut rig.numbers);
    let job = rig
        .merger
        .poll(u64::MAX / 2, manifest, numbers, &|_| None, &|_| false);
    assert_eq!(job, None);
}

#[test]
fn the_pace_is_kept_and_failures_pause() {
    let mut rig = Rig::new();
    for n in 0..2 * MERGE_FAN_IN as i64 {
        rig.upload(&[(0, 64 * 1024)], n);
    }
    let job = rig.poll().unwrap();
    assert_eq!(rig.poll(), None, "one at a time");
    assert_eq!(rig.numbers.lowest_under_way(), job.number);
    rig.merger
        .on_failed(0, job.number, PutError::Transient, &mut rig.numbers);
    assert_eq!(rig.poll(), None, "a MiB a second was used up");
    let next_ms = rig.merger.deadline_ms().unwrap();
    assert!((1000..1200).contains(&next_ms), "{next_ms}");
    rig.now_ms = next_ms;
    let again = rig.poll().unwrap();
    assert_eq!(again.groups, job.groups);
    assert!(again.number > job.number, "under another name");
    rig.merger
        .on_failed(next_ms, again.number, PutError::Refused, &mut rig.numbers);
    assert!(rig.merger.deadline_ms().unwrap() > next_ms + 10_000);
}

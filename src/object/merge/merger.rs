//! Finds what to merge next.

use std::collections::BTreeSet;

use super::groups::{Group, Limits, groups};
use crate::base::TopicPartition;
use crate::base::limits::{MERGE_FAN_IN, MERGE_OBJECT_BYTES, MERGE_RUN_BYTES};
use crate::object::key::ObjectId;
use crate::object::manifest::{Extent, Manifest};
use crate::object::numbers::Numbers;
use crate::object::upload::{Pace, PutError};

/// How a shard merges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MergeConfig {
    /// Bytes that it copies in a second, at most: the rest of the shard comes first.
    pub bytes_per_second: u64,
    /// For the jitter of retries: any number.
    pub seed: u64,
}

/// An object to make of others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MergeJob {
    /// Its number.
    pub number: u32,
    /// Its level.
    pub level: u8,
    /// Its chunks, by partition and offset.
    pub groups: Vec<Group>,
}

/// The merges of one shard, one at a time.
#[derive(Debug)]
pub struct Merger {
    config: MergeConfig,
    pace: Pace,
    /// The objects that are being emptied.
    drained: BTreeSet<ObjectId>,
    /// They are emptied because little of them is wanted, and keep their level.
    is_rewriting: bool,
    under_way: Option<u32>,
    failures: u32,
    next_ms: u64,
    /// Nothing has changed since nothing was found.
    is_idle: bool,
}

impl Merger {
    /// Nothing is being merged.
    pub fn new(config: MergeConfig) -> Merger {
        Merger {
            config,
            pace: Pace::new(1, config.seed),
            drained: BTreeSet::new(),
            is_rewriting: false,
            under_way: None,
            failures: 0,
            next_ms: 0,
            is_idle: false,
        }
    }

    /// The manifest has changed: there may be something to merge.
    pub fn on_change(&mut self) {
        self.is_idle = false;
    }

    /// The next object to make, if one is due. `retention_ms` is the `retention.ms` of a
    /// partition, `is_own` whether nobody else wants an object.
    pub fn poll(
        &mut self,
        now_ms: u64,
        manifest: &Manifest,
        numbers: &mut Numbers,
        retention_ms: &dyn Fn(TopicPartition) -> Option<u64>,
        is_own: &dyn Fn(ObjectId) -> bool,
    ) -> Option<MergeJob> {
        if self.under_way.is_some() || self.is_idle || now_ms < self.next_ms {
            return None;
        }
        let limits = |tp| Limits::new(retention_ms(tp));
        let mut found = self.output(manifest, &limits);
        if found.is_empty() {
            self.draw(manifest, &limits, is_own);
            found = self.output(manifest, &limits);
        }
        if found.is_empty() {
            self.is_idle = true;
            return None;
        }
        let level = found.iter().map(Group::level).max().unwrap_or(0);
        let number = numbers.take();
        self.under_way = Some(number);
        let bytes: u64 = found.iter().map(Group::bytes).sum();
        let takes_ms = bytes.saturating_mul(1000) / self.config.bytes_per_second.max(1);
        self.next_ms = now_ms.saturating_add(takes_ms);
        Some(MergeJob {
            number,
            level: level.saturating_add(u8::from(!self.is_rewriting)),
            groups: found,
        })
    }

    /// When the next may be due, monotonic milliseconds.
    pub fn deadline_ms(&self) -> Option<u64> {
        (self.under_way.is_none() && !self.is_idle).then_some(self.next_ms)
    }

    /// The object is put and recorded, durably.
    pub fn on_recorded(&mut self, number: u32, numbers: &mut Numbers) {
        self.failures = 0;
        self.pace.on_success();
        self.end(number, numbers);
    }

    /// It was not: what may be in the store of it is an orphan, and another is planned.
    pub fn on_failed(&mut self, now_ms: u64, number: u32, error: PutError, numbers: &mut Numbers) {
        self.failures = self.failures.saturating_add(1);
        let until_ms = self.pace.on_error(now_ms, error, self.failures);
        self.next_ms = self.next_ms.max(until_ms);
        self.end(number, numbers);
    }

    fn end(&mut self, number: u32, numbers: &mut Numbers) {
        if self.under_way == Some(number) {
            self.under_way = None;
            self.is_idle = false;
            numbers.end(number);
        }
    }

    /// What is still to be taken out of the objects that are being emptied, as much as makes
    /// one object.
    fn output(
        &mut self,
        manifest: &Manifest,
        limits: &dyn Fn(TopicPartition) -> Limits,
    ) -> Vec<Group> {
        let is_drawn = |extent: &Extent| {
            let is_long = u64::from(extent.bytes) >= MERGE_RUN_BYTES;
            self.drained.contains(&extent.object) && (self.is_rewriting || !is_long)
        };
        let mut output = Vec::new();
        let mut bytes = 0;
        for (tp, map) in manifest.partitions() {
            for group in groups(map, limits(tp), &is_drawn) {
                let group = Group {
                    tp,
                    extents: group.into_iter().cloned().collect(),
                };
                bytes += group.bytes();
                output.push(group);
                if bytes >= MERGE_OBJECT_BYTES {
                    return output;
                }
            }
        }
        output
    }

    /// Chooses objects to empty.
    fn draw(
        &mut self,
        manifest: &Manifest,
        limits: &dyn Fn(TopicPartition) -> Limits,
        is_own: &dyn Fn(ObjectId) -> bool,
    ) {
        self.drained.clear();
        self.is_rewriting = false;
        if let Some((level, ages)) = fragmented(manifest, limits) {
            let objects = manifest.objects().filter(|object| {
                object.info.level == level && ages.contains(&object.info.id.age())
            });
            self.drained.extend(objects.map(|object| object.info.id));
            return;
        }
        let sparse = manifest
            .objects()
            .filter(|object| object.is_sparse() && !object.is_dead() && is_own(object.info.id));
        self.drained.extend(sparse.map(|object| object.info.id));
        self.is_rewriting = true;
    }
}

type Ages = std::ops::RangeInclusive<(u32, u32)>;

/// The first partition with enough short neighbours of one level: that level, and the ages of
/// the objects from the oldest to the newest of them.
fn fragmented(
    manifest: &Manifest,
    limits: &dyn Fn(TopicPartition) -> Limits,
) -> Option<(u8, Ages)> {
    manifest.partitions().find_map(|(tp, map)| {
        let is_short = |extent: &Extent| u64::from(extent.bytes) < MERGE_RUN_BYTES;
        let all = groups(map, limits(tp), &is_short);
        // Levels fall along the log, so a stretch of one level is a part of a group.
        let mut stretches = all
            .iter()
            .flat_map(|group| group.chunk_by(|a, b| a.level == b.level));
        let stretch = stretches.find(|stretch| stretch.len() >= MERGE_FAN_IN)?;
        let ages = || stretch.iter().take(MERGE_FAN_IN).map(|e| e.object.age());
        let level = stretch.first()?.level;
        Some((level, ages().min()?..=ages().max()?))
    })
}

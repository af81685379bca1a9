//! Shortening the logs of the groups' coordinators: what is live is written again at the end,
//! and what came before is dropped, so that its segments can be reclaimed. Kafka compacts the
//! topic for the same reason. The driver runs one task after the other, never two at a time.
//!
//! Nothing else is appended to a log between the first and the last batch that is written
//! again, or an older state would stand behind a newer one. A crash at any point leaves a log
//! whose replay gives the same state: the batches repeat what stands before them, and the log
//! start moves only when all of them are durable.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::groups::{batch_of, offsets_partition};
use super::own_log::is_own;
use super::state::Shard;
use crate::base::limits::{GROUP_LOG_BYTES_MIN, WAL_ALIGN};
use crate::base::mark::mark;
use crate::base::{Lsn, Now, SegmentId};
use crate::wal::Priority;

/// A log is written again when it is this many times as large as what is live in it.
const REWRITE_LIVE_PARTS: u64 = 3;
/// Segments that hold nothing but such logs are freed when they are so many times as large as
/// what must be written again for that.
const REWRITE_GAIN_MIN: u64 = 2;
/// Bytes of records in one batch that is written again.
const BATCH_BYTES: usize = 256 * 1024;

/// What a task waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupRewriteStep {
    /// The WAL has no room: step again after a pause.
    Retry,
    /// Step again once this is durable.
    Durable(Lsn),
    /// It is over.
    Done,
}

/// The rewriting of some coordinators' logs.
#[derive(Debug)]
pub struct GroupRewrite {
    stage: Stage,
    /// Those that are yet to be written again.
    partitions: Vec<i32>,
    current: Option<Rewriting>,
    /// Those that were, and where they begin from then on.
    to_trim: Vec<(i32, i64)>,
}

/// One log that is written again.
#[derive(Debug)]
struct Rewriting {
    partition: i32,
    batches: VecDeque<Bytes>,
    trim_to: i64,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Append,
    Trim,
    /// So many more times: the first may have to write checkpoints before a segment can go.
    Reclaim(u8),
}

impl GroupRewrite {
    fn new(partitions: BTreeSet<i32>) -> GroupRewrite {
        GroupRewrite {
            stage: Stage::Append,
            partitions: partitions.into_iter().collect(),
            current: None,
            to_trim: Vec::new(),
        }
    }

    /// Goes on as far as it can.
    pub fn step(&mut self, shard: &mut Shard, now: Now) -> GroupRewriteStep {
        let (went_on, next) = match self.stage {
            Stage::Append => (self.append(shard, now), Stage::Trim),
            Stage::Trim => (self.trim(shard), Stage::Reclaim(1)),
            Stage::Reclaim(left) => {
                shard.reclaim_free();
                let Some(left) = left.checked_sub(1) else {
                    shard.groups.rewriting = false;
                    return GroupRewriteStep::Done;
                };
                (Some(()), Stage::Reclaim(left))
            }
        };
        if went_on.is_none() {
            return GroupRewriteStep::Retry;
        }
        self.stage = next;
        GroupRewriteStep::Durable(shard.last_lsn)
    }

    /// Writes all of them; `None` when there is no room.
    fn append(&mut self, shard: &mut Shard, now: Now) -> Option<()> {
        loop {
            if let Some(current) = &mut self.current {
                shard.append_rewritten(now, current)?;
                self.to_trim.push((current.partition, current.trim_to));
            }
            let Some(partition) = self.partitions.pop() else {
                self.current = None;
                return Some(());
            };
            self.current = shard.begin_group_rewrite(now, partition);
        }
    }

    /// Drops what came before, now that what stands for it is durable.
    fn trim(&mut self, shard: &mut Shard) -> Option<()> {
        while let Some(&(partition, trim_to)) = self.to_trim.last() {
            if shard
                .log_start(offsets_partition(partition), trim_to)
                .is_err()
            {
                mark!("shard.groups.no-room-to-trim");
                return None;
            }
            self.to_trim.pop();
        }
        Some(())
    }
}

impl Shard {
    /// The logs that should be written again now; not again until that is over.
    pub(super) fn group_logs_to_rewrite(&mut self) -> Option<GroupRewrite> {
        if self.groups.rewriting || self.groups.hosted.is_empty() {
            return None;
        }
        let mut partitions = self.group_logs_in_the_way();
        partitions.extend(self.group_logs_grown_long());
        if partitions.is_empty() {
            return None;
        }
        mark!("shard.groups.rewrite");
        self.groups.rewriting = true;
        Some(GroupRewrite::new(partitions))
    }

    /// Logs that hold much more than what is live.
    fn group_logs_grown_long(&mut self) -> BTreeSet<i32> {
        let mut long = BTreeSet::new();
        for (&partition, hosted) in &mut self.groups.hosted {
            let held = self.partitions.get(&offsets_partition(partition));
            let log_bytes = held.map_or(0, |held| held.log.log_bytes());
            let is_long = |live: u64| log_bytes > GROUP_LOG_BYTES_MIN + REWRITE_LIVE_PARTS * live;
            // Counting what is live takes its time; it is not less than it was by much, or the
            // log is not long.
            if is_long(hosted.live_bytes) {
                hosted.live_bytes = hosted.coordinator.live_bytes();
                if is_long(hosted.live_bytes) {
                    long.insert(partition);
                }
            }
        }
        long
    }

    /// Logs that alone keep segments from being reclaimed, be it other shards' segments, if
    /// that is worth it.
    fn group_logs_in_the_way(&self) -> BTreeSet<i32> {
        let mut own: BTreeMap<SegmentId, (u64, BTreeSet<i32>)> = BTreeMap::new();
        let mut foreign = BTreeSet::new();
        for (tp, held) in self.partitions.iter().filter(|(tp, _)| is_own(**tp)) {
            for used in held.log.segments() {
                let in_segment = own.entry(used.segment).or_default();
                in_segment.0 += used.batches;
                if tp.topic == crate::base::TopicId::OFFSETS {
                    in_segment.1.insert(tp.partition);
                    if used.segment.wal != self.config.id.0 {
                        mark!("shard.groups.log-in-foreign-segment");
                        foreign.insert(tp.partition);
                    }
                }
            }
        }
        let (mut gain, mut partitions) = (0, BTreeSet::new());
        for segment in self.wal.live_segments().filter(|s| s.end_lsn.is_some()) {
            if let Some((batches, here)) = own.get(&segment.id)
                && *batches == self.needs.batches(segment.id)
                && !here.is_empty()
            {
                gain += u64::from(segment.bytes_used);
                partitions.extend(here);
            }
        }
        let cost: u64 = partitions
            .iter()
            .map(|p| self.group_rewriting_bytes(*p))
            .sum();
        if gain <= REWRITE_GAIN_MIN * cost {
            partitions.clear();
        }
        partitions.extend(foreign);
        partitions
    }

    /// Bytes of WAL that writing a log again takes, at most: its batches and a log start, each
    /// in a block of its own.
    fn group_rewriting_bytes(&self, partition: i32) -> u64 {
        let held = self.partitions.get(&offsets_partition(partition));
        held.map_or(0, |held| held.log.log_bytes()) + 2 * WAL_ALIGN as u64
    }

    /// `None` if the partition is not here or nothing is in its log.
    fn begin_group_rewrite(&mut self, now: Now, partition: i32) -> Option<Rewriting> {
        let held = self.partitions.get(&offsets_partition(partition))?;
        let hosted = self.groups.hosted.get_mut(&partition)?;
        let trim_to = held.log.log_end();
        if held.log.log_start() == trim_to {
            return None;
        }
        let batch_bytes = BATCH_BYTES.min(self.wal.payload_bytes_max() / 2);
        let (mut batches, mut records, mut bytes) = (VecDeque::new(), Vec::new(), 0);
        for record in hosted.coordinator.snapshot() {
            bytes += record.bytes();
            records.push(record);
            if bytes >= batch_bytes {
                batches.push_back(batch_of(now, &std::mem::take(&mut records)));
                bytes = 0;
            }
        }
        if !records.is_empty() {
            batches.push_back(batch_of(now, &records));
        }
        if batches
            .iter()
            .any(|batch| batch.len() > self.wal.payload_bytes_max())
        {
            // Segments were larger when it was written. It stays where it is.
            mark!("shard.groups.too-large-to-rewrite");
            return None;
        }
        hosted.rewriting = true;
        Some(Rewriting {
            partition,
            batches,
            trim_to,
        })
    }

    /// Appends what is left to write again of one log; `None` when there is no room.
    fn append_rewritten(&mut self, now: Now, rewriting: &mut Rewriting) -> Option<()> {
        while let Some(batch) = rewriting.batches.front() {
            let room = self.wal.can_append(batch.len(), Priority::Internal);
            if room.is_err() {
                mark!("shard.groups.no-room-to-rewrite");
                return None;
            }
            self.append_group_batch(now, rewriting.partition, batch);
            rewriting.batches.pop_front();
        }
        if let Some(hosted) = self.groups.hosted.get_mut(&rewriting.partition) {
            hosted.rewriting = false;
        }
        Some(())
    }
}

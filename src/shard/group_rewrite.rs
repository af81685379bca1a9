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
/// Segments that hold nothing but such logs are freed when they are so many, and so many times
/// as large as what must be written again for that.
const REWRITE_SEGMENTS_MIN: usize = 2;
/// See [`REWRITE_SEGMENTS_MIN`].
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

/// The rewriting of some coordinators' logs, one after the other.
#[derive(Debug)]
pub struct GroupRewrite {
    partitions: Vec<i32>,
    current: Option<Rewriting>,
}

#[derive(Debug)]
struct Rewriting {
    partition: i32,
    batches: VecDeque<Bytes>,
    /// Where the rewritten log begins.
    trim_to: i64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Append,
    Trim,
}

impl GroupRewrite {
    /// Goes on as far as it can.
    pub fn step(&mut self, shard: &mut Shard, now: Now) -> GroupRewriteStep {
        loop {
            let Some(current) = &mut self.current else {
                let Some(partition) = self.partitions.pop() else {
                    shard.on_group_logs_rewritten();
                    return GroupRewriteStep::Done;
                };
                self.current = shard.begin_group_rewrite(now, partition);
                continue;
            };
            match current.stage {
                Stage::Append => match shard.append_rewritten(now, current) {
                    Some(lsn) => {
                        current.stage = Stage::Trim;
                        return GroupRewriteStep::Durable(lsn);
                    }
                    None => return GroupRewriteStep::Retry,
                },
                Stage::Trim => {
                    let tp = offsets_partition(current.partition);
                    if shard.log_start(tp, current.trim_to).is_err() {
                        mark!("shard.groups.no-room-to-trim");
                        return GroupRewriteStep::Retry;
                    }
                    self.current = None;
                }
            }
        }
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
        Some(GroupRewrite {
            partitions: partitions.into_iter().collect(),
            current: None,
        })
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
        let mut segments = 0;
        let (mut gain, mut partitions) = (0, BTreeSet::new());
        for segment in self.wal.live_segments().filter(|s| s.end_lsn.is_some()) {
            if let Some((batches, here)) = own.get(&segment.id)
                && *batches == self.needs.batches(segment.id)
                && !here.is_empty()
            {
                segments += 1;
                gain += u64::from(segment.bytes_used);
                partitions.extend(here);
            }
        }
        let cost: u64 = partitions
            .iter()
            .map(|p| self.group_rewriting_bytes(*p))
            .sum();
        if segments < REWRITE_SEGMENTS_MIN || gain <= REWRITE_GAIN_MIN * cost {
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
            stage: Stage::Append,
        })
    }

    /// Appends what is left to write again; `None` when there is no room.
    fn append_rewritten(&mut self, now: Now, rewriting: &mut Rewriting) -> Option<Lsn> {
        while let Some(batch) = rewriting.batches.front() {
            if self
                .wal
                .can_append(batch.len(), Priority::Internal)
                .is_err()
            {
                mark!("shard.groups.no-room-to-rewrite");
                return None;
            }
            self.append_group_batch(now, rewriting.partition, batch);
            rewriting.batches.pop_front();
        }
        if let Some(hosted) = self.groups.hosted.get_mut(&rewriting.partition) {
            hosted.rewriting = false;
        }
        // What stood before must be durable as well before it is dropped.
        Some(self.last_lsn)
    }

    fn on_group_logs_rewritten(&mut self) {
        self.groups.rewriting = false;
    }
}

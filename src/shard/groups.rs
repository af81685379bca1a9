//! The coordinators of this shard's groups: one for each partition of `__consumer_offsets`
//! that it owns. What a coordinator decides is appended to its partition in the same step, as
//! one batch; what it answers may leave once that, and all that it had decided before, is
//! durable.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::append::Blocked;
use super::group_topics::GroupTopics;
use super::state::Shard;
use crate::base::limits::{GROUP_STEP_BYTES_MAX, KIB, OFFSETS_PARTITIONS, WAL_SEGMENT_BYTES_MIN};
use crate::base::mark::mark;
use crate::base::{Lsn, Now, TopicId, TopicPartition};
use crate::group::{
    Coordinator, Effects, GroupConfig, GroupRecord, GroupReply, GroupRequest, Ticket,
};
use crate::kafka::ErrorCode;
use crate::kafka::record::BatchBuilder;
use crate::partition::{Origin, Verdict};
use crate::wal::Priority;

/// Bounds of records up to here are not looked at: see [`Shard::group_record_bytes_max`].
const GROUP_RECORD_BYTES_LEAST: usize = 256 * KIB;
const _: () = assert!(GROUP_RECORD_BYTES_LEAST + 16 * KIB < WAL_SEGMENT_BYTES_MIN);
/// Pause before what is due is tried again when the WAL had no room for it, milliseconds.
const BLOCKED_RETRY_MS: u64 = 20;

/// The coordinators, and what they have said.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) config: GroupConfig,
    pub(super) hosted: BTreeMap<i32, Hosted>,
    answers: VecDeque<GroupAnswer>,
    /// When [`Shard::poll_groups`] will be called next; `None` for not before it is asked for.
    armed: Option<u64>,
    /// It should be called earlier.
    hurry: bool,
    /// Some of the logs are being written again, or about to be.
    pub(super) rewriting: bool,
}

/// One coordinator.
#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) coordinator: Coordinator,
    /// Everything that its state depends on is durable when this is.
    after: Lsn,
    /// Its log is being written again: what would be appended in between would be older than
    /// what it stands behind.
    pub(super) rewriting: bool,
    /// Bytes of its state when they were last counted.
    pub(super) live_bytes: u64,
    /// Topics that were deleted and whose offsets are still to be forgotten, which comes before
    /// anything else: a topic of the same name may be created.
    deleted_topics: VecDeque<Arc<str>>,
}

/// What a coordinator has said to a request, at once or long after.
#[derive(Debug)]
pub struct GroupAnswer {
    /// Whose request.
    pub ticket: Ticket,
    /// The answer.
    pub reply: GroupReply,
    /// It may leave once this is durable.
    pub after: Lsn,
}

impl Hosted {
    pub(super) fn new(coordinator: Coordinator) -> Hosted {
        Hosted {
            coordinator,
            after: Lsn::default(),
            rewriting: false,
            live_bytes: 0,
            deleted_topics: VecDeque::new(),
        }
    }

    /// When something is due here, on the monotonic clock, milliseconds.
    fn deadline(&self) -> Option<u64> {
        match self.deleted_topics.is_empty() {
            true => self.coordinator.next_deadline(),
            false => Some(0),
        }
    }
}

impl Groups {
    /// The coordinators as recovered. They may have to forget topics that `is_topic` does not
    /// know: the process ended right after these were deleted.
    pub(super) fn new(
        config: GroupConfig,
        coordinators: BTreeMap<i32, Coordinator>,
        is_topic: impl Fn(&str) -> bool,
    ) -> Groups {
        let host = |(partition, coordinator): (i32, Coordinator)| {
            let mut hosted = Hosted::new(coordinator);
            let topics = hosted.coordinator.topics_with_offsets().into_iter();
            hosted.deleted_topics = topics.filter(|name| !is_topic(name)).collect();
            if !hosted.deleted_topics.is_empty() {
                mark!("shard.groups.recovered-offsets-of-deleted-topic");
            }
            (partition, hosted)
        };
        Groups {
            config,
            hosted: coordinators.into_iter().map(host).collect(),
            answers: VecDeque::new(),
            armed: None,
            hurry: false,
            rewriting: false,
        }
    }

    /// A partition of the topic came into being here.
    pub(super) fn host(&mut self, partition: i32) {
        let config = self.config;
        let hosted = self.hosted.entry(partition);
        hosted.or_insert_with(|| Hosted::new(Coordinator::new(config)));
    }

    /// The coordinators that something is due in.
    fn due(&self, now: Now) -> Vec<i32> {
        let is_due = |hosted: &Hosted| hosted.deadline().is_some_and(|at| at <= now.mono_ms);
        let due = self.hosted.iter().filter(|(_, hosted)| is_due(hosted));
        due.map(|(&partition, _)| partition).collect()
    }

    fn next_deadline(&self) -> Option<u64> {
        self.hosted.values().filter_map(Hosted::deadline).min()
    }

    /// What a coordinator awaits may have changed.
    fn rearm(&mut self, partition: i32) {
        let next = self.hosted.get(&partition).and_then(Hosted::deadline);
        if let Some(next) = next
            && self.armed.is_none_or(|armed| next < armed)
        {
            self.hurry = true;
        }
    }
}

/// The partition of `__consumer_offsets` whose coordinator a group has: Kafka's
/// `Utils.abs(groupId.hashCode()) % offsets.topic.num.partitions`.
pub fn group_partition(group_id: &str) -> TopicPartition {
    let step = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    let hash = group_id.encode_utf16().fold(0, step);
    // Java's `abs` of the smallest number is itself; Kafka takes 0 for it.
    let partition = hash.checked_abs().unwrap_or(0) % OFFSETS_PARTITIONS;
    offsets_partition(partition)
}

pub(super) fn offsets_partition(partition: i32) -> TopicPartition {
    TopicPartition {
        topic: TopicId::OFFSETS,
        partition,
    }
}

impl Shard {
    /// Has the coordinator of `partition` take `request`, and take it out of its place; the
    /// answer comes from [`Shard::poll_group_answer`], now or later. The error is final: no
    /// such coordinator is here.
    pub fn handle_group(
        &mut self,
        now: Now,
        partition: i32,
        ticket: Ticket,
        request: &mut Option<GroupRequest>,
    ) -> Result<Result<(), ErrorCode>, Blocked> {
        let Some(hosted) = self.groups.hosted.get(&partition) else {
            return Ok(Err(ErrorCode::NOT_COORDINATOR));
        };
        let topics = GroupTopics::new(&self.catalog, self.topics_version);
        let bytes = request.as_ref().map_or(0, |request| {
            hosted.coordinator.record_bytes_max(request, &topics)
        });
        if bytes > self.group_record_bytes_max() {
            mark!("shard.groups.too-large");
            return Ok(Err(too_large(request.as_ref())));
        }
        self.forget_deleted_topics(now, partition)?;
        self.check_group_room(partition, bytes, Priority::Data)?;
        if let Some(hosted) = self.groups.hosted.get_mut(&partition)
            && let Some(request) = request.take()
        {
            let topics = GroupTopics::new(&self.catalog, self.topics_version);
            let effects = hosted.coordinator.handle(now, ticket, request, &topics);
            self.on_group_effects(now, partition, effects);
        }
        Ok(Ok(()))
    }

    /// Does what has become due in all coordinators: members whose time is up, rebalances that
    /// have waited long enough, offsets that expire. Gives the time, on the monotonic clock,
    /// at which to come again if nothing happens before.
    pub fn poll_groups(&mut self, now: Now) -> Option<u64> {
        let due: Vec<i32> = self.groups.due(now);
        let mut blocked = false;
        for partition in due {
            blocked |= self.poll_coordinator(now, partition).is_err();
        }
        let next = self.groups.next_deadline();
        self.groups.armed = match blocked {
            true => Some(now.mono_ms + BLOCKED_RETRY_MS),
            false => next,
        };
        self.groups.armed
    }

    fn poll_coordinator(&mut self, now: Now, partition: i32) -> Result<(), Blocked> {
        self.forget_deleted_topics(now, partition)?;
        self.check_group_room(partition, GROUP_STEP_BYTES_MAX, Priority::Internal)?;
        if let Some(hosted) = self.groups.hosted.get_mut(&partition) {
            let effects = hosted.coordinator.poll(now);
            self.on_group_effects(now, partition, effects);
        }
        Ok(())
    }

    /// The next answer of a coordinator.
    pub fn poll_group_answer(&mut self) -> Option<GroupAnswer> {
        self.groups.answers.pop_front()
    }

    /// Whether [`Shard::poll_groups`] should be called earlier than it has said; says so once.
    pub fn has_group_work(&mut self) -> bool {
        std::mem::take(&mut self.groups.hurry)
    }
}

impl Shard {
    /// A topic was deleted: no group has offsets in it any more.
    pub(super) fn on_topic_deleted(&mut self, name: &Arc<str>) {
        for hosted in self.groups.hosted.values_mut() {
            if hosted.coordinator.has_offsets_of(name) {
                mark!("shard.groups.topic-deleted");
                hosted.deleted_topics.push_back(name.clone());
                self.groups.hurry = true;
            }
        }
    }

    fn forget_deleted_topics(&mut self, now: Now, partition: i32) -> Result<(), Blocked> {
        while let Some(hosted) = self.groups.hosted.get(&partition)
            && let Some(name) = hosted.deleted_topics.front().cloned()
        {
            self.check_group_room(partition, GROUP_STEP_BYTES_MAX, Priority::Internal)?;
            if let Some(hosted) = self.groups.hosted.get_mut(&partition) {
                let effects = hosted.coordinator.on_topic_deleted(now, &name);
                if !hosted.coordinator.has_offsets_of(&name) {
                    hosted.deleted_topics.pop_front();
                }
                self.on_group_effects(now, partition, effects);
            }
        }
        Ok(())
    }

    /// Whether a step that writes `bytes` may be made now: before it is, so that what it has
    /// decided is never taken back.
    ///
    /// What is merely due is the broker's own affair, like what makes room: members that wait
    /// for each other are not to wait for a full disk, and they hardly write.
    fn check_group_room(
        &mut self,
        partition: i32,
        bytes: usize,
        priority: Priority,
    ) -> Result<(), Blocked> {
        if bytes == 0 {
            return Ok(());
        }
        if self
            .groups
            .hosted
            .get(&partition)
            .is_some_and(|h| h.rewriting)
        {
            mark!("shard.groups.wait-for-rewriting");
            return Err(Blocked::Busy);
        }
        // A bound that no segment could hold is not reached.
        let bytes = bytes.min(self.wal.payload_bytes_max());
        let room = self.wal.can_append(bytes, priority);
        if room.is_err() {
            mark!("shard.groups.no-room");
        }
        Ok(room?)
    }

    /// Most bytes that the records of a request may come to: one batch is one record of the WAL.
    /// What may come to less than the least that is asked for does fit, or the segments are those
    /// of a test.
    fn group_record_bytes_max(&self) -> usize {
        self.wal.payload_bytes_max().max(GROUP_RECORD_BYTES_LEAST)
    }

    fn on_group_effects(&mut self, now: Now, partition: i32, effects: Effects) {
        if !effects.records.is_empty() {
            let batch = batch_of(now, &effects.records);
            self.append_group_batch(now, partition, &batch);
        }
        let after = self
            .groups
            .hosted
            .get(&partition)
            .map_or(Lsn::default(), |h| h.after);
        let answers = effects.answers.into_iter();
        let answers = answers.map(|(ticket, reply)| GroupAnswer {
            ticket,
            reply,
            after,
        });
        self.groups.answers.extend(answers);
        self.groups.rearm(partition);
    }

    /// Appends a batch of a coordinator, for which there must be room: its state is ahead.
    pub(super) fn append_group_batch(&mut self, now: Now, partition: i32, batch: &Bytes) -> Lsn {
        let tp = offsets_partition(partition);
        let checked = self.partitions.get_mut(&tp).map(|held| {
            let verdict = held.log.check(now, batch.clone(), Origin::Internal);
            (held, verdict)
        });
        let Some((held, Ok(Verdict::New(candidate)))) = checked else {
            panic!("a coordinator has its partition, and its batches are well formed");
        };
        let placed = held.log.commit(candidate);
        // Room was looked for as data has it; the record itself may have what is kept back.
        let lsn = self.log(tp, placed, Priority::Internal);
        if let Some(hosted) = self.groups.hosted.get_mut(&partition) {
            hosted.after = lsn;
        }
        lsn
    }
}

/// What a request is answered whose records would fit no segment, as Kafka for a record that
/// is too large.
fn too_large(request: Option<&GroupRequest>) -> ErrorCode {
    match request {
        Some(GroupRequest::Commit(_)) => ErrorCode::INVALID_COMMIT_OFFSET_SIZE,
        _ => ErrorCode::UNKNOWN_SERVER_ERROR,
    }
}

/// Records of one step: one batch, so that all of them count or none.
pub(super) fn batch_of(now: Now, records: &[GroupRecord]) -> Bytes {
    let mut builder = BatchBuilder::new(now.wall_ms);
    for record in records {
        builder = builder.record(now.wall_ms, Some(&record.key), record.value.as_deref());
    }
    builder.build()
}

#[cfg(test)]
mod tests;

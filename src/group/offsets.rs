//! Offsets of groups: committed, fetched, deleted, expired.

use std::collections::BTreeSet;
use std::sync::Arc;

use std::collections::HashSet;

use super::classic::State;
use super::consumers;
use super::coordinator::{Coordinator, Effects, STEP_BYTES, Step};
use super::deadlines::Due;
use super::one_group::{Group, OFFSET_RECORD_BYTES};
use super::record::{Change, Committed};
use super::request::{
    CommitOffset, CommitRequest, DeleteOffsetsReply, DeleteOffsetsRequest, FetchOffsetsReply,
    FetchOffsetsRequest, FetchedOffset, TopicOffsets,
};
use crate::base::Now;
use crate::base::limits::GROUP_RECORD_BYTES_MAX;
use crate::kafka::ErrorCode;

/// How often expired offsets are looked for, milliseconds (Kafka:
/// `offsets.retention.check.interval.ms`).
const EXPIRY_CHECK_MS: u64 = 10 * 60 * 1000;

/// Remembers offsets; one verdict for each partition.
pub(super) fn commit(
    step: &mut Step<'_>,
    group: &mut Group,
    request: &CommitRequest,
    is_full: bool,
) -> Vec<Vec<ErrorCode>> {
    if request.record_bytes_max() > GROUP_RECORD_BYTES_MAX {
        return request.verdicts(ErrorCode::INVALID_COMMIT_OFFSET_SIZE);
    }
    let checked = match &group.consumer {
        Some(consumer) => consumer.check_commit(
            &request.member_id,
            request.generation,
            request.knows_missing_groups,
        ),
        None => group.classic.check_commit(request),
    };
    if let Err(error) = checked {
        return request.verdicts(error);
    }
    group.classic.prolong(&request.member_id, step.now);
    let mut verdicts = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut here = Vec::with_capacity(topic.partitions.len());
        for offset in &topic.partitions {
            let is_further = group.offset(&topic.name, offset.partition).is_none();
            if offset.metadata.len() > step.config.offset_metadata_bytes_max {
                here.push(ErrorCode::OFFSET_METADATA_TOO_LARGE);
            } else if is_full && is_further {
                here.push(ErrorCode::COORDINATOR_NOT_AVAILABLE);
            } else {
                let change = Change::Offset {
                    group: group.id.clone(),
                    topic: topic.name.clone(),
                    partition: offset.partition,
                    committed: Some(committed(step.now, request, offset)),
                };
                step.write(group, change);
                here.push(ErrorCode::NONE);
            }
        }
        verdicts.push(here);
    }
    verdicts
}

fn committed(now: Now, request: &CommitRequest, offset: &CommitOffset) -> Committed {
    Committed {
        offset: offset.offset,
        leader_epoch: offset.leader_epoch,
        metadata: offset.metadata.clone(),
        commit_ms: now.wall_ms,
        expire_ms: request
            .retention_ms
            .map(|ms| now.wall_ms.saturating_add(ms)),
    }
}

/// Which offsets a group has.
/// What is asked for again comes without its metadata: a small request must not make a large
/// answer.
pub(super) fn fetch(group: &Group, request: &FetchOffsetsRequest) -> FetchOffsetsReply {
    let mut told = HashSet::new();
    if let Some(consumer) = &group.consumer
        && let Err(error) = consumer.check_fetch(request.member_id.as_ref(), request.member_epoch)
    {
        return FetchOffsetsReply {
            error,
            topics: Vec::new(),
        };
    }
    let topics = match &request.topics {
        Some(topics) => topics
            .iter()
            .map(|topic| TopicOffsets {
                name: topic.name.clone(),
                partitions: topic
                    .partitions
                    .iter()
                    .map(|&partition| match group.offset(&topic.name, partition) {
                        Some(committed) if told.insert((&topic.name, partition)) => {
                            fetched(partition, committed)
                        }
                        Some(committed) => FetchedOffset {
                            metadata: "".into(),
                            ..fetched(partition, committed)
                        },
                        None => FetchedOffset::none(partition),
                    })
                    .collect(),
            })
            .collect(),
        None => group
            .offsets()
            .iter()
            .map(|(name, partitions)| TopicOffsets {
                name: name.clone(),
                partitions: partitions.iter().map(|(&p, c)| fetched(p, c)).collect(),
            })
            .collect(),
    };
    FetchOffsetsReply {
        error: ErrorCode::NONE,
        topics,
    }
}

fn fetched(partition: i32, committed: &Committed) -> FetchedOffset {
    FetchedOffset {
        partition,
        offset: committed.offset,
        leader_epoch: committed.leader_epoch,
        metadata: committed.metadata.clone(),
    }
}

/// Forgets offsets, of topics that the group does not read (KIP-496).
pub(super) fn delete(
    step: &mut Step<'_>,
    group: &mut Group,
    request: &DeleteOffsetsRequest,
) -> DeleteOffsetsReply {
    if !group.classic.is_empty() && !group.classic.is_consumer() {
        return DeleteOffsetsReply {
            error: ErrorCode::NON_EMPTY_GROUP,
            topics: Vec::new(),
        };
    }
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let verdict = match reads(group, &topic.name) {
            true => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
            false => ErrorCode::NONE,
        };
        for &partition in &topic.partitions {
            if verdict == ErrorCode::NONE && group.offset(&topic.name, partition).is_some() {
                let change = gone(group, &topic.name, partition);
                step.write(group, change);
            }
        }
        topics.push(vec![verdict; topic.partitions.len()]);
    }
    DeleteOffsetsReply {
        error: ErrorCode::NONE,
        topics,
    }
}

/// Whether a member of the group reads a topic, as far as that is known.
fn reads(group: &Group, topic: &str) -> bool {
    match &group.consumer {
        Some(consumer) => consumer.reads(topic),
        None => group.classic.reads(topic),
    }
}

/// Forgets all offsets of a group.
pub(super) fn delete_all(step: &mut Step<'_>, group: &mut Group) {
    let all: Vec<Change> = group
        .offsets()
        .iter()
        .flat_map(|(topic, partitions)| partitions.keys().map(|&p| gone(group, topic, p)))
        .collect();
    for change in all {
        step.write(group, change);
    }
}

fn gone(group: &Group, topic: &std::sync::Arc<str>, partition: i32) -> Change {
    Change::Offset {
        group: group.id.clone(),
        topic: topic.clone(),
        partition,
        committed: None,
    }
}

impl Coordinator {
    pub(super) fn arm_expiry(&mut self, now: Now) {
        let at = now.mono_ms + EXPIRY_CHECK_MS;
        self.deadlines.insert(at, Due::Expiry);
    }

    /// Forgets what has expired, and groups in which nothing is left; what does not fit a step
    /// comes with the next.
    pub(super) fn expire_offsets(&mut self, now: Now, effects: &mut Effects) {
        let retention_ms = self.config.offsets_retention_ms;
        let mut bytes = 0;
        let mut spent = Vec::new();
        let mut expired = Vec::new();
        'groups: for group in self.groups.values() {
            for (topic, partitions) in group.offsets() {
                for (&partition, committed) in partitions {
                    if is_expired(group, topic, committed, now.wall_ms, retention_ms) {
                        let change = gone(group, topic, partition);
                        bytes += change.encode().bytes();
                        expired.push(change);
                    }
                    if bytes >= STEP_BYTES {
                        break 'groups;
                    }
                }
            }
            if group.classic.is_vacant() && !group.has_consumers() {
                spent.push(group.id.clone());
                bytes += group.id.len() + OFFSET_RECORD_BYTES;
            }
            if bytes >= STEP_BYTES {
                break;
            }
        }
        let is_all = bytes < STEP_BYTES;
        for change in expired {
            let id = change.group().clone();
            self.on_group(now, &id, false, effects, |step, group| {
                step.write(group, change)
            });
        }
        for id in spent {
            self.on_group(now, &id, false, effects, |step, group| {
                if group.offsets().is_empty() {
                    consumers::retire(step, group);
                }
                if group.offsets().is_empty() && group.saved().is_some() {
                    let change = Change::Group {
                        group: group.id.clone(),
                        metadata: None,
                    };
                    step.write(group, change);
                    group.classic.reset();
                }
            });
        }
        if !self.groups.is_empty() {
            let pause = if is_all { EXPIRY_CHECK_MS } else { 0 };
            self.deadlines.insert(now.mono_ms + pause, Due::Expiry);
        }
    }

    /// Whether some group has offsets in a topic.
    pub fn has_offsets_of(&self, topic: &str) -> bool {
        let mut groups = self.groups.values();
        groups.any(|group| group.offsets().contains_key(topic))
    }

    /// The topics that some group has offsets in.
    pub fn topics_with_offsets(&self) -> BTreeSet<Arc<str>> {
        let groups = self.groups.values();
        groups
            .flat_map(|group| group.offsets().keys().cloned())
            .collect()
    }

    /// A topic was deleted: forgets the offsets in it, as many as fit a step. To be called again
    /// while [`Coordinator::has_offsets_of`] says so.
    pub fn on_topic_deleted(&mut self, now: Now, topic: &str) -> Effects {
        let mut effects = Effects::default();
        let mut bytes = 0;
        let mut deleted = Vec::new();
        'groups: for group in self.groups.values() {
            let Some((topic, partitions)) = group.offsets().get_key_value(topic) else {
                continue;
            };
            for &partition in partitions.keys() {
                let change = gone(group, topic, partition);
                bytes += change.encode().bytes();
                deleted.push(change);
                if bytes >= STEP_BYTES {
                    break 'groups;
                }
            }
        }
        for change in deleted {
            let id = change.group().clone();
            self.on_group(now, &id, false, &mut effects, |step, group| {
                step.write(group, change)
            });
        }
        effects
    }
}

/// Whether an offset has expired (KIP-211): at its own time if it has one; in a group whose
/// members are all gone, so long after they went; in one without members ever, so long after the
/// commit; and in a group that reads, so long after the commit unless it reads that very topic.
fn is_expired(
    group: &Group,
    topic: &str,
    committed: &Committed,
    now_ms: i64,
    retention_ms: i64,
) -> bool {
    if let Some(at) = committed.expire_ms {
        return now_ms >= at;
    }
    if group.consumer.is_some() {
        return !reads(group, topic) && now_ms.saturating_sub(committed.commit_ms) >= retention_ms;
    }
    let since = match (group.classic.protocol_type(), group.classic.state()) {
        (None, _) => committed.commit_ms,
        (Some(_), State::Empty) => match group.saved().map_or(-1, |saved| saved.since_ms) {
            ..0 => committed.commit_ms,
            emptied_ms => emptied_ms.max(committed.commit_ms),
        },
        (Some(_), State::Stable) if group.classic.knows_topics() && !group.classic.reads(topic) => {
            committed.commit_ms
        }
        _ => return false,
    };
    now_ms.saturating_sub(since) >= retention_ms
}

//! One group as its records make it, and its simplest questions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::expressions::Expressions;
use super::member::{Member, bytes_of};
use super::record::{ConsumerChange, Epoch, What};
use super::request::{ConsumerHeartbeat, Partitions};
use super::topics::Topics;
use crate::base::TopicId;

/// What a group costs beside its members, bytes, about.
const GROUP_OVERHEAD: usize = 512;

/// A group.
#[derive(Debug)]
pub struct ConsumerGroup {
    pub(super) id: Arc<str>,
    /// Rises whenever the target must be computed again; `None` before the first record.
    pub(super) epoch: Option<Epoch>,
    /// The group's epoch that the target was computed for.
    pub(super) target_epoch: i32,
    pub(super) members: BTreeMap<Arc<str>, Member>,
    /// What members are to have.
    pub(super) targets: BTreeMap<Arc<str>, Partitions>,
    /// Member ids of static members, by instance id.
    pub(super) statics: BTreeMap<Arc<str>, Arc<str>>,
    /// How many members subscribe to a topic.
    pub(super) subscribers: BTreeMap<Arc<str>, usize>,
    /// What members subscribe with beside names.
    pub(super) expressions: Expressions,
    /// Who has a partition, or has not said yet that it gave it up.
    pub(super) owners: BTreeMap<(TopicId, i32), Arc<str>>,
    /// The version of the topics that the group last looked at.
    pub(super) seen_topics: Option<u64>,
    bytes: usize,
}

impl ConsumerGroup {
    /// One without members.
    pub fn new(id: Arc<str>) -> ConsumerGroup {
        ConsumerGroup {
            bytes: GROUP_OVERHEAD + id.len(),
            id,
            epoch: None,
            target_epoch: 0,
            members: BTreeMap::new(),
            targets: BTreeMap::new(),
            statics: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            expressions: Expressions::default(),
            owners: BTreeMap::new(),
            seen_topics: None,
        }
    }

    /// Takes in what a record says; it must be about this group. The only thing that changes
    /// what survives a restart.
    pub fn apply(&mut self, change: ConsumerChange) {
        match change.what {
            What::Group(epoch) => self.epoch = epoch,
            What::TargetEpoch(epoch) => self.target_epoch = epoch.unwrap_or(0),
            What::Target(member, target) => {
                let old = match target {
                    Some(target) => {
                        self.bytes += bytes_of(&target);
                        self.targets.insert(member, target)
                    }
                    None => self.targets.remove(&member),
                };
                self.bytes -= old.as_ref().map_or(0, bytes_of);
            }
            What::Member(id, Some(said)) => self.change(&id, |member| member.said = said),
            What::Held(id, Some(held)) => self.change(&id, |member| member.held = held),
            // The member may be gone already: its records go one by one.
            What::Held(id, None) if self.members.contains_key(&id) => {
                self.change(&id, |member| member.held = Default::default());
            }
            What::Held(_, None) => {}
            What::Member(id, None) => drop(self.take_out(&id)),
        }
    }

    /// Changes a member, which comes into being if it is not there.
    fn change(&mut self, id: &Arc<str>, change: impl FnOnce(&mut Member)) {
        let mut member = self.take_out(id).unwrap_or_default();
        change(&mut member);
        self.bytes += member.bytes() + id.len();
        if let Some(instance_id) = &member.said.instance_id {
            self.statics.insert(instance_id.clone(), id.clone());
        }
        for topic in &member.said.topics {
            *self.subscribers.entry(topic.clone()).or_insert(0) += 1;
        }
        if let Some(text) = &member.said.expression {
            self.expressions.add(text);
        }
        for partition in member.held.all() {
            self.owners.insert(partition, id.clone());
        }
        self.members.insert(id.clone(), member);
    }

    /// Takes a member out, and out of every index.
    fn take_out(&mut self, id: &Arc<str>) -> Option<Member> {
        let member = self.members.remove(id)?;
        self.bytes -= member.bytes() + id.len();
        if let Some(instance_id) = &member.said.instance_id
            && self.statics.get(instance_id) == Some(id)
        {
            self.statics.remove(instance_id);
        }
        for topic in &member.said.topics {
            if let Some(count) = self.subscribers.get_mut(topic) {
                *count -= 1;
                if *count == 0 {
                    self.subscribers.remove(topic);
                }
            }
        }
        if let Some(text) = &member.said.expression {
            self.expressions.remove(text);
        }
        for partition in member.held.all() {
            if self.owners.get(&partition) == Some(id) {
                self.owners.remove(&partition);
            }
        }
        Some(member)
    }

    /// What would make this group again, as records.
    pub fn changes(&self) -> impl Iterator<Item = ConsumerChange> {
        let epoch = self.epoch.map(|epoch| What::Group(Some(epoch)));
        let members = self.members.iter().flat_map(|(id, member)| {
            [
                What::Member(id.clone(), Some(member.said.clone())),
                What::Held(id.clone(), Some(member.held.clone())),
            ]
        });
        let targets = self.targets.iter();
        let targets = targets.map(|(id, target)| What::Target(id.clone(), Some(target.clone())));
        let target_epoch =
            (self.target_epoch != 0).then_some(What::TargetEpoch(Some(self.target_epoch)));
        let all = members.chain(targets).chain(target_epoch).chain(epoch);
        all.map(|what| self.says(what))
    }

    /// The records that make an empty group go away.
    pub fn tombstones(&self) -> Vec<ConsumerChange> {
        let target = (self.target_epoch != 0).then_some(What::TargetEpoch(None));
        let epoch = self.epoch.map(|_| What::Group(None));
        target
            .into_iter()
            .chain(epoch)
            .map(|what| self.says(what))
            .collect()
    }

    pub(super) fn says(&self, what: What) -> ConsumerChange {
        ConsumerChange {
            group: self.id.clone(),
            what,
        }
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether nothing would be lost if it were forgotten.
    pub fn is_nothing(&self) -> bool {
        self.is_empty() && self.epoch.is_none() && self.target_epoch == 0
    }

    /// Whether a member subscribes to a topic.
    pub fn reads(&self, topic: &str) -> bool {
        self.subscribers.contains_key(topic) || self.expressions.has_topic(topic)
    }

    /// Bytes of memory that it takes, about.
    pub fn bytes(&self) -> usize {
        self.bytes + self.expressions.bytes()
    }

    /// The topics that members subscribe to, by name or by what their names match.
    pub(super) fn subscribed(&self) -> BTreeSet<&Arc<str>> {
        self.subscribers
            .keys()
            .chain(self.expressions.topics())
            .collect()
    }

    /// Its epoch; 0 before the first member.
    pub(super) fn group_epoch(&self) -> i32 {
        self.epoch.map_or(0, |epoch| epoch.epoch)
    }

    /// Its state in Kafka's words.
    pub fn state(&self) -> &'static str {
        let is_done = |member: &Member| member.held.is_at(self.target_epoch);
        match () {
            () if self.is_empty() => "Empty",
            () if self.group_epoch() > self.target_epoch => "Assigning",
            () if self.members.values().all(is_done) => "Stable",
            () => "Reconciling",
        }
    }

    /// Whether nobody has a partition.
    pub(super) fn is_free(&self, topic: TopicId, partition: i32) -> bool {
        !self.owners.contains_key(&(topic, partition))
    }

    /// Whether a heartbeat changes nothing, as nearly all do: so that they need no room on the
    /// disk, and members do not go when it is full.
    fn changes_nothing(&self, request: &ConsumerHeartbeat, topics: &dyn Topics) -> bool {
        let is_at_rest = |member: &Member| {
            member.held.is_at(self.target_epoch) && member.said.changed_by(request).is_none()
        };
        request.member_epoch > 0
            && self.group_epoch() == self.target_epoch
            && self.seen_topics == Some(topics.version())
            && self.members.get(&request.member_id).is_some_and(is_at_rest)
    }

    /// Bytes of records that a heartbeat may lead to, at most; 0 if to none.
    pub fn step_bytes_max(&self, request: &ConsumerHeartbeat, topics: &dyn Topics) -> usize {
        if self.changes_nothing(request, topics) {
            return 0;
        }
        let said = TAKE_OVER_TIMES * request.said_bytes() + SMALL_RECORDS_BYTES;
        let is_settled = request.topics.is_none()
            && request.topic_regex.is_none()
            && request.member_epoch > 0
            && self.seen_topics == Some(topics.version())
            && self.group_epoch() == self.target_epoch;
        let ids = self.id.len() + request.member_id.len() + request.fresh_member_id.len();
        let id = &request.member_id;
        let of_member = self.members.get(id).map_or(0, Member::bytes)
            + self.targets.get(id).map_or(0, bytes_of);
        if is_settled {
            return of_member + said + SMALL_RECORDS * ids;
        }
        // Any member may get another target.
        let named = request
            .topics
            .iter()
            .flatten()
            .chain(self.subscribers.keys());
        let counts = named
            .filter_map(|name| topics.named(name))
            .map(|(_, count)| count);
        let partitions: usize = match request.topic_regex.is_some() || self.expressions.len() > 0 {
            // What an expression will match is not known yet.
            true => topics.partitions(),
            false => counts
                .map(|count| usize::try_from(count).unwrap_or(0))
                .sum(),
        };
        let keys = (self.members.len() + SMALL_RECORDS) * (ids + TARGET_RECORD_BYTES);
        TAKE_OVER_TIMES * (self.bytes() + partitions * PARTITION_RECORD_BYTES) + said + keys
    }
}

/// A member that takes the place of its former self is written twice.
const TAKE_OVER_TIMES: usize = 2;
/// Most records of one heartbeat beside the targets of other members.
const SMALL_RECORDS: usize = 12;
/// What these take beside ids, texts and partitions.
const SMALL_RECORDS_BYTES: usize = SMALL_RECORDS * 128;
/// What the record of a target takes beside ids and partitions.
const TARGET_RECORD_BYTES: usize = 64;
/// What a partition takes in a record, at most: alone of its topic, whose id stands before it.
const PARTITION_RECORD_BYTES: usize = 32;

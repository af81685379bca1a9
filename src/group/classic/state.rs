//! A group's members and where they are in a rebalance; its simplest questions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::member::Member;
use super::protocol;
use crate::base::Now;
use crate::group::record::GroupMetadata;
use crate::group::request::CommitRequest;
use crate::kafka::ErrorCode;

/// Where a group is; see the folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::group) enum State {
    #[default]
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl State {
    /// Kafka's word.
    pub(in crate::group) fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// A rebalance that waits for members to join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Joining {
    /// How long it waits, on the monotonic clock, milliseconds.
    pub until: u64,
    /// Of the first rebalance of an empty group: how much longer it may wait after that if
    /// somebody comes meanwhile, milliseconds.
    pub longer_ms: Option<u64>,
    /// Somebody has come meanwhile.
    pub has_new_member: bool,
}

/// A static member that is about to go on under another id, and what it was to its group.
pub(super) struct Displaced {
    pub member: Member,
    pub was_leader: bool,
    /// The group's leader until now.
    pub leader: Option<Arc<str>>,
    pub was_unsynced: bool,
}

/// The members of a group.
#[derive(Debug, Default)]
pub(in crate::group) struct Classic {
    pub(super) state: State,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<Arc<str>>,
    pub(super) protocol: Option<Arc<str>>,
    pub(super) leader: Option<Arc<str>>,
    pub(super) members: BTreeMap<Arc<str>, Member>,
    /// Member ids of static members, by instance id.
    pub(super) statics: BTreeMap<Arc<str>, Arc<str>>,
    /// Ids that were given out and have not joined yet, and until when they may.
    pub(super) pending: BTreeMap<Arc<str>, u64>,
    /// Members of this generation that have not asked for their assignment yet.
    pub(super) unsynced: BTreeSet<Arc<str>>,
    pub(super) joining: Option<Joining>,
    /// What the members read, if they are consumers whose subscriptions can be read.
    topics: Option<BTreeSet<String>>,
    member_bytes: usize,
    pending_bytes: usize,
}

impl Classic {
    /// As it was when its last record was written.
    pub(in crate::group) fn restored(saved: &GroupMetadata) -> Classic {
        let mut classic = Classic {
            generation: saved.generation,
            protocol_type: Some(saved.protocol_type.clone()).filter(|name| !name.is_empty()),
            protocol: saved.protocol.clone(),
            leader: saved.leader.clone(),
            ..Classic::default()
        };
        for member in &saved.members {
            classic.insert(Member::restored(member, saved.protocol.as_ref()));
        }
        if !classic.members.is_empty() {
            classic.state = State::Stable;
        }
        classic.learn_topics();
        classic
    }

    /// As its record has it.
    pub(super) fn saved(&self, now: Now) -> GroupMetadata {
        let members = self.members.values();
        GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            since_ms: now.wall_ms,
            members: members.map(|m| m.saved(self.protocol.as_ref())).collect(),
        }
    }

    /// Forgets everything.
    pub(in crate::group) fn reset(&mut self) {
        *self = Classic::default();
    }

    pub(in crate::group) fn state(&self) -> State {
        self.state
    }

    pub(in crate::group) fn protocol_type(&self) -> Option<&Arc<str>> {
        self.protocol_type.as_ref()
    }

    pub(in crate::group) fn protocol(&self) -> Option<&Arc<str>> {
        self.protocol.as_ref()
    }

    pub(in crate::group) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(in crate::group) fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.values_mut()
    }

    /// Whether it has no members.
    pub(in crate::group) fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    /// Whether nobody is here nor about to come.
    pub(in crate::group) fn is_vacant(&self) -> bool {
        self.is_empty() && self.pending.is_empty()
    }

    /// Whether its members are consumers, as opposed to workers of Connect and the like.
    pub(in crate::group) fn is_consumer(&self) -> bool {
        self.protocol_type.as_deref() == Some(protocol::CONSUMER)
    }

    /// Whether it is known which topics its members read.
    pub(in crate::group) fn knows_topics(&self) -> bool {
        self.topics.is_some()
    }

    /// Whether it reads a topic; if that is not known, consumers are taken to.
    pub(in crate::group) fn reads(&self, topic: &str) -> bool {
        match &self.topics {
            Some(topics) => topics.contains(topic),
            None => !self.is_empty() && self.is_consumer(),
        }
    }

    /// Bytes of memory that it takes, about.
    pub(in crate::group) fn bytes(&self) -> usize {
        self.member_bytes + self.pending_bytes
    }

    /// Whether a commit may be made.
    pub(in crate::group) fn check_commit(&self, request: &CommitRequest) -> Result<(), ErrorCode> {
        let is_member = request.generation >= 0
            || !request.member_id.is_empty()
            || request.instance_id.is_some();
        if request.generation < 0 && self.is_empty() {
            // Somebody who uses the group for its offsets alone, or an operator.
            return Ok(());
        }
        if !is_member {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.check_member(&request.member_id, request.instance_id.as_ref())?;
        if request.generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        match self.state {
            State::CompletingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            _ => Ok(()),
        }
    }

    /// Whether a member is who it says it is (KIP-345).
    pub(super) fn check_member(
        &self,
        member_id: &Arc<str>,
        instance_id: Option<&Arc<str>>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.statics.get(instance_id) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(current) if current != member_id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        match self.members.contains_key(member_id) {
            true => Ok(()),
            false => Err(ErrorCode::UNKNOWN_MEMBER_ID),
        }
    }

    /// A member was heard of.
    pub(in crate::group) fn prolong(&mut self, member_id: &Arc<str>, now: Now) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.prolong(now);
        }
    }

    /// An id was given out, and may join until then.
    pub(super) fn expect(&mut self, id: Arc<str>, until: u64) {
        self.pending_bytes += id.len() + PENDING_OVERHEAD;
        self.pending.insert(id, until);
    }

    /// The id has joined, is gone or too late; until when it could have.
    pub(super) fn expect_no_more(&mut self, id: &Arc<str>) -> Option<u64> {
        let until = self.pending.remove(id)?;
        self.pending_bytes -= id.len() + PENDING_OVERHEAD;
        Some(until)
    }

    /// Lets a member in.
    pub(super) fn insert(&mut self, member: Member) {
        if let Some(instance_id) = &member.instance_id {
            self.statics.insert(instance_id.clone(), member.id.clone());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.member_bytes += member.bytes();
        let old = self.members.insert(member.id.clone(), member);
        self.member_bytes -= old.map_or(0, |old| old.bytes());
    }

    /// Takes out the static member of an instance id, because it came back as another.
    pub(super) fn displace(&mut self, instance_id: &Arc<str>) -> Option<Displaced> {
        let id = self.statics.get(instance_id)?.clone();
        let leader = self.leader.clone();
        let was_unsynced = self.unsynced.contains(&id);
        Some(Displaced {
            member: self.remove(&id)?,
            was_leader: leader.as_ref() == Some(&id),
            leader,
            was_unsynced,
        })
    }

    /// Takes a member out. If it was the leader, another one is.
    pub(super) fn remove(&mut self, member_id: &Arc<str>) -> Option<Member> {
        let member = self.members.remove(member_id)?;
        self.member_bytes -= member.bytes();
        if let Some(instance_id) = &member.instance_id
            && self.statics.get(instance_id) == Some(member_id)
        {
            self.statics.remove(instance_id);
        }
        self.unsynced.remove(member_id);
        if self.leader.as_ref() == Some(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Changes a member.
    pub(super) fn change(&mut self, member_id: &Arc<str>, change: impl FnOnce(&mut Member)) {
        if let Some(member) = self.members.get_mut(member_id) {
            self.member_bytes -= member.bytes();
            change(member);
            self.member_bytes += member.bytes();
        }
    }

    /// Members whose joins wait.
    pub(super) fn joined(&self) -> usize {
        self.members
            .values()
            .filter(|member| member.joining.is_some())
            .count()
    }

    /// Finds out what the members read now.
    pub(super) fn learn_topics(&mut self) {
        self.topics = match &self.protocol {
            Some(protocol) if self.is_consumer() => {
                let said = self
                    .members
                    .values()
                    .map(|member| member.metadata(protocol));
                said.map(|metadata| protocol::topics(&metadata.unwrap_or_default()))
                    .try_fold(BTreeSet::new(), |mut all, topics| {
                        all.extend(topics?);
                        Some(all)
                    })
            }
            _ => None,
        };
    }
}

/// What an id that was given out costs beside its text, bytes, about.
const PENDING_OVERHEAD: usize = 128;

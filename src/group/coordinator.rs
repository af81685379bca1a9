//! One partition of `__consumer_offsets` and the groups in it: the way in for requests, for
//! time and for records.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::classic::{self, Classic};
use super::config::GroupConfig;
use super::consumer::{ConsumerChange, Topics};
use super::deadlines::{Deadlines, Due};
use super::one_group::Group;
use super::record::{Change, DecodeError, GroupRecord};
use super::request::{GroupReply, GroupRequest, Ticket};
use super::{admin, consumers, offsets};
use crate::base::Now;
use crate::base::limits::{GROUP_STEP_BYTES_MAX, KIB};
use crate::kafka::batch::HEADER_BYTES;

/// More than a record of a group takes beside its id, its members and their texts.
pub(super) const SMALL_RECORD_BYTES: usize = 64 * KIB;
/// Bytes of records after which a step begins nothing more. What it then has begun may write as
/// much again and one record more, which is still within [`GROUP_STEP_BYTES_MAX`].
pub(super) const STEP_BYTES: usize = GROUP_STEP_BYTES_MAX / 4;
/// Most that is done in one step when much is due at once: others have their turn in between.
const DUE_PER_STEP_MAX: usize = 1024;

/// What a step leads to.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be appended as one batch, now: the coordinator's state has them already.
    pub records: Vec<GroupRecord>,
    /// May be given once these records, and all before them, are durable.
    pub answers: Vec<(Ticket, GroupReply)>,
}

/// The groups of one partition. See the module for what it is and is not.
#[derive(Debug)]
pub struct Coordinator {
    pub(super) config: GroupConfig,
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    pub(super) deadlines: Deadlines,
    /// Bytes that the groups take, about.
    pub(super) bytes: usize,
}

/// One request or one moment: what a group may use, and what comes of it.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub now: Now,
    pub config: &'a GroupConfig,
    pub deadlines: &'a mut Deadlines,
    pub effects: &'a mut Effects,
}

impl Step<'_> {
    /// Has the group take in a change, and the disk.
    pub(super) fn write(&mut self, group: &mut Group, change: Change) {
        self.effects.records.push(change.encode());
        group.apply(change);
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, ticket: Ticket, reply: GroupReply) {
        self.effects.answers.push((ticket, reply));
    }
}

impl Coordinator {
    /// One without groups.
    pub fn new(config: GroupConfig) -> Coordinator {
        Coordinator {
            config,
            groups: BTreeMap::new(),
            deadlines: Deadlines::default(),
            bytes: 0,
        }
    }

    /// Takes in a record of the log, in its order. Only before [`Coordinator::on_recovered`].
    ///
    /// # Errors
    /// The record is none of a group's, or of a version that is not known.
    pub fn replay(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        _time_ms: i64,
    ) -> Result<(), DecodeError> {
        let change = match ConsumerChange::is_of(key) {
            true => match ConsumerChange::decode(key, value)? {
                Some(change) => Change::Consumer(change),
                None => return Ok(()),
            },
            false => Change::decode(key, value)?,
        };
        let id = change.group().clone();
        let group = self
            .groups
            .entry(id.clone())
            .or_insert_with(|| Group::new(id.clone()));
        group.apply(change);
        if group.is_nothing() {
            self.groups.remove(&id);
        }
        Ok(())
    }

    /// All records were replayed. The sessions of all members begin anew.
    pub fn on_recovered(&mut self, now: Now, topics: &dyn Topics) {
        self.bytes = 0;
        for group in self.groups.values_mut() {
            if let Some(saved) = group.saved() {
                group.classic = Classic::restored(saved);
                for member in group.classic.members_mut() {
                    member.arm(now, &group.id, &mut self.deadlines);
                }
            }
            consumers::on_recovered(now, &self.config, group, &mut self.deadlines, topics);
            self.bytes += group.bytes();
        }
        if !self.groups.is_empty() {
            self.arm_expiry(now);
        }
    }

    /// Takes a request. Its answer is among this step's, or a later one's if it waits for others.
    /// `topics` are the topics there are now.
    pub fn handle(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: GroupRequest,
        topics: &dyn Topics,
    ) -> Effects {
        let mut effects = Effects::default();
        if let GroupRequest::List(filter) = &request {
            let listed = admin::list(self.groups.values(), filter);
            effects.answers.push((ticket, GroupReply::List(listed)));
            return effects;
        }
        let is_full = self.bytes >= self.config.state_bytes_max;
        let (id, creates) = (request.group_id(), request.may_create());
        let missing = request.without_group();
        let found = self.on_group(now, &id, creates, &mut effects, |step, group| {
            act(step, group, ticket, request, topics, is_full);
        });
        if !found {
            effects.answers.push((ticket, missing));
        }
        effects
    }

    /// Has the group act, if it is there or `creates` says that it is to be.
    pub(super) fn on_group(
        &mut self,
        now: Now,
        id: &Arc<str>,
        creates: bool,
        effects: &mut Effects,
        act: impl FnOnce(&mut Step<'_>, &mut Group),
    ) -> bool {
        if creates && !self.groups.contains_key(id) {
            if self.groups.is_empty() {
                self.arm_expiry(now);
            }
            let group = Group::new(id.clone());
            self.bytes += group.bytes();
            self.groups.insert(id.clone(), group);
        }
        let Some(group) = self.groups.get_mut(id) else {
            return false;
        };
        let before = group.bytes();
        let mut step = Step {
            now,
            config: &self.config,
            deadlines: &mut self.deadlines,
            effects,
        };
        act(&mut step, group);
        self.bytes = self.bytes + group.bytes() - before;
        if group.is_nothing() {
            self.bytes -= group.bytes();
            self.groups.remove(id);
        }
        true
    }

    /// Does what is due, as much as fits a step; the rest is due at the next.
    pub fn poll(&mut self, now: Now) -> Effects {
        let mut effects = Effects::default();
        for _ in 0..DUE_PER_STEP_MAX {
            if bytes_of(&effects) >= STEP_BYTES {
                break;
            }
            let Some(due) = self.deadlines.pop(now.mono_ms) else {
                break;
            };
            match due {
                Due::Expiry => self.expire_offsets(now, &mut effects),
                Due::Join(id) => {
                    self.on_group(now, &id, false, &mut effects, classic::on_join_due);
                }
                Due::Sync(id, generation) => {
                    self.on_group(now, &id, false, &mut effects, |step, group| {
                        classic::on_sync_due(step, group, generation);
                    });
                }
                Due::Session(id, member) => {
                    self.on_group(now, &id, false, &mut effects, |step, group| {
                        classic::on_session_due(step, group, &member);
                    });
                }
                Due::Consumer(id, timer) => {
                    self.on_group(now, &id, false, &mut effects, |step, group| {
                        consumers::on_due(step, group, timer);
                    });
                }
            }
        }
        effects
    }

    /// Bytes of records that a request may lead to, at most; 0 if it never writes. There must be
    /// room for them before it is handled.
    pub fn record_bytes_max(&self, request: &GroupRequest, topics: &dyn Topics) -> usize {
        let id = request.group_id();
        let group = self.groups.get(&id);
        let members = group.map_or(0, |group| group.classic.bytes());
        let offsets = group.map_or(0, |group| group.offset_bytes(&id));
        let records = match request {
            GroupRequest::Commit(request) => request.record_bytes_max(),
            GroupRequest::DeleteOffsets(request) => request.record_bytes_max(),
            GroupRequest::Delete { .. } => id.len() + SMALL_RECORD_BYTES + offsets,
            GroupRequest::Sync(request) => {
                let assignments = request.assignments.iter();
                let assigned: usize = assignments.map(|(_, assignment)| assignment.len()).sum();
                members + assigned + id.len() + SMALL_RECORD_BYTES
            }
            // A static member that takes its place again is written down.
            GroupRequest::Join(request) if request.instance_id.is_some() => {
                members + request.said_bytes() + id.len() + SMALL_RECORD_BYTES
            }
            // An empty group of the other kind makes way.
            GroupRequest::Join(_) if group.is_some_and(|group| group.consumer.is_some()) => {
                id.len() + SMALL_RECORD_BYTES
            }
            // The last one to leave makes the group empty, which is written down.
            GroupRequest::Leave(_) => id.len() + SMALL_RECORD_BYTES,
            GroupRequest::ConsumerHeartbeat(request) => {
                consumers::record_bytes_max(group, request, topics)
            }
            _ => 0,
        };
        match records {
            0 => 0,
            records => records + HEADER_BYTES,
        }
    }

    /// When [`Coordinator::poll`] has something to do, on the monotonic clock, milliseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        self.deadlines.next()
    }

    /// Records that make this coordinator's durable state again.
    pub fn snapshot(&self) -> impl Iterator<Item = GroupRecord> {
        let groups = self.groups.values();
        groups.flat_map(|group| group.changes().map(|change| change.encode()))
    }

    /// Bytes of the records that [`Coordinator::snapshot`] gives.
    pub fn live_bytes(&self) -> u64 {
        self.snapshot().map(|record| record.bytes() as u64).sum()
    }
}

/// Has a group take a request about it. Whoever joins or syncs may be answered later.
fn act(
    step: &mut Step<'_>,
    group: &mut Group,
    ticket: Ticket,
    request: GroupRequest,
    topics: &dyn Topics,
    is_full: bool,
) {
    let reply = match request {
        GroupRequest::Join(request) => {
            return consumers::join(step, group, ticket, request, is_full);
        }
        GroupRequest::Sync(request) => return classic::sync(step, group, ticket, &request),
        GroupRequest::Heartbeat(request) => {
            GroupReply::Heartbeat(classic::heartbeat(step.now, group, &request))
        }
        GroupRequest::Leave(request) => GroupReply::Leave(classic::leave(step, group, &request)),
        GroupRequest::Commit(request) => {
            GroupReply::Commit(offsets::commit(step, group, &request, is_full))
        }
        GroupRequest::FetchOffsets(request) => {
            GroupReply::FetchOffsets(offsets::fetch(group, &request))
        }
        GroupRequest::DeleteOffsets(request) => {
            GroupReply::DeleteOffsets(offsets::delete(step, group, &request))
        }
        GroupRequest::Delete { .. } => GroupReply::Delete(admin::delete(step, group)),
        GroupRequest::Describe { .. } => GroupReply::Describe(admin::describe(group)),
        GroupRequest::List(filter) => {
            GroupReply::List(admin::list(std::iter::once(&*group), &filter))
        }
        GroupRequest::ConsumerHeartbeat(request) => {
            let reply = consumers::heartbeat(step, group, &request, topics, is_full);
            GroupReply::ConsumerHeartbeat(reply.unwrap_or_else(Into::into))
        }
        GroupRequest::ConsumerDescribe { .. } => {
            GroupReply::ConsumerDescribe(consumers::describe(step.config, group, topics))
        }
    };
    step.answer(ticket, reply);
}

fn bytes_of(effects: &Effects) -> usize {
    effects.records.iter().map(GroupRecord::bytes).sum()
}

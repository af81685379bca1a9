//! Groups whose coordinator assigns (KIP-848), among the groups of a coordinator: what leads to
//! them and what comes of their steps. A group is of one kind at a time, and changes it while it
//! is empty; its offsets stay.

use std::sync::Arc;

use super::classic;
use super::config::GroupConfig;
use super::consumer::{
    self, ConsumerGroup, ConsumerHeartbeat, ConsumerHeartbeatReply, ConsumerRequest,
    DescribedConsumerGroup, Refusal, Timer, Topics,
};
use super::coordinator::{Coordinator, Effects, SMALL_RECORD_BYTES, Step};
use super::deadlines::{Deadlines, Due};
use super::one_group::Group;
use super::record::Change;
use super::request::{GroupReply, JoinReply, JoinRequest, Ticket};
use crate::base::Now;
use crate::kafka::ErrorCode;

impl Coordinator {
    /// Takes a request about a group of KIP-848; its answer is among this step's. `topics` are
    /// the topics there are now.
    pub fn handle_consumer(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: &ConsumerRequest,
        topics: &dyn Topics,
    ) -> Effects {
        let mut effects = Effects::default();
        let reply = match request {
            ConsumerRequest::Heartbeat(request) => {
                let reply = self.consumer_heartbeat(now, request, topics, &mut effects);
                GroupReply::ConsumerHeartbeat(reply.unwrap_or_else(Into::into))
            }
            ConsumerRequest::Describe { group_id } => {
                GroupReply::ConsumerDescribe(self.describe_consumer(group_id, topics))
            }
        };
        effects.answers.push((ticket, reply));
        effects
    }

    fn consumer_heartbeat(
        &mut self,
        now: Now,
        request: &ConsumerHeartbeat,
        topics: &dyn Topics,
        effects: &mut Effects,
    ) -> Result<ConsumerHeartbeatReply, Refusal> {
        request.check()?;
        let id = &request.group_id;
        let is_full = self.bytes >= self.config.state_bytes_max;
        let mut reply = Err(not_found(format!("Consumer group {id} not found.")));
        self.on_group(now, id, request.joins(), effects, |step, group| {
            reply = heartbeat(step, group, request, topics, is_full);
        });
        reply
    }

    fn describe_consumer(
        &self,
        group_id: &Arc<str>,
        topics: &dyn Topics,
    ) -> Result<DescribedConsumerGroup, Refusal> {
        let group = self.groups.get(group_id);
        let group = group.ok_or_else(|| not_found(format!("Group {group_id} not found.")))?;
        let consumer = group
            .consumer
            .as_ref()
            .ok_or_else(|| not_consumer(group_id))?;
        Ok(consumer.describe(&self.config.consumer, topics))
    }

    /// As [`Coordinator::record_bytes_max`], of what [`Coordinator::handle_consumer`] takes.
    pub fn consumer_record_bytes_max(
        &self,
        request: &ConsumerRequest,
        topics: &dyn Topics,
    ) -> usize {
        match request {
            ConsumerRequest::Heartbeat(request) => {
                let group = self.groups.get(&request.group_id);
                let consumer = group.and_then(|group| group.consumer.as_ref());
                let new = || Box::new(ConsumerGroup::new(request.group_id.clone()));
                let most = match consumer {
                    Some(consumer) => consumer.step_bytes_max(request, topics),
                    None => new().step_bytes_max(request, topics),
                };
                most + SMALL_RECORD_BYTES
            }
            ConsumerRequest::Describe { .. } => 0,
        }
    }
}

/// A heartbeat to a group that is there, or has just come into being for it.
fn heartbeat(
    step: &mut Step<'_>,
    group: &mut Group,
    request: &ConsumerHeartbeat,
    topics: &dyn Topics,
    is_full: bool,
) -> Result<ConsumerHeartbeatReply, Refusal> {
    let id = group.id.clone();
    if group.consumer.is_none() {
        if !request.joins() {
            return Err(not_consumer(&id));
        }
        if !group.classic.is_vacant() {
            return Err(not_found(format!(
                "Cannot upgrade classic group {id} to consumer group because online upgrade is \
                 disabled."
            )));
        }
    }
    // What the group is until now gives way only once the heartbeat is taken.
    let mut consumer = match group.consumer.take() {
        Some(consumer) => consumer,
        None => Box::new(ConsumerGroup::new(id.clone())),
    };
    let mut inner = consumer::Step::new(step.now, &step.config.consumer);
    inner.is_full = is_full;
    let reply = consumer.heartbeat(&mut inner, topics, request);
    if reply.is_ok() && group.saved().is_some() {
        let change = Change::Group {
            group: id.clone(),
            metadata: None,
        };
        step.write(group, change);
        group.classic.reset();
    }
    keep(step, &id, inner);
    group.consumer = Some(consumer).filter(|consumer| !consumer.is_nothing());
    reply
}

/// Gives the disk what the group has taken in, and the clock what it waits for.
fn keep(step: &mut Step<'_>, id: &Arc<str>, inner: consumer::Step<'_>) {
    let changes = inner.changes.into_iter().map(Change::Consumer);
    step.effects
        .records
        .extend(changes.map(|change| change.encode()));
    for (at, timer) in inner.timers {
        step.deadlines.insert(at, Due::Consumer(id.clone(), timer));
    }
}

/// Something that the group waited for has come.
pub(super) fn on_due(step: &mut Step<'_>, group: &mut Group, timer: Timer) {
    if let Some(consumer) = &mut group.consumer {
        let mut inner = consumer::Step::new(step.now, &step.config.consumer);
        consumer.on_due(&mut inner, timer);
        keep(step, &group.id, inner);
    }
}

/// All records were replayed.
pub(super) fn on_recovered(
    now: Now,
    config: &GroupConfig,
    group: &mut Group,
    deadlines: &mut Deadlines,
) {
    if let Some(consumer) = &mut group.consumer {
        let mut inner = consumer::Step::new(now, &config.consumer);
        consumer.on_recovered(&mut inner);
        for (at, timer) in inner.timers {
            deadlines.insert(at, Due::Consumer(group.id.clone(), timer));
        }
    }
}

/// Has an empty group of this kind go away, but for its offsets.
pub(super) fn retire(step: &mut Step<'_>, group: &mut Group) {
    let tombstones = match &group.consumer {
        Some(consumer) if consumer.is_empty() => consumer.tombstones(),
        _ => return,
    };
    for change in tombstones {
        step.write(group, Change::Consumer(change));
    }
}

/// A member of the classic protocol wants to join. A new one may once all members of this kind
/// have gone; one that comes with an id finds that it is unknown.
pub(super) fn join(
    step: &mut Step<'_>,
    group: &mut Group,
    ticket: Ticket,
    request: JoinRequest,
    is_full: bool,
) {
    if group.has_consumers() {
        let error = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
        let reply = JoinReply::error(error, request.member_id);
        step.answer(ticket, GroupReply::Join(reply));
        return;
    }
    if request.member_id.is_empty() {
        retire(step, group);
    }
    classic::join(step, group, ticket, request, is_full);
}

fn not_found(message: String) -> Refusal {
    Refusal {
        error: ErrorCode::GROUP_ID_NOT_FOUND,
        message,
    }
}

fn not_consumer(id: &str) -> Refusal {
    not_found(format!("Group {id} is not a consumer group."))
}

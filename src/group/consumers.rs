//! Groups whose coordinator assigns (KIP-848), among the groups of a coordinator: what leads to
//! them and what comes of their steps. A group is of one kind at a time, and changes it while it
//! is empty; its offsets stay.

use std::sync::Arc;

use super::classic;
use super::config::GroupConfig;
use super::consumer::{
    self, ConsumerGroup, ConsumerHeartbeat, ConsumerHeartbeatReply, DescribedConsumerGroup,
    Refusal, Timer, Topics,
};
use super::coordinator::{SMALL_RECORD_BYTES, Step};
use super::deadlines::{Deadlines, Due};
use super::one_group::Group;
use super::record::Change;
use super::request::{GroupReply, JoinReply, JoinRequest, Ticket};
use crate::base::Now;
use crate::kafka::ErrorCode;

/// One group, if it is of this kind.
pub(super) fn describe(
    config: &GroupConfig,
    group: &Group,
    topics: &dyn Topics,
) -> Result<DescribedConsumerGroup, Refusal> {
    let consumer = group.consumer.as_ref();
    let consumer = consumer.ok_or_else(|| not_consumer(&group.id))?;
    Ok(consumer.describe(&config.consumer, topics))
}

/// Bytes of records that a heartbeat to a group that may be there leads to, at most.
pub(super) fn record_bytes_max(
    group: Option<&Group>,
    request: &ConsumerHeartbeat,
    topics: &dyn Topics,
) -> usize {
    match group.and_then(|group| group.consumer.as_ref()) {
        Some(consumer) => consumer.step_bytes_max(request, topics),
        // A group of the other kind may have to make way.
        None => {
            let new = ConsumerGroup::new(request.group_id.clone());
            new.step_bytes_max(request, topics) + SMALL_RECORD_BYTES
        }
    }
}

/// A heartbeat to a group that is there, or has just come into being for it.
pub(super) fn heartbeat(
    step: &mut Step<'_>,
    group: &mut Group,
    request: &ConsumerHeartbeat,
    topics: &dyn Topics,
    is_full: bool,
) -> Result<ConsumerHeartbeatReply, Refusal> {
    request.check()?;
    request.check_assignor(&step.config.consumer)?;
    let id = group.id.clone();
    if group.consumer.is_none() {
        if !request.joins() {
            return Err(not_consumer(&id));
        }
        if !group.classic.is_vacant() {
            return Err(Refusal::not_found(format!(
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
    let config = step.config.consumer.with(topics.overrides_of(&id));
    let mut inner = consumer::Step::new(step.now, &config);
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
    topics: &dyn Topics,
) {
    if let Some(consumer) = &mut group.consumer {
        let config = config.consumer.with(topics.overrides_of(&group.id));
        let mut inner = consumer::Step::new(now, &config);
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

fn not_consumer(id: &str) -> Refusal {
    Refusal::not_found(format!("Group {id} is not a consumer group."))
}

//! SyncGroup: the leader hands assignments out, the others wait for theirs. And Heartbeat.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::member::Member;
use super::rebalance::prepare;
use super::state::{Classic, State};
use crate::base::Now;
use crate::base::limits::GROUP_RECORD_BYTES_MAX;
use crate::group::coordinator::Step;
use crate::group::one_group::Group;
use crate::group::record::Change;
use crate::group::request::{GroupReply, HeartbeatRequest, SyncReply, SyncRequest, Ticket};
use crate::kafka::ErrorCode;

/// Takes a sync. Its answer comes when the leader has synced.
pub(in crate::group) fn sync(
    step: &mut Step<'_>,
    group: &mut Group,
    ticket: Ticket,
    request: &SyncRequest,
) {
    if let Err(error) = check(&group.classic, request) {
        step.answer(ticket, GroupReply::Sync(SyncReply::error(error)));
        return;
    }
    let classic = &mut group.classic;
    let id = &request.member_id;
    classic.unsynced.remove(id);
    let mut outrun = None;
    classic.change(id, |member| outrun = member.syncing.replace(ticket));
    if let Some(outrun) = outrun {
        // The same member asked before, on another connection; that answer would be lost.
        let reply = SyncReply::error(ErrorCode::REBALANCE_IN_PROGRESS);
        step.answer(outrun, GroupReply::Sync(reply));
    }
    if classic.state == State::Stable {
        answer_assignments(step, classic);
    } else if classic.leader.as_ref() == Some(id) {
        assign(step, group, &request.assignments);
    }
}

fn check(classic: &Classic, request: &SyncRequest) -> Result<(), ErrorCode> {
    classic.check_member(&request.member_id, request.instance_id.as_ref())?;
    let differs = |said: &Option<Arc<str>>, is: &Option<Arc<str>>| said.is_some() && said != is;
    if request.generation != classic.generation {
        Err(ErrorCode::ILLEGAL_GENERATION)
    } else if differs(&request.protocol_type, &classic.protocol_type)
        || differs(&request.protocol_name, &classic.protocol)
    {
        Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)
    } else {
        match classic.state {
            State::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            _ => Ok(()),
        }
    }
}

/// The leader's word: written down, and given to all who wait. Members that the leader forgot
/// have nothing to do.
fn assign(step: &mut Step<'_>, group: &mut Group, assignments: &[(Arc<str>, Bytes)]) {
    let classic = &mut group.classic;
    let assignments: BTreeMap<&Arc<str>, &Bytes> = assignments
        .iter()
        .map(|(id, assignment)| (id, assignment))
        .collect();
    let assigned: usize = assignments
        .values()
        .map(|assignment| assignment.len())
        .sum();
    if classic.bytes() + assigned > GROUP_RECORD_BYTES_MAX {
        // Kafka has the same answer for a group that its log cannot take.
        answer_syncs(step, classic, |_| {
            SyncReply::error(ErrorCode::UNKNOWN_SERVER_ERROR)
        });
        prepare(step, group);
        return;
    }
    for id in classic.members.keys().cloned().collect::<Vec<_>>() {
        let assignment = assignments
            .get(&id)
            .map(|&bytes| bytes.clone())
            .unwrap_or_default();
        classic.change(&id, |member| member.assignment = assignment);
    }
    classic.state = State::Stable;
    let change = Change::Group {
        group: group.id.clone(),
        metadata: Some(classic.saved(step.now)),
    };
    step.write(group, change);
    answer_assignments(step, &mut group.classic);
}

fn answer_assignments(step: &mut Step<'_>, classic: &mut Classic) {
    let protocol_type = classic.protocol_type.clone();
    let protocol_name = classic.protocol.clone();
    answer_syncs(step, classic, |member| SyncReply {
        error: ErrorCode::NONE,
        protocol_type: protocol_type.clone(),
        protocol_name: protocol_name.clone(),
        assignment: member.assignment.clone(),
    });
}

/// Answers all who wait for their assignment.
pub(super) fn answer_syncs(
    step: &mut Step<'_>,
    classic: &mut Classic,
    reply: impl Fn(&Member) -> SyncReply,
) {
    for member in classic.members.values_mut() {
        if let Some(ticket) = member.syncing.take() {
            member.prolong(step.now);
            step.answer(ticket, GroupReply::Sync(reply(member)));
        }
    }
}

/// A member is still there; tells it whether it has to join again.
pub(in crate::group) fn heartbeat(
    now: Now,
    group: &mut Group,
    request: &HeartbeatRequest,
) -> ErrorCode {
    let classic = &mut group.classic;
    let id = &request.member_id;
    if let Err(error) = classic.check_member(id, request.instance_id.as_ref()) {
        return error;
    }
    if request.generation != classic.generation {
        return ErrorCode::ILLEGAL_GENERATION;
    }
    classic.prolong(id, now);
    match classic.state {
        State::PreparingRebalance => ErrorCode::REBALANCE_IN_PROGRESS,
        _ => ErrorCode::NONE,
    }
}

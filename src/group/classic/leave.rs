//! LeaveGroup, and members that are silent for too long.

use std::sync::Arc;

use super::member::Session;
use super::rebalance::{after_join, complete_if_all_joined};
use super::state::Classic;
use crate::group::coordinator::Step;
use crate::group::deadlines::Due;
use crate::group::one_group::Group;
use crate::group::request::{
    GroupReply, JoinReply, LeaveReply, LeaveRequest, LeavingMember, SyncReply,
};
use crate::kafka::ErrorCode;

/// Takes members out; one verdict for each.
pub(in crate::group) fn leave(
    step: &mut Step<'_>,
    group: &mut Group,
    request: &LeaveRequest,
) -> LeaveReply {
    let members = group.classic.members.len();
    let mut verdicts = Vec::with_capacity(request.members.len());
    for member in &request.members {
        let left = leave_one(step, &group.id, &mut group.classic, member);
        verdicts.push(left.err().unwrap_or(ErrorCode::NONE));
    }
    match group.classic.members.len() < members {
        true => after_join(step, group),
        // Of those who had an id and had not joined yet, at most one that was waited for.
        false => complete_if_all_joined(step, group),
    }
    LeaveReply {
        error: ErrorCode::NONE,
        members: verdicts,
    }
}

fn leave_one(
    step: &mut Step<'_>,
    group: &Arc<str>,
    classic: &mut Classic,
    leaving: &LeavingMember,
) -> Result<(), ErrorCode> {
    let mut id = leaving.member_id.clone();
    if let Some(instance_id) = &leaving.instance_id {
        // An operator removes static members by their instance ids alone.
        match classic.statics.get(instance_id) {
            Some(current) if id.is_empty() => id = current.clone(),
            _ => classic.check_member(&id, Some(instance_id))?,
        }
    } else if let Some(until) = classic.expect_no_more(&id) {
        step.deadlines
            .remove(until, Due::Session(group.clone(), id));
        return Ok(());
    }
    match take_out(step, group, classic, &id) {
        true => Ok(()),
        false => Err(ErrorCode::UNKNOWN_MEMBER_ID),
    }
}

/// Takes a member out of the group and out of its waits; whether it was there.
pub(super) fn take_out(
    step: &mut Step<'_>,
    group: &Arc<str>,
    classic: &mut Classic,
    id: &Arc<str>,
) -> bool {
    let Some(member) = classic.remove(id) else {
        return false;
    };
    member.disarm(group, step.deadlines);
    let error = ErrorCode::UNKNOWN_MEMBER_ID;
    if let Some(ticket) = member.joining {
        let reply = JoinReply::error(error, id.clone());
        step.answer(ticket, GroupReply::Join(reply));
    }
    if let Some(ticket) = member.syncing {
        step.answer(ticket, GroupReply::Sync(SyncReply::error(error)));
    }
    true
}

/// A session may be over, or the time of an id that was given out.
pub(in crate::group) fn on_session_due(step: &mut Step<'_>, group: &mut Group, id: &Arc<str>) {
    let classic = &mut group.classic;
    if classic
        .pending
        .get(id)
        .is_some_and(|&until| until <= step.now.mono_ms)
    {
        classic.expect_no_more(id);
        complete_if_all_joined(step, group);
        return;
    }
    let Some(member) = classic.members.get_mut(id) else {
        return;
    };
    if member.on_due(step.now, &group.id, step.deadlines) == Session::Over {
        take_out(step, &group.id, classic, id);
        after_join(step, group);
    }
}

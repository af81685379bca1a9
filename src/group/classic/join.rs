//! JoinGroup: a member comes, or comes again for another round.

use std::sync::Arc;

use super::member::Member;
use super::rebalance::{after_join, prepare};
use super::state::{Classic, Displaced, State};
use crate::base::limits::{GROUP_MEMBER_BYTES_MAX, GROUP_PROTOCOLS_MAX, STRING_BYTES_MAX};
use crate::group::config::GroupConfig;
use crate::group::coordinator::Step;
use crate::group::deadlines::Due;
use crate::group::one_group::Group;
use crate::group::record::Change;
use crate::group::request::{GroupReply, JoinReply, JoinRequest, JoinedMember, Ticket};
use crate::kafka::ErrorCode;

/// Takes a join. Its answer comes when all members have joined, unless nothing changes or it is
/// refused.
pub(in crate::group) fn join(
    step: &mut Step<'_>,
    group: &mut Group,
    ticket: Ticket,
    request: JoinRequest,
    is_full: bool,
) {
    let checked = check(step.config, &group.classic, &request, is_full);
    let joined = checked.and_then(|()| match request.member_id.is_empty() {
        true => join_new(step, group, ticket, &request),
        false => join_again(step, group, ticket, &request),
    });
    if let Err(error) = joined {
        let member_id = match error {
            ErrorCode::MEMBER_ID_REQUIRED => request.fresh_member_id,
            ErrorCode::GROUP_MAX_SIZE_REACHED => "".into(),
            _ => request.member_id,
        };
        step.answer(ticket, GroupReply::Join(JoinReply::error(error, member_id)));
    }
}

fn check(
    config: &GroupConfig,
    classic: &Classic,
    request: &JoinRequest,
    is_full: bool,
) -> Result<(), ErrorCode> {
    let timeouts = config.session_timeout_ms_min..=config.session_timeout_ms_max;
    let said = request.said_bytes();
    if request.group_id.is_empty() {
        Err(ErrorCode::INVALID_GROUP_ID)
    } else if !timeouts.contains(&request.session_timeout_ms) {
        Err(ErrorCode::INVALID_SESSION_TIMEOUT)
    } else if said > GROUP_MEMBER_BYTES_MAX
        || request.protocols.len() > GROUP_PROTOCOLS_MAX
        || request.fresh_member_id.len() > STRING_BYTES_MAX
    {
        Err(ErrorCode::INVALID_REQUEST)
    } else if !has_place(config, classic, &request.member_id, is_full) {
        Err(ErrorCode::GROUP_MAX_SIZE_REACHED)
    } else if !classic.supports(&request.protocol_type, &request.protocols) {
        Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)
    } else {
        Ok(())
    }
}

/// Whether the group, or the memory for all of them, has a place for another member. While
/// members join, those that have count: the others may not come again.
fn has_place(config: &GroupConfig, classic: &Classic, member_id: &Arc<str>, is_full: bool) -> bool {
    let member = classic.members.get(member_id);
    match classic.state {
        _ if is_full && member.is_none() => false,
        State::Empty => true,
        State::PreparingRebalance => {
            member.is_some_and(|m| m.joining.is_some()) || classic.joined() < config.members_max
        }
        State::CompletingRebalance | State::Stable => {
            member.is_some() || classic.members.len() < config.members_max
        }
    }
}

fn join_new(
    step: &mut Step<'_>,
    group: &mut Group,
    ticket: Ticket,
    request: &JoinRequest,
) -> Result<(), ErrorCode> {
    let classic = &mut group.classic;
    let id = request.fresh_member_id.clone();
    if let Some(instance_id) = &request.instance_id {
        match classic.displace(instance_id) {
            Some(old) => replace(step, group, ticket, request, old),
            None => let_in(step, group, ticket, request, id),
        }
    } else if request.requires_known_member_id {
        // It gets an id and must come again with it, or every retry would leave a member behind.
        let until = step.now.mono_ms + u64::try_from(request.session_timeout_ms).unwrap_or(0);
        classic.expect(id.clone(), until);
        step.deadlines
            .insert(until, Due::Session(group.id.clone(), id));
        return Err(ErrorCode::MEMBER_ID_REQUIRED);
    } else {
        let_in(step, group, ticket, request, id);
    }
    Ok(())
}

fn join_again(
    step: &mut Step<'_>,
    group: &mut Group,
    ticket: Ticket,
    request: &JoinRequest,
) -> Result<(), ErrorCode> {
    let classic = &mut group.classic;
    let id = &request.member_id;
    if let Some(until) = classic.expect_no_more(id) {
        let due = Due::Session(group.id.clone(), id.clone());
        step.deadlines.remove(until, due);
        let_in(step, group, ticket, request, id.clone());
        return Ok(());
    }
    classic.check_member(id, request.instance_id.as_ref())?;
    let is_leader = classic.leader.as_ref() == Some(id);
    let is_same = classic
        .members
        .get(id)
        .is_some_and(|m| m.protocols == request.protocols);
    let begins = match classic.state {
        State::CompletingRebalance => !is_same,
        // A leader that joins again wants to assign anew.
        State::Stable => is_leader || !is_same,
        _ => true,
    };
    if begins {
        again(step, group, ticket, request, id);
    } else {
        let reply = current(&group.classic, id);
        step.answer(ticket, GroupReply::Join(reply));
    }
    Ok(())
}

fn let_in(
    step: &mut Step<'_>,
    group: &mut Group,
    ticket: Ticket,
    request: &JoinRequest,
    id: Arc<str>,
) {
    let classic = &mut group.classic;
    let mut member = Member::joining(id, request);
    member.joining = Some(ticket);
    member.arm(step.now, &group.id, step.deadlines);
    if classic.members.is_empty() {
        classic.protocol_type = Some(request.protocol_type.clone());
    }
    classic.insert(member);
    if let Some(joining) = &mut classic.joining {
        joining.has_new_member = true;
    }
    after_join(step, group);
}

fn again(
    step: &mut Step<'_>,
    group: &mut Group,
    ticket: Ticket,
    request: &JoinRequest,
    id: &Arc<str>,
) {
    let mut outrun = None;
    group.classic.change(id, |member| {
        member.update(request);
        outrun = member.joining.replace(ticket);
    });
    if let Some(outrun) = outrun {
        // The same member joined before, on another connection; that answer would be lost.
        let reply = JoinReply::error(ErrorCode::REBALANCE_IN_PROGRESS, id.clone());
        step.answer(outrun, GroupReply::Join(reply));
    }
    after_join(step, group);
}

/// A static member came back under its instance id, without the member id that it had (KIP-345).
/// It gets a new one and takes the old one's place, and whoever still uses the old one is fenced.
fn replace(
    step: &mut Step<'_>,
    group: &mut Group,
    ticket: Ticket,
    request: &JoinRequest,
    old: Displaced,
) {
    let classic = &mut group.classic;
    let id = request.fresh_member_id.clone();
    let mut member = old.member;
    fence(step, &mut member);
    member.disarm(&group.id, step.deadlines);
    member.id = id.clone();
    member.update(request);
    // Its entry among the deadlines is under the old id.
    member.forget_deadline();
    member.arm(step.now, &group.id, step.deadlines);
    classic.insert(member);
    if old.was_leader {
        classic.leader = Some(id.clone());
    }
    if old.was_unsynced {
        classic.unsynced.insert(id.clone());
    }
    if classic.state == State::Stable && classic.choose_protocol() == classic.protocol {
        // Nothing changes for anybody else, so nobody is disturbed.
        classic.learn_topics();
        let change = Change::Group {
            group: group.id.clone(),
            metadata: Some(classic.saved(step.now)),
        };
        let mut reply = current(classic, &id);
        match request.supports_skip_assignment {
            true => reply.skip_assignment = old.was_leader,
            false => {
                // A client that knows no better would assign anew if it took itself for the leader.
                reply.leader = old.leader.unwrap_or_default();
                reply.members = Vec::new();
            }
        }
        step.write(group, change);
        step.answer(ticket, GroupReply::Join(reply));
        return;
    }
    classic.change(&id, |member| member.joining = Some(ticket));
    match classic.state {
        State::PreparingRebalance => after_join(step, group),
        _ => prepare(step, group),
    }
}

fn fence(step: &mut Step<'_>, member: &mut Member) {
    let error = ErrorCode::FENCED_INSTANCE_ID;
    if let Some(ticket) = member.joining.take() {
        let reply = JoinReply::error(error, member.id.clone());
        step.answer(ticket, GroupReply::Join(reply));
    }
    if let Some(ticket) = member.syncing.take() {
        let reply = crate::group::request::SyncReply::error(error);
        step.answer(ticket, GroupReply::Sync(reply));
    }
}

/// What a member is told of the generation it is in; the leader, who is there.
pub(super) fn current(classic: &Classic, id: &Arc<str>) -> JoinReply {
    let members = match (&classic.leader, &classic.protocol) {
        (Some(leader), Some(protocol)) if leader == id => classic
            .members
            .values()
            .map(|member| JoinedMember {
                member_id: member.id.clone(),
                instance_id: member.instance_id.clone(),
                metadata: member.metadata(protocol).unwrap_or_default(),
            })
            .collect(),
        _ => Vec::new(),
    };
    JoinReply {
        error: ErrorCode::NONE,
        generation: classic.generation,
        protocol_type: classic.protocol_type.clone(),
        protocol_name: classic.protocol.clone(),
        leader: classic.leader.clone().unwrap_or_default(),
        skip_assignment: false,
        member_id: id.clone(),
        members,
    }
}

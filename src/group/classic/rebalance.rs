//! Rebalances: waiting for the members to join, the next generation, waiting for them to sync.

use std::sync::Arc;

use super::join::current;
use super::leave::take_out;
use super::state::{Classic, Joining, State};
use super::sync::answer_syncs;
use crate::group::coordinator::Step;
use crate::group::deadlines::Due;
use crate::group::one_group::Group;
use crate::group::record::Change;
use crate::group::request::{GroupReply, SyncReply};
use crate::kafka::ErrorCode;

/// How long a rebalance that nobody has come to waits again at least, milliseconds: members may
/// ask for a timeout of nothing.
const REBALANCE_WAIT_MS_MIN: u64 = 1000;

/// A member has joined or is gone: begins a rebalance, or ends the one that waited for this.
pub(super) fn after_join(step: &mut Step<'_>, group: &mut Group) {
    match group.classic.state {
        State::PreparingRebalance => complete_if_all_joined(step, group),
        _ => prepare(step, group),
    }
}

/// Begins a rebalance. The first one of an empty group gives further members time to come
/// (KIP-134); any other ends as soon as all members have joined again.
pub(super) fn prepare(step: &mut Step<'_>, group: &mut Group) {
    let classic = &mut group.classic;
    let was = std::mem::replace(&mut classic.state, State::PreparingRebalance);
    if was == State::CompletingRebalance {
        answer_syncs(step, classic, |_| {
            SyncReply::error(ErrorCode::REBALANCE_IN_PROGRESS)
        });
    }
    classic.unsynced.clear();
    let timeout_ms = rebalance_timeout_ms(classic);
    let first_ms = step.config.initial_rebalance_delay_ms;
    let (wait_ms, longer_ms) = match was {
        State::Empty => (first_ms, Some(timeout_ms.saturating_sub(first_ms))),
        _ => (timeout_ms, None),
    };
    wait_for_joins(step, group, wait_ms, longer_ms);
    complete_if_all_joined(step, group);
}

fn wait_for_joins(step: &mut Step<'_>, group: &mut Group, ms: u64, longer_ms: Option<u64>) {
    let until = step.now.mono_ms + ms;
    group.classic.joining = Some(Joining {
        until,
        longer_ms,
        has_new_member: false,
    });
    step.deadlines.insert(until, Due::Join(group.id.clone()));
}

/// The longest that any member asks for, milliseconds.
fn rebalance_timeout_ms(classic: &Classic) -> u64 {
    let timeouts = classic
        .members
        .values()
        .map(|member| member.rebalance_timeout_ms);
    timeouts
        .max()
        .map_or(0, |ms| u64::try_from(ms).unwrap_or(0))
}

/// Ends a rebalance that waits for nobody any more.
pub(super) fn complete_if_all_joined(step: &mut Step<'_>, group: &mut Group) {
    let classic = &group.classic;
    // An empty group's first rebalance waits its time; unless nobody is left to wait for.
    let waits = classic
        .joining
        .is_some_and(|joining| joining.longer_ms.is_some())
        && !classic.members.is_empty();
    let is_complete = classic.pending.is_empty() && classic.joined() == classic.members.len();
    if classic.state == State::PreparingRebalance && is_complete && !waits {
        complete(step, group);
    }
}

/// Members had time enough to join.
pub(in crate::group) fn on_join_due(step: &mut Step<'_>, group: &mut Group) {
    let Some(joining) = group.classic.joining else {
        return;
    };
    if joining.until > step.now.mono_ms {
        return; // a later rebalance than the one that this was for
    }
    match joining.longer_ms {
        Some(longer_ms) if joining.has_new_member && longer_ms > 0 => {
            let ms = step.config.initial_rebalance_delay_ms.min(longer_ms);
            wait_for_joins(step, group, ms, Some(longer_ms - ms));
        }
        _ => complete(step, group),
    }
}

/// The next generation: whoever has not joined is out, unless it is static and may come back.
fn complete(step: &mut Step<'_>, group: &mut Group) {
    let classic = &mut group.classic;
    classic.joining = None;
    let is_out = |id: &&Arc<str>| {
        let member = classic.members.get(*id);
        member.is_some_and(|m| m.joining.is_none() && m.instance_id.is_none())
    };
    let out: Vec<Arc<str>> = classic.members.keys().filter(is_out).cloned().collect();
    for id in &out {
        if let Some(member) = classic.remove(id) {
            member.disarm(&group.id, step.deadlines);
        }
    }
    if !elect_leader(classic) && !classic.members.is_empty() {
        // Only static members, and none of them is here: they get another while.
        let ms = rebalance_timeout_ms(classic).max(REBALANCE_WAIT_MS_MIN);
        wait_for_joins(step, group, ms, None);
        return;
    }
    classic.generation = classic.generation.checked_add(1).unwrap_or(1);
    if classic.members.is_empty() {
        become_empty(step, group);
    } else {
        begin_generation(step, group);
    }
}

/// The leader stays if it has joined; else the first that has is the leader.
fn elect_leader(classic: &mut Classic) -> bool {
    let has_joined = |id: &Arc<str>| classic.members.get(id).is_some_and(|m| m.joining.is_some());
    if classic.leader.as_ref().is_some_and(has_joined) {
        return true;
    }
    let joined = classic.members.keys().find(|id| has_joined(id)).cloned();
    let is_found = joined.is_some();
    classic.leader = joined.or(classic.leader.take());
    is_found
}

fn become_empty(step: &mut Step<'_>, group: &mut Group) {
    let classic = &mut group.classic;
    classic.state = State::Empty;
    classic.protocol = None;
    classic.leader = None;
    classic.learn_topics();
    let metadata = Some(classic.saved(step.now));
    let change = Change::Group {
        group: group.id.clone(),
        metadata,
    };
    step.write(group, change);
}

fn begin_generation(step: &mut Step<'_>, group: &mut Group) {
    let classic = &mut group.classic;
    classic.state = State::CompletingRebalance;
    classic.protocol = classic.choose_protocol();
    classic.learn_topics();
    classic.unsynced = classic.members.keys().cloned().collect();
    for id in classic.members.keys().cloned().collect::<Vec<_>>() {
        let mut ticket = None;
        classic.change(&id, |member| {
            ticket = member.joining.take();
            member.is_new = false;
            member.arm(step.now, &group.id, step.deadlines);
        });
        if let Some(ticket) = ticket {
            let reply = current(classic, &id);
            step.answer(ticket, GroupReply::Join(reply));
        }
    }
    let until = step.now.mono_ms + rebalance_timeout_ms(classic);
    let due = Due::Sync(group.id.clone(), classic.generation);
    step.deadlines.insert(until, due);
}

/// Members had time enough to ask for their assignment: who did not is out.
pub(in crate::group) fn on_sync_due(step: &mut Step<'_>, group: &mut Group, generation: i32) {
    let classic = &mut group.classic;
    let is_over = matches!(classic.state, State::CompletingRebalance | State::Stable);
    if !is_over || classic.generation != generation || classic.unsynced.is_empty() {
        return;
    }
    for id in std::mem::take(&mut classic.unsynced) {
        take_out(step, &group.id, classic, &id);
    }
    prepare(step, group);
}

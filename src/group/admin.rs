//! What operators ask: which groups there are, who is in them, and away with this one.

use super::classic::State;
use super::coordinator::Step;
use super::one_group::Group;
use super::record::Change;
use super::request::{DescribedGroup, DescribedMember, ListFilter, ListedGroup};
use super::{consumers, offsets};
use crate::kafka::ErrorCode;

/// Kafka's word for groups whose members assign partitions themselves.
const CLASSIC: &str = "classic";
/// The same of groups whose coordinator does; also the protocol type of all consumers.
const CONSUMER: &str = "consumer";

/// One group. What members said and were given is told only while the group is stable, as
/// Kafka does: in between it belongs to different generations.
pub(super) fn describe(group: &Group) -> DescribedGroup {
    if group.consumer.is_some() {
        return DescribedGroup::not_classic(&group.id);
    }
    let classic = &group.classic;
    let is_stable = classic.state() == State::Stable;
    let protocol = classic.protocol().filter(|_| is_stable).cloned();
    let members = classic.members().map(|member| DescribedMember {
        member_id: member.id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        metadata: protocol
            .as_ref()
            .and_then(|protocol| member.metadata(protocol))
            .unwrap_or_default(),
        assignment: match is_stable {
            true => member.assignment.clone(),
            false => Default::default(),
        },
    });
    DescribedGroup {
        error: ErrorCode::NONE,
        message: None,
        state: classic.state().name(),
        protocol_type: classic.protocol_type().cloned().unwrap_or_default(),
        protocol: protocol.clone().unwrap_or_default(),
        members: members.collect(),
    }
}

/// The groups that pass the filter.
pub(super) fn list<'a>(
    groups: impl Iterator<Item = &'a Group>,
    filter: &ListFilter,
) -> Vec<ListedGroup> {
    let passes = |wanted: &[String], word: &str| {
        wanted.is_empty()
            || wanted
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(word))
    };
    groups
        .map(|group| match &group.consumer {
            Some(consumer) => ListedGroup {
                group_id: group.id.clone(),
                protocol_type: CONSUMER.into(),
                state: consumer.state(),
                group_type: CONSUMER,
            },
            None => ListedGroup {
                group_id: group.id.clone(),
                protocol_type: group.classic.protocol_type().cloned().unwrap_or_default(),
                state: group.classic.state().name(),
                group_type: CLASSIC,
            },
        })
        .filter(|listed| passes(&filter.states, listed.state))
        .filter(|listed| passes(&filter.types, listed.group_type))
        .collect()
}

/// Deletes a group that has no members.
pub(super) fn delete(step: &mut Step<'_>, group: &mut Group) -> ErrorCode {
    if !group.classic.is_empty() || group.has_consumers() {
        return ErrorCode::NON_EMPTY_GROUP;
    }
    offsets::delete_all(step, group);
    consumers::retire(step, group);
    if group.saved().is_some() {
        let change = Change::Group {
            group: group.id.clone(),
            metadata: None,
        };
        step.write(group, change);
    }
    group.classic.reset();
    ErrorCode::NONE
}

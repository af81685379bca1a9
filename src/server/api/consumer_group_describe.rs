//! ConsumerGroupDescribe (69), versions 0-1: groups whose coordinator assigns (KIP-848), and their
//! members.
//!
//! - 1: the members' type (KIP-1099): all speak the protocol of KIP-848.
//! - A group of the other kind is GROUP_ID_NOT_FOUND, upon which clients ask DescribeGroups.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use bytes::BytesMut;

use super::{coordinating, operations};
use crate::group::{
    DescribedConsumer, DescribedConsumerGroup, GroupReply, GroupRequest, NamedPartitions, Refusal,
};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup,
    MEMBER_TYPE_CONSUMER, Member, TopicPartitions,
};
use crate::kafka::messages::{Request, Response};
use crate::kafka::reader::{Reader, WireError};
use crate::kafka::rope::EncodedFrame;
use crate::server::Services;

/// Asks each group's coordinator.
pub async fn answer(
    services: &Services,
    header: &RequestHeader<'_>,
    reader: &mut Reader<'_>,
    scratch: &mut BytesMut,
) -> Result<EncodedFrame, WireError> {
    let request = ConsumerGroupDescribeRequest::decode(reader, header.version)?;
    let mut groups = Vec::with_capacity(request.group_ids.len());
    let mut told = HashSet::new();
    // Each group once: a small request must not make a large answer.
    for &group_id in request.group_ids.iter().filter(|id| told.insert(**id)) {
        groups.push((group_id, describe(services, group_id).await));
    }
    let asked = request.include_authorized_operations;
    let authorized = operations::if_asked(asked, operations::GROUP);
    let groups = groups.iter().map(|(group_id, found)| match found {
        Ok(found) => group(group_id, found, authorized),
        Err(refusal) => refused(group_id, refusal),
    });
    let response = ConsumerGroupDescribeResponse {
        groups: groups.collect(),
        ..Default::default()
    };
    Ok(response.encode(scratch, header.version, header.correlation_id))
}

async fn describe(services: &Services, group_id: &str) -> Result<DescribedConsumerGroup, Refusal> {
    let request = GroupRequest::ConsumerDescribe {
        group_id: group_id.into(),
    };
    let error = match coordinating::ask(services, group_id, request).await {
        Ok(GroupReply::ConsumerDescribe(described)) => return described,
        Ok(other) => coordinating::unexpected(&other),
        Err(error) => error,
    };
    Err(Refusal {
        error,
        message: String::new(),
    })
}

fn refused<'a>(group_id: &'a str, refusal: &'a Refusal) -> DescribedGroup<'a> {
    let message = Some(&*refusal.message).filter(|message| !message.is_empty());
    DescribedGroup {
        error_code: refusal.error,
        error_message: message.map(Cow::Borrowed),
        group_id: Cow::Borrowed(group_id),
        ..Default::default()
    }
}

fn group<'a>(
    group_id: &'a str,
    found: &'a DescribedConsumerGroup,
    authorized: i32,
) -> DescribedGroup<'a> {
    DescribedGroup {
        error_code: ErrorCode::NONE,
        error_message: None,
        group_id: Cow::Borrowed(group_id),
        group_state: Cow::Borrowed(found.state),
        group_epoch: found.epoch,
        assignment_epoch: found.target_epoch,
        assignor_name: Cow::Borrowed(found.assignor),
        members: found.members.iter().map(member).collect(),
        authorized_operations: authorized,
    }
}

fn member(member: &DescribedConsumer) -> Member<'_> {
    let topics = member.topics.iter();
    Member {
        member_id: Cow::Borrowed(&*member.member_id),
        instance_id: text(&member.instance_id),
        rack_id: text(&member.rack_id),
        member_epoch: member.member_epoch,
        client_id: Cow::Borrowed(&*member.client_id),
        client_host: Cow::Borrowed(&*member.client_host),
        subscribed_topic_names: topics.map(|name| Cow::Borrowed(&**name)).collect(),
        subscribed_topic_regex: text(&member.expression),
        assignment: assignment(&member.assignment),
        target_assignment: assignment(&member.target),
        member_type: MEMBER_TYPE_CONSUMER,
    }
}

fn text(text: &Option<Arc<str>>) -> Option<Cow<'_, str>> {
    text.as_deref().map(Cow::Borrowed)
}

fn assignment(topics: &[NamedPartitions]) -> Assignment<'_> {
    let topics = topics.iter().map(|topic| TopicPartitions {
        topic_id: topic.topic_id,
        topic_name: Cow::Borrowed(&*topic.name),
        partitions: Cow::Borrowed(&topic.partitions),
    });
    Assignment {
        topic_partitions: topics.collect(),
    }
}

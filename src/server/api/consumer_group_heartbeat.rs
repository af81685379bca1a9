//! ConsumerGroupHeartbeat (68), versions 0-1: joins, stays in and leaves a group whose coordinator
//! assigns (KIP-848). What the answer says is on the disk.
//!
//! - 1: the consumer makes its own member id (KIP-1082); subscriptions by regular expression.
//! - Who says that it has more partitions than there can be is INVALID_REQUEST.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::BytesMut;

use super::coordinating::{self, owned};
use crate::base::TopicId;
use crate::base::limits::PARTITIONS_MAX;
use crate::group::{
    ConsumerHeartbeat, ConsumerHeartbeatReply, GroupReply, GroupRequest, Partitions,
};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use crate::kafka::messages::{Request, Response};
use crate::kafka::reader::{Reader, WireError};
use crate::kafka::rope::EncodedFrame;
use crate::runtime::process;
use crate::server::Services;

/// Has the coordinator hear of the member.
pub async fn answer(
    services: &Services,
    header: &RequestHeader<'_>,
    reader: &mut Reader<'_>,
    scratch: &mut BytesMut,
    peer: IpAddr,
) -> Result<EncodedFrame, WireError> {
    let request = ConsumerGroupHeartbeatRequest::decode(reader, header.version)?;
    let beat = domain_request(&request, header, peer);
    let reply = match beat {
        Ok(beat) => ask(services, beat).await,
        Err(error) => Err(error),
    };
    let reply = reply.unwrap_or_else(|error| ConsumerHeartbeatReply {
        error,
        ..ConsumerHeartbeatReply::default()
    });
    Ok(respond(&reply).encode(scratch, header.version, header.correlation_id))
}

async fn ask(
    services: &Services,
    beat: ConsumerHeartbeat,
) -> Result<ConsumerHeartbeatReply, ErrorCode> {
    let group_id = beat.group_id.clone();
    let request = GroupRequest::ConsumerHeartbeat(beat);
    match coordinating::ask(services, &group_id, request).await? {
        GroupReply::ConsumerHeartbeat(reply) => Ok(reply),
        other => Err(coordinating::unexpected(&other)),
    }
}

fn domain_request(
    request: &ConsumerGroupHeartbeatRequest<'_>,
    header: &RequestHeader<'_>,
    peer: IpAddr,
) -> Result<ConsumerHeartbeat, ErrorCode> {
    let topics = request.subscribed_topic_names.as_ref();
    let owned_partitions = request.topic_partitions.as_deref().map(partitions);
    Ok(ConsumerHeartbeat {
        group_id: request.group_id.into(),
        member_id: request.member_id.into(),
        fresh_member_id: match request.member_id {
            "" => fresh_member_id(),
            _ => "".into(),
        },
        makes_own_id: header.version >= 1,
        member_epoch: request.member_epoch,
        instance_id: owned(request.instance_id),
        rack_id: owned(request.rack_id),
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        topics: topics.map(|names| names.iter().map(|name| Arc::from(*name)).collect()),
        topic_regex: owned(request.subscribed_topic_regex),
        assignor: owned(request.server_assignor),
        owned: owned_partitions.transpose()?,
        client_id: header.client_id.unwrap_or_default().into(),
        client_host: format!("/{peer}").into(),
    })
}

/// As Kafka makes them: a random UUID.
fn fresh_member_id() -> Arc<str> {
    TopicId::from_random(process::random()).to_string().into()
}

fn partitions(topics: &[TopicPartitions<'_>]) -> Result<Partitions, ErrorCode> {
    let count: usize = topics.iter().map(|topic| topic.partitions.len()).sum();
    if count > PARTITIONS_MAX {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let mut partitions = Partitions::new();
    for topic in topics {
        let of_topic = partitions.entry(topic.topic_id).or_default();
        of_topic.extend(topic.partitions.iter().copied());
    }
    partitions.retain(|_, of_topic| !of_topic.is_empty());
    Ok(partitions)
}

fn respond(reply: &ConsumerHeartbeatReply) -> ConsumerGroupHeartbeatResponse<'_> {
    let assignment = reply.assignment.as_ref().map(|partitions| {
        let topics = partitions.iter().map(|(&topic_id, of_topic)| {
            let partitions = Cow::Owned(of_topic.iter().copied().collect());
            TopicPartitions {
                topic_id,
                partitions,
            }
        });
        Assignment {
            topic_partitions: topics.collect(),
        }
    });
    ConsumerGroupHeartbeatResponse {
        error_code: reply.error,
        error_message: reply.message.as_deref().map(Cow::Borrowed),
        member_id: reply.member_id.as_deref().map(Cow::Borrowed),
        member_epoch: reply.member_epoch,
        heartbeat_interval_ms: reply.heartbeat_interval_ms,
        assignment,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(topic: u8, partitions: &[i32]) -> TopicPartitions<'_> {
        TopicPartitions {
            topic_id: TopicId([topic; 16]),
            partitions: Cow::Borrowed(partitions),
        }
    }

    #[test]
    fn a_topic_that_is_named_twice_counts_once() {
        let told = partitions(&[of(1, &[2, 0]), of(2, &[]), of(1, &[1, 2])]).unwrap();
        let expected = Partitions::from([(TopicId([1; 16]), [0, 1, 2].into())]);
        assert_eq!(told, expected);
    }

    #[test]
    fn nobody_has_more_partitions_than_there_can_be() {
        let many = vec![0; PARTITIONS_MAX + 1];
        let told = partitions(&[of(1, &many)]);
        assert_eq!(told, Err(ErrorCode::INVALID_REQUEST));
        assert!(partitions(&[of(1, &many[1..])]).is_ok());
    }
}

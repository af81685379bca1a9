//! JoinGroup (11), versions 0-9: become a member, or meet the others again. The answer comes
//! when all have; until then the request holds no memory but what the coordinator keeps.
//!
//! - 1: rebalance timeout. 4: a member without an id gets one and comes again (KIP-394).
//! - 5: static members (KIP-345). 7: protocol type. 8: reasons (KIP-800), which nobody here
//!   asks for. 9: the leader may have nothing to assign (KIP-814).

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::coordinating::{self, owned};
use crate::group::{self, GroupReply, GroupRequest, JoinReply, Protocol};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse, JoinGroupResponseMember,
};
use crate::kafka::messages::{Request, Response};
use crate::kafka::reader::{Reader, WireError};
use crate::runtime::process;
use crate::server::Services;
use crate::server::router::Answer;

/// Has the coordinator take the member in.
pub fn answer(
    services: &Services,
    header: &RequestHeader<'_>,
    reader: &mut Reader<'_>,
    peer: IpAddr,
) -> Result<Answer, WireError> {
    let request = JoinGroupRequest::decode(reader, header.version)?;
    let client_id = header.client_id.unwrap_or_default();
    let asked = domain_request(&request, header.version, client_id, peer);
    let (version, correlation_id) = (header.version, header.correlation_id);
    let services = services.clone();
    Ok(Answer::Waiting(Box::pin(async move {
        let member_id = asked.member_id.clone();
        let reply = join(&services, asked)
            .await
            .unwrap_or_else(|error| JoinReply::error(error, member_id));
        respond(&reply, version).encode(&mut BytesMut::new(), version, correlation_id)
    })))
}

fn domain_request(
    request: &JoinGroupRequest<'_>,
    version: i16,
    client_id: &str,
    peer: IpAddr,
) -> group::JoinRequest {
    let protocol = |protocol: &JoinGroupRequestProtocol<'_>| Protocol {
        name: protocol.name.into(),
        metadata: Bytes::copy_from_slice(protocol.metadata),
    };
    let fresh_prefix = request.group_instance_id.unwrap_or(client_id);
    group::JoinRequest {
        group_id: request.group_id.into(),
        member_id: request.member_id.into(),
        fresh_member_id: fresh_member_id(fresh_prefix),
        instance_id: owned(request.group_instance_id),
        client_id: client_id.into(),
        client_host: format!("/{peer}").into(),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        protocol_type: request.protocol_type.into(),
        protocols: request.protocols.iter().map(protocol).collect(),
        requires_known_member_id: version >= 4,
        supports_skip_assignment: version >= 9,
    }
}

/// As Kafka makes them: with a random UUID.
fn fresh_member_id(prefix: &str) -> Arc<str> {
    format!(
        "{prefix}-{}",
        crate::base::TopicId::from_random(process::random())
    )
    .into()
}

async fn join(services: &Services, asked: group::JoinRequest) -> Result<JoinReply, ErrorCode> {
    let group_id = asked.group_id.clone();
    coordinating::check_named(&group_id)?;
    match coordinating::ask(services, &group_id, GroupRequest::Join(asked)).await? {
        GroupReply::Join(reply) => Ok(reply),
        other => Err(coordinating::unexpected(&other)),
    }
}

fn respond(reply: &JoinReply, version: i16) -> JoinGroupResponse<'_> {
    let members = reply.members.iter().map(|member| JoinGroupResponseMember {
        member_id: Cow::Borrowed(&*member.member_id),
        group_instance_id: member.instance_id.as_deref().map(Cow::Borrowed),
        metadata: &member.metadata,
    });
    let protocol_name = match version {
        7.. => reply.protocol_name.as_deref(),
        _ => Some(reply.protocol_name.as_deref().unwrap_or_default()),
    };
    JoinGroupResponse {
        error_code: reply.error,
        generation_id: reply.generation,
        protocol_type: reply.protocol_type.as_deref().map(Cow::Borrowed),
        protocol_name: protocol_name.map(Cow::Borrowed),
        leader: Cow::Borrowed(&*reply.leader),
        skip_assignment: reply.skip_assignment,
        member_id: Cow::Borrowed(&*reply.member_id),
        members: members.collect(),
        ..Default::default()
    }
}

//! SyncGroup (14), versions 0-5: the leader hands out the shares, the others ask for theirs.
//! The answer comes when the leader has; until then the request holds no memory but what the
//! coordinator keeps.
//!
//! - 3: static members (KIP-345). 5: protocol type and name, which must be there (KIP-559).

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use super::coordinating::{self, owned};
use crate::group::{self, GroupReply, GroupRequest, SyncReply};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use crate::kafka::messages::{Request, Response};
use crate::kafka::reader::{Reader, WireError};
use crate::server::Services;
use crate::server::router::Answer;

/// Has the coordinator deal or give.
pub fn answer(
    services: &Services,
    header: &RequestHeader<'_>,
    reader: &mut Reader<'_>,
) -> Result<Answer, WireError> {
    let request = SyncGroupRequest::decode(reader, header.version)?;
    let (version, correlation_id) = (header.version, header.correlation_id);
    let asked = domain_request(&request);
    let checked = check(&request, version);
    let services = services.clone();
    Ok(Answer::Waiting(Box::pin(async move {
        let reply = match checked {
            Ok(()) => sync(&services, asked).await,
            Err(error) => Err(error),
        };
        let reply = reply.unwrap_or_else(SyncReply::error);
        respond(&reply).encode(&mut BytesMut::new(), version, correlation_id)
    })))
}

fn check(request: &SyncGroupRequest<'_>, version: i16) -> Result<(), ErrorCode> {
    coordinating::check_named(request.group_id)?;
    let is_complete = request.protocol_type.is_some() && request.protocol_name.is_some();
    match version < 5 || is_complete {
        true => Ok(()),
        false => Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
    }
}

fn domain_request(request: &SyncGroupRequest<'_>) -> group::SyncRequest {
    let assignments = request.assignments.iter().map(|assignment| {
        let bytes = Bytes::copy_from_slice(assignment.assignment);
        (assignment.member_id.into(), bytes)
    });
    group::SyncRequest {
        group_id: request.group_id.into(),
        generation: request.generation_id,
        member_id: request.member_id.into(),
        instance_id: owned(request.group_instance_id),
        protocol_type: owned(request.protocol_type),
        protocol_name: owned(request.protocol_name),
        assignments: assignments.collect(),
    }
}

async fn sync(services: &Services, asked: group::SyncRequest) -> Result<SyncReply, ErrorCode> {
    let group_id = asked.group_id.clone();
    match coordinating::ask(services, &group_id, GroupRequest::Sync(asked)).await? {
        GroupReply::Sync(reply) => Ok(reply),
        other => Err(coordinating::unexpected(&other)),
    }
}

fn respond(reply: &SyncReply) -> SyncGroupResponse<'_> {
    SyncGroupResponse {
        error_code: reply.error,
        protocol_type: reply.protocol_type.as_deref().map(Cow::Borrowed),
        protocol_name: reply.protocol_name.as_deref().map(Cow::Borrowed),
        assignment: &reply.assignment,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_5_must_name_the_protocol() {
        let mut request = SyncGroupRequest {
            group_id: "g",
            ..Default::default()
        };
        assert_eq!(check(&request, 4), Ok(()));
        let inconsistent = Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        assert_eq!(check(&request, 5), inconsistent);
        request.protocol_type = Some("consumer");
        assert_eq!(check(&request, 5), inconsistent);
        request.protocol_name = Some("range");
        assert_eq!(check(&request, 5), Ok(()));
        request.group_id = "";
        assert_eq!(check(&request, 5), Err(ErrorCode::INVALID_GROUP_ID));
    }
}

//! Heartbeat (12), versions 0-4: a member is alive, and learns that the others meet again.
//!
//! - 3: static members (KIP-345).

use super::coordinating::{self, owned};
use crate::group::{self, GroupReply, GroupRequest};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use crate::server::Services;

/// Has the coordinator hear of it.
pub async fn handle(
    services: &Services,
    request: &HeartbeatRequest<'_>,
    _header: &RequestHeader<'_>,
) -> HeartbeatResponse {
    HeartbeatResponse {
        error_code: beat(services, request).await.err().unwrap_or_default(),
        ..Default::default()
    }
}

async fn beat(services: &Services, request: &HeartbeatRequest<'_>) -> Result<(), ErrorCode> {
    coordinating::check_named(request.group_id)?;
    let beat = GroupRequest::Heartbeat(group::HeartbeatRequest {
        group_id: request.group_id.into(),
        generation: request.generation_id,
        member_id: request.member_id.into(),
        instance_id: owned(request.group_instance_id),
    });
    match coordinating::ask(services, request.group_id, beat).await? {
        GroupReply::Heartbeat(ErrorCode::NONE) => Ok(()),
        GroupReply::Heartbeat(error) => Err(error),
        other => Err(coordinating::unexpected(&other)),
    }
}

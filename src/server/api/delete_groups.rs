//! DeleteGroups (42), versions 0-2: deletes groups without members, and their offsets.

use std::borrow::Cow;

use super::coordinating;
use crate::group::{GroupReply, GroupRequest};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};
use crate::server::Services;

/// Has each group's coordinator delete it.
pub async fn handle<'a>(
    services: &Services,
    request: &DeleteGroupsRequest<'a>,
    _header: &RequestHeader<'_>,
) -> DeleteGroupsResponse<'a> {
    let mut results = Vec::with_capacity(request.groups_names.len());
    for &group_id in &request.groups_names {
        let error = delete(services, group_id).await.err();
        results.push(DeletableGroupResult {
            group_id: Cow::Borrowed(group_id),
            error_code: error.unwrap_or_default(),
        });
    }
    DeleteGroupsResponse {
        results,
        ..Default::default()
    }
}

async fn delete(services: &Services, group_id: &str) -> Result<(), ErrorCode> {
    let request = GroupRequest::Delete {
        group_id: group_id.into(),
    };
    match coordinating::ask(services, group_id, request).await? {
        GroupReply::Delete(ErrorCode::NONE) => Ok(()),
        GroupReply::Delete(error) => Err(error),
        other => Err(coordinating::unexpected(&other)),
    }
}

//! DescribeGroups (15), versions 0-6: groups and their members.
//!
//! - 3: what the client may do to them (KIP-430). 4: static members (KIP-345).
//! - 6: a group that is not there is GROUP_ID_NOT_FOUND (KIP-1043); before, it is in state
//!   `Dead`, without an error.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::BytesMut;

use super::{coordinating, operations};
use crate::group::{DescribedGroup, DescribedMember, GroupReply, GroupRequest};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::describe_groups::{
    self, DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroupMember,
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
    let request = DescribeGroupsRequest::decode(reader, header.version)?;
    let mut groups = Vec::with_capacity(request.groups.len());
    let mut told = HashSet::new();
    // Each group once: a small request must not make a large answer.
    for &group_id in request
        .groups
        .iter()
        .filter(|group_id| told.insert(**group_id))
    {
        groups.push((group_id, describe(services, group_id).await));
    }
    let asked = request.include_authorized_operations;
    let authorized = operations::if_asked(asked, operations::GROUP);
    let groups = groups.iter().map(|(group_id, found)| match found {
        Ok(found) => group(group_id, found, header.version, authorized),
        Err(error_code) => describe_groups::DescribedGroup {
            group_id: Cow::Borrowed(group_id),
            error_code: *error_code,
            ..Default::default()
        },
    });
    let response = DescribeGroupsResponse {
        groups: groups.collect(),
        ..Default::default()
    };
    Ok(response.encode(scratch, header.version, header.correlation_id))
}

async fn describe(services: &Services, group_id: &str) -> Result<DescribedGroup, ErrorCode> {
    let request = GroupRequest::Describe {
        group_id: group_id.into(),
    };
    match coordinating::ask(services, group_id, request).await? {
        GroupReply::Describe(described) => Ok(described),
        other => Err(coordinating::unexpected(&other)),
    }
}

fn group<'a>(
    group_id: &'a str,
    found: &'a DescribedGroup,
    version: i16,
    authorized: i32,
) -> describe_groups::DescribedGroup<'a> {
    let is_missing = found.error == ErrorCode::GROUP_ID_NOT_FOUND;
    let error_code = match is_missing && version < 6 {
        true => ErrorCode::NONE,
        false => found.error,
    };
    describe_groups::DescribedGroup {
        error_code,
        error_message: found.message.as_deref().map(Cow::Borrowed),
        group_id: Cow::Borrowed(group_id),
        group_state: Cow::Borrowed(found.state),
        protocol_type: Cow::Borrowed(&*found.protocol_type),
        protocol_data: Cow::Borrowed(&*found.protocol),
        members: found.members.iter().map(member).collect(),
        authorized_operations: authorized,
    }
}

fn member(member: &DescribedMember) -> DescribedGroupMember<'_> {
    DescribedGroupMember {
        member_id: Cow::Borrowed(&*member.member_id),
        group_instance_id: member.instance_id.as_deref().map(Cow::Borrowed),
        client_id: Cow::Borrowed(&*member.client_id),
        client_host: Cow::Borrowed(&*member.client_host),
        member_metadata: &member.metadata,
        member_assignment: &member.assignment,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_not_there_is_dead_until_version_6() {
        let found = DescribedGroup {
            error: ErrorCode::GROUP_ID_NOT_FOUND,
            message: Some("no such group".to_owned()),
            state: "Dead",
            protocol_type: "".into(),
            protocol: "".into(),
            members: Vec::new(),
        };
        for (version, error) in [(5, ErrorCode::NONE), (6, ErrorCode::GROUP_ID_NOT_FOUND)] {
            let told = group("g", &found, version, 1);
            assert_eq!((told.error_code, &*told.group_state), (error, "Dead"));
        }
    }
}

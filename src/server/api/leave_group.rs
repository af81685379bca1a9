//! LeaveGroup (13), versions 0-5: members go, and the others meet again.
//!
//! - 3: several members at once, and static ones (KIP-345); before it one, whose verdict is
//!   the whole answer. 5: reasons (KIP-800), which nobody here asks for.

use std::borrow::Cow;

use super::coordinating::{self, owned};
use crate::group::{GroupReply, GroupRequest, LeaveReply, LeaveRequest, LeavingMember};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};
use crate::server::Services;

/// Has the coordinator let them go.
pub async fn handle<'a>(
    services: &Services,
    request: &LeaveGroupRequest<'a>,
    header: &RequestHeader<'_>,
) -> LeaveGroupResponse<'a> {
    let result = leave(services, request, header.version).await;
    respond(request, header.version, result)
}

async fn leave(
    services: &Services,
    request: &LeaveGroupRequest<'_>,
    version: i16,
) -> Result<Vec<ErrorCode>, ErrorCode> {
    coordinating::check_named(request.group_id)?;
    let named = |member: &MemberIdentity<'_>| LeavingMember {
        member_id: member.member_id.into(),
        instance_id: owned(member.group_instance_id),
    };
    let only = || LeavingMember {
        member_id: request.member_id.into(),
        instance_id: None,
    };
    let leaving = GroupRequest::Leave(LeaveRequest {
        group_id: request.group_id.into(),
        members: match version {
            3.. => request.members.iter().map(named).collect(),
            _ => vec![only()],
        },
    });
    match coordinating::ask(services, request.group_id, leaving).await? {
        GroupReply::Leave(LeaveReply { error, members }) => match error {
            ErrorCode::NONE => Ok(members),
            error => Err(error),
        },
        other => Err(coordinating::unexpected(&other)),
    }
}

fn respond<'a>(
    request: &LeaveGroupRequest<'a>,
    version: i16,
    result: Result<Vec<ErrorCode>, ErrorCode>,
) -> LeaveGroupResponse<'a> {
    let verdicts = match result {
        Ok(verdicts) => verdicts,
        Err(error_code) => {
            return LeaveGroupResponse {
                error_code,
                ..Default::default()
            };
        }
    };
    if version < 3 {
        return LeaveGroupResponse {
            error_code: verdicts.first().copied().unwrap_or_default(),
            ..Default::default()
        };
    }
    let members = request.members.iter().zip(verdicts);
    let verdict = |(member, error_code): (&MemberIdentity<'a>, _)| MemberResponse {
        member_id: Cow::Borrowed(member.member_id),
        group_instance_id: member.group_instance_id.map(Cow::Borrowed),
        error_code,
    };
    LeaveGroupResponse {
        members: members.map(verdict).collect(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_version_2_the_verdict_on_the_member_is_the_answer() {
        let request = LeaveGroupRequest {
            group_id: "g",
            members: vec![MemberIdentity {
                member_id: "m",
                group_instance_id: Some("i"),
                ..Default::default()
            }],
            ..Default::default()
        };
        let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
        let old = respond(&request, 2, Ok(vec![unknown]));
        assert_eq!((old.error_code, old.members.len()), (unknown, 0));
        let new = respond(&request, 3, Ok(vec![unknown]));
        assert_eq!((new.error_code, new.members.len()), (ErrorCode::NONE, 1));
        assert_eq!(new.members[0].error_code, unknown);
        assert_eq!(new.members[0].group_instance_id.as_deref(), Some("i"));
        let failed = respond(&request, 3, Err(ErrorCode::NOT_COORDINATOR));
        assert_eq!(failed.error_code, ErrorCode::NOT_COORDINATOR);
        assert!(failed.members.is_empty());
    }
}

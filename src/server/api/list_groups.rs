//! ListGroups (16), versions 0-5: the groups that this node coordinates, which in topology
//! `single` are all.
//!
//! - 4: by state (KIP-518). 5: by type (KIP-848).

use std::borrow::Cow;

use super::coordinating;
use crate::base::limits::OFFSETS_PARTITIONS;
use crate::base::{TopicId, TopicPartition};
use crate::group::{GroupReply, GroupRequest, ListFilter, ListedGroup};
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::list_groups::{self, ListGroupsRequest, ListGroupsResponse};
use crate::server::Services;

/// Asks every coordinator here.
pub async fn handle(
    services: &Services,
    request: &ListGroupsRequest<'_>,
    _header: &RequestHeader<'_>,
) -> ListGroupsResponse<'static> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let filter = ListFilter {
        states: owned(&request.states_filter),
        types: owned(&request.types_filter),
    };
    let mut groups = Vec::new();
    for partition in 0..OFFSETS_PARTITIONS {
        let tp = TopicPartition {
            topic: TopicId::OFFSETS,
            partition,
        };
        let owner = services.shard.owner(tp);
        if !coordinating::answers_for(services, owner) {
            continue;
        }
        let list = GroupRequest::List(filter.clone());
        // No coordinator, no groups.
        if let Ok(GroupReply::List(listed)) =
            coordinating::ask_partition(services, owner, partition, list).await
        {
            groups.extend(listed.into_iter().map(group));
        }
    }
    ListGroupsResponse {
        groups,
        ..Default::default()
    }
}

fn group(listed: ListedGroup) -> list_groups::ListedGroup<'static> {
    list_groups::ListedGroup {
        group_id: Cow::Owned(listed.group_id.to_string()),
        protocol_type: Cow::Owned(listed.protocol_type.to_string()),
        group_state: Cow::Borrowed(listed.state),
        group_type: Cow::Borrowed(listed.group_type),
    }
}

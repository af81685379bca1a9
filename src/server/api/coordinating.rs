//! Requests on their way to the coordinator of a group, which is where the group's partition
//! of `__consumer_offsets` is. In topology `per-core` every node answers for its own groups
//! and sends clients elsewhere with NOT_COORDINATOR, as in Kafka; in `single` there is nowhere
//! else, and what belongs to another shard is forwarded.

use std::sync::Arc;

use super::changing;
use crate::base::{ShardId, TopicId};
use crate::catalog::{CatalogReply, CatalogRequest};
use crate::config::Topology;
use crate::group::{GroupReply, GroupRequest};
use crate::kafka::ErrorCode;
use crate::server::Services;
use crate::shard::{ShardReply, ShardRequest, group_partition};

/// Has the coordinator of a group answer.
///
/// # Errors
/// NOT_COORDINATOR if it is on another node or the broker shuts down, and
/// COORDINATOR_NOT_AVAILABLE if the disk is full: clients look for it again in both cases.
pub async fn ask(
    services: &Services,
    group_id: &str,
    request: GroupRequest,
) -> Result<GroupReply, ErrorCode> {
    let tp = group_partition(group_id);
    let owner = services.shard.owner(tp);
    if !answers_for(services, owner) {
        return Err(ErrorCode::NOT_COORDINATOR);
    }
    ask_partition(services, owner, tp.partition, request).await
}

/// Has the coordinator of a partition, which `owner` owns, answer.
pub async fn ask_partition(
    services: &Services,
    owner: ShardId,
    partition: i32,
    request: GroupRequest,
) -> Result<GroupReply, ErrorCode> {
    let request = ShardRequest::Group { partition, request };
    match services.shard.ask(owner, request).await {
        Some(ShardReply::Group(answer)) => answer,
        _ => Err(ErrorCode::NOT_COORDINATOR),
    }
}

/// Whether clients find what `owner` owns at the node that they have asked.
pub fn answers_for(services: &Services, owner: ShardId) -> bool {
    match services.broker.settings.topology {
        Topology::PerCore => owner == services.shard.id(),
        Topology::Single => true,
    }
}

/// Sees to it that there are coordinators. Kafka answers COORDINATOR_NOT_AVAILABLE until it has
/// created the topic; here the answer waits for it.
pub async fn ensure_offsets_topic(services: &Services) -> Result<(), ErrorCode> {
    let is_there =
        |shard: &crate::shard::Shard| shard.catalog().topic_by_id(TopicId::OFFSETS).is_some();
    if services.shard.look(is_there) {
        return Ok(());
    }
    let change = || CatalogRequest::CreateOffsetsTopic;
    if let Ok(CatalogReply::Created(outcomes)) = changing::change(services, 1, change).await {
        for refused in outcomes
            .iter()
            .filter_map(|outcome| outcome.result.as_ref().err())
        {
            tracing::warn!(%refused, "groups cannot be coordinated");
        }
    }
    match services.shard.look(is_there) {
        true => Ok(()),
        false => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
    }
}

/// Refuses requests about the group without a name, which can have offsets but no members.
pub fn check_named(group_id: &str) -> Result<(), ErrorCode> {
    match group_id {
        "" => Err(ErrorCode::INVALID_GROUP_ID),
        _ => Ok(()),
    }
}

/// A coordinator answers what it is asked; if not, that is a bug, and the client hears of it.
pub fn unexpected(reply: &GroupReply) -> ErrorCode {
    tracing::error!(?reply, "a coordinator has answered something else");
    ErrorCode::UNKNOWN_SERVER_ERROR
}

/// Text that outlives its frame.
pub fn owned(text: Option<&str>) -> Option<Arc<str>> {
    text.map(Arc::from)
}

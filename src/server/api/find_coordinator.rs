//! FindCoordinator (10), versions 0-6: which node coordinates a group. The first one asked
//! for creates `__consumer_offsets`.
//!
//! - 1: kinds of keys. 4: many keys at once (KIP-699). 6: share groups (KIP-932).
//! - Transactions and share groups are not served: INVALID_REQUEST, which ends a client's
//!   attempt, where an error that it may retry would have it ask for ever.

use std::borrow::Cow;

use super::coordinating;
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse, KEY_TYPE_GROUP, KEY_TYPE_SHARE,
    KEY_TYPE_TRANSACTION,
};
use crate::server::{Broker, Services};
use crate::shard::group_partition;

/// Finds the coordinators.
pub async fn handle<'a>(
    services: &'a Services,
    request: &FindCoordinatorRequest<'a>,
    header: &RequestHeader<'_>,
) -> FindCoordinatorResponse<'a> {
    let keys = match header.version {
        4.. => &request.coordinator_keys[..],
        _ => std::slice::from_ref(&request.key),
    };
    let found = match check_kind(request.key_type) {
        Ok(()) => coordinating::ensure_offsets_topic(services)
            .await
            .map_err(|error| (error, None)),
        Err(why) => Err((ErrorCode::INVALID_REQUEST, Some(why))),
    };
    let broker = &*services.broker;
    let coordinators = keys.iter().map(|key| coordinator(broker, key, found));
    respond(coordinators.collect(), header.version)
}

fn check_kind(kind: i8) -> Result<(), &'static str> {
    match kind {
        KEY_TYPE_GROUP => Ok(()),
        KEY_TYPE_TRANSACTION => Err("Transactions are not served by this broker."),
        KEY_TYPE_SHARE => Err("Share groups are not served by this broker."),
        _ => Err("There is no such kind of coordinator."),
    }
}

fn coordinator<'a>(
    broker: &'a Broker,
    key: &'a str,
    found: Result<(), (ErrorCode, Option<&'static str>)>,
) -> Coordinator<'a> {
    let key = Cow::Borrowed(key);
    let leader = broker.leader(group_partition(&key));
    let node = broker.nodes.iter().find(|node| node.id == leader);
    match (found, node) {
        (Ok(()), Some(node)) => Coordinator {
            key,
            node_id: node.id,
            host: Cow::Borrowed(&node.host),
            port: i32::from(node.port),
            ..Default::default()
        },
        (found, _) => {
            let (error_code, message) = match found {
                Err(refused) => refused,
                Ok(()) => (ErrorCode::COORDINATOR_NOT_AVAILABLE, None),
            };
            Coordinator {
                key,
                node_id: -1,
                port: -1,
                error_code,
                error_message: message.map(Cow::Borrowed),
                ..Default::default()
            }
        }
    }
}

/// Up to version 3 the response is its only coordinator.
fn respond(mut coordinators: Vec<Coordinator<'_>>, version: i16) -> FindCoordinatorResponse<'_> {
    if version >= 4 {
        return FindCoordinatorResponse {
            coordinators,
            ..Default::default()
        };
    }
    let only = coordinators.pop().unwrap_or_default();
    FindCoordinatorResponse {
        error_code: only.error_code,
        error_message: only.error_message,
        node_id: only.node_id,
        host: only.host,
        port: only.port,
        ..Default::default()
    }
}

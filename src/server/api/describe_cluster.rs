//! DescribeCluster (60), versions 0-2: the nodes, from any of them (KIP-700).
//!
//! - 1: the kind of endpoint wanted (KIP-919). Here all are brokers: MISMATCHED_ENDPOINT_TYPE
//!   for controllers, UNSUPPORTED_ENDPOINT_TYPE for what Kafka does not know either.
//! - 2: fenced brokers (KIP-1073). A shard that runs is in service, so there are none.

use std::borrow::Cow;

use super::operations;
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse, ENDPOINT_TYPE_BROKERS,
    ENDPOINT_TYPE_CONTROLLERS,
};
use crate::server::{Broker, Services};

/// Tells who is there.
pub async fn handle<'a>(
    services: &'a Services,
    request: &DescribeClusterRequest,
    _header: &RequestHeader<'_>,
) -> DescribeClusterResponse<'a> {
    response(&services.broker, request)
}

fn response<'a>(
    broker: &'a Broker,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse<'a> {
    if let Some((error_code, message)) = refusal(request.endpoint_type) {
        return DescribeClusterResponse {
            error_code,
            error_message: Some(Cow::Borrowed(message)),
            ..Default::default()
        };
    }
    let node = |node: &'a crate::server::Node| DescribeClusterBroker {
        broker_id: node.id,
        host: Cow::Borrowed(&node.host),
        port: i32::from(node.port),
        ..Default::default()
    };
    DescribeClusterResponse {
        cluster_id: Cow::Borrowed(&broker.cluster_id),
        controller_id: broker.controller(),
        brokers: broker.nodes.iter().map(node).collect(),
        cluster_authorized_operations: operations::if_asked(
            request.include_cluster_authorized_operations,
            operations::CLUSTER,
        ),
        ..Default::default()
    }
}

fn refusal(endpoint_type: i8) -> Option<(ErrorCode, &'static str)> {
    match endpoint_type {
        ENDPOINT_TYPE_BROKERS => None,
        ENDPOINT_TYPE_CONTROLLERS => Some((
            ErrorCode::MISMATCHED_ENDPOINT_TYPE,
            "This endpoint is a broker's, not a controller's.",
        )),
        _ => Some((
            ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
            "No such endpoint type.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Topology;
    use crate::server::api::testing;

    #[test]
    fn nodes_follow_the_topology() {
        for (topology, nodes) in [(Topology::PerCore, 3), (Topology::Single, 1)] {
            let broker = testing::broker(topology, 3);
            let response = response(&broker, &DescribeClusterRequest::default());
            let ports: Vec<_> = response
                .brokers
                .iter()
                .map(|b| (b.broker_id, b.port))
                .collect();
            let expected: Vec<_> = (0..nodes).map(|id| (id, 9092 + id)).collect();
            assert_eq!(ports, expected);
            assert_eq!(
                (&*response.cluster_id, response.controller_id),
                ("cluster", 0)
            );
            assert_eq!(response.cluster_authorized_operations, i32::MIN);
        }
    }

    #[test]
    fn endpoint_types() {
        let broker = testing::broker(Topology::Single, 1);
        for (endpoint_type, error) in [
            (1, ErrorCode::NONE),
            (2, ErrorCode::MISMATCHED_ENDPOINT_TYPE),
            (0, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE),
            (3, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE),
        ] {
            let request = DescribeClusterRequest {
                endpoint_type,
                include_cluster_authorized_operations: true,
                ..Default::default()
            };
            let response = response(&broker, &request);
            assert_eq!(response.error_code, error);
            assert_eq!(response.brokers.is_empty(), error.is_error());
            let told = response.cluster_authorized_operations;
            assert_eq!(told == operations::CLUSTER, !error.is_error());
        }
    }
}

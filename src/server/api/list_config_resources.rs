//! ListConfigResources (74), versions 0-1 (KIP-1142): the topics, the brokers, and the groups that
//! have configs. There are no client metrics or log levels with configs here, so none are listed.
//!
//! - 0 knows client metrics alone (KIP-1000), so it lists nothing.
//! - 1: no types ask for all; one that Kafka does not know is UNSUPPORTED_VERSION.

use std::borrow::Cow;

use super::config_resource::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use crate::catalog::Catalog;
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use crate::server::{Broker, Services};

/// Lists the resources.
pub async fn handle(
    services: &Services,
    request: &ListConfigResourcesRequest,
    header: &RequestHeader<'_>,
) -> ListConfigResourcesResponse<'static> {
    services
        .shard
        .look(|shard| response(&services.broker, shard.catalog(), request, header.version))
}

fn response(
    broker: &Broker,
    catalog: &Catalog,
    request: &ListConfigResourcesRequest,
    version: i16,
) -> ListConfigResourcesResponse<'static> {
    let known = |kind: &i8| {
        matches!(
            *kind,
            TOPIC | BROKER | BROKER_LOGGER | CLIENT_METRICS | GROUP
        )
    };
    let types = &request.resource_types;
    if !types.iter().all(known) {
        return ListConfigResourcesResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            ..Default::default()
        };
    }
    let wanted = |kind| version >= 1 && (types.is_empty() || types.contains(&kind));
    let mut config_resources = Vec::new();
    let mut add = |name: String, resource_type| {
        config_resources.push(ConfigResource {
            resource_name: Cow::Owned(name),
            resource_type,
        });
    };
    if wanted(TOPIC) {
        let topics = catalog.topics();
        topics.for_each(|topic| add(topic.name.to_string(), TOPIC));
    }
    if wanted(BROKER) {
        let nodes = broker.nodes.iter();
        nodes.for_each(|node| add(node.id.to_string(), BROKER));
    }
    if wanted(GROUP) {
        let groups = catalog.groups_with_configs();
        groups.for_each(|group| add(group.to_string(), GROUP));
    }
    ListConfigResourcesResponse {
        config_resources,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{AlterGroup, CatalogRequest, ConfigOp};
    use crate::config::Topology;
    use crate::server::api::testing;

    #[test]
    fn topics_and_brokers() {
        let broker = testing::broker(Topology::PerCore, 2);
        let mut catalog = testing::catalog(&[("t", 1)]);
        let set = ConfigOp {
            name: "consumer.session.timeout.ms".to_owned(),
            value: Some("50000".to_owned()),
            ..ConfigOp::default()
        };
        let group = AlterGroup {
            name: "g".to_owned(),
            replaces: false,
            ops: vec![set],
        };
        let request = CatalogRequest::AlterGroupConfigs {
            groups: vec![group],
            validate_only: false,
        };
        testing::change(&mut catalog, &request);
        let all: &[_] = &[("t", TOPIC), ("0", BROKER), ("1", BROKER), ("g", GROUP)];
        for (version, types, expected) in [
            (0, &[][..], &[][..]),
            (1, &[], all),
            (1, &[TOPIC], &all[..1]),
            (1, &[BROKER, GROUP], &all[1..]),
            (1, &[CLIENT_METRICS, BROKER_LOGGER], &[]),
        ] {
            let request = ListConfigResourcesRequest {
                resource_types: types.to_vec(),
            };
            let response = response(&broker, &catalog, &request, version);
            let resources = response.config_resources.iter();
            let told: Vec<_> = resources
                .map(|r| (&*r.resource_name, r.resource_type))
                .collect();
            assert_eq!(told, expected, "{types:?} in version {version}");
        }
        let request = ListConfigResourcesRequest {
            resource_types: vec![TOPIC, 3],
        };
        let refused = response(&broker, &catalog, &request, 1);
        assert_eq!(refused.error_code, ErrorCode::UNSUPPORTED_VERSION);
        assert!(refused.config_resources.is_empty());
    }
}

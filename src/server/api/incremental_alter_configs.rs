//! IncrementalAlterConfigs (44), versions 0-1: changes single overrides of topics and groups
//! (KIP-339): set, delete, append to a list, subtract from one. Otherwise as
//! [`alter_configs`](super::alter_configs).

use super::alter_configs::Altering;
use super::config_resource::{GROUP, TOPIC};
use crate::catalog::{AlterGroup, CatalogRequest, ConfigOp, IncrementalAlterTopic};
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::incremental_alter_configs::{
    AlterConfigsResource, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use crate::server::Services;

/// Changes the overrides.
pub async fn handle<'a>(
    services: &Services,
    request: &IncrementalAlterConfigsRequest<'a>,
    _header: &RequestHeader<'_>,
) -> IncrementalAlterConfigsResponse<'a> {
    let resources = request.resources.iter();
    let altering = Altering::new(resources.map(|r| (r.resource_type, r.resource_name)));
    let validate_only = request.validate_only;
    let topics = altering.of(TOPIC, &request.resources).map(alter_topic);
    let topics = CatalogRequest::IncrementalAlterConfigs {
        topics: topics.collect(),
        validate_only,
    };
    let groups = altering.of(GROUP, &request.resources).map(alter_group);
    let groups = CatalogRequest::AlterGroupConfigs {
        groups: groups.collect(),
        validate_only,
    };
    let responses = altering.carry_out(services, topics, groups).await;
    IncrementalAlterConfigsResponse {
        responses,
        ..Default::default()
    }
}

fn alter_topic(resource: &AlterConfigsResource<'_>) -> IncrementalAlterTopic {
    IncrementalAlterTopic {
        name: resource.resource_name.to_owned(),
        ops: ops(resource),
    }
}

fn alter_group(resource: &AlterConfigsResource<'_>) -> AlterGroup {
    AlterGroup {
        name: resource.resource_name.to_owned(),
        replaces: false,
        ops: ops(resource),
    }
}

fn ops(resource: &AlterConfigsResource<'_>) -> Vec<ConfigOp> {
    let ops = resource.configs.iter().map(|config| ConfigOp {
        name: config.name.to_owned(),
        op: config.config_operation,
        value: config.value.map(str::to_owned),
    });
    ops.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::messages::incremental_alter_configs::AlterableConfig;

    #[test]
    fn a_resource_becomes_a_topic_of_the_catalogue() {
        let config = |name, config_operation, value| AlterableConfig {
            name,
            config_operation,
            value,
        };
        let topic = alter_topic(&AlterConfigsResource {
            resource_type: 2,
            resource_name: "t",
            configs: vec![
                config("a", 0, Some("1")),
                config("b", 1, None),
                config("c", 9, None),
            ],
        });
        assert_eq!(topic.name, "t");
        let ops: Vec<_> = topic
            .ops
            .iter()
            .map(|op| (&*op.name, op.op, op.value.as_deref()))
            .collect();
        assert_eq!(ops, [("a", 0, Some("1")), ("b", 1, None), ("c", 9, None)]);
    }
}

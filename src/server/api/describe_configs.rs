//! DescribeConfigs (32), versions 1-4: the configs of topics, brokers and groups, from any shard.
//!
//! - A null or empty list of keys asks for all; unknown keys are passed over, as in Kafka.
//! - Synonyms and documentation are told if asked for (KIP-226, KIP-569).
//! - Every node answers for every other, since they are one process. The broker of no
//!   name, what was set for all nodes at run time, has nothing: settings are fixed.
//! - A resource named twice is answered once: its answer may be a thousand times as large
//!   as its name. Kinds of resources that have no configs here are INVALID_REQUEST.

use std::borrow::Cow;
use std::collections::HashSet;

use super::changing::Verdict;
use super::config_resource::{self, BROKER, GROUP, TOPIC};
use crate::base::ShardId;
use crate::catalog::configs::{self, ConfigEntry, ConfigSynonym, TOPIC_CONFIGS};
use crate::catalog::{self, Catalog};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use crate::server::{Broker, Services};

/// Describes the configs.
pub async fn handle<'a>(
    services: &Services,
    request: &DescribeConfigsRequest<'a>,
    _header: &RequestHeader<'_>,
) -> DescribeConfigsResponse<'a> {
    services
        .shard
        .look(|shard| response(&services.broker, shard.catalog(), request))
}

fn response<'a>(
    broker: &Broker,
    catalog: &Catalog,
    request: &DescribeConfigsRequest<'a>,
) -> DescribeConfigsResponse<'a> {
    let mut seen = HashSet::new();
    let resources = request.resources.iter();
    let resources = resources.filter(|r| seen.insert((r.resource_type, r.resource_name)));
    let results = resources.map(|resource| {
        let (error_code, error_message, configs) = match entries(broker, catalog, resource) {
            Ok(entries) => {
                let configs = entries.into_iter().map(|entry| config(entry, request));
                (ErrorCode::NONE, None, configs.collect())
            }
            Err((error, message)) => (error, message, Vec::new()),
        };
        DescribeConfigsResult {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: Cow::Borrowed(resource.resource_name),
            configs,
        }
    });
    DescribeConfigsResponse {
        results: results.collect(),
        ..Default::default()
    }
}

fn entries(
    broker: &Broker,
    catalog: &Catalog,
    resource: &DescribeConfigsResource<'_>,
) -> Result<Vec<ConfigEntry>, Verdict> {
    let keys = resource.configuration_keys.as_ref();
    let keys: Option<HashSet<&str>> = keys
        .filter(|keys| !keys.is_empty())
        .map(|keys| keys.iter().copied().collect());
    match resource.resource_type {
        TOPIC => topic_entries(catalog, resource.resource_name, keys.as_ref()),
        BROKER => broker_entries(broker, resource.resource_name, keys.as_ref()),
        GROUP => group_entries(catalog, resource.resource_name, keys.as_ref()),
        other => Err(config_resource::refuse_type(other)),
    }
}

fn topic_entries(
    catalog: &Catalog,
    name: &str,
    keys: Option<&HashSet<&str>>,
) -> Result<Vec<ConfigEntry>, Verdict> {
    let Some(topic) = catalog.topic(name) else {
        catalog::validate_name(name).map_err(super::changing::refusal)?;
        return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None));
    };
    // Of any number of keys that a client may send, as many as there are configs.
    let known = keys.map(|keys| {
        let names = TOPIC_CONFIGS.iter().map(|config| config.name);
        let known = names.filter(|name| keys.contains(name));
        known.map(str::to_owned).collect::<Vec<_>>()
    });
    Ok(catalog.describe_configs(topic, known.as_deref()))
}

fn broker_entries(
    broker: &Broker,
    name: &str,
    keys: Option<&HashSet<&str>>,
) -> Result<Vec<ConfigEntry>, Verdict> {
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let node = config_resource::node(broker, name)?;
    let values = broker.settings.kafka_configs_of(ShardId(node));
    let mut entries = configs::describe_broker(&values, None);
    entries.retain(|entry| keys.is_none_or(|keys| keys.contains(&*entry.name)));
    Ok(entries)
}

/// The group need not be there, as in Kafka.
fn group_entries(
    catalog: &Catalog,
    name: &str,
    keys: Option<&HashSet<&str>>,
) -> Result<Vec<ConfigEntry>, Verdict> {
    if name.is_empty() {
        return Err(config_resource::invalid("This is no name of a group."));
    }
    let mut entries = catalog.describe_group_configs(name, None);
    entries.retain(|entry| keys.is_none_or(|keys| keys.contains(&*entry.name)));
    Ok(entries)
}

fn config(
    entry: ConfigEntry,
    request: &DescribeConfigsRequest<'_>,
) -> DescribeConfigsResourceResult<'static> {
    let synonyms = match request.include_synonyms {
        true => entry.synonyms.iter().map(synonym).collect(),
        false => Vec::new(),
    };
    let documentation = request.include_documentation;
    DescribeConfigsResourceResult {
        read_only: entry.read_only,
        config_source: entry.source.code(),
        is_sensitive: entry.is_sensitive(),
        synonyms,
        config_type: entry.kind.code(),
        documentation: documentation.then_some(Cow::Borrowed(entry.documentation)),
        name: entry.name,
        value: entry.value.map(Cow::Owned),
    }
}

fn synonym(synonym: &ConfigSynonym) -> DescribeConfigsSynonym<'static> {
    DescribeConfigsSynonym {
        name: Cow::Borrowed(synonym.name),
        value: synonym.value.clone().map(Cow::Owned),
        source: synonym.source.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{AlterTopic, CatalogRequest};
    use crate::config::Topology;
    use crate::server::api::testing;

    fn resource<'a>(
        resource_type: i8,
        resource_name: &'a str,
        keys: Option<&[&'a str]>,
    ) -> DescribeConfigsResource<'a> {
        DescribeConfigsResource {
            resource_type,
            resource_name,
            configuration_keys: keys.map(<[&str]>::to_vec),
        }
    }

    fn described<'a>(request: &DescribeConfigsRequest<'a>) -> Vec<DescribeConfigsResult<'a>> {
        let mut catalog = testing::catalog(&[("t", 1)]);
        let alter = CatalogRequest::AlterConfigs {
            topics: vec![AlterTopic {
                name: "t".to_owned(),
                configs: vec![("retention.ms".to_owned(), Some("5".to_owned()))],
            }],
            validate_only: false,
        };
        testing::change(&mut catalog, &alter);
        let broker = testing::broker(Topology::PerCore, 2);
        response(&broker, &catalog, request).results
    }

    #[test]
    fn errors_belong_to_their_resource() {
        let resources = vec![
            resource(TOPIC, "t", None),
            resource(TOPIC, "gone", None),
            resource(TOPIC, "no/slash", None),
            resource(BROKER, "1", None),
            resource(BROKER, "", None),
            resource(BROKER, "2", None),
            resource(BROKER, "x", None),
            resource(GROUP, "g", None),
            resource(GROUP, "", None),
            resource(config_resource::CLIENT_METRICS, "c", None),
            resource(TOPIC, "t", Some(&["retention.ms"])),
        ];
        let request = DescribeConfigsRequest {
            resources,
            ..Default::default()
        };
        let invalid = ErrorCode::INVALID_REQUEST;
        let expected = [
            ("t", ErrorCode::NONE, true),
            ("gone", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, false),
            ("no/slash", ErrorCode::INVALID_TOPIC_EXCEPTION, false),
            ("1", ErrorCode::NONE, true),
            ("", ErrorCode::NONE, false),
            ("2", invalid, false),
            ("x", invalid, false),
            ("g", ErrorCode::NONE, true),
            ("", invalid, false),
            ("c", invalid, false),
        ];
        let results = described(&request);
        let told: Vec<_> = results
            .iter()
            .map(|r| (&*r.resource_name, r.error_code, !r.configs.is_empty()))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn keys_choose() {
        let wanted = ["retention.ms", "no.such", "retention.ms"];
        for (keys, count) in [
            (None, TOPIC_CONFIGS.len()),
            (Some(&[][..]), TOPIC_CONFIGS.len()),
            (Some(&wanted[..]), 1),
            (Some(&["no.such"][..]), 0),
        ] {
            let request = DescribeConfigsRequest {
                resources: vec![resource(TOPIC, "t", keys)],
                ..Default::default()
            };
            assert_eq!(described(&request)[0].configs.len(), count, "{keys:?}");
        }
        let request = DescribeConfigsRequest {
            resources: vec![resource(BROKER, "1", Some(&["node.id"]))],
            ..Default::default()
        };
        let node = &described(&request)[0].configs[0];
        assert_eq!((&*node.name, node.value.as_deref()), ("node.id", Some("1")));
        assert!(node.read_only);
    }

    #[test]
    fn synonyms_and_documentation_if_asked_for() {
        for (synonyms, documentation) in [(false, false), (true, false), (false, true)] {
            let request = DescribeConfigsRequest {
                resources: vec![resource(TOPIC, "t", Some(&["retention.ms"]))],
                include_synonyms: synonyms,
                include_documentation: documentation,
            };
            let config = described(&request)[0].configs[0].clone();
            assert_eq!(
                (config.value.as_deref(), config.config_source),
                (Some("5"), 1)
            );
            assert_eq!((config.config_type, config.read_only), (5, false));
            assert_eq!(config.documentation.is_some(), documentation);
            let sources: Vec<_> = config
                .synonyms
                .iter()
                .map(|s| (&*s.name, s.source))
                .collect();
            let expected = [("retention.ms", 1), ("log.retention.ms", 5)];
            assert_eq!(sources, expected[..if synonyms { 2 } else { 0 }]);
        }
    }
}

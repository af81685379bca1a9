//! Metadata (3), versions 0-13: the nodes, and who leads which partition. Every shard has
//! the whole catalogue, so any of them answers at once.
//!
//! - Unknown names are created if both the request (v4+) and the broker's settings allow
//!   it; Kafka answers UNKNOWN_TOPIC_OR_PARTITION until it has done so, here the answer
//!   waits for the topic. Names that Kafka keeps for itself are not created.
//! - 12: topics by id (KIP-516); below it a null name or an id is INVALID_REQUEST.
//! - Every partition has one replica, its leader; the leader epoch is the number of the
//!   broker's start.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::{changing, operations};
use crate::base::limits::CATALOG_CHANGES_PER_REQUEST_MAX;
use crate::base::{TopicId, TopicPartition};
use crate::catalog::{self, Catalog, CatalogReply, CatalogRequest, Topic};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use crate::server::{Broker, Node, Services};

/// Creates what is to be created, and tells.
pub async fn handle<'a>(
    services: &'a Services,
    request: &MetadataRequest<'a>,
    header: &RequestHeader<'_>,
) -> MetadataResponse<'a> {
    let broker = &*services.broker;
    if names_are_missing(request, header.version) {
        return refused(broker, request);
    }
    let mut errors = HashMap::new();
    if broker.settings.auto_create_topics && request.allow_auto_topic_creation {
        let missing = services
            .shard
            .look(|shard| missing(shard.catalog(), request, header.version));
        if !missing.is_empty() {
            errors = create(services, missing).await;
        }
    }
    services
        .shard
        .look(|shard| respond(broker, shard.catalog(), request, header.version, &errors))
}

/// Whether a version that asks by name alone lacks one, or has an id beside it.
fn names_are_missing(request: &MetadataRequest<'_>, version: i16) -> bool {
    let nameless =
        |topic: &MetadataRequestTopic<'_>| topic.name.is_none() || topic.topic_id != TopicId::ZERO;
    version < 12 && request.topics.iter().flatten().any(nameless)
}

/// The names that shall be created; more than one request may create are left for the next.
fn missing(catalog: &Catalog, request: &MetadataRequest<'_>, version: i16) -> Vec<String> {
    if request.asks_for_all(version) {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let names = request.topics.iter().flatten().filter_map(|topic| {
        let by_name = topic.topic_id == TopicId::ZERO;
        topic.name.filter(|_| by_name)
    });
    let missing = names.filter(|name| {
        catalog.topic(name).is_none()
            && !catalog::is_internal(name)
            && catalog::validate_name(name).is_ok()
            && seen.insert(*name)
    });
    missing
        .take(CATALOG_CHANGES_PER_REQUEST_MAX)
        .map(str::to_owned)
        .collect()
}

/// Has the topics created; what could not be, and why not.
async fn create(services: &Services, names: Vec<String>) -> HashMap<String, ErrorCode> {
    let count = names.len();
    let reply = changing::change(services, count, || CatalogRequest::AutoCreate { names }).await;
    let Ok(CatalogReply::Created(outcomes)) = reply else {
        return HashMap::new();
    };
    let refused = outcomes.into_iter().filter_map(|outcome| {
        let error = outcome.result.err()?;
        Some((outcome.name, ErrorCode(error.code())))
    });
    refused.collect()
}

fn respond<'a>(
    broker: &'a Broker,
    catalog: &Catalog,
    request: &MetadataRequest<'a>,
    version: i16,
    errors: &HashMap<String, ErrorCode>,
) -> MetadataResponse<'a> {
    let authorized = operations::if_asked(
        request.include_topic_authorized_operations,
        operations::TOPIC,
    );
    let topics = if request.asks_for_all(version) {
        let topics = catalog.topics();
        topics
            .map(|topic| known(broker, topic, authorized))
            .collect()
    } else {
        let mut seen = HashSet::new();
        let asked = request.topics.iter().flatten();
        let asked = asked.filter(|topic| seen.insert((topic.topic_id, topic.name)));
        asked
            .map(|asked| match find(catalog, asked) {
                Some(topic) => known(broker, topic, authorized),
                None => unknown(asked, errors, authorized),
            })
            .collect()
    };
    MetadataResponse {
        topics,
        cluster_authorized_operations: operations::if_asked(
            request.include_cluster_authorized_operations,
            operations::CLUSTER,
        ),
        ..cluster(broker)
    }
}

/// The part of the response that no topic matters to.
fn cluster(broker: &Broker) -> MetadataResponse<'_> {
    MetadataResponse {
        brokers: broker.nodes.iter().map(node).collect(),
        cluster_id: Some(Cow::Borrowed(&broker.cluster_id)),
        controller_id: broker.controller(),
        ..Default::default()
    }
}

fn node(node: &Node) -> MetadataResponseBroker<'_> {
    MetadataResponseBroker {
        node_id: node.id,
        host: Cow::Borrowed(&node.host),
        port: i32::from(node.port),
        rack: None,
    }
}

fn find<'a>(catalog: &'a Catalog, asked: &MetadataRequestTopic<'_>) -> Option<&'a Topic> {
    match asked.topic_id {
        TopicId::ZERO => catalog.topic(asked.name?),
        id => catalog.topic_by_id(id),
    }
}

fn known<'a>(broker: &'a Broker, topic: &Topic, authorized: i32) -> MetadataResponseTopic<'a> {
    let partition = |index| {
        let replicas = broker.replicas(TopicPartition {
            topic: topic.id,
            partition: index,
        });
        MetadataResponsePartition {
            error_code: ErrorCode::NONE,
            partition_index: index,
            leader_id: replicas.first().copied().unwrap_or(-1),
            leader_epoch: broker.leader_epoch,
            replica_nodes: Cow::Borrowed(replicas),
            isr_nodes: Cow::Borrowed(replicas),
            offline_replicas: Cow::Borrowed(&[]),
        }
    };
    MetadataResponseTopic {
        error_code: ErrorCode::NONE,
        name: Some(Cow::Owned(topic.name.to_string())),
        topic_id: topic.id,
        is_internal: topic.internal,
        partitions: (0..topic.partitions).map(partition).collect(),
        topic_authorized_operations: authorized,
    }
}

fn unknown<'a>(
    asked: &MetadataRequestTopic<'a>,
    errors: &HashMap<String, ErrorCode>,
    authorized: i32,
) -> MetadataResponseTopic<'a> {
    let name = match asked.name.filter(|_| asked.topic_id == TopicId::ZERO) {
        Some(name) => name,
        None => {
            return MetadataResponseTopic {
                error_code: ErrorCode::UNKNOWN_TOPIC_ID,
                name: None,
                topic_id: asked.topic_id,
                ..Default::default()
            };
        }
    };
    let error_code = match errors.get(name) {
        Some(error) => *error,
        None if catalog::validate_name(name).is_err() => ErrorCode::INVALID_TOPIC_EXCEPTION,
        None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    };
    MetadataResponseTopic {
        error_code,
        name: Some(Cow::Borrowed(name)),
        is_internal: catalog::is_internal(name),
        topic_authorized_operations: authorized,
        ..Default::default()
    }
}

/// Every topic of a request that contradicts its version.
fn refused<'a>(broker: &'a Broker, request: &MetadataRequest<'a>) -> MetadataResponse<'a> {
    let refused = |topic: &MetadataRequestTopic<'a>| MetadataResponseTopic {
        error_code: ErrorCode::INVALID_REQUEST,
        name: Some(Cow::Borrowed(topic.name.unwrap_or_default())),
        topic_id: topic.topic_id,
        ..Default::default()
    };
    MetadataResponse {
        topics: request.topics.iter().flatten().map(refused).collect(),
        ..cluster(broker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Topology;
    use crate::server::api::testing;

    fn by_name(names: &[&'static str]) -> MetadataRequest<'static> {
        let topic = |name: &&'static str| MetadataRequestTopic {
            name: Some(name),
            ..Default::default()
        };
        MetadataRequest {
            topics: Some(names.iter().map(topic).collect()),
            ..Default::default()
        }
    }

    /// Name and error of each topic of the response.
    fn told<'a>(response: &'a MetadataResponse<'_>) -> Vec<(Option<&'a str>, ErrorCode)> {
        let topics = response.topics.iter();
        topics.map(|t| (t.name.as_deref(), t.error_code)).collect()
    }

    #[test]
    fn all_topics_or_those_named() {
        let broker = testing::broker(Topology::PerCore, 3);
        let catalog = testing::catalog(&[("b", 2), ("a", 1)]);
        let none = ErrorCode::NONE;
        let all = MetadataRequest {
            topics: None,
            ..Default::default()
        };
        let answer = |request, version| {
            let response = respond(&broker, &catalog, &request, version, &HashMap::new());
            told(&response)
                .iter()
                .map(|(name, error)| (name.unwrap().to_owned(), *error))
                .collect::<Vec<_>>()
        };
        let both = [("a".to_owned(), none), ("b".to_owned(), none)];
        assert_eq!(answer(all, 12), both);
        assert_eq!(answer(by_name(&[]), 0), both, "version 0 asks for all so");
        assert_eq!(answer(by_name(&[]), 1), []);
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        let invalid = ErrorCode::INVALID_TOPIC_EXCEPTION;
        let asked = by_name(&["b", "x", "b", "no/slash", "x"]);
        let expected = [("b", none), ("x", unknown), ("no/slash", invalid)];
        assert_eq!(answer(asked, 9), expected.map(|(n, e)| (n.to_owned(), e)));
    }

    #[test]
    fn partitions_are_led_by_their_owner_alone() {
        let catalog = testing::catalog(&[("t", 7)]);
        for (topology, nodes) in [(Topology::PerCore, 3), (Topology::Single, 1)] {
            let broker = testing::broker(topology, 3);
            let response = respond(&broker, &catalog, &by_name(&["t"]), 12, &HashMap::new());
            let topic = &response.topics[0];
            assert_eq!(topic.topic_id, TopicId([1; 16]));
            assert_eq!(topic.partitions.len(), 7);
            for (index, partition) in (0..).zip(&topic.partitions) {
                assert_eq!(
                    (partition.partition_index, partition.leader_epoch),
                    (index, 7)
                );
                let tp = TopicPartition {
                    topic: topic.topic_id,
                    partition: index,
                };
                assert_eq!(partition.leader_id, broker.leader(tp));
                assert!((0..nodes).contains(&partition.leader_id));
                assert_eq!(*partition.replica_nodes, [partition.leader_id]);
                assert_eq!(*partition.isr_nodes, [partition.leader_id]);
            }
            assert_eq!(response.brokers.len(), nodes as usize);
            assert_eq!(response.cluster_id.as_deref(), Some("cluster"));
        }
    }

    #[test]
    fn topics_by_id() {
        let broker = testing::broker(Topology::PerCore, 1);
        let catalog = testing::catalog(&[("t", 1)]);
        let by_id = |id| MetadataRequestTopic {
            topic_id: TopicId([id; 16]),
            name: None,
        };
        let request = MetadataRequest {
            topics: Some(vec![by_id(1), by_id(9), by_id(0)]),
            include_topic_authorized_operations: true,
            ..Default::default()
        };
        assert!(!names_are_missing(&request, 12));
        let response = respond(&broker, &catalog, &request, 12, &HashMap::new());
        let unknown = (None, ErrorCode::UNKNOWN_TOPIC_ID);
        assert_eq!(
            told(&response),
            [(Some("t"), ErrorCode::NONE), unknown, unknown]
        );
        assert_eq!(
            response.topics[0].topic_authorized_operations,
            operations::TOPIC
        );
        assert!(names_are_missing(&request, 11));
        let refused = refused(&broker, &request);
        assert_eq!(told(&refused)[1], (Some(""), ErrorCode::INVALID_REQUEST));
    }

    #[test]
    fn what_is_created() {
        let catalog = testing::catalog(&[("here", 1)]);
        let request = by_name(&[
            "here",
            "new",
            "new",
            "no/slash",
            "__consumer_offsets",
            "other",
        ]);
        assert_eq!(missing(&catalog, &request, 4), ["new", "other"]);
        let all = MetadataRequest {
            topics: None,
            ..Default::default()
        };
        assert!(missing(&catalog, &all, 4).is_empty());
    }

    #[test]
    fn why_a_topic_was_not_created() {
        let broker = testing::broker(Topology::PerCore, 1);
        let errors = HashMap::from([("a_b".to_owned(), ErrorCode::INVALID_TOPIC_EXCEPTION)]);
        let catalog = testing::catalog(&[("a.b", 1)]);
        let response = respond(
            &broker,
            &catalog,
            &by_name(&["a_b", "__consumer_offsets"]),
            12,
            &errors,
        );
        let expected = [
            (Some("a_b"), ErrorCode::INVALID_TOPIC_EXCEPTION),
            (
                Some("__consumer_offsets"),
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ),
        ];
        assert_eq!(told(&response), expected);
        assert!(response.topics[1].is_internal);
    }
}

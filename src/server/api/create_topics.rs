//! CreateTopics (19), versions 2-7: shard 0 decides, the answer comes when every shard
//! has the topics.
//!
//! - Any replication factor above 0 is accepted; one replica is kept and told.
//! - A name given twice is INVALID_REQUEST, once.
//! - From version 5 on the response tells each topic's configs (KIP-525).

use std::borrow::Cow;

use super::changing::{self, Verdict};
use crate::catalog::configs::ConfigEntry;
use crate::catalog::{
    Assignment, CatalogReply, CatalogRequest, CreatedTopic, NewTopic, TopicOutcome,
};
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest,
    CreateTopicsResponse,
};
use crate::server::Services;

/// Creates the topics.
pub async fn handle<'a>(
    services: &Services,
    request: &CreateTopicsRequest<'a>,
    _header: &RequestHeader<'_>,
) -> CreateTopicsResponse<'a> {
    let change = || CatalogRequest::CreateTopics {
        topics: request.topics.iter().map(new_topic).collect(),
        validate_only: request.validate_only,
    };
    let topics = match changing::change(services, request.topics.len(), change).await {
        Ok(CatalogReply::Created(outcomes)) => outcomes.into_iter().map(result).collect(),
        Ok(_) => refused(request, changing::stopping()),
        Err(verdict) => refused(request, verdict),
    };
    CreateTopicsResponse {
        topics,
        ..Default::default()
    }
}

fn new_topic(topic: &CreatableTopic<'_>) -> NewTopic {
    let assignments = topic.assignments.iter().map(|assignment| Assignment {
        partition: assignment.partition_index,
        brokers: assignment.broker_ids.clone(),
    });
    let configs = topic.configs.iter();
    NewTopic {
        name: topic.name.to_owned(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments.collect(),
        configs: configs
            .map(|config| (config.name.to_owned(), config.value.map(str::to_owned)))
            .collect(),
    }
}

fn result(outcome: TopicOutcome<CreatedTopic>) -> CreatableTopicResult<'static> {
    let name = Cow::Owned(outcome.name);
    match outcome.result {
        Ok(created) => CreatableTopicResult {
            name,
            topic_id: created.id,
            num_partitions: created.partitions,
            replication_factor: created.replication_factor,
            configs: Some(created.configs.into_iter().map(config).collect()),
            ..Default::default()
        },
        Err(error) => refusal(name, changing::refusal(error)),
    }
}

fn config(entry: ConfigEntry) -> CreatableTopicConfigs<'static> {
    CreatableTopicConfigs {
        read_only: entry.read_only,
        config_source: entry.source.code(),
        is_sensitive: entry.is_sensitive(),
        name: entry.name,
        value: entry.value.map(Cow::Owned),
    }
}

fn refused<'a>(
    request: &CreateTopicsRequest<'a>,
    verdict: Verdict,
) -> Vec<CreatableTopicResult<'a>> {
    let topics = request.topics.iter();
    topics
        .map(|topic| refusal(Cow::Borrowed(topic.name), verdict.clone()))
        .collect()
}

fn refusal<'a>(
    name: Cow<'a, str>,
    (error_code, error_message): Verdict,
) -> CreatableTopicResult<'a> {
    CreatableTopicResult {
        name,
        error_code,
        error_message,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TopicId;
    use crate::kafka::ErrorCode;
    use crate::kafka::messages::create_topics::{CreatableReplicaAssignment, CreatableTopicConfig};
    use crate::server::api::testing;

    fn topic<'a>(name: &'a str, num_partitions: i32) -> CreatableTopic<'a> {
        CreatableTopic {
            name,
            num_partitions,
            replication_factor: 3,
            ..Default::default()
        }
    }

    fn created(topics: &[CreatableTopic<'_>]) -> Vec<CreatableTopicResult<'static>> {
        let mut catalog = testing::catalog(&[("here", 1)]);
        let request = CatalogRequest::CreateTopics {
            topics: topics.iter().map(new_topic).collect(),
            validate_only: false,
        };
        match testing::change(&mut catalog, &request) {
            CatalogReply::Created(outcomes) => outcomes.into_iter().map(result).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_topic_has_its_outcome() {
        let mut configured = topic("configured", -1);
        configured.configs = vec![CreatableTopicConfig {
            name: "retention.ms",
            value: Some("5"),
        }];
        let mut assigned = topic("assigned", -1);
        assigned.replication_factor = -1;
        assigned.assignments = (0..2)
            .map(|partition_index| CreatableReplicaAssignment {
                partition_index,
                broker_ids: vec![0],
            })
            .collect();
        let results = created(&[
            topic("t", 4),
            topic("here", 1),
            topic("none", 0),
            configured,
            assigned,
        ]);
        let told: Vec<_> = results
            .iter()
            .map(|r| {
                (
                    &*r.name,
                    r.error_code,
                    r.num_partitions,
                    r.replication_factor,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("t", ErrorCode::NONE, 4, 1),
                ("here", ErrorCode::TOPIC_ALREADY_EXISTS, -1, -1),
                ("none", ErrorCode::INVALID_PARTITIONS, -1, -1),
                ("configured", ErrorCode::NONE, 1, 1),
                ("assigned", ErrorCode::NONE, 2, 1),
            ]
        );
        for result in &results {
            let failed = result.error_code.is_error();
            assert_eq!(result.error_message.is_some(), failed);
            assert_eq!(result.configs.is_none(), failed);
            assert_eq!(result.topic_id == TopicId::ZERO, failed);
        }
    }

    #[test]
    fn configs_tell_their_source() {
        let mut asked = topic("t", 1);
        asked.configs = vec![CreatableTopicConfig {
            name: "retention.ms",
            value: Some("5"),
        }];
        let results = created(&[asked]);
        let configs = results[0].configs.as_ref().unwrap();
        let find = |name| configs.iter().find(|config| config.name == name).unwrap();
        let retention = find("retention.ms");
        assert_eq!(
            (retention.value.as_deref(), retention.config_source),
            (Some("5"), 1)
        );
        assert_eq!(find("max.message.bytes").config_source, 5);
        assert!(configs.iter().all(|config| !config.is_sensitive));
    }
}

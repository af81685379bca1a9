//! CreatePartitions (37), versions 0-3: gives topics more partitions (KIP-195). Shard 0
//! decides, the answer comes when every shard knows the new ones, so that whoever is
//! answered can produce to them. Fewer or as many is INVALID_PARTITIONS.

use std::borrow::Cow;

use super::changing::{self, Verdict};
use crate::catalog::{CatalogReply, CatalogRequest, GrowTopic};
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
    CreatePartitionsTopicResult,
};
use crate::server::Services;

/// Creates the partitions.
pub async fn handle<'a>(
    services: &Services,
    request: &CreatePartitionsRequest<'a>,
    _header: &RequestHeader<'_>,
) -> CreatePartitionsResponse<'a> {
    let change = || CatalogRequest::CreatePartitions {
        topics: request.topics.iter().map(grow).collect(),
        validate_only: request.validate_only,
    };
    let results = match changing::change(services, request.topics.len(), change).await {
        Ok(CatalogReply::PartitionsCreated(outcomes)) => {
            let outcomes = outcomes.into_iter();
            let answer = |o: crate::catalog::TopicOutcome<()>| {
                answer(Cow::Owned(o.name), changing::verdict(o.result))
            };
            outcomes.map(answer).collect()
        }
        Ok(_) => refused(request, &changing::stopping()),
        Err(verdict) => refused(request, &verdict),
    };
    CreatePartitionsResponse {
        results,
        ..Default::default()
    }
}

fn grow(topic: &CreatePartitionsTopic<'_>) -> GrowTopic {
    let assignments = topic.assignments.as_ref();
    GrowTopic {
        name: topic.name.to_owned(),
        count: topic.count,
        assignments: assignments.map(|all| all.iter().map(|one| one.broker_ids.clone()).collect()),
    }
}

fn refused<'a>(
    request: &CreatePartitionsRequest<'a>,
    verdict: &Verdict,
) -> Vec<CreatePartitionsTopicResult<'a>> {
    let topics = request.topics.iter();
    topics
        .map(|topic| answer(Cow::Borrowed(topic.name), verdict.clone()))
        .collect()
}

fn answer<'a>(
    name: Cow<'a, str>,
    (error_code, error_message): Verdict,
) -> CreatePartitionsTopicResult<'a> {
    CreatePartitionsTopicResult {
        name,
        error_code,
        error_message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::ErrorCode;
    use crate::kafka::messages::create_partitions::CreatePartitionsAssignment;

    #[test]
    fn a_request_becomes_one_to_the_catalogue() {
        let assigned = vec![CreatePartitionsAssignment {
            broker_ids: vec![0, 1],
        }];
        for (assignments, expected) in [(None, None), (Some(assigned), Some(vec![vec![0, 1]]))] {
            let asked = CreatePartitionsTopic {
                name: "t",
                count: 5,
                assignments,
            };
            let grow = grow(&asked);
            assert_eq!((&*grow.name, grow.count), ("t", 5));
            assert_eq!(grow.assignments, expected);
        }
    }

    #[test]
    fn a_refused_request_tells_every_topic() {
        let topic = |name| CreatePartitionsTopic {
            name,
            ..Default::default()
        };
        let request = CreatePartitionsRequest {
            topics: vec![topic("a"), topic("b")],
            ..Default::default()
        };
        let results = refused(&request, &changing::stopping());
        let told: Vec<_> = results.iter().map(|r| (&*r.name, r.error_code)).collect();
        let code = ErrorCode::NOT_CONTROLLER;
        assert_eq!(told, [("a", code), ("b", code)]);
    }
}

//! DeleteTopics (20), versions 1-6: shard 0 decides, the answer comes when the topics are
//! gone from every shard. Their segments are recycled later.
//!
//! - 6: by name or by id (KIP-516). An unknown id is UNKNOWN_TOPIC_ID under a null name;
//!   both or neither is INVALID_REQUEST, and so is a topic given twice.

use std::borrow::Cow;

use super::changing::{self, Verdict};
use crate::base::TopicId;
use crate::catalog::{CatalogReply, CatalogRequest, DeleteOutcome, TopicRef};
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse,
};
use crate::server::Services;

/// Deletes the topics.
pub async fn handle(
    services: &Services,
    request: &DeleteTopicsRequest<'_>,
    _header: &RequestHeader<'_>,
) -> DeleteTopicsResponse<'static> {
    let topics = topics(request);
    let change = || CatalogRequest::DeleteTopics {
        topics: topics.clone(),
    };
    let responses = match changing::change(services, topics.len(), change).await {
        Ok(CatalogReply::Deleted(outcomes)) => outcomes.into_iter().map(result).collect(),
        Ok(_) => refused(topics, &changing::stopping()),
        Err(verdict) => refused(topics, &verdict),
    };
    DeleteTopicsResponse {
        responses,
        ..Default::default()
    }
}

/// The topics of the request; a version fills one of its two lists.
fn topics(request: &DeleteTopicsRequest<'_>) -> Vec<TopicRef> {
    let names = request.topic_names.iter().map(|name| TopicRef {
        name: Some((*name).to_owned()),
        id: TopicId::ZERO,
    });
    let states = request.topics.iter().map(|topic| TopicRef {
        name: topic.name.map(str::to_owned),
        id: topic.topic_id,
    });
    names.chain(states).collect()
}

fn result(outcome: DeleteOutcome) -> DeletableTopicResult<'static> {
    answer(outcome.topic, changing::verdict(outcome.result))
}

fn refused(topics: Vec<TopicRef>, verdict: &Verdict) -> Vec<DeletableTopicResult<'static>> {
    let topics = topics.into_iter();
    topics.map(|topic| answer(topic, verdict.clone())).collect()
}

fn answer(topic: TopicRef, (error_code, error_message): Verdict) -> DeletableTopicResult<'static> {
    DeletableTopicResult {
        name: topic.name.map(Cow::Owned),
        topic_id: topic.id,
        error_code,
        error_message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::ErrorCode;
    use crate::kafka::messages::delete_topics::DeleteTopicState;
    use crate::server::api::testing;

    fn deleted(request: &DeleteTopicsRequest<'_>) -> Vec<DeletableTopicResult<'static>> {
        let mut catalog = testing::catalog(&[("a", 1), ("b", 1)]);
        let topics = topics(request);
        match testing::change(&mut catalog, &CatalogRequest::DeleteTopics { topics }) {
            CatalogReply::Deleted(outcomes) => outcomes.into_iter().map(result).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn told<'a>(results: &'a [DeletableTopicResult<'_>]) -> Vec<(Option<&'a str>, u8, ErrorCode)> {
        let results = results.iter();
        results
            .map(|r| (r.name.as_deref(), r.topic_id.0[0], r.error_code))
            .collect()
    }

    #[test]
    fn by_name() {
        let results = deleted(&DeleteTopicsRequest {
            topic_names: vec!["b", "gone"],
            ..Default::default()
        });
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        let expected = [(Some("b"), 2, ErrorCode::NONE), (Some("gone"), 0, unknown)];
        assert_eq!(told(&results), expected);
        assert!(results[1].error_message.is_some());
    }

    #[test]
    fn by_name_or_id() {
        let by = |name, id| DeleteTopicState {
            name,
            topic_id: TopicId([id; 16]),
        };
        let results = deleted(&DeleteTopicsRequest {
            topics: vec![
                by(None, 1),
                by(None, 9),
                by(Some("b"), 0),
                by(None, 0),
                by(Some("b"), 2),
            ],
            ..Default::default()
        });
        let invalid = ErrorCode::INVALID_REQUEST;
        let expected = [
            (Some("a"), 1, ErrorCode::NONE),
            (None, 9, ErrorCode::UNKNOWN_TOPIC_ID),
            (Some("b"), 2, ErrorCode::NONE),
            (None, 0, invalid),
            (Some("b"), 2, invalid),
        ];
        assert_eq!(told(&results), expected);
    }
}

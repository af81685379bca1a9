//! DescribeProducers (61), version 0: the idempotent producers that partitions remember
//! (KIP-664), from the shards that own them. None has an open transaction, as there are
//! no transactions.
//!
//! A partition named twice is answered once: the answer may be ten thousand times as
//! large as the question.

use std::borrow::Cow;
use std::collections::HashSet;

use super::asking::{Asking, partition_of};
use crate::base::TopicPartition;
use crate::catalog::{self, Catalog};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
    TopicResponse,
};
use crate::server::Services;
use crate::shard::{self, ShardReply, ShardRequest};

/// Describes the producers.
pub async fn handle<'a>(
    services: &Services,
    request: &DescribeProducersRequest<'a>,
    _header: &RequestHeader<'_>,
) -> DescribeProducersResponse<'a> {
    let topics = distinct(request);
    let asking = services
        .shard
        .look(|shard| asking(shard.catalog(), &topics));
    let unwrap = |reply| match reply {
        ShardReply::DescribeProducers(results) => Some(results),
        _ => None,
    };
    let results = asking.owners(services, |tp| *tp, ShardRequest::DescribeProducers, unwrap);
    respond(topics, results.await)
}

/// A topic and its partitions, as asked.
type Asked<'a> = (&'a str, Vec<i32>);

/// The partitions of the request, each once.
fn distinct<'a>(request: &DescribeProducersRequest<'a>) -> Vec<Asked<'a>> {
    let mut seen = HashSet::new();
    let topics = request.topics.iter();
    topics
        .map(|topic| {
            let indexes = topic.partition_indexes.iter().copied();
            let fresh = indexes.filter(|index| seen.insert((topic.name, *index)));
            (topic.name, fresh.collect())
        })
        .collect()
}

fn asking(catalog: &Catalog, topics: &[Asked<'_>]) -> Asking<TopicPartition> {
    let mut asking = Asking::new();
    for (name, indexes) in topics {
        let known = catalog.topic(name);
        let invalid = known.is_none() && catalog::validate_name(name).is_err();
        for index in indexes {
            asking.push(match invalid {
                true => Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
                false => partition_of(known, *index),
            });
        }
    }
    asking
}

type Described = Result<Vec<shard::ProducerState>, ErrorCode>;

fn respond<'a>(
    topics: Vec<Asked<'a>>,
    results: Vec<Result<Described, ErrorCode>>,
) -> DescribeProducersResponse<'a> {
    let mut results = results.into_iter();
    let topics = topics.into_iter().map(|(name, indexes)| TopicResponse {
        name: Cow::Borrowed(name),
        partitions: indexes
            .into_iter()
            .zip(&mut results)
            .map(|(index, result)| partition_response(index, result.flatten()))
            .collect(),
    });
    DescribeProducersResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn partition_response(partition_index: i32, result: Described) -> PartitionResponse<'static> {
    let error_code = *result.as_ref().err().unwrap_or(&ErrorCode::NONE);
    let message = match error_code {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Some("This server has no such partition."),
        ErrorCode::INVALID_TOPIC_EXCEPTION => Some("No topic can have this name."),
        _ => None,
    };
    let producers = result.unwrap_or_default().into_iter();
    PartitionResponse {
        partition_index,
        error_code,
        error_message: message.map(Cow::Borrowed),
        active_producers: producers.map(producer).collect(),
    }
}

fn producer(state: shard::ProducerState) -> ProducerState {
    ProducerState {
        producer_id: state.producer_id,
        producer_epoch: i32::from(state.producer_epoch),
        last_sequence: state.last_sequence,
        last_timestamp: state.last_timestamp,
        coordinator_epoch: -1,
        current_txn_start_offset: -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::messages::describe_producers::TopicRequest;
    use crate::server::api::testing;

    #[test]
    fn each_partition_is_answered_once() {
        let catalog = testing::catalog(&[("a", 2)]);
        let topic = |name, indexes: &[i32]| TopicRequest {
            name,
            partition_indexes: indexes.to_vec(),
        };
        let request = DescribeProducersRequest {
            topics: vec![
                topic("a", &[0, 0, 1]),
                topic("no/slash", &[0]),
                topic("a", &[1, 2]),
            ],
        };
        let topics = distinct(&request);
        assert_eq!(
            topics,
            [("a", vec![0, 1]), ("no/slash", vec![0]), ("a", vec![2])]
        );
        let asking = asking(&catalog, &topics);
        let state = shard::ProducerState {
            producer_id: 9,
            producer_epoch: 2,
            last_sequence: 30,
            last_timestamp: 1000,
        };
        let answers = vec![Ok(vec![state]), Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)];
        let response = respond(topics, asking.merged(Some(answers)));
        let told: Vec<_> = response
            .topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .map(|p| (p.partition_index, p.error_code, p.active_producers.len()))
            .collect();
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(
            told,
            [
                (0, ErrorCode::NONE, 1),
                (1, unknown, 0),
                (0, ErrorCode::INVALID_TOPIC_EXCEPTION, 0),
                (2, unknown, 0),
            ]
        );
        let producer = &response.topics[0].partitions[0].active_producers[0];
        assert_eq!((producer.producer_id, producer.producer_epoch), (9, 2));
        assert_eq!(
            (
                producer.coordinator_epoch,
                producer.current_txn_start_offset
            ),
            (-1, -1)
        );
    }
}

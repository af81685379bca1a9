//! DeleteRecords (21), versions 0-2: moves log start offsets up (KIP-107), on the shards
//! that own the partitions; answered when the new ones are durable.
//!
//! - -1 is the high watermark; beyond it is OFFSET_OUT_OF_RANGE; below the log start
//!   changes nothing. The response tells the log start as it is then.
//! - Topics that Kafka keeps for itself are INVALID_TOPIC_EXCEPTION, those that are
//!   compacted and never expire POLICY_VIOLATION, as in Kafka.

use std::borrow::Cow;

use super::asking::{Asking, partition_of};
use crate::base::TopicPartition;
use crate::catalog::{Catalog, Topic};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};
use crate::server::Services;
use crate::shard::{ShardReply, ShardRequest};

/// Deletes the records.
pub async fn handle<'a>(
    services: &Services,
    request: &DeleteRecordsRequest<'a>,
    _header: &RequestHeader<'_>,
) -> DeleteRecordsResponse<'a> {
    let asking = services
        .shard
        .look(|shard| asking(shard.catalog(), request));
    let unwrap = |reply| match reply {
        ShardReply::DeleteRecords(results) => Some(results),
        _ => None,
    };
    let results = asking.owners(services, |(tp, _)| *tp, ShardRequest::DeleteRecords, unwrap);
    respond(request, results.await)
}

fn asking(catalog: &Catalog, request: &DeleteRecordsRequest<'_>) -> Asking<(TopicPartition, i64)> {
    let mut asking = Asking::new();
    for topic in &request.topics {
        let known = catalog.topic(topic.name);
        let refusal = known.and_then(|known| refusal(catalog, known));
        for partition in &topic.partitions {
            let tp = partition_of(known, partition.partition_index);
            asking.push(match refusal {
                Some(error) => Err(error),
                None => tp.map(|tp| (tp, partition.offset)),
            });
        }
    }
    asking
}

/// Why no client may delete records of a topic.
fn refusal(catalog: &Catalog, topic: &Topic) -> Option<ErrorCode> {
    if topic.internal {
        return Some(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    if topic.log.expires {
        return None;
    }
    let policy = catalog.describe_configs(topic, Some(&["cleanup.policy".to_owned()]));
    let compacts = |value: &String| value.split(',').any(|policy| policy.trim() == "compact");
    let compacted = policy
        .iter()
        .any(|entry| entry.value.as_ref().is_some_and(compacts));
    compacted.then_some(ErrorCode::POLICY_VIOLATION)
}

fn respond<'a>(
    request: &DeleteRecordsRequest<'a>,
    results: Vec<Result<Result<i64, ErrorCode>, ErrorCode>>,
) -> DeleteRecordsResponse<'a> {
    let mut results = results.into_iter();
    let topics = request.topics.iter().map(|topic| DeleteRecordsTopicResult {
        name: Cow::Borrowed(topic.name),
        partitions: topic
            .partitions
            .iter()
            .zip(&mut results)
            .map(|(partition, result)| {
                partition_result(partition.partition_index, result.flatten())
            })
            .collect(),
    });
    DeleteRecordsResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn partition_result(
    partition_index: i32,
    result: Result<i64, ErrorCode>,
) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult {
        partition_index,
        low_watermark: result.unwrap_or(-1),
        error_code: result.err().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{AlterTopic, CatalogRequest};
    use crate::kafka::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
    use crate::server::api::testing;

    fn topic(name: &str, partitions: i32) -> DeleteRecordsTopic<'_> {
        let partition = |partition_index| DeleteRecordsPartition {
            partition_index,
            offset: 5,
        };
        DeleteRecordsTopic {
            name,
            partitions: (0..partitions).map(partition).collect(),
        }
    }

    #[test]
    fn which_partitions_are_asked() {
        let mut catalog = testing::catalog(&[("a", 2), ("kept", 1), ("both", 1)]);
        testing::change(&mut catalog, &CatalogRequest::CreateOffsetsTopic);
        let policy = |name: &str, policy: &str| AlterTopic {
            name: name.to_owned(),
            configs: vec![("cleanup.policy".to_owned(), Some(policy.to_owned()))],
        };
        let alter = CatalogRequest::AlterConfigs {
            topics: vec![policy("kept", "compact"), policy("both", "delete, compact")],
            validate_only: false,
        };
        testing::change(&mut catalog, &alter);
        let names = ["a", "__consumer_offsets", "kept", "both", "gone"];
        let request = DeleteRecordsRequest {
            topics: names
                .map(|name| topic(name, if name == "a" { 3 } else { 1 }))
                .to_vec(),
            ..Default::default()
        };
        let asking = asking(&catalog, &request);
        let asked: Vec<_> = asking
            .entries()
            .iter()
            .map(|(tp, offset)| (tp.partition, *offset))
            .collect();
        assert_eq!(asked, [(0, 5), (1, 5), (0, 5)]);
        let answers = vec![Ok(5), Err(ErrorCode::OFFSET_OUT_OF_RANGE), Ok(7)];
        let response = respond(&request, asking.merged(Some(answers)));
        let told: Vec<_> = response
            .topics
            .iter()
            .flat_map(|t| &t.partitions)
            .map(|p| (p.low_watermark, p.error_code))
            .collect();
        let unknown = (-1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(
            told,
            [
                (5, ErrorCode::NONE),
                (-1, ErrorCode::OFFSET_OUT_OF_RANGE),
                unknown,
                (-1, ErrorCode::INVALID_TOPIC_EXCEPTION),
                (-1, ErrorCode::POLICY_VIOLATION),
                (7, ErrorCode::NONE),
                unknown,
            ]
        );
    }
}

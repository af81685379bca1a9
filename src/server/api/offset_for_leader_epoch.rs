//! OffsetForLeaderEpoch (23), versions 2-4: where a leader epoch ends (KIP-101), by which
//! a consumer finds out whether what it read is still the log (KIP-320). Leader epochs
//! rise with every start of the broker. Each partition is asked of its owner; there are no
//! followers, so the replica id of version 3 says nothing.

use std::borrow::Cow;

use super::asking::{Asking, partition_of};
use crate::catalog::Catalog;
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
};
use crate::server::Services;
use crate::shard::{EpochEndEntry, EpochEndResult, ShardReply, ShardRequest};

/// Looks up the ends.
pub async fn handle<'a>(
    services: &Services,
    request: &OffsetForLeaderEpochRequest<'a>,
    _header: &RequestHeader<'_>,
) -> OffsetForLeaderEpochResponse<'a> {
    let asking = services
        .shard
        .look(|shard| asking(shard.catalog(), request));
    let unwrap = |reply| match reply {
        ShardReply::EpochEnd(results) => Some(results),
        _ => None,
    };
    let results = asking.owners(services, |entry| entry.tp, ShardRequest::EpochEnd, unwrap);
    respond(request, results.await)
}

fn asking(catalog: &Catalog, request: &OffsetForLeaderEpochRequest<'_>) -> Asking<EpochEndEntry> {
    let mut asking = Asking::new();
    for topic in &request.topics {
        let known = catalog.topic(topic.topic);
        for partition in &topic.partitions {
            let tp = partition_of(known, partition.partition);
            asking.push(tp.map(|tp| EpochEndEntry {
                tp,
                current_leader_epoch: partition.current_leader_epoch,
                leader_epoch: partition.leader_epoch,
            }));
        }
    }
    asking
}

fn respond<'a>(
    request: &OffsetForLeaderEpochRequest<'a>,
    results: Vec<Result<EpochEndResult, ErrorCode>>,
) -> OffsetForLeaderEpochResponse<'a> {
    let mut results = results.into_iter();
    let topics = request
        .topics
        .iter()
        .map(|topic| OffsetForLeaderTopicResult {
            topic: Cow::Borrowed(topic.topic),
            partitions: topic
                .partitions
                .iter()
                .zip(&mut results)
                .map(|(partition, result)| epoch_end(partition.partition, result))
                .collect(),
        });
    OffsetForLeaderEpochResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn epoch_end(partition: i32, result: Result<EpochEndResult, ErrorCode>) -> EpochEndOffset {
    match result {
        Ok(end) => EpochEndOffset {
            error_code: end.error,
            partition,
            leader_epoch: end.leader_epoch,
            end_offset: end.end_offset,
        },
        Err(error_code) => EpochEndOffset {
            error_code,
            partition,
            ..Default::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::messages::offset_for_leader_epoch::{
        OffsetForLeaderPartition, OffsetForLeaderTopic,
    };
    use crate::server::api::testing;

    #[test]
    fn each_partition_gets_its_own_answer() {
        let catalog = testing::catalog(&[("a", 1), ("b", 2)]);
        let topic = |topic, partitions: &[i32]| OffsetForLeaderTopic {
            topic,
            partitions: partitions
                .iter()
                .map(|&partition| OffsetForLeaderPartition {
                    partition,
                    current_leader_epoch: 7,
                    leader_epoch: 3,
                })
                .collect(),
        };
        let request = OffsetForLeaderEpochRequest {
            topics: vec![topic("gone", &[0]), topic("b", &[1, 5]), topic("a", &[0])],
            ..Default::default()
        };
        let asking = asking(&catalog, &request);
        let asked: Vec<_> = asking
            .entries()
            .iter()
            .map(|e| {
                (
                    e.tp.topic.0[0],
                    e.tp.partition,
                    e.current_leader_epoch,
                    e.leader_epoch,
                )
            })
            .collect();
        assert_eq!(asked, [(2, 1, 7, 3), (1, 0, 7, 3)]);
        let found = EpochEndResult {
            error: ErrorCode::NONE,
            leader_epoch: 2,
            end_offset: 40,
        };
        let fenced = EpochEndResult {
            error: ErrorCode::FENCED_LEADER_EPOCH,
            leader_epoch: -1,
            end_offset: -1,
        };
        let response = respond(&request, asking.merged(Some(vec![found, fenced])));
        let told: Vec<_> = response
            .topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .map(|p| (p.partition, p.error_code, p.leader_epoch, p.end_offset))
            .collect();
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(
            told,
            [
                (0, unknown, -1, -1),
                (1, ErrorCode::NONE, 2, 40),
                (5, unknown, -1, -1),
                (0, ErrorCode::FENCED_LEADER_EPOCH, -1, -1),
            ]
        );
    }
}

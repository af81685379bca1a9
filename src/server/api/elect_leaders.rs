//! ElectLeaders (43), versions 0-2 (KIP-183, KIP-460): a partition's leader is its one
//! replica, so no election is ever needed: ELECTION_NOT_NEEDED for every partition there
//! is. Asked about all, Kafka leaves out those, which is all of them.
//!
//! - 1: the kind of election; one that Kafka does not know is INVALID_REQUEST.

use std::borrow::Cow;

use super::asking::partition_of;
use crate::catalog::Catalog;
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use crate::server::Services;

/// Elects nobody.
pub async fn handle<'a>(
    services: &Services,
    request: &ElectLeadersRequest<'a>,
    _header: &RequestHeader<'_>,
) -> ElectLeadersResponse<'a> {
    services
        .shard
        .look(|shard| response(shard.catalog(), request))
}

fn response<'a>(catalog: &Catalog, request: &ElectLeadersRequest<'a>) -> ElectLeadersResponse<'a> {
    // 0 prefers a replica, 1 is unclean.
    let error_code = match request.election_type {
        0 | 1 => ErrorCode::NONE,
        _ => ErrorCode::INVALID_REQUEST,
    };
    let topics = request.topic_partitions.iter().flatten();
    let results = topics.map(|asked| {
        let topic = catalog.topic(asked.topic);
        let partitions = asked.partitions.iter().map(|&partition_id| {
            let error_code = match partition_of(topic, partition_id) {
                _ if error_code.is_error() => error_code,
                Ok(_) => ErrorCode::ELECTION_NOT_NEEDED,
                Err(error) => error,
            };
            PartitionResult {
                partition_id,
                error_code,
                error_message: message(error_code).map(Cow::Borrowed),
            }
        });
        ReplicaElectionResult {
            topic: Cow::Borrowed(asked.topic),
            partition_result: partitions.collect(),
        }
    });
    ElectLeadersResponse {
        error_code,
        replica_election_results: results.collect(),
        ..Default::default()
    }
}

fn message(error: ErrorCode) -> Option<&'static str> {
    match error {
        ErrorCode::INVALID_REQUEST => Some("No such election type."),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Some("No such partition."),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::messages::elect_leaders::TopicPartitions;
    use crate::server::api::testing;

    #[test]
    fn nobody_is_elected() {
        let catalog = testing::catalog(&[("t", 2)]);
        let topic = |topic, partitions: &[i32]| TopicPartitions {
            topic,
            partitions: partitions.to_vec(),
        };
        let asked = vec![topic("t", &[0, 1, 2]), topic("gone", &[0])];
        let not_needed = ErrorCode::ELECTION_NOT_NEEDED;
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        let invalid = ErrorCode::INVALID_REQUEST;
        for (election_type, whole, expected) in [
            (
                0,
                ErrorCode::NONE,
                [not_needed, not_needed, unknown, unknown],
            ),
            (
                1,
                ErrorCode::NONE,
                [not_needed, not_needed, unknown, unknown],
            ),
            (2, invalid, [invalid; 4]),
        ] {
            let request = ElectLeadersRequest {
                election_type,
                topic_partitions: Some(asked.clone()),
                ..Default::default()
            };
            let response = response(&catalog, &request);
            assert_eq!(response.error_code, whole);
            let results = response.replica_election_results.iter();
            let told: Vec<_> = results
                .flat_map(|r| &r.partition_result)
                .map(|p| p.error_code)
                .collect();
            assert_eq!(told, expected);
        }
        let all = response(&catalog, &ElectLeadersRequest::default());
        assert_eq!(all, ElectLeadersResponse::default());
    }
}

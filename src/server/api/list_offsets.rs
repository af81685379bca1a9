//! ListOffsets (2), versions 1-11: offsets by time, or by Kafka's negative names for
//! times. Each partition is asked of its owner.
//!
//! - A name younger than the version is UNSUPPORTED_VERSION: the largest timestamp (-3)
//!   came with 7, earliest local (-4) with 8, latest tiered (-5) with 9, earliest pending
//!   upload (-6) with 11.
//! - A partition that is named twice is INVALID_REQUEST at both places.
//! - Without transactions the last stable offset is the high watermark, so the isolation
//!   level makes no difference; nor does the replica id, as every client is a consumer or,
//!   with -2, a person who debugs. Records are all on this host: `timeout_ms` of version
//!   10, which bounds a wait for a remote store, has nothing to bound.

use std::borrow::Cow;
use std::collections::HashSet;

use super::asking::{Asking, partition_of};
use crate::catalog::{Catalog, Topic};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::list_offsets::{
    EARLIEST_LOCAL_TIMESTAMP, EARLIEST_PENDING_UPLOAD_TIMESTAMP, EARLIEST_TIMESTAMP,
    LATEST_TIERED_TIMESTAMP, LATEST_TIMESTAMP, ListOffsetsPartition, ListOffsetsPartitionResponse,
    ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse, MAX_TIMESTAMP,
};
use crate::server::Services;
use crate::shard::{ListOffsetsEntry, ListOffsetsResult, ShardReply, ShardRequest};

/// Looks up the offsets.
pub async fn handle<'a>(
    services: &Services,
    request: &ListOffsetsRequest<'a>,
    header: &RequestHeader<'_>,
) -> ListOffsetsResponse<'a> {
    let asking = services
        .shard
        .look(|shard| asking(shard.catalog(), request, header.version));
    let unwrap = |reply| match reply {
        ShardReply::ListOffsets(results) => Some(results),
        _ => None,
    };
    let results = asking.owners(
        services,
        |entry| entry.tp,
        ShardRequest::ListOffsets,
        unwrap,
    );
    respond(request, results.await)
}

fn asking(
    catalog: &Catalog,
    request: &ListOffsetsRequest<'_>,
    version: i16,
) -> Asking<ListOffsetsEntry> {
    let repeated = repeated(request);
    let mut asking = Asking::new();
    for topic in &request.topics {
        let known = catalog.topic(topic.name);
        for partition in &topic.partitions {
            asking.push(
                if repeated.contains(&(topic.name, partition.partition_index)) {
                    Err(ErrorCode::INVALID_REQUEST)
                } else if !serves_timestamp(partition.timestamp, version) {
                    Err(ErrorCode::UNSUPPORTED_VERSION)
                } else {
                    entry(known, partition)
                },
            );
        }
    }
    asking
}

fn repeated<'a>(request: &ListOffsetsRequest<'a>) -> HashSet<(&'a str, i32)> {
    let mut seen = HashSet::new();
    let topics = request.topics.iter();
    let partitions = topics.flat_map(|topic| {
        let indexes = topic.partitions.iter().map(|p| p.partition_index);
        indexes.map(|index| (topic.name, index))
    });
    partitions.filter(|key| !seen.insert(*key)).collect()
}

/// Whether that version may ask for that time or name.
fn serves_timestamp(timestamp: i64, version: i16) -> bool {
    match timestamp {
        0.. | LATEST_TIMESTAMP | EARLIEST_TIMESTAMP => true,
        MAX_TIMESTAMP => version >= 7,
        EARLIEST_LOCAL_TIMESTAMP => version >= 8,
        LATEST_TIERED_TIMESTAMP => version >= 9,
        EARLIEST_PENDING_UPLOAD_TIMESTAMP => version >= 11,
        _ => false,
    }
}

fn entry(
    topic: Option<&Topic>,
    partition: &ListOffsetsPartition,
) -> Result<ListOffsetsEntry, ErrorCode> {
    Ok(ListOffsetsEntry {
        tp: partition_of(topic, partition.partition_index)?,
        timestamp: partition.timestamp,
        current_leader_epoch: partition.current_leader_epoch,
    })
}

fn respond<'a>(
    request: &ListOffsetsRequest<'a>,
    results: Vec<Result<ListOffsetsResult, ErrorCode>>,
) -> ListOffsetsResponse<'a> {
    let mut results = results.into_iter();
    let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
        name: Cow::Borrowed(topic.name),
        partitions: topic
            .partitions
            .iter()
            .zip(&mut results)
            .map(|(partition, result)| partition_response(partition.partition_index, result))
            .collect(),
    });
    ListOffsetsResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn partition_response(
    partition_index: i32,
    result: Result<ListOffsetsResult, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    match result {
        Ok(found) => ListOffsetsPartitionResponse {
            partition_index,
            error_code: found.error,
            timestamp: found.timestamp,
            offset: found.offset,
            leader_epoch: found.leader_epoch,
        },
        Err(error_code) => ListOffsetsPartitionResponse {
            partition_index,
            error_code,
            ..Default::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::messages::list_offsets::ListOffsetsTopic;
    use crate::server::api::testing;

    #[test]
    fn names_of_times_belong_to_versions() {
        for (timestamp, since) in [
            (0, 1),
            (1 << 50, 1),
            (-1, 1),
            (-2, 1),
            (-3, 7),
            (-4, 8),
            (-5, 9),
            (-6, 11),
        ] {
            for version in 1..=11 {
                let served = serves_timestamp(timestamp, version);
                assert_eq!(served, version >= since, "{timestamp} in version {version}");
            }
        }
        assert!(!serves_timestamp(-7, 11));
        assert!(!serves_timestamp(i64::MIN, 11));
    }

    fn topic<'a>(name: &'a str, partitions: &[(i32, i64)]) -> ListOffsetsTopic<'a> {
        let partition = |&(partition_index, timestamp): &(i32, i64)| ListOffsetsPartition {
            partition_index,
            timestamp,
            ..Default::default()
        };
        ListOffsetsTopic {
            name,
            partitions: partitions.iter().map(partition).collect(),
        }
    }

    #[test]
    fn each_partition_gets_its_own_answer() {
        let catalog = testing::catalog(&[("a", 3), ("b", 1)]);
        let request = ListOffsetsRequest {
            topics: vec![
                topic("a", &[(0, -1), (1, -3), (2, -1), (3, -1)]),
                topic("gone", &[(0, -1)]),
                topic("b", &[(0, -2)]),
                topic("a", &[(2, -2)]),
            ],
            ..Default::default()
        };
        let asking = asking(&catalog, &request, 6);
        let asked: Vec<_> = asking
            .entries()
            .iter()
            .map(|e| (e.tp.partition, e.timestamp))
            .collect();
        assert_eq!(asked, [(0, -1), (0, -2)]);
        let found = |offset| ListOffsetsResult {
            error: ErrorCode::NONE,
            timestamp: -1,
            offset,
            leader_epoch: 7,
        };
        let results = asking.merged(Some(vec![found(10), found(20)]));
        let response = respond(&request, results);
        let told: Vec<Vec<_>> = response
            .topics
            .iter()
            .map(|topic| {
                topic
                    .partitions
                    .iter()
                    .map(|p| (p.partition_index, p.error_code, p.offset))
                    .collect()
            })
            .collect();
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(
            told,
            [
                vec![
                    (0, ErrorCode::NONE, 10),
                    (1, ErrorCode::UNSUPPORTED_VERSION, -1),
                    (2, ErrorCode::INVALID_REQUEST, -1),
                    (3, unknown, -1),
                ],
                vec![(0, unknown, -1)],
                vec![(0, ErrorCode::NONE, 20)],
                vec![(2, ErrorCode::INVALID_REQUEST, -1)],
            ]
        );
    }
}

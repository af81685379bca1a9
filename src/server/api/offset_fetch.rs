//! OffsetFetch (9), versions 1-10: how far a group has read, as far as that is on the disk.
//!
//! - 2: null topics for all; errors of the group as a whole. 5: leader epochs (KIP-320).
//! - 7: stable offsets only (KIP-447): without transactions all are. 8: many groups at once
//!   (KIP-709). 9: members of KIP-848. 10: topics by id, UNKNOWN_TOPIC_ID for one that is not
//!   there; of all topics those that are not there are left out.
//! - What was never committed is offset -1 without an error, be it of an unknown topic.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::coordinating;
use crate::base::TopicId;
use crate::group::{
    FetchOffsetsReply, FetchOffsetsRequest, FetchedOffset, GroupReply, GroupRequest, TopicOffsets,
    TopicPartitions,
};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use crate::server::Services;

/// Asks the coordinators.
pub async fn handle<'a>(
    services: &Services,
    request: &OffsetFetchRequest<'a>,
    header: &RequestHeader<'_>,
) -> OffsetFetchResponse<'a> {
    if header.version < 8 {
        return single(services, request, header.version).await;
    }
    let mut groups = Vec::with_capacity(request.groups.len());
    let mut told = HashSet::new();
    // Each group once: a small request must not make a large answer.
    for group in request
        .groups
        .iter()
        .filter(|group| told.insert(group.group_id))
    {
        groups.push(one_group(services, group, header.version >= 10).await);
    }
    OffsetFetchResponse {
        groups,
        ..Default::default()
    }
}

async fn ask(
    services: &Services,
    request: FetchOffsetsRequest,
) -> Result<Vec<TopicOffsets>, ErrorCode> {
    let group_id = request.group_id.clone();
    let request = GroupRequest::FetchOffsets(request);
    let answer = coordinating::ask(services, &group_id, request).await;
    // Consumers take COORDINATOR_NOT_AVAILABLE here for a fault that does not pass.
    let answer = answer.map_err(|error| match error {
        ErrorCode::COORDINATOR_NOT_AVAILABLE => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        other => other,
    });
    match answer? {
        GroupReply::FetchOffsets(FetchOffsetsReply { error, topics }) => match error {
            ErrorCode::NONE => Ok(topics),
            error => Err(error),
        },
        other => Err(coordinating::unexpected(&other)),
    }
}

/// Up to version 7: one group.
async fn single<'a>(
    services: &Services,
    request: &OffsetFetchRequest<'a>,
    version: i16,
) -> OffsetFetchResponse<'a> {
    let topics = request.topics.as_ref().map(|topics| {
        let topics = topics.iter().map(|topic| TopicPartitions {
            name: topic.name.into(),
            partitions: topic.partition_indexes.clone(),
        });
        topics.collect()
    });
    let asked = FetchOffsetsRequest {
        group_id: request.group_id.into(),
        member_id: None,
        member_epoch: -1,
        topics,
    };
    let (topics, error_code) = match ask(services, asked).await {
        Ok(topics) => (topics.into_iter().map(topic).collect(), ErrorCode::NONE),
        Err(error) if version < 2 => (refused_topics(request, error), ErrorCode::NONE),
        Err(error) => (Vec::new(), error),
    };
    OffsetFetchResponse {
        topics,
        error_code,
        ..Default::default()
    }
}

fn topic(offsets: TopicOffsets) -> OffsetFetchResponseTopic<'static> {
    let partition = |offset: FetchedOffset| OffsetFetchResponsePartition {
        partition_index: offset.partition,
        committed_offset: offset.offset,
        committed_leader_epoch: offset.leader_epoch,
        metadata: Some(Cow::Owned(offset.metadata.to_string())),
        error_code: ErrorCode::NONE,
    };
    OffsetFetchResponseTopic {
        name: Cow::Owned(offsets.name.to_string()),
        partitions: offsets.partitions.into_iter().map(partition).collect(),
    }
}

/// Version 1 has no place for an error but with each partition.
fn refused_topics<'a>(
    request: &OffsetFetchRequest<'a>,
    error_code: ErrorCode,
) -> Vec<OffsetFetchResponseTopic<'a>> {
    let topics = request.topics.iter().flatten();
    let topics = topics.map(|topic| OffsetFetchResponseTopic {
        name: Cow::Borrowed(topic.name),
        partitions: topic
            .partition_indexes
            .iter()
            .map(|&partition_index| OffsetFetchResponsePartition {
                partition_index,
                committed_offset: -1,
                error_code,
                ..Default::default()
            })
            .collect(),
    });
    topics.collect()
}

/// From version 8 on: one of many.
async fn one_group<'a>(
    services: &Services,
    group: &OffsetFetchRequestGroup<'a>,
    by_id: bool,
) -> OffsetFetchResponseGroup<'a> {
    let named = services.shard.look(|shard| {
        let catalog = shard.catalog();
        let name_of = |id| catalog.topic_by_id(id).map(|topic| topic.name.clone());
        names(group, by_id, name_of)
    });
    let asked = named.as_ref().map(|named| {
        let known = named.iter().flatten();
        known.cloned().collect::<Vec<TopicPartitions>>()
    });
    let asked = FetchOffsetsRequest {
        group_id: group.group_id.into(),
        member_id: group.member_id.map(Arc::from),
        member_epoch: group.member_epoch,
        topics: asked,
    };
    let group_id = Cow::Borrowed(group.group_id);
    let found = match ask(services, asked).await {
        Ok(found) => found,
        Err(error_code) => {
            return OffsetFetchResponseGroup {
                group_id,
                error_code,
                ..Default::default()
            };
        }
    };
    let topics = match named {
        Some(named) => in_order(group, named, found),
        None => services.shard.look(|shard| {
            let catalog = shard.catalog();
            let id_of = |name: &str| catalog.topic(name).map(|topic| topic.id);
            all(found, by_id, id_of)
        }),
    };
    OffsetFetchResponseGroup {
        group_id,
        topics,
        ..Default::default()
    }
}

/// What to ask about each topic of the request, `None` for an id that is not there; `None` if
/// all are asked for.
fn names(
    group: &OffsetFetchRequestGroup<'_>,
    by_id: bool,
    name_of: impl Fn(TopicId) -> Option<Arc<str>>,
) -> Option<Vec<Option<TopicPartitions>>> {
    let topics = group.topics.as_ref()?.iter().map(|topic| {
        let name = match by_id {
            true => name_of(topic.topic_id)?,
            false => topic.name.into(),
        };
        let partitions = topic.partition_indexes.clone();
        Some(TopicPartitions { name, partitions })
    });
    Some(topics.collect())
}

/// What was found of the topics of the request, and those without.
fn in_order(
    group: &OffsetFetchRequestGroup<'_>,
    named: Vec<Option<TopicPartitions>>,
    found: Vec<TopicOffsets>,
) -> Vec<OffsetFetchResponseTopics<'static>> {
    let mut found = found.into_iter();
    let topics = group.topics.iter().flatten().zip(named);
    let topics = topics.map(|(topic, named)| {
        let partitions = match named {
            Some(_) => found.next().map_or(Vec::new(), offsets),
            None => unknown(&topic.partition_indexes),
        };
        OffsetFetchResponseTopics {
            name: Cow::Owned(topic.name.to_owned()),
            topic_id: topic.topic_id,
            partitions,
        }
    });
    topics.collect()
}

fn all(
    found: Vec<TopicOffsets>,
    by_id: bool,
    id_of: impl Fn(&str) -> Option<TopicId>,
) -> Vec<OffsetFetchResponseTopics<'static>> {
    let topics = found.into_iter().filter_map(|topic| {
        let topic_id = id_of(&topic.name);
        if by_id && topic_id.is_none() {
            return None;
        }
        Some(OffsetFetchResponseTopics {
            name: Cow::Owned(topic.name.to_string()),
            topic_id: topic_id.unwrap_or_default(),
            partitions: offsets(topic),
        })
    });
    topics.collect()
}

fn offsets(topic: TopicOffsets) -> Vec<OffsetFetchResponsePartitions<'static>> {
    let partition = |offset: FetchedOffset| OffsetFetchResponsePartitions {
        partition_index: offset.partition,
        committed_offset: offset.offset,
        committed_leader_epoch: offset.leader_epoch,
        metadata: Some(Cow::Owned(offset.metadata.to_string())),
        error_code: ErrorCode::NONE,
    };
    topic.partitions.into_iter().map(partition).collect()
}

fn unknown(partitions: &[i32]) -> Vec<OffsetFetchResponsePartitions<'static>> {
    let partition = |&partition_index: &i32| OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        error_code: ErrorCode::UNKNOWN_TOPIC_ID,
        ..Default::default()
    };
    partitions.iter().map(partition).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::messages::offset_fetch::OffsetFetchRequestTopics;

    fn found(name: &str, offset: i64) -> TopicOffsets {
        TopicOffsets {
            name: name.into(),
            partitions: vec![FetchedOffset {
                partition: 0,
                offset,
                leader_epoch: 2,
                metadata: "note".into(),
            }],
        }
    }

    #[test]
    fn answers_find_their_topics_and_unknown_ids_are_told() {
        let topic = |id| OffsetFetchRequestTopics {
            topic_id: TopicId([id; 16]),
            partition_indexes: vec![0],
            ..Default::default()
        };
        let group = OffsetFetchRequestGroup {
            topics: Some(vec![topic(1), topic(9), topic(2)]),
            ..Default::default()
        };
        let name_of = |id: TopicId| match id.0[0] {
            1 => Some("a".into()),
            2 => Some("b".into()),
            _ => None,
        };
        let named = names(&group, true, name_of).unwrap();
        let told = in_order(&group, named, vec![found("a", 5), found("b", 6)]);
        let told: Vec<_> = told
            .iter()
            .map(|t| {
                let p = &t.partitions[0];
                (t.topic_id.0[0], p.committed_offset, p.error_code)
            })
            .collect();
        let unknown = ErrorCode::UNKNOWN_TOPIC_ID;
        assert_eq!(
            told,
            [
                (1, 5, ErrorCode::NONE),
                (9, -1, unknown),
                (2, 6, ErrorCode::NONE)
            ]
        );
    }

    #[test]
    fn of_all_topics_those_without_an_id_have_no_place_in_version_10() {
        let id_of = |name: &str| (name == "here").then_some(TopicId([3; 16]));
        let both = || vec![found("gone", 1), found("here", 2)];
        assert_eq!(all(both(), false, id_of).len(), 2);
        let by_id = all(both(), true, id_of);
        assert_eq!((by_id.len(), by_id[0].topic_id), (1, TopicId([3; 16])));
    }
}

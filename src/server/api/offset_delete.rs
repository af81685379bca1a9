//! OffsetDelete (47), version 0: forgets offsets of partitions that no member of the group
//! subscribes to (KIP-496). Partitions that no topic has are UNKNOWN_TOPIC_OR_PARTITION.

use std::borrow::Cow;

use super::asking::partition_of;
use super::coordinating;
use crate::catalog::Catalog;
use crate::group::{
    DeleteOffsetsReply, DeleteOffsetsRequest, GroupReply, GroupRequest, TopicPartitions,
};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::server::Services;

/// Has the coordinator forget them.
pub async fn handle<'a>(
    services: &Services,
    request: &OffsetDeleteRequest<'a>,
    _header: &RequestHeader<'_>,
) -> OffsetDeleteResponse<'a> {
    let places = services
        .shard
        .look(|shard| places(shard.catalog(), request));
    match delete(services, request, &places).await {
        Ok(verdicts) => respond(request, places, verdicts),
        Err(error_code) => OffsetDeleteResponse {
            error_code,
            ..Default::default()
        },
    }
}

/// For each topic, for each partition: `NONE` if it is there.
fn places(catalog: &Catalog, request: &OffsetDeleteRequest<'_>) -> Vec<Vec<ErrorCode>> {
    let topics = request.topics.iter().map(|topic| {
        let known = catalog.topic(topic.name);
        let partitions = topic.partitions.iter();
        let place = partitions.map(|p| partition_of(known, p.partition_index));
        place.map(|found| found.err().unwrap_or_default()).collect()
    });
    topics.collect()
}

async fn delete(
    services: &Services,
    request: &OffsetDeleteRequest<'_>,
    places: &[Vec<ErrorCode>],
) -> Result<Vec<Vec<ErrorCode>>, ErrorCode> {
    coordinating::check_named(request.group_id)?;
    let topics = request.topics.iter().zip(places);
    let topics = topics.map(|(topic, places)| TopicPartitions {
        name: topic.name.into(),
        partitions: there(topic, places).collect(),
    });
    let asked = GroupRequest::DeleteOffsets(DeleteOffsetsRequest {
        group_id: request.group_id.into(),
        topics: topics.collect(),
    });
    match coordinating::ask(services, request.group_id, asked).await? {
        GroupReply::DeleteOffsets(DeleteOffsetsReply { error, topics }) => match error {
            ErrorCode::NONE => Ok(topics),
            error => Err(error),
        },
        other => Err(coordinating::unexpected(&other)),
    }
}

fn there<'a>(
    topic: &'a OffsetDeleteRequestTopic<'_>,
    places: &'a [ErrorCode],
) -> impl Iterator<Item = i32> + 'a {
    let partitions = topic.partitions.iter().zip(places);
    let there = partitions.filter(|(_, place)| !place.is_error());
    there.map(|(partition, _)| partition.partition_index)
}

fn respond<'a>(
    request: &OffsetDeleteRequest<'a>,
    mut places: Vec<Vec<ErrorCode>>,
    verdicts: Vec<Vec<ErrorCode>>,
) -> OffsetDeleteResponse<'a> {
    let mut verdicts = verdicts.into_iter().flatten();
    for place in places
        .iter_mut()
        .flatten()
        .filter(|place| !place.is_error())
    {
        *place = verdicts.next().unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR);
    }
    let topics = request.topics.iter().zip(places);
    let topics = topics.map(|(topic, places)| OffsetDeleteResponseTopic {
        name: Cow::Borrowed(topic.name),
        partitions: topic
            .partitions
            .iter()
            .zip(places)
            .map(|(partition, error_code)| OffsetDeleteResponsePartition {
                partition_index: partition.partition_index,
                error_code,
            })
            .collect(),
    });
    OffsetDeleteResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::messages::offset_delete::OffsetDeleteRequestPartition;
    use crate::server::api::testing;

    #[test]
    fn unknown_partitions_are_told_apart() {
        let catalog = testing::catalog(&[("a", 1)]);
        let partition = |partition_index| OffsetDeleteRequestPartition { partition_index };
        let topic = |name| OffsetDeleteRequestTopic {
            name,
            partitions: vec![partition(1), partition(0)],
        };
        let request = OffsetDeleteRequest {
            group_id: "g",
            topics: vec![topic("gone"), topic("a")],
        };
        let places = places(&catalog, &request);
        assert_eq!(
            there(&request.topics[1], &places[1]).collect::<Vec<_>>(),
            [0]
        );
        let subscribed = ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC;
        let response = respond(&request, places, vec![vec![], vec![subscribed]]);
        let told: Vec<_> = response
            .topics
            .iter()
            .flat_map(|t| t.partitions.iter().map(|p| p.error_code))
            .collect();
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(told, [unknown, unknown, unknown, subscribed]);
    }
}

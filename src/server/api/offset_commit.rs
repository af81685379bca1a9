//! OffsetCommit (8), versions 2-10: how far a group has read. Committed means on disk.
//!
//! - 5: no retention time of its own any more (KIP-211). 6: leader epochs (KIP-320).
//! - 7: static members (KIP-345). 9: also from members of KIP-848, whose epoch counts.
//! - 10: topics by id (KIP-848): UNKNOWN_TOPIC_ID for one that is not there.
//! - Partitions that no topic has are UNKNOWN_TOPIC_OR_PARTITION, each by itself.

use std::borrow::Cow;
use std::sync::Arc;

use super::asking::partition_of;
use super::coordinating::{self, owned};
use crate::catalog::Catalog;
use crate::group::{CommitOffset, CommitRequest, CommitTopic, GroupReply, GroupRequest};
use crate::kafka::ErrorCode;
use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::server::Services;

/// Has the coordinator remember them.
pub async fn handle<'a>(
    services: &Services,
    request: &OffsetCommitRequest<'a>,
    header: &RequestHeader<'_>,
) -> OffsetCommitResponse<'a> {
    let by_id = header.version >= 10;
    let committing = services
        .shard
        .look(|shard| Committing::new(shard.catalog(), request, by_id));
    let verdicts = committing.ask(services, request, header.version).await;
    respond(request, &verdicts)
}

/// A commit on its way: what can be committed, and what is wrong with the rest.
struct Committing {
    topics: Vec<CommitTopic>,
    /// For each topic of the request, for each partition: `NONE` if it is in `topics`.
    places: Vec<Vec<ErrorCode>>,
}

impl Committing {
    fn new(catalog: &Catalog, request: &OffsetCommitRequest<'_>, by_id: bool) -> Committing {
        let mut committing = Committing {
            topics: Vec::new(),
            places: Vec::with_capacity(request.topics.len()),
        };
        for topic in &request.topics {
            committing.topic(catalog, topic, by_id);
        }
        committing
    }

    fn topic(&mut self, catalog: &Catalog, topic: &OffsetCommitRequestTopic<'_>, by_id: bool) {
        let known = match by_id {
            true => catalog.topic_by_id(topic.topic_id),
            false => catalog.topic(topic.name),
        };
        let refusal = |partition: &OffsetCommitRequestPartition<'_>| match known {
            None if by_id => ErrorCode::UNKNOWN_TOPIC_ID,
            known => match partition_of(known, partition.partition_index) {
                Ok(_) => ErrorCode::NONE,
                Err(error) => error,
            },
        };
        let places: Vec<ErrorCode> = topic.partitions.iter().map(refusal).collect();
        let taken = topic.partitions.iter().zip(&places);
        let taken = taken.filter(|(_, refusal)| !refusal.is_error());
        let partitions: Vec<CommitOffset> = taken.map(|(p, _)| offset(p)).collect();
        if let Some(known) = known.filter(|_| !partitions.is_empty()) {
            let name: Arc<str> = known.name.clone();
            self.topics.push(CommitTopic { name, partitions });
        }
        self.places.push(places);
    }

    async fn ask(
        self,
        services: &Services,
        request: &OffsetCommitRequest<'_>,
        version: i16,
    ) -> Vec<Vec<ErrorCode>> {
        if self.topics.is_empty() {
            return self.places;
        }
        let commit = GroupRequest::Commit(CommitRequest {
            group_id: request.group_id.into(),
            generation: request.generation_id_or_member_epoch,
            member_id: request.member_id.into(),
            instance_id: owned(request.group_instance_id),
            knows_missing_groups: version >= 9,
            retention_ms: Some(request.retention_time_ms).filter(|ms| *ms >= 0),
            topics: self.topics,
        });
        let answer = match coordinating::ask(services, request.group_id, commit).await {
            Ok(GroupReply::Commit(verdicts)) => Ok(verdicts),
            Ok(other) => Err(coordinating::unexpected(&other)),
            Err(error) => Err(error),
        };
        merge(self.places, answer)
    }
}

fn offset(partition: &OffsetCommitRequestPartition<'_>) -> CommitOffset {
    CommitOffset {
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.unwrap_or_default().into(),
    }
}

/// Puts the coordinator's verdicts where it was asked, one after the other.
fn merge(
    mut places: Vec<Vec<ErrorCode>>,
    answer: Result<Vec<Vec<ErrorCode>>, ErrorCode>,
) -> Vec<Vec<ErrorCode>> {
    let error = answer.as_ref().err().copied();
    let mut verdicts = answer.into_iter().flatten().flatten();
    for place in places
        .iter_mut()
        .flatten()
        .filter(|place| !place.is_error())
    {
        let unanswered = error.unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR);
        *place = verdicts.next().unwrap_or(unanswered);
    }
    places
}

fn respond<'a>(
    request: &OffsetCommitRequest<'a>,
    verdicts: &[Vec<ErrorCode>],
) -> OffsetCommitResponse<'a> {
    let partition = |(partition, error_code): (&OffsetCommitRequestPartition<'_>, &ErrorCode)| {
        OffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: *error_code,
        }
    };
    let topics = request.topics.iter().zip(verdicts);
    let topics = topics.map(|(topic, verdicts)| OffsetCommitResponseTopic {
        name: Cow::Borrowed(topic.name),
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .zip(verdicts)
            .map(partition)
            .collect(),
    });
    OffsetCommitResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TopicId;
    use crate::server::api::testing;

    fn topic<'a>(name: &'a str, id: u8, partitions: &[i32]) -> OffsetCommitRequestTopic<'a> {
        let partition = |&partition_index: &i32| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: 5,
            ..Default::default()
        };
        OffsetCommitRequestTopic {
            name,
            topic_id: TopicId([id; 16]),
            partitions: partitions.iter().map(partition).collect(),
        }
    }

    #[test]
    fn what_is_unknown_is_refused_by_itself() {
        let catalog = testing::catalog(&[("a", 2), ("b", 1)]);
        let request = OffsetCommitRequest {
            topics: vec![
                topic("gone", 9, &[0]),
                topic("a", 1, &[1, 2]),
                topic("b", 2, &[0, -1]),
            ],
            ..Default::default()
        };
        for (by_id, gone) in [
            (false, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            (true, ErrorCode::UNKNOWN_TOPIC_ID),
        ] {
            let committing = Committing::new(&catalog, &request, by_id);
            let asked: Vec<_> = committing
                .topics
                .iter()
                .map(|t| (&*t.name, t.partitions.len(), t.partitions[0].partition))
                .collect();
            assert_eq!(asked, [("a", 1, 1), ("b", 1, 0)]);
            let answer = Ok(vec![
                vec![ErrorCode::NONE],
                vec![ErrorCode::ILLEGAL_GENERATION],
            ]);
            let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            let expected = [
                vec![gone],
                vec![ErrorCode::NONE, unknown],
                vec![ErrorCode::ILLEGAL_GENERATION, unknown],
            ];
            assert_eq!(merge(committing.places.clone(), answer), expected);
            let elsewhere = merge(committing.places, Err(ErrorCode::NOT_COORDINATOR));
            assert_eq!(elsewhere[1], [ErrorCode::NOT_COORDINATOR, unknown]);
        }
    }
}

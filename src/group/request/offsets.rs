//! What is asked about offsets, and answered.

use std::sync::Arc;

use crate::group::one_group::OFFSET_RECORD_BYTES;
use crate::kafka::ErrorCode;

/// Remembers offsets.
#[derive(Clone, PartialEq, Debug)]
pub struct CommitRequest {
    /// The group.
    pub group_id: Arc<str>,
    /// The round the member is in; negative for a consumer that uses the group for its offsets only.
    pub generation: i32,
    /// The member; empty for such a consumer.
    pub member_id: Arc<str>,
    /// Of a static member.
    pub instance_id: Option<Arc<str>>,
    /// The client knows GROUP_ID_NOT_FOUND as an answer (version 9).
    pub knows_missing_groups: bool,
    /// How long the offsets are to be kept, milliseconds; before version 5 only.
    pub retention_ms: Option<i64>,
    /// The offsets.
    pub topics: Vec<CommitTopic>,
}

impl CommitRequest {
    /// The same verdict for every partition.
    pub fn verdicts(&self, error: ErrorCode) -> Vec<Vec<ErrorCode>> {
        let topics = self.topics.iter();
        topics
            .map(|topic| vec![error; topic.partitions.len()])
            .collect()
    }

    /// Bytes of the records that it leads to, at most.
    pub(in crate::group) fn record_bytes_max(&self) -> usize {
        let topics = self.topics.iter();
        let topic_bytes = |topic: &CommitTopic| -> usize {
            let names = self.group_id.len() + topic.name.len();
            let partitions = topic.partitions.iter();
            partitions
                .map(|p| names + p.metadata.len() + OFFSET_RECORD_BYTES)
                .sum()
        };
        topics.map(topic_bytes).sum()
    }
}

/// The offsets of one topic.
#[derive(Clone, PartialEq, Debug)]
pub struct CommitTopic {
    /// Its name.
    pub name: Arc<str>,
    /// The partitions.
    pub partitions: Vec<CommitOffset>,
}

/// One offset to remember.
#[derive(Clone, PartialEq, Debug)]
pub struct CommitOffset {
    /// The partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// Leader epoch of the last record read, -1 for none (KIP-320).
    pub leader_epoch: i32,
    /// The consumer's own words.
    pub metadata: Arc<str>,
}

/// Asks for offsets.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchOffsetsRequest {
    /// The group.
    pub group_id: Arc<str>,
    /// The member, if it said so (version 9).
    pub member_id: Option<Arc<str>>,
    /// Its epoch, -1 for none (version 9, KIP-848).
    pub member_epoch: i32,
    /// Which; `None` for all.
    pub topics: Option<Vec<TopicPartitions>>,
}

impl FetchOffsetsRequest {
    /// The answer when nothing was ever committed.
    pub(in crate::group) fn nothing(&self) -> FetchOffsetsReply {
        let topics = self.topics.iter().flatten();
        FetchOffsetsReply {
            error: ErrorCode::NONE,
            topics: topics.map(TopicPartitions::without_offsets).collect(),
        }
    }
}

/// Partitions of one topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicPartitions {
    /// Its name.
    pub name: Arc<str>,
    /// The partitions.
    pub partitions: Vec<i32>,
}

impl TopicPartitions {
    fn without_offsets(&self) -> TopicOffsets {
        let partitions = self.partitions.iter();
        TopicOffsets {
            name: self.name.clone(),
            partitions: partitions.map(|&p| FetchedOffset::none(p)).collect(),
        }
    }
}

/// What became of a [`FetchOffsetsRequest`].
#[derive(Clone, PartialEq, Debug)]
pub struct FetchOffsetsReply {
    /// Of the group as a whole.
    pub error: ErrorCode,
    /// In the request's order; by name if all were asked for. Empty on error.
    pub topics: Vec<TopicOffsets>,
}

/// The offsets of one topic.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicOffsets {
    /// Its name.
    pub name: Arc<str>,
    /// The partitions.
    pub partitions: Vec<FetchedOffset>,
}

/// One offset.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchedOffset {
    /// The partition.
    pub partition: i32,
    /// The next offset to read, -1 if none was ever committed.
    pub offset: i64,
    /// Leader epoch of the last record read, -1 for none.
    pub leader_epoch: i32,
    /// The consumer's own words.
    pub metadata: Arc<str>,
}

impl FetchedOffset {
    /// Nothing was committed there.
    pub(in crate::group) fn none(partition: i32) -> FetchedOffset {
        FetchedOffset {
            partition,
            offset: -1,
            leader_epoch: -1,
            metadata: "".into(),
        }
    }
}

/// Forgets offsets.
#[derive(Clone, PartialEq, Debug)]
pub struct DeleteOffsetsRequest {
    /// The group.
    pub group_id: Arc<str>,
    /// Which.
    pub topics: Vec<TopicPartitions>,
}

impl DeleteOffsetsRequest {
    /// Bytes of the records that it leads to, at most.
    pub(in crate::group) fn record_bytes_max(&self) -> usize {
        let topics = self.topics.iter();
        let topic_bytes = |topic: &TopicPartitions| {
            let names = self.group_id.len() + topic.name.len();
            topic.partitions.len() * (names + OFFSET_RECORD_BYTES)
        };
        topics.map(topic_bytes).sum()
    }
}

/// What became of a [`DeleteOffsetsRequest`].
#[derive(Clone, PartialEq, Debug)]
pub struct DeleteOffsetsReply {
    /// Of the group as a whole.
    pub error: ErrorCode,
    /// One verdict for each partition, in the request's order; none when there is an error.
    pub topics: Vec<Vec<ErrorCode>>,
}

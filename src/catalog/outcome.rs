//! What the catalogue answers: one outcome per topic.

use super::configs::ConfigEntry;
use super::error::CatalogError;
use crate::base::TopicId;

/// The answer to a [`super::CatalogRequest`], outcomes in the order asked. A
/// topic named more than once in a request is answered once, with an error
/// (`AutoCreate` takes no offence).
#[derive(Clone, PartialEq, Debug)]
pub enum CatalogReply {
    /// To `CreateTopics`, `AutoCreate` and `CreateOffsetsTopic`.
    Created(Vec<TopicOutcome<CreatedTopic>>),
    /// To `DeleteTopics`.
    Deleted(Vec<DeleteOutcome>),
    /// To `CreatePartitions`.
    PartitionsCreated(Vec<TopicOutcome<()>>),
    /// To `AlterConfigs` and `IncrementalAlterConfigs`.
    ConfigsAltered(ConfigsAltered),
}

/// The outcomes of a change of configs.
pub type ConfigsAltered = Vec<TopicOutcome<()>>;

/// What became of one topic of a request.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicOutcome<T> {
    /// The topic's name as asked.
    pub name: String,
    /// Success or why not.
    pub result: Result<T, CatalogError>,
}

/// A topic that was created, or would have been.
#[derive(Clone, PartialEq, Debug)]
pub struct CreatedTopic {
    /// Its id; [`TopicId::ZERO`] when nothing was created (`validate_only`).
    pub id: TopicId,
    /// Its partition count.
    pub partitions: i32,
    /// The replicas reported for each partition: always 1, the leader.
    pub replication_factor: i16,
    /// Its effective configs, as DescribeConfigs would list them.
    pub configs: Vec<ConfigEntry>,
}

/// How a request names a topic to delete.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct TopicRef {
    /// By name, or `None`.
    pub name: Option<String>,
    /// By id, or [`TopicId::ZERO`].
    pub id: TopicId,
}

/// What became of one topic to delete.
#[derive(Clone, PartialEq, Debug)]
pub struct DeleteOutcome {
    /// The topic as asked, and its other half where the topic exists.
    pub topic: TopicRef,
    /// Success or why not.
    pub result: Result<(), CatalogError>,
}

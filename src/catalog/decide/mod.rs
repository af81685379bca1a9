//! Decisions of the catalogue's writer: a request and the present state in,
//! records and an answer out. Nothing changes here.

mod configs;
mod create;
mod delete;
mod group_configs;
mod offsets_topic;
mod partitions;

use std::collections::{BTreeMap, BTreeSet};

use super::configs::check_topic_configs;
use super::error::{CatalogError, ErrorKind};
use super::name::{self, collision_key};
use super::outcome::{CatalogReply, TopicOutcome};
use super::record::CatalogRecord;
use super::request::CatalogRequest;
use super::state::Catalog;
use crate::base::limits::PARTITIONS_MAX;
use crate::base::{Now, TopicId};

/// What a request leads to.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision {
    /// To append and replay, in this order; none when all was refused or
    /// `validate_only` asked for an answer alone.
    pub records: Vec<CatalogRecord>,
    /// To send when the records are durable and replayed everywhere.
    pub reply: CatalogReply,
}

impl Catalog {
    /// Decides a request. `fresh_ids` gives a new random topic id at each call.
    pub fn decide(
        &self,
        now: Now,
        fresh_ids: &mut dyn FnMut() -> TopicId,
        request: &CatalogRequest,
    ) -> Decision {
        let mut draft = Draft::new(self, now);
        let reply = match request {
            CatalogRequest::CreateTopics {
                topics,
                validate_only,
            } => CatalogReply::Created(draft.create_topics(topics, *validate_only, fresh_ids)),
            CatalogRequest::AutoCreate { names } => {
                CatalogReply::Created(draft.auto_create(names, fresh_ids))
            }
            CatalogRequest::CreateOffsetsTopic => {
                CatalogReply::Created(vec![draft.create_offsets_topic()])
            }
            CatalogRequest::DeleteTopics { topics } => {
                CatalogReply::Deleted(draft.delete_topics(topics))
            }
            CatalogRequest::CreatePartitions { topics, .. } => {
                CatalogReply::PartitionsCreated(draft.create_partitions(topics))
            }
            CatalogRequest::AlterConfigs { topics, .. } => {
                CatalogReply::ConfigsAltered(draft.alter_configs(topics))
            }
            CatalogRequest::IncrementalAlterConfigs { topics, .. } => {
                CatalogReply::ConfigsAltered(draft.incremental_alter_configs(topics))
            }
            CatalogRequest::AlterGroupConfigs { groups, .. } => {
                CatalogReply::ConfigsAltered(draft.alter_group_configs(groups))
            }
        };
        let records = if request.validate_only() {
            Vec::new()
        } else {
            draft.records
        };
        Decision { records, reply }
    }
}

impl CatalogRequest {
    fn validate_only(&self) -> bool {
        match self {
            CatalogRequest::CreateTopics { validate_only, .. }
            | CatalogRequest::CreatePartitions { validate_only, .. }
            | CatalogRequest::AlterConfigs { validate_only, .. }
            | CatalogRequest::IncrementalAlterConfigs { validate_only, .. }
            | CatalogRequest::AlterGroupConfigs { validate_only, .. } => *validate_only,
            CatalogRequest::AutoCreate { .. }
            | CatalogRequest::CreateOffsetsTopic
            | CatalogRequest::DeleteTopics { .. } => false,
        }
    }
}

/// A decision in the making: the state, and what this request added to it so far.
struct Draft<'a> {
    catalog: &'a Catalog,
    now: Now,
    records: Vec<CatalogRecord>,
    /// Collision keys of the topics created so far.
    collisions: BTreeSet<String>,
    /// Partitions created so far.
    partitions: usize,
}

impl<'a> Draft<'a> {
    fn new(catalog: &'a Catalog, now: Now) -> Self {
        let (records, collisions) = (Vec::new(), BTreeSet::new());
        Draft {
            catalog,
            now,
            records,
            collisions,
            partitions: 0,
        }
    }

    /// Checks a new topic's name by itself and against the others.
    fn check_new_name(&self, name: &str) -> Result<(), CatalogError> {
        name::validate(name)?;
        if name == name::CLUSTER_METADATA || name == name::OFFSETS_TOPIC {
            let message = format!("Creation of the internal topic {name} is prohibited.");
            return Err(CatalogError::new(ErrorKind::InvalidRequest, message));
        }
        let other = match (self.catalog.colliding(name), collision_key(name)) {
            (Some(other), _) => other,
            (None, Some(key)) if self.collisions.contains(&key) => "one of the same request",
            _ => return Ok(()),
        };
        let message = format!(
            "Topic '{name}' collides with an existing topic, {other}: names may not differ in \
             '.' and '_' alone."
        );
        Err(CatalogError::new(ErrorKind::InvalidTopic, message))
    }

    /// Whether the host has room for `added` more partitions.
    fn check_room(&self, added: i32) -> Result<usize, CatalogError> {
        let added = usize::try_from(added).unwrap_or(usize::MAX);
        let present = self.catalog.partition_count() + self.partitions;
        if added > PARTITIONS_MAX.saturating_sub(present) {
            let message = format!(
                "{added} more partitions would pass this broker's limit of {PARTITIONS_MAX}; it \
                 has {present}."
            );
            return Err(CatalogError::new(ErrorKind::PolicyViolation, message));
        }
        Ok(added)
    }

    fn check_configs(&self, configs: &BTreeMap<String, String>) -> Result<(), CatalogError> {
        check_topic_configs(&self.catalog.defaults, configs)
    }
}

/// Asks `decide` about each item, and answers those that a request names more
/// than once with INVALID_REQUEST, once.
fn each_once<I, T>(
    items: &[I],
    name_of: impl Fn(&I) -> &str,
    mut decide: impl FnMut(&I) -> Result<T, CatalogError>,
) -> Vec<TopicOutcome<T>> {
    let mut seen = BTreeSet::new();
    let repeated: BTreeSet<&str> = items
        .iter()
        .map(&name_of)
        .filter(|name| !seen.insert(*name))
        .collect();
    let mut answered = BTreeSet::new();
    let mut outcomes = Vec::new();
    for item in items {
        let name = name_of(item);
        let result = if !repeated.contains(name) {
            decide(item)
        } else if answered.insert(name) {
            let message = "The request names this topic more than once.";
            Err(CatalogError::new(ErrorKind::InvalidRequest, message))
        } else {
            continue;
        };
        outcomes.push(TopicOutcome {
            name: name.to_owned(),
            result,
        });
    }
    outcomes
}

fn unknown_topic() -> CatalogError {
    let message = "This server does not host this topic.";
    CatalogError::new(ErrorKind::UnknownTopicOrPartition, message)
}

/// Checks the shape of a manual assignment of one partition: some brokers, each
/// once, as many as `expected` where partitions before it had so many.
fn check_brokers(brokers: &[i32], expected: Option<usize>) -> Result<usize, CatalogError> {
    let invalid = |message: String| {
        Err(CatalogError::new(
            ErrorKind::InvalidReplicaAssignment,
            message,
        ))
    };
    if brokers.is_empty() {
        return invalid("A partition's manual assignment names no broker.".to_owned());
    }
    let mut seen = BTreeSet::new();
    if let Some(broker) = brokers.iter().find(|broker| !seen.insert(**broker)) {
        return invalid(format!(
            "A partition's manual assignment names broker {broker} twice."
        ));
    }
    match expected {
        Some(expected) if expected != brokers.len() => invalid(format!(
            "A partition's manual assignment has {} replicas where others have {expected}.",
            brokers.len()
        )),
        _ => Ok(brokers.len()),
    }
}

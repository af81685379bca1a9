//! CreateTopics and creation on first use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Draft, check_brokers, each_once};
use crate::base::TopicId;
use crate::base::limits::TOPIC_PARTITIONS_MAX;
use crate::catalog::configs::describe_topic;
use crate::catalog::error::{CatalogError, ErrorKind};
use crate::catalog::name::collision_key;
use crate::catalog::outcome::{CreatedTopic, TopicOutcome};
use crate::catalog::record::CatalogRecord;
use crate::catalog::request::{Assignment, NewTopic};

/// The replicas reported of any partition: its leader.
const REPLICATION_FACTOR: i16 = 1;

impl Draft<'_> {
    pub(super) fn create_topics(
        &mut self,
        topics: &[NewTopic],
        validate_only: bool,
        fresh_ids: &mut dyn FnMut() -> TopicId,
    ) -> Vec<TopicOutcome<CreatedTopic>> {
        each_once(
            topics,
            |topic| &topic.name,
            |topic| {
                self.create_topic(topic, &mut || match validate_only {
                    true => TopicId::ZERO,
                    false => fresh_ids(),
                })
            },
        )
    }

    /// A name that is asked for twice is answered once: no harm is meant by it.
    pub(super) fn auto_create(
        &mut self,
        names: &[String],
        fresh_ids: &mut dyn FnMut() -> TopicId,
    ) -> Vec<TopicOutcome<CreatedTopic>> {
        let mut seen = BTreeSet::new();
        let mut outcomes = Vec::new();
        for name in names.iter().filter(|name| seen.insert(*name)) {
            let result = match self.catalog.topic(name) {
                Some(topic) => Ok(self.created(topic.id, topic.partitions, &topic.configs)),
                None => {
                    let name = name.clone();
                    let (partitions, replication_factor) = (-1, -1);
                    let topic = NewTopic {
                        name,
                        partitions,
                        replication_factor,
                        ..NewTopic::default()
                    };
                    self.create_topic(&topic, fresh_ids)
                }
            };
            outcomes.push(TopicOutcome {
                name: name.clone(),
                result,
            });
        }
        outcomes
    }

    fn create_topic(
        &mut self,
        topic: &NewTopic,
        fresh_id: &mut dyn FnMut() -> TopicId,
    ) -> Result<CreatedTopic, CatalogError> {
        if self.catalog.topic(&topic.name).is_some() {
            let message = format!("Topic '{}' already exists.", topic.name);
            return Err(CatalogError::new(ErrorKind::TopicAlreadyExists, message));
        }
        self.check_new_name(&topic.name)?;
        let configs = overrides(&topic.configs)?;
        self.check_configs(&configs)?;
        let partitions = if topic.assignments.is_empty() {
            check_counts(topic, self.catalog.defaults.partitions)?
        } else {
            check_assignments(topic)?
        };
        if partitions > TOPIC_PARTITIONS_MAX {
            let message = format!(
                "{partitions} partitions are more than a topic may have here, {TOPIC_PARTITIONS_MAX}."
            );
            return Err(CatalogError::new(ErrorKind::PolicyViolation, message));
        }
        self.partitions += self.check_room(partitions)?;
        self.collisions.extend(collision_key(&topic.name));

        let id = fresh_id();
        let created = self.created(id, partitions, &configs);
        self.records.push(CatalogRecord::TopicCreated {
            topic: id,
            name: Arc::from(topic.name.as_str()),
            partitions,
            configs,
            created_ms: self.now.wall_ms,
        });
        Ok(created)
    }

    pub(super) fn created(
        &self,
        id: TopicId,
        partitions: i32,
        configs: &BTreeMap<String, String>,
    ) -> CreatedTopic {
        let configs = describe_topic(&self.catalog.defaults.configs, configs, None);
        CreatedTopic {
            id,
            partitions,
            replication_factor: REPLICATION_FACTOR,
            configs,
        }
    }
}

/// The overrides of a creation; the last of two of one name counts, as in Kafka.
fn overrides(
    configs: &[(String, Option<String>)],
) -> Result<BTreeMap<String, String>, CatalogError> {
    let value = |(name, value): &(String, Option<String>)| match value {
        Some(value) => Ok((name.clone(), value.clone())),
        None => {
            let message = format!("Null value not supported for topic config: {name}");
            Err(CatalogError::new(ErrorKind::InvalidConfig, message))
        }
    };
    configs.iter().map(value).collect()
}

/// The partition count of a topic without assignments.
fn check_counts(topic: &NewTopic, default_partitions: i32) -> Result<i32, CatalogError> {
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        let message = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(CatalogError::new(
            ErrorKind::InvalidReplicationFactor,
            message,
        ));
    }
    match topic.partitions {
        -1 => Ok(default_partitions),
        partitions if partitions > 0 => Ok(partitions),
        _ => {
            let message = "Number of partitions must be larger than 0, or -1 to use the default.";
            Err(CatalogError::new(ErrorKind::InvalidPartitions, message))
        }
    }
}

/// The partition count that manual assignments amount to.
fn check_assignments(topic: &NewTopic) -> Result<i32, CatalogError> {
    let conflict = |what: &str| {
        let message = format!("A manual assignment was given, so the {what} must be -1.");
        Err(CatalogError::new(ErrorKind::InvalidRequest, message))
    };
    if topic.replication_factor != -1 {
        return conflict("replication factor");
    }
    if topic.partitions != -1 {
        return conflict("partition count");
    }
    let invalid = |message: String| CatalogError::new(ErrorKind::InvalidReplicaAssignment, message);
    let mut factor = None;
    let mut partitions = BTreeSet::new();
    for Assignment { partition, brokers } in &topic.assignments {
        if !partitions.insert(*partition) {
            return Err(invalid(format!(
                "Partition {partition} is assigned more than once."
            )));
        }
        factor = Some(check_brokers(brokers, factor)?);
    }
    let is_dense = (0i32..)
        .zip(&partitions)
        .all(|(expected, partition)| expected == *partition);
    if !is_dense {
        return Err(invalid(
            "Assigned partitions must be numbered from 0 without gaps.".to_owned(),
        ));
    }
    // More than i32 can count is refused by the caller's limit.
    Ok(i32::try_from(partitions.len()).unwrap_or(i32::MAX))
}

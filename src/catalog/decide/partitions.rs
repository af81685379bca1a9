//! CreatePartitions.

use std::cmp::Ordering;

use super::offsets_topic::refuse_own;
use super::{Draft, check_brokers, each_once, unknown_topic};
use crate::base::TopicId;
use crate::base::limits::TOPIC_PARTITIONS_MAX;
use crate::catalog::error::{CatalogError, ErrorKind};
use crate::catalog::outcome::TopicOutcome;
use crate::catalog::record::CatalogRecord;
use crate::catalog::request::GrowTopic;

impl Draft<'_> {
    pub(super) fn create_partitions(&mut self, topics: &[GrowTopic]) -> Vec<TopicOutcome<()>> {
        each_once(topics, |topic| &topic.name, |topic| self.grow(topic))
    }

    fn grow(&mut self, asked: &GrowTopic) -> Result<(), CatalogError> {
        let topic = self.catalog.topic(&asked.name).ok_or_else(unknown_topic)?;
        if topic.id == TopicId::OFFSETS {
            return Err(refuse_own(topic, "grown"));
        }
        let (name, present, count) = (&asked.name, topic.partitions, asked.count);
        let message = match count.cmp(&present) {
            Ordering::Greater => None,
            Ordering::Equal => Some(format!("Topic already has {present} partition(s).")),
            Ordering::Less => Some(format!(
                "The topic {name} currently has {present} partition(s); {count} would not be an \
                 increase."
            )),
        };
        if let Some(message) = message {
            return Err(CatalogError::new(ErrorKind::InvalidPartitions, message));
        }
        if count > TOPIC_PARTITIONS_MAX {
            let message = format!(
                "{count} partitions are more than a topic may have here, {TOPIC_PARTITIONS_MAX}."
            );
            return Err(CatalogError::new(ErrorKind::PolicyViolation, message));
        }
        let added = count - present;
        if let Some(assignments) = &asked.assignments {
            check_assignments(added, assignments)?;
        }
        self.partitions += self.check_room(added)?;
        self.records.push(CatalogRecord::PartitionsAdded {
            topic: topic.id,
            partitions: count,
        });
        Ok(())
    }
}

fn check_assignments(added: i32, assignments: &[Vec<i32>]) -> Result<(), CatalogError> {
    if usize::try_from(added) != Ok(assignments.len()) {
        let message = format!(
            "{added} partition(s) would be added, but {} assignment(s) were given.",
            assignments.len()
        );
        return Err(CatalogError::new(
            ErrorKind::InvalidReplicaAssignment,
            message,
        ));
    }
    let mut factor = None;
    for brokers in assignments {
        factor = Some(check_brokers(brokers, factor)?);
    }
    Ok(())
}

//! `__consumer_offsets`: created by the broker alone, and kept from changes that would harm
//! it. Kafka lets an administrator delete it, grow it and have it expire, and the groups
//! are lost or go to other coordinators then; here such requests are refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Draft;
use crate::base::TopicId;
use crate::base::limits::OFFSETS_PARTITIONS;
use crate::catalog::configs::{list_elements, topic_config};
use crate::catalog::error::{CatalogError, ErrorKind};
use crate::catalog::name::{OFFSETS_TOPIC, collision_key};
use crate::catalog::outcome::{CreatedTopic, TopicOutcome};
use crate::catalog::record::CatalogRecord;
use crate::catalog::state::Topic;

/// What Kafka creates it with.
const CONFIGS: [(&str, &str); 3] = [
    ("cleanup.policy", "compact"),
    ("compression.type", "producer"),
    ("segment.bytes", "104857600"),
];

impl Draft<'_> {
    /// Two shards may ask for it at once: that it is there by now is a success.
    pub(super) fn create_offsets_topic(&mut self) -> TopicOutcome<CreatedTopic> {
        TopicOutcome {
            name: OFFSETS_TOPIC.to_owned(),
            result: self.offsets_topic(),
        }
    }

    fn offsets_topic(&mut self) -> Result<CreatedTopic, CatalogError> {
        if let Some(topic) = self.catalog.topic_by_id(TopicId::OFFSETS) {
            return Ok(self.created(topic.id, topic.partitions, &topic.configs));
        }
        let taken = self.catalog.topic(OFFSETS_TOPIC).map(|topic| &*topic.name);
        if let Some(other) = taken.or(self.catalog.colliding(OFFSETS_TOPIC)) {
            let message = format!("Topic '{other}' is in the way of {OFFSETS_TOPIC}.");
            return Err(CatalogError::new(ErrorKind::InvalidTopic, message));
        }
        self.partitions += self.check_room(OFFSETS_PARTITIONS)?;
        self.collisions.extend(collision_key(OFFSETS_TOPIC));
        let configs = CONFIGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let configs = BTreeMap::from(configs);
        let created = self.created(TopicId::OFFSETS, OFFSETS_PARTITIONS, &configs);
        self.records.push(CatalogRecord::TopicCreated {
            topic: TopicId::OFFSETS,
            name: Arc::from(OFFSETS_TOPIC),
            partitions: OFFSETS_PARTITIONS,
            configs,
            created_ms: self.now.wall_ms,
        });
        Ok(created)
    }
}

/// The answer to whoever would delete or grow the broker's own topic.
pub(super) fn refuse_own(topic: &Topic, change: &str) -> CatalogError {
    let message = format!("The internal topic {} cannot be {change}.", topic.name);
    CatalogError::new(ErrorKind::InvalidTopic, message)
}

/// Refuses configs under which the broker's own topic would lose what it is for.
pub(super) fn check_own_configs(
    topic: &Topic,
    configs: &BTreeMap<String, String>,
) -> Result<(), CatalogError> {
    if topic.id != TopicId::OFFSETS {
        return Ok(());
    }
    let default = topic_config("cleanup.policy").map_or("", |config| config.default);
    let policy = configs
        .get("cleanup.policy")
        .map_or(default, String::as_str);
    if list_elements(policy) == ["compact"] {
        return Ok(());
    }
    let message = format!(
        "cleanup.policy of the internal topic {} must be compact.",
        topic.name
    );
    Err(CatalogError::new(ErrorKind::PolicyViolation, message))
}

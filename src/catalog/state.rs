//! The catalogue's state, how it is read, and the one way it changes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::configs::{self, ConfigEntry};
use super::name::{collision_key, is_internal};
use super::record::CatalogRecord;
use crate::base::limits::BATCH_BYTES_MAX;
use crate::base::{LogConfig, TopicId};

/// What the broker's configuration says about topics. Not part of the log: a
/// restart with other settings gives every topic other defaults, as in Kafka.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerDefaults {
    /// `num.partitions`: the partition count of a topic that asks for none.
    pub partitions: i32,
    /// The most `max.message.bytes` a topic may ask for, bytes.
    pub max_message_bytes_max: u32,
    /// Broker configs under Kafka's names (`log.retention.ms` ...); those that
    /// are a topic config's synonym are its default.
    pub configs: BTreeMap<String, String>,
}

impl Default for BrokerDefaults {
    /// Kafka's defaults and our largest batch.
    fn default() -> Self {
        BrokerDefaults {
            partitions: 1,
            max_message_bytes_max: BATCH_BYTES_MAX as u32,
            configs: BTreeMap::new(),
        }
    }
}

/// One topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    /// Its identity; a topic deleted and created again has another.
    pub id: TopicId,
    /// Its name; cheap to clone, and it may cross cores.
    pub name: Arc<str>,
    /// Its partitions are `0..partitions`.
    pub partitions: i32,
    /// The overrides, as clients wrote them.
    pub configs: BTreeMap<String, String>,
    /// What overrides and defaults amount to.
    pub log: LogConfig,
    /// Whether Kafka calls a topic of this name internal.
    pub internal: bool,
    /// When it was created, wall clock, milliseconds.
    pub created_ms: i64,
}

/// What a replayed record means to a shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing: the record repeated what was so, or spoke of a topic that is gone.
    None,
    /// Partitions `0..partitions` come into being.
    TopicCreated {
        /// The topic.
        topic: TopicId,
        /// Its partition count.
        partitions: i32,
        /// Settings of its logs.
        log: LogConfig,
    },
    /// The topic and its partitions `0..partitions` are gone.
    TopicDeleted {
        /// The topic.
        topic: TopicId,
        /// Its last partition count.
        partitions: i32,
    },
    /// More partitions come into being.
    PartitionsAdded {
        /// The topic.
        topic: TopicId,
        /// The new ones.
        added: Range<i32>,
        /// Settings of their logs.
        log: LogConfig,
    },
    /// The settings of all logs of a topic are now these.
    ConfigChanged {
        /// The topic.
        topic: TopicId,
        /// The settings.
        log: LogConfig,
    },
}

/// All topics and the configs of groups, on the writer or on a replica.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Catalog {
    pub(super) defaults: BrokerDefaults,
    topics: BTreeMap<TopicId, Topic>,
    names: BTreeMap<Arc<str>, TopicId>,
    /// By [`collision_key`], for the names that have one.
    collisions: BTreeMap<String, Arc<str>>,
    partitions: usize,
    /// Overrides of groups, of those that have any.
    groups: BTreeMap<Arc<str>, BTreeMap<String, String>>,
}

/// The overrides of whoever has none.
static NO_CONFIGS: BTreeMap<String, String> = BTreeMap::new();

impl Catalog {
    /// An empty catalogue.
    pub fn new(defaults: BrokerDefaults) -> Self {
        Catalog {
            defaults,
            ..Catalog::default()
        }
    }

    /// The topic of this name.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.names.get(name).and_then(|id| self.topics.get(id))
    }

    /// The topic of this id.
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Topic> {
        self.topics.get(&id)
    }

    /// All topics in the order of their names.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.names.values().filter_map(|id| self.topics.get(id))
    }

    /// The topics from `first` on, in the order of their names: to go on where a
    /// page ended.
    pub fn topics_from<'a>(&'a self, first: &str) -> impl Iterator<Item = &'a Topic> + use<'a> {
        let range = (std::ops::Bound::Included(first), std::ops::Bound::Unbounded);
        self.names
            .range::<str, _>(range)
            .filter_map(|(_, id)| self.topics.get(id))
    }

    /// How many topics there are.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// How many partitions there are, all topics together.
    pub fn partition_count(&self) -> usize {
        self.partitions
    }

    /// The configs of a topic, or those named in `keys`.
    pub fn describe_configs(&self, topic: &Topic, keys: Option<&[String]>) -> Vec<ConfigEntry> {
        configs::describe_topic(&self.defaults.configs, &topic.configs, keys)
    }

    /// The overrides of a group.
    pub fn group_configs(&self, group: &str) -> &BTreeMap<String, String> {
        self.groups.get(group).unwrap_or(&NO_CONFIGS)
    }

    /// The groups that have overrides.
    pub fn groups_with_configs(&self) -> impl Iterator<Item = &Arc<str>> {
        self.groups.keys()
    }

    /// The configs of a group, or those named in `keys`.
    pub fn describe_group_configs(&self, group: &str, keys: Option<&[String]>) -> Vec<ConfigEntry> {
        configs::describe_group(&self.defaults.configs, self.group_configs(group), keys)
    }

    /// Records whose replay into an empty catalogue gives this one: how a log
    /// that grew long is shortened. Replaying them over this one changes nothing.
    pub fn snapshot(&self) -> Vec<CatalogRecord> {
        let record = |topic: &Topic| CatalogRecord::TopicCreated {
            topic: topic.id,
            name: topic.name.clone(),
            partitions: topic.partitions,
            configs: topic.configs.clone(),
            created_ms: topic.created_ms,
        };
        let groups = self
            .groups
            .iter()
            .map(|(group, configs)| CatalogRecord::GroupConfigSet {
                group: group.clone(),
                configs: configs.clone(),
            });
        self.topics().map(record).chain(groups).collect()
    }

    /// The existing topic whose name differs from `name` only in '.' and '_'.
    pub(super) fn colliding(&self, name: &str) -> Option<&str> {
        let other = self.collisions.get(&collision_key(name)?)?;
        (&**other != name).then_some(&**other)
    }

    /// Applies a record. The only way a catalogue changes; never fails, whatever
    /// the order: what makes no sense changes nothing.
    pub fn replay(&mut self, record: &CatalogRecord) -> Change {
        let change = match record {
            CatalogRecord::TopicCreated {
                topic,
                name,
                partitions,
                configs,
                created_ms,
            } => self.replay_created(*topic, name, *partitions, configs, *created_ms),
            CatalogRecord::TopicDeleted { topic } => self.replay_deleted(*topic),
            CatalogRecord::PartitionsAdded { topic, partitions } => {
                self.replay_partitions(*topic, *partitions)
            }
            CatalogRecord::ConfigSet { topic, configs } => self.replay_configs(*topic, configs),
            CatalogRecord::GroupConfigSet { group, configs } => {
                match configs.is_empty() {
                    true => self.groups.remove(group),
                    false => self.groups.insert(group.clone(), configs.clone()),
                };
                // Coordinators look at what is set at each heartbeat.
                Change::None
            }
        };
        self.assert_invariants();
        change
    }

    fn replay_created(
        &mut self,
        id: TopicId,
        name: &Arc<str>,
        partitions: i32,
        configs: &BTreeMap<String, String>,
        created_ms: i64,
    ) -> Change {
        // A snapshot behind the records it stands for repeats what is so already;
        // that one of two names must not be is the writer's to decide.
        let is_taken = self.names.contains_key(name) || self.colliding(name).is_some();
        if is_taken || self.topics.contains_key(&id) {
            return Change::None;
        }
        let log = configs::log_config(&self.defaults.configs, configs);
        let topic = Topic {
            id,
            name: name.clone(),
            partitions,
            configs: configs.clone(),
            log,
            internal: is_internal(name),
            created_ms,
        };
        self.partitions += usize::try_from(partitions).unwrap_or(0);
        self.names.insert(name.clone(), id);
        if let Some(key) = collision_key(name) {
            self.collisions.insert(key, name.clone());
        }
        self.topics.insert(id, topic);
        Change::TopicCreated {
            topic: id,
            partitions,
            log,
        }
    }

    fn replay_deleted(&mut self, id: TopicId) -> Change {
        let Some(topic) = self.topics.remove(&id) else {
            return Change::None;
        };
        self.partitions -= usize::try_from(topic.partitions).unwrap_or(0);
        self.names.remove(&topic.name);
        if let Some(key) = collision_key(&topic.name) {
            self.collisions.remove(&key);
        }
        Change::TopicDeleted {
            topic: id,
            partitions: topic.partitions,
        }
    }

    fn replay_partitions(&mut self, id: TopicId, partitions: i32) -> Change {
        match self.topics.get_mut(&id) {
            Some(topic) if partitions > topic.partitions => {
                let added = topic.partitions..partitions;
                topic.partitions = partitions;
                self.partitions += added.len();
                Change::PartitionsAdded {
                    topic: id,
                    added,
                    log: topic.log,
                }
            }
            _ => Change::None,
        }
    }

    fn replay_configs(&mut self, id: TopicId, configs: &BTreeMap<String, String>) -> Change {
        let Some(topic) = self.topics.get_mut(&id) else {
            return Change::None;
        };
        topic.configs.clone_from(configs);
        let log = configs::log_config(&self.defaults.configs, configs);
        if log == topic.log {
            return Change::None;
        }
        topic.log = log;
        Change::ConfigChanged { topic: id, log }
    }

    fn assert_invariants(&self) {
        assert_eq!(self.topics.len(), self.names.len(), "one name to a topic");
        assert!(
            self.collisions.len() <= self.names.len(),
            "a collision key has its name"
        );
    }
}

//! Topic and broker configs as data: every topic config of Kafka 4.2 with its
//! type, default, valid values and broker-level synonym, how a value is checked,
//! what the values mean to a log, and how they are described to a client.
//!
//! A value is stored as the client wrote it and interpreted when it is used.

mod broker;
mod check;
mod describe;
mod effective;
mod group;
mod table;
mod value;

pub use broker::{BROKER_CONFIGS, BrokerConfig, describe_broker, refuse_broker_change};
pub use check::{check_topic_configs, refuse_unenforced};
pub use describe::{ConfigEntry, ConfigSource, ConfigSynonym};
pub use effective::log_config;
pub use group::{GroupTimeouts, check_group_configs};
pub use table::{TOPIC_CONFIGS, topic_config};
pub use value::{ConfigKind, ConfigValue, list_elements, parse};

pub(super) use describe::describe_topic;
pub(super) use group::describe_group;

/// One config of a topic, or of a group, in Kafka.
#[derive(Clone, Copy, Debug)]
pub struct TopicConfig {
    /// Kafka's name.
    pub name: &'static str,
    /// Kafka's type.
    pub kind: ConfigKind,
    /// The default where neither topic nor broker sets it.
    pub default: &'static str,
    /// The values allowed beyond what the type says.
    pub valid: Valid,
    /// The broker config that sets the default for all topics, if there is one
    /// (Kafka's `ServerTopicConfigSynonyms`).
    pub broker: Option<&'static str>,
    /// What it means here, for DescribeConfigs.
    pub doc: &'static str,
}

/// Which values of a type are allowed (Kafka's `ConfigDef.Validator`).
#[derive(Clone, Copy, Debug)]
pub enum Valid {
    /// All of the type.
    Any,
    /// Numbers from this one.
    AtLeast(i64),
    /// Numbers from the first to the second.
    Between(i64, i64),
    /// -1, or numbers from the first to the second.
    DefaultOrBetween(i64, i64),
    /// Fractions from 0 to 1.
    Fraction,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of these words without repetition, possibly empty.
    ListOf(&'static [&'static str]),
    /// `*`, or pairs `partition:broker` (Kafka's `ThrottledReplicaListValidator`).
    ThrottledReplicas,
}

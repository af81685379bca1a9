//! Broker configs, in Kafka's names, for DescribeConfigs of a broker. Their
//! values are the running broker's settings and fixed until it restarts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::describe::{ConfigEntry, ConfigSource, ConfigSynonym, is_wanted};
use super::table::TOPIC_CONFIGS;
use super::value::ConfigKind;
use crate::catalog::error::{CatalogError, ErrorKind};

/// One broker config that is no mere default for topics.
#[derive(Clone, Copy, Debug)]
pub struct BrokerConfig {
    /// Kafka's name.
    pub name: &'static str,
    /// Kafka's type.
    pub kind: ConfigKind,
    /// The value if the settings have none; `None` is null.
    pub default: Option<&'static str>,
    /// What it means here.
    pub doc: &'static str,
}

const fn config(
    name: &'static str,
    kind: ConfigKind,
    default: Option<&'static str>,
    doc: &'static str,
) -> BrokerConfig {
    BrokerConfig {
        name,
        kind,
        default,
        doc,
    }
}

/// The broker configs that mean something here, beside the defaults for topics.
pub const BROKER_CONFIGS: &[BrokerConfig] = &[
    config(
        "advertised.listeners",
        ConfigKind::List,
        None,
        "The addresses clients are told.",
    ),
    config(
        "auto.create.topics.enable",
        ConfigKind::Boolean,
        Some("true"),
        "Whether a client's Metadata request creates the topics it names.",
    ),
    config("broker.id", ConfigKind::Int, None, "This node's id."),
    config(
        "connections.max.idle.ms",
        ConfigKind::Long,
        Some("600000"),
        "How long a connection may send nothing while it waits for no answer; -1 is no bound.",
    ),
    config(
        "default.replication.factor",
        ConfigKind::Int,
        Some("1"),
        "The replication factor of new topics. Other factors are accepted; one replica is kept.",
    ),
    config(
        "delete.topic.enable",
        ConfigKind::Boolean,
        Some("true"),
        "Whether topics can be deleted.",
    ),
    config(
        "fetch.max.bytes",
        ConfigKind::Int,
        Some("57671680"),
        "The most bytes one Fetch response carries.",
    ),
    config(
        "group.consumer.assignors",
        ConfigKind::List,
        Some("uniform,range"),
        "The assignors that members of KIP-848 groups may ask for.",
    ),
    config(
        "group.consumer.heartbeat.interval.ms",
        ConfigKind::Int,
        Some("5000"),
        "How often members of a KIP-848 group are to be heard of.",
    ),
    config(
        "group.consumer.max.heartbeat.interval.ms",
        ConfigKind::Int,
        Some("15000"),
        "The longest heartbeat interval that a KIP-848 group may be given.",
    ),
    config(
        "group.consumer.max.session.timeout.ms",
        ConfigKind::Int,
        Some("60000"),
        "The longest session timeout that a KIP-848 group may be given.",
    ),
    config(
        "group.consumer.max.size",
        ConfigKind::Int,
        Some("2147483647"),
        "The most members of one KIP-848 group.",
    ),
    config(
        "group.consumer.min.heartbeat.interval.ms",
        ConfigKind::Int,
        Some("5000"),
        "The shortest heartbeat interval that a KIP-848 group may be given.",
    ),
    config(
        "group.consumer.min.session.timeout.ms",
        ConfigKind::Int,
        Some("45000"),
        "The shortest session timeout that a KIP-848 group may be given.",
    ),
    config(
        "group.consumer.session.timeout.ms",
        ConfigKind::Int,
        Some("45000"),
        "A member of a KIP-848 group that is silent for so long is taken for gone.",
    ),
    config(
        "group.initial.rebalance.delay.ms",
        ConfigKind::Int,
        Some("3000"),
        "How long the first rebalance of an empty group waits for more members.",
    ),
    config(
        "group.max.session.timeout.ms",
        ConfigKind::Int,
        Some("1800000"),
        "The longest session timeout that a member of a group may ask for.",
    ),
    config(
        "group.max.size",
        ConfigKind::Int,
        Some("2147483647"),
        "The most members of one group.",
    ),
    config(
        "group.min.session.timeout.ms",
        ConfigKind::Int,
        Some("6000"),
        "The shortest session timeout that a member of a group may ask for.",
    ),
    config(
        "listeners",
        ConfigKind::List,
        None,
        "The addresses this node listens on.",
    ),
    config("log.dirs", ConfigKind::List, None, "The data directory."),
    config(
        "log.retention.check.interval.ms",
        ConfigKind::Long,
        Some("300000"),
        "How often expired records are looked for.",
    ),
    config(
        "max.incremental.fetch.session.cache.slots",
        ConfigKind::Int,
        Some("1000"),
        "The most fetch sessions on one shard (KIP-227).",
    ),
    config("node.id", ConfigKind::Int, None, "This node's id."),
    config(
        "num.partitions",
        ConfigKind::Int,
        Some("1"),
        "The partition count of new topics.",
    ),
    config(
        "offset.metadata.max.bytes",
        ConfigKind::Int,
        Some("4096"),
        "The most bytes of text that a client may commit with an offset.",
    ),
    config(
        "offsets.retention.minutes",
        ConfigKind::Int,
        Some("10080"),
        "How long committed offsets are kept once nobody uses them.",
    ),
    config(
        "offsets.topic.num.partitions",
        ConfigKind::Int,
        Some("50"),
        "The partitions of __consumer_offsets. Fixed: another number would send groups elsewhere.",
    ),
    config(
        "producer.id.expiration.ms",
        ConfigKind::Int,
        Some("86400000"),
        "After how long an idle idempotent producer is forgotten.",
    ),
    config(
        "socket.request.max.bytes",
        ConfigKind::Int,
        Some("104857600"),
        "The largest request accepted, bytes.",
    ),
];

/// The configs of a broker, or those named in `keys`. `values` holds the running
/// broker's settings under Kafka's names.
pub fn describe_broker(
    values: &BTreeMap<String, String>,
    keys: Option<&[String]>,
) -> Vec<ConfigEntry> {
    let own = BROKER_CONFIGS.iter().copied();
    let for_topics = TOPIC_CONFIGS.iter().filter_map(|topic| {
        topic
            .broker
            .map(|name| config(name, topic.kind, Some(topic.default), topic.doc))
    });
    let mut entries: Vec<_> = own
        .chain(for_topics)
        .filter(|config| is_wanted(keys, config.name))
        .map(|config| entry(config, values.get(config.name)))
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

fn entry(config: BrokerConfig, value: Option<&String>) -> ConfigEntry {
    let default = config.default.map(str::to_owned);
    let chosen = value.filter(|value| Some(value.as_str()) != config.default);
    let mut synonyms = Vec::new();
    if let Some(value) = chosen {
        let value = Some(value.clone());
        synonyms.push(ConfigSynonym {
            name: config.name,
            value,
            source: ConfigSource::StaticBroker,
        });
    }
    if default.is_some() {
        let value = default.clone();
        synonyms.push(ConfigSynonym {
            name: config.name,
            value,
            source: ConfigSource::Default,
        });
    }
    ConfigEntry {
        name: Cow::Borrowed(config.name),
        value: chosen.cloned().or(default),
        source: if chosen.is_some() {
            ConfigSource::StaticBroker
        } else {
            ConfigSource::Default
        },
        kind: config.kind,
        read_only: true,
        synonyms,
        documentation: config.doc,
    }
}

/// The answer to a request that would change a broker's config.
pub fn refuse_broker_change() -> CatalogError {
    CatalogError::new(
        ErrorKind::InvalidRequest,
        "Broker configs cannot be changed while the broker runs: set them on the command line, \
         in the environment or in the configuration file, and restart.",
    )
}

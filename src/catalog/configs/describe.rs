//! Configs as DescribeConfigs and CreateTopics list them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::TopicConfig;
use super::table::TOPIC_CONFIGS;
use super::value::ConfigKind;

/// Where a config's value comes from (Kafka's `ConfigSource`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigSource {
    /// The topic overrides it.
    Topic,
    /// The group overrides it.
    Group,
    /// The broker's configuration sets it.
    StaticBroker,
    /// Nobody sets it.
    Default,
}

impl ConfigSource {
    /// The code in DescribeConfigs and CreateTopics responses.
    pub const fn code(self) -> i8 {
        match self {
            ConfigSource::Topic => 1,
            ConfigSource::Group => 8,
            ConfigSource::StaticBroker => 4,
            ConfigSource::Default => 5,
        }
    }
}

/// One config as a client sees it. None of ours is sensitive.
#[derive(Clone, PartialEq, Debug)]
pub struct ConfigEntry {
    /// Kafka's name.
    pub name: Cow<'static, str>,
    /// The effective value; `None` is null.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Kafka's type.
    pub kind: ConfigKind,
    /// Whether no request can change it.
    pub read_only: bool,
    /// Every place that could set it and does, the one that counts first.
    pub synonyms: Vec<ConfigSynonym>,
    /// What it means, for people.
    pub documentation: &'static str,
}

impl ConfigEntry {
    /// Whether the value is the default (`is_default` of version 0).
    pub fn is_default(&self) -> bool {
        self.source == ConfigSource::Default
    }

    /// Always false: passwords are no topic's config.
    pub fn is_sensitive(&self) -> bool {
        false
    }
}

/// One place that sets a config.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigSynonym {
    /// The name it has there.
    pub name: &'static str,
    /// The value it has there.
    pub value: Option<String>,
    /// Which place.
    pub source: ConfigSource,
}

/// All configs of a topic, or those named in `keys`; unknown keys are left out,
/// as Kafka does.
pub(in crate::catalog) fn describe_topic(
    broker: &BTreeMap<String, String>,
    overrides: &BTreeMap<String, String>,
    keys: Option<&[String]>,
) -> Vec<ConfigEntry> {
    let wanted = |config: &&TopicConfig| is_wanted(keys, config.name);
    TOPIC_CONFIGS
        .iter()
        .filter(wanted)
        .map(|config| entry(config, broker, overrides, ConfigSource::Topic))
        .collect()
}

pub(super) fn is_wanted(keys: Option<&[String]>, name: &str) -> bool {
    keys.is_none_or(|keys| keys.iter().any(|key| key == name))
}

/// One config; `own` says whose the overrides are.
pub(super) fn entry(
    config: &TopicConfig,
    broker: &BTreeMap<String, String>,
    overrides: &BTreeMap<String, String>,
    own: ConfigSource,
) -> ConfigEntry {
    let mut synonyms = Vec::new();
    let mut add = |name, value: &str, source| {
        synonyms.push(ConfigSynonym {
            name,
            value: Some(value.to_owned()),
            source,
        });
    };
    if let Some(value) = overrides.get(config.name) {
        add(config.name, value, own);
    }
    if let Some(synonym) = config.broker {
        // The running broker's map holds defaults too; those are no one's choice.
        if let Some(value) = broker.get(synonym).filter(|value| *value != config.default) {
            add(synonym, value, ConfigSource::StaticBroker);
        }
        add(synonym, config.default, ConfigSource::Default);
    }
    let first = synonyms.first();
    ConfigEntry {
        name: Cow::Borrowed(config.name),
        value: first.map_or_else(
            || Some(config.default.to_owned()),
            |first| first.value.clone(),
        ),
        source: first.map_or(ConfigSource::Default, |first| first.source),
        kind: config.kind,
        read_only: false,
        synonyms,
        documentation: config.doc,
    }
}

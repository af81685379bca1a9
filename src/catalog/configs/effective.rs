//! From texts to what they mean to a partition's log.

use std::collections::BTreeMap;

use super::value::{ConfigValue, parse};
use super::{TopicConfig, topic_config};
use crate::base::{LogConfig, TimestampType};

/// The effective log settings of a topic: its overrides over the broker's
/// configs (`message.max.bytes`, `log.retention.ms` ...) over Kafka's defaults.
///
/// A stored text that does not read, which only a catalogue written by another
/// version can hold, counts as not set: a start must not fail over it.
pub fn log_config(
    broker: &BTreeMap<String, String>,
    overrides: &BTreeMap<String, String>,
) -> LogConfig {
    let value = |name: &str| topic_config(name).and_then(|c| effective_value(c, broker, overrides));
    let number = |name: &str| value(name)?.number();
    let bound = |name| {
        let ms = number(name).filter(|ms| *ms != i64::MAX)?;
        u64::try_from(ms).ok()
    };
    let defaults = LogConfig::default();
    LogConfig {
        max_message_bytes: number("max.message.bytes")
            .and_then(|bytes| u32::try_from(bytes).ok())
            .unwrap_or(defaults.max_message_bytes),
        timestamp_type: match value("message.timestamp.type") {
            Some(ConfigValue::Text(text)) if text == "LogAppendTime" => {
                TimestampType::LogAppendTime
            }
            _ => TimestampType::CreateTime,
        },
        timestamp_before_max_ms: bound("message.timestamp.before.max.ms"),
        timestamp_after_max_ms: bound("message.timestamp.after.max.ms"),
        // A negative number is no bound, and so does not convert.
        retention_ms: number("retention.ms").and_then(|ms| u64::try_from(ms).ok()),
        retention_bytes: number("retention.bytes").and_then(|bytes| u64::try_from(bytes).ok()),
        expires: matches!(value("cleanup.policy"),
            Some(ConfigValue::List(policies)) if policies.iter().any(|policy| policy == "delete")),
    }
}

/// The value that counts: the topic's, else the broker's, else the default.
fn effective_value(
    config: &TopicConfig,
    broker: &BTreeMap<String, String>,
    overrides: &BTreeMap<String, String>,
) -> Option<ConfigValue> {
    let set_by_broker = || config.broker.and_then(|synonym| broker.get(synonym));
    let texts = [overrides.get(config.name), set_by_broker()];
    let read = |text: &String| parse(config, text).ok();
    texts
        .into_iter()
        .flatten()
        .find_map(read)
        .or_else(|| parse(config, config.default).ok())
}

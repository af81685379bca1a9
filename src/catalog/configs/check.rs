//! Whether a topic may have a set of overrides.

use std::collections::BTreeMap;

use super::value::{ConfigValue, parse};
use super::{TopicConfig, topic_config};
use crate::base::limits::STRING_BYTES_MAX;
use crate::catalog::error::{CatalogError, ErrorKind};
use crate::catalog::state::BrokerDefaults;

/// Checks all overrides of a topic together: names, types, ranges, what this
/// broker does not enforce yet, and configs that contradict each other.
///
/// # Errors
/// INVALID_CONFIG that names the config and says what it may be.
pub fn check_topic_configs(
    defaults: &BrokerDefaults,
    configs: &BTreeMap<String, String>,
) -> Result<(), CatalogError> {
    for (name, text) in configs {
        let Some(config) = topic_config(name) else {
            return Err(invalid(format!(
                "Unknown topic config name: {}",
                shorten(name)
            )));
        };
        check_one(defaults, config, text).map_err(|reason| {
            invalid(format!(
                "Invalid value {} for configuration {name}: {reason}.",
                shorten(text)
            ))
        })?;
    }
    let lag = |name| {
        let config = topic_config(name)?;
        let text = configs.get(name).map_or(config.default, String::as_str);
        parse(config, text).ok()?.number()
    };
    let lags = (lag("min.compaction.lag.ms"), lag("max.compaction.lag.ms"));
    if let (Some(least), Some(most)) = lags
        && least > most
    {
        return Err(invalid(format!(
            "min.compaction.lag.ms ({least}) is more than max.compaction.lag.ms ({most})."
        )));
    }
    Ok(())
}

fn check_one(defaults: &BrokerDefaults, config: &TopicConfig, text: &str) -> Result<(), String> {
    if text.len() > STRING_BYTES_MAX {
        return Err(format!("it is longer than {STRING_BYTES_MAX} bytes"));
    }
    let value = parse(config, text)?;
    let bound = defaults.max_message_bytes_max;
    match (config.name, &value) {
        ("max.message.bytes", ConfigValue::Number(bytes)) if *bytes > i64::from(bound) => Err(
            format!("this broker accepts batches of at most {bound} bytes"),
        ),
        _ => refuse_unenforced(config.name, &value),
    }
}

/// Refuses a value that is right in Kafka but would be ignored here with
/// consequences. What merely has no object here (flush intervals, file sizes)
/// passes, and so does `compact`: keeping more than needed harms nobody.
///
/// # Errors
/// The reason, as the end of a sentence.
pub fn refuse_unenforced(name: &str, value: &ConfigValue) -> Result<(), String> {
    let reason = match (name, value) {
        ("compression.type", ConfigValue::Text(codec)) if codec != "producer" => {
            "recompression is not enforced yet; use 'producer', which keeps batches as the \
             producer compressed them"
        }
        ("remote.storage.enable", ConfigValue::Boolean(true)) => {
            "this broker has no tiered storage for topics to enable"
        }
        (
            "message.timestamp.before.max.ms" | "message.timestamp.after.max.ms",
            ConfigValue::Number(number),
        ) if *number != i64::MAX => {
            "bounds on timestamps are not enforced yet; leave it at 9223372036854775807, no bound"
        }
        _ => return Ok(()),
    };
    Err(reason.to_owned())
}

pub(super) fn invalid(message: String) -> CatalogError {
    CatalogError::new(ErrorKind::InvalidConfig, message)
}

/// The start of a client's text, enough to recognise it in a message.
pub(super) fn shorten(text: &str) -> String {
    const SHOWN: usize = 100;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain("...".chars()).collect()
}

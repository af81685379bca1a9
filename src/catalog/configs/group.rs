//! Configs of groups whose coordinator assigns (KIP-848): what an administrator sets for one group
//! in place of the broker's settings, within the bounds that these give.

use std::collections::BTreeMap;

use super::check::{invalid, shorten};
use super::describe::{ConfigEntry, ConfigSource, entry, is_wanted};
use super::value::{ConfigKind, parse};
use super::{TopicConfig, Valid};
use crate::catalog::error::CatalogError;

const SESSION: &str = "consumer.session.timeout.ms";
const INTERVAL: &str = "consumer.heartbeat.interval.ms";

/// The configs that a group can have, in the order of their names.
const GROUP_CONFIGS: [TopicConfig; 2] = [
    TopicConfig {
        name: INTERVAL,
        kind: ConfigKind::Int,
        default: "5000",
        valid: Valid::AtLeast(1),
        broker: Some("group.consumer.heartbeat.interval.ms"),
        doc: "How often members are to be heard of.",
    },
    TopicConfig {
        name: SESSION,
        kind: ConfigKind::Int,
        default: "45000",
        valid: Valid::AtLeast(1),
        broker: Some("group.consumer.session.timeout.ms"),
        doc: "A member that is silent for so long is taken for gone.",
    },
];

/// What is set for a group; `None` where the broker's settings count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GroupTimeouts {
    /// A member that is silent for so long is taken for gone, milliseconds.
    pub session_timeout_ms: Option<i32>,
    /// How often members are to be heard of, milliseconds.
    pub heartbeat_interval_ms: Option<i32>,
}

impl GroupTimeouts {
    /// What these overrides amount to.
    pub fn of(overrides: &BTreeMap<String, String>) -> GroupTimeouts {
        let number = |name| overrides.get(name)?.trim().parse().ok();
        GroupTimeouts {
            session_timeout_ms: number(SESSION),
            heartbeat_interval_ms: number(INTERVAL),
        }
    }
}

/// Checks all overrides of a group together.
///
/// # Errors
/// INVALID_CONFIG that names the config and says what it may be.
pub fn check_group_configs(
    broker: &BTreeMap<String, String>,
    overrides: &BTreeMap<String, String>,
) -> Result<(), CatalogError> {
    for (name, text) in overrides {
        let Some(config) = GROUP_CONFIGS.iter().find(|config| config.name == name) else {
            let message = format!("Unknown group config name: {}", shorten(name));
            return Err(invalid(message));
        };
        check_one(broker, config, text).map_err(|reason| {
            let text = shorten(text);
            invalid(format!(
                "Invalid value {text} for configuration {name}: {reason}."
            ))
        })?;
    }
    let number = |config: &TopicConfig| {
        let by_broker = || config.broker.and_then(|synonym| broker.get(synonym));
        let text = overrides.get(config.name).or_else(by_broker);
        parse(config, text.map_or(config.default, String::as_str))
            .ok()?
            .number()
    };
    let [interval, session] = GROUP_CONFIGS.each_ref().map(number);
    if interval >= session {
        return Err(invalid(format!("{INTERVAL} must be less than {SESSION}.")));
    }
    Ok(())
}

fn check_one(
    broker: &BTreeMap<String, String>,
    config: &TopicConfig,
    text: &str,
) -> Result<(), String> {
    let value = parse(config, text)?.number();
    let bounded = config.broker.zip(value);
    bounded.map_or(Ok(()), |(synonym, value)| {
        check_bounds(broker, synonym, value)
    })
}

/// Checks a value against the broker's least and most.
fn check_bounds(
    broker: &BTreeMap<String, String>,
    synonym: &str,
    value: i64,
) -> Result<(), String> {
    let bound = |which: &str| {
        let name = synonym.replace("group.consumer.", &format!("group.consumer.{which}."));
        let bound = broker.get(&name)?.parse::<i64>().ok()?;
        Some((name, bound))
    };
    match (bound("min"), bound("max")) {
        (Some((name, least)), _) if value < least => {
            Err(format!("it must be at least {least}, the broker's {name}"))
        }
        (_, Some((name, most))) if value > most => {
            Err(format!("it must be at most {most}, the broker's {name}"))
        }
        _ => Ok(()),
    }
}

/// All configs of a group, or those named in `keys`. The group need not exist.
pub(in crate::catalog) fn describe_group(
    broker: &BTreeMap<String, String>,
    overrides: &BTreeMap<String, String>,
    keys: Option<&[String]>,
) -> Vec<ConfigEntry> {
    let wanted = GROUP_CONFIGS
        .iter()
        .filter(|config| is_wanted(keys, config.name));
    wanted
        .map(|config| entry(config, broker, overrides, ConfigSource::Group))
        .collect()
}

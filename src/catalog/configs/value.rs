//! Reading a config's text as Kafka's `ConfigDef.parseType` and validators do.

use super::{TopicConfig, Valid};

/// Kafka's config types, with their codes in DescribeConfigs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigKind {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// 32-bit integer.
    Int,
    /// 64-bit integer.
    Long,
    /// Floating point.
    Double,
    /// Words separated by commas.
    List,
}

impl ConfigKind {
    /// Kafka's `DescribeConfigsResponse.ConfigType` code.
    pub const fn code(self) -> i8 {
        match self {
            ConfigKind::Boolean => 1,
            ConfigKind::String => 2,
            ConfigKind::Int => 3,
            ConfigKind::Long => 5,
            ConfigKind::Double => 6,
            ConfigKind::List => 7,
        }
    }
}

/// A config's value, read.
#[derive(Clone, PartialEq, Debug)]
pub enum ConfigValue {
    /// Of a boolean.
    Boolean(bool),
    /// Of a string.
    Text(String),
    /// Of an int or long.
    Number(i64),
    /// Of a double.
    Real(f64),
    /// Of a list.
    List(Vec<String>),
}

impl ConfigValue {
    /// The number of an int or long.
    pub fn number(self) -> Option<i64> {
        match self {
            ConfigValue::Number(number) => Some(number),
            _ => None,
        }
    }
}

/// Reads and checks `text` as a value of `config`.
///
/// # Errors
/// What is wrong with it, as the end of a sentence: "it must be ...".
pub fn parse(config: &TopicConfig, text: &str) -> Result<ConfigValue, String> {
    let value = parse_kind(config.kind, text)?;
    check(config.valid, &value)?;
    Ok(value)
}

/// The elements of a list's text; white space around them is dropped.
pub fn list_elements(text: &str) -> Vec<String> {
    let text = text.trim();
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',')
        .map(|element| element.trim().to_owned())
        .collect()
}

fn parse_kind(kind: ConfigKind, text: &str) -> Result<ConfigValue, String> {
    let trimmed = text.trim();
    Ok(match kind {
        ConfigKind::Boolean if trimmed.eq_ignore_ascii_case("true") => ConfigValue::Boolean(true),
        ConfigKind::Boolean if trimmed.eq_ignore_ascii_case("false") => ConfigValue::Boolean(false),
        ConfigKind::Boolean => return Err("it must be true or false".to_owned()),
        ConfigKind::String => ConfigValue::Text(text.to_owned()),
        ConfigKind::Int => match trimmed.parse::<i32>() {
            Ok(number) => ConfigValue::Number(i64::from(number)),
            Err(_) => return Err("it must be a 32-bit integer".to_owned()),
        },
        ConfigKind::Long => match trimmed.parse::<i64>() {
            Ok(number) => ConfigValue::Number(number),
            Err(_) => return Err("it must be a 64-bit integer".to_owned()),
        },
        ConfigKind::Double => match trimmed.parse::<f64>() {
            Ok(number) if !number.is_nan() => ConfigValue::Real(number),
            _ => return Err("it must be a number".to_owned()),
        },
        ConfigKind::List => ConfigValue::List(list_elements(text)),
    })
}

fn check(valid: Valid, value: &ConfigValue) -> Result<(), String> {
    match (valid, value) {
        (Valid::AtLeast(least), ConfigValue::Number(number)) if *number < least => {
            Err(format!("it must be at least {least}"))
        }
        (Valid::Between(least, most), ConfigValue::Number(number))
            if !(least..=most).contains(number) =>
        {
            Err(format!("it must be from {least} to {most}"))
        }
        (Valid::DefaultOrBetween(least, most), ConfigValue::Number(number))
            if *number != -1 && !(least..=most).contains(number) =>
        {
            Err(format!("it must be -1 or from {least} to {most}"))
        }
        (Valid::Fraction, ConfigValue::Real(number)) if !(0.0..=1.0).contains(number) => {
            Err("it must be from 0 to 1".to_owned())
        }
        (Valid::OneOf(words), ConfigValue::Text(text)) if !words.contains(&text.as_str()) => {
            Err(format!("it must be one of {}", words.join(", ")))
        }
        (Valid::ListOf(words), ConfigValue::List(elements)) => check_list(words, elements),
        (Valid::ThrottledReplicas, ConfigValue::List(elements)) => check_throttled(elements),
        _ => Ok(()),
    }
}

fn check_list(words: &[&str], elements: &[String]) -> Result<(), String> {
    if elements
        .iter()
        .any(|element| !words.contains(&element.as_str()))
    {
        return Err(format!("it must be a list of {}", words.join(", ")));
    }
    let repeated = elements
        .iter()
        .enumerate()
        .any(|(i, e)| elements.iter().take(i).any(|f| f == e));
    if repeated {
        Err("it must not name a value twice".to_owned())
    } else {
        Ok(())
    }
}

fn check_throttled(elements: &[String]) -> Result<(), String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_pair = |element: &String| match element.split_once(':') {
        Some((partition, broker)) => is_number(partition) && is_number(broker),
        None => false,
    };
    if matches!(elements, [star] if star == "*") || elements.iter().all(is_pair) {
        return Ok(());
    }
    Err("it must be '*' or a list of partition:broker pairs".to_owned())
}

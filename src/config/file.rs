//! The configuration file: flat TOML, a key per line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{ConfigError, Layer};
use crate::base::limits::CONFIG_FILE_BYTES_MAX;

/// Where each key stands: the file, the line, and the line's content.
pub type Places = BTreeMap<String, String>;

/// Reads a file whole; each of its values is checked, also those that a flag or
/// the environment overrides.
///
/// # Errors
/// That it cannot be read, or what is wrong in which line.
pub fn read(path: &Path) -> Result<(Layer, Places), ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.display().to_string(),
        source,
    };
    let mut text = String::new();
    let limit = CONFIG_FILE_BYTES_MAX as u64 + 1;
    File::open(path)
        .map_err(unreadable)?
        .take(limit)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() > CONFIG_FILE_BYTES_MAX {
        return Err(unreadable(std::io::Error::other("the file is too large")));
    }
    let path = path.display().to_string();
    match parse(&text) {
        Ok((layer, mut places)) => {
            for place in places.values_mut() {
                *place = format!("{path}:{place}");
            }
            Ok((layer, places))
        }
        Err((line, reason)) => Err(ConfigError::File { path, line, reason }),
    }
}

/// The settings of a file's text and where they are in it, or a line and what is wrong in it.
pub(super) fn parse(text: &str) -> Result<(Layer, Places), (usize, String)> {
    let line_of = |offset: usize| {
        1 + text
            .bytes()
            .take(offset)
            .filter(|byte| *byte == b'\n')
            .count()
    };
    let table = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        (line_of(offset), error.message().to_owned())
    })?;
    // In the order of the file: the first mistake is reported.
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut layer = Layer::default();
    let mut places = Places::new();
    for (key, value) in entries {
        let line = line_of(key.span().start);
        let key = key.get_ref().as_ref();
        // A table or an array becomes text that no key takes, but an unknown key
        // is the first thing to say.
        let (text, is_plain) = match value.get_ref() {
            DeValue::String(text) => (text.to_string(), true),
            DeValue::Integer(number) => (number.to_string(), true),
            DeValue::Boolean(value) => (value.to_string(), true),
            _ => (String::new(), false),
        };
        layer
            .set(key, &text)
            .map_err(|reason| match reason.starts_with("unknown key") {
                true => (line, reason),
                false if is_plain => (line, format!("{key} = {text}: {reason}")),
                false => (line, format!("{key}: {reason}")),
            })?;
        places.insert(key.to_owned(), format!("{line}: {key} = {text}"));
    }
    Ok((layer, places))
}

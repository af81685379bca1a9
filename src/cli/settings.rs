//! Gathers the layers of the settings: flags, environment, file, host.

use std::path::Path;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::SettingsArgs;
use crate::config::{self, ConfigError, Host, KEYS, Layer, Places, Settings, host};

/// The settings that the arguments, the environment and the file come to.
///
/// # Errors
/// The first thing that is wrong, and where it was given.
pub(super) fn settle(given: &SettingsArgs, matches: &ArgMatches) -> Result<Settings, ConfigError> {
    check_variables(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
    let mut flags = Layer::default();
    let mut places = Places::new();
    for key in KEYS {
        if let Some(text) = given.text(key).filter(|text| !is_unset(text, key, matches)) {
            let given = format!("{} = {text}", origin(key, matches));
            match flags.set(key, text) {
                Ok(()) => places.insert(key.to_owned(), given),
                Err(reason) => return Err(ConfigError::Given { given, reason }),
            };
        }
    }
    let file = given
        .config
        .as_ref()
        .filter(|text| !is_unset(text, "config", matches));
    let mut layer = flags;
    if let Some(file) = file {
        let (below, mut in_file) = config::read_file(Path::new(file))?;
        layer = layer.over(below);
        in_file.append(&mut places);
        places = in_file;
    }
    config::resolve(layer, &Host::read(), host::wal_room).map_err(|error| placed(error, &places))
}

/// Says of a setting that does not fit where it was given, unless it is a default.
fn placed(error: ConfigError, places: &Places) -> ConfigError {
    match error {
        ConfigError::Unfit { key, given, reason } => {
            let given = places.get(key).cloned().unwrap_or(given);
            ConfigError::Unfit { key, given, reason }
        }
        error => error,
    }
}

/// Whether a value is a variable set to nothing, which is how compose files and
/// unit files leave one out.
fn is_unset(text: &str, key: &str, matches: &ArgMatches) -> bool {
    text.is_empty() && source(key, matches) == Some(ValueSource::EnvVariable)
}

fn source(key: &str, matches: &ArgMatches) -> Option<ValueSource> {
    matches.value_source(&key.replace('-', "_"))
}

fn origin(key: &str, matches: &ArgMatches) -> String {
    match source(key, matches) {
        Some(ValueSource::EnvVariable) => variable(key),
        _ => format!("--{key}"),
    }
}

fn variable(key: &str) -> String {
    format!("CORELANE_{}", key.replace('-', "_").to_uppercase())
}

/// Refuses a variable that looks like ours and is none: a misspelt one would
/// otherwise do nothing, silently. Kubernetes sets `CORELANE_SERVICE_*` and
/// `CORELANE_PORT*` for a service of that name; tests have the rest.
fn check_variables(names: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    const FOREIGN: [&str; 5] = [
        "CORELANE_SERVICE_",
        "CORELANE_PORT",
        "CORELANE_TEST_",
        "CORELANE_SIM_",
        "CORELANE_CLIENT_CACHE",
    ];
    for name in names.filter(|name| name.starts_with("CORELANE_")) {
        let is_ours = name == "CORELANE_CONFIG" || KEYS.iter().any(|key| variable(key) == name);
        if !is_ours && !FOREIGN.iter().any(|prefix| name.starts_with(prefix)) {
            let known: Vec<_> = KEYS.iter().map(|key| variable(key)).collect();
            let reason = format!(
                "there is no such variable; there are CORELANE_CONFIG, {}",
                known.join(", ")
            );
            return Err(ConfigError::Given {
                given: name,
                reason,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_and_foreign_variables_pass() {
        let table = [
            ("CORELANE_CORES", true),
            ("CORELANE_DATA_DIR", true),
            ("CORELANE_CONFIG", true),
            ("CORELANE_SERVICE_HOST", true),
            ("CORELANE_PORT_9092_TCP_ADDR", true),
            ("CORELANE_TEST_CYCLES", true),
            ("PATH", true),
            ("CORELANE_CORE", false),
            ("CORELANE_DATADIR", false),
        ];
        for (name, passes) in table {
            let result = check_variables([name.to_owned()].into_iter());
            assert_eq!(result.is_ok(), passes, "{name}");
        }
    }
}

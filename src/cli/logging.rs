//! Where log lines go: to standard error, coloured on a terminal.

use std::io::IsTerminal;

use anyhow::{Context, anyhow};
use tracing_subscriber::EnvFilter;

/// Starts logging at a level that `config` has checked.
///
/// # Errors
/// That the level reads no more, or that logging runs already.
pub(super) fn start(level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(level).context("log-level")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init()
        .map_err(|error| anyhow!("logging: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_config_accepts_are_levels() {
        for text in ["error", "off", "info,corelane::wal=debug", "warn,a-b=trace"] {
            assert!(crate::config::parse::log_level(text).is_ok(), "{text}");
            assert!(EnvFilter::builder().parse(text).is_ok(), "{text}");
        }
    }
}

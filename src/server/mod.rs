//! The server's entry.

/// Runs the broker until it is told to stop.
///
/// # Errors
/// Not built yet.
pub fn run(_settings: crate::config::Settings) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}

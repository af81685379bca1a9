//! The flags for consumer groups.

use clap::Args;

use super::consumer_group_args::ConsumerGroupArgs;

/// Flags for consumer groups.
#[derive(Args, Debug)]
#[command(next_help_heading = "Consumer groups")]
pub(super) struct GroupArgs {
    /// How long committed offsets are kept once nobody uses them, minutes [default: 10080]
    #[arg(
        long,
        env = "CORELANE_OFFSETS_RETENTION_MINUTES",
        value_name = "N",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) offsets_retention_minutes: Option<String>,

    /// Most bytes of text with a committed offset [default: 4096]
    #[arg(
        long,
        env = "CORELANE_OFFSET_METADATA_MAX_BYTES",
        value_name = "N",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) offset_metadata_max_bytes: Option<String>,

    /// How long the first rebalance of an empty group waits for more members, milliseconds
    /// [default: 3000]
    #[arg(
        long,
        env = "CORELANE_GROUP_INITIAL_REBALANCE_DELAY_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) group_initial_rebalance_delay_ms: Option<String>,

    /// Most members of one group [default: 2147483647]
    #[arg(
        long,
        env = "CORELANE_GROUP_MAX_SIZE",
        value_name = "N",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) group_max_size: Option<String>,

    /// Shortest session timeout that a member may ask for, milliseconds [default: 6000]
    #[arg(
        long,
        env = "CORELANE_GROUP_MIN_SESSION_TIMEOUT_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) group_min_session_timeout_ms: Option<String>,

    /// Longest session timeout that a member may ask for, milliseconds [default: 1800000]
    #[arg(
        long,
        env = "CORELANE_GROUP_MAX_SESSION_TIMEOUT_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) group_max_session_timeout_ms: Option<String>,

    #[command(flatten)]
    pub(super) consumer: ConsumerGroupArgs,
}

impl GroupArgs {
    /// The text given for one of the keys of groups.
    pub(super) fn text(&self, key: &str) -> &Option<String> {
        match key {
            "offsets-retention-minutes" => &self.offsets_retention_minutes,
            "offset-metadata-max-bytes" => &self.offset_metadata_max_bytes,
            "group-initial-rebalance-delay-ms" => &self.group_initial_rebalance_delay_ms,
            "group-max-size" => &self.group_max_size,
            "group-min-session-timeout-ms" => &self.group_min_session_timeout_ms,
            "group-max-session-timeout-ms" => &self.group_max_session_timeout_ms,
            key => self.consumer.text(key),
        }
    }
}

//! The flags for groups whose coordinator assigns.

use clap::Args;

/// Flags for groups whose coordinator assigns (KIP-848).
#[derive(Args, Debug)]
#[command(next_help_heading = "Consumer groups of KIP-848")]
pub(super) struct ConsumerGroupArgs {
    /// A member of a group whose coordinator assigns (KIP-848) that is silent for so long is taken for
    /// gone, milliseconds [default: 45000]
    #[arg(
        long,
        env = "CORELANE_GROUP_CONSUMER_SESSION_TIMEOUT_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) group_consumer_session_timeout_ms: Option<String>,

    /// The shortest session timeout that such a group may be given, milliseconds [default: 45000]
    #[arg(
        long,
        env = "CORELANE_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) group_consumer_min_session_timeout_ms: Option<String>,

    /// The longest, milliseconds [default: 60000]
    #[arg(
        long,
        env = "CORELANE_GROUP_CONSUMER_MAX_SESSION_TIMEOUT_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) group_consumer_max_session_timeout_ms: Option<String>,

    /// How often members of such a group are to be heard of, milliseconds [default: 5000]
    #[arg(
        long,
        env = "CORELANE_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) group_consumer_heartbeat_interval_ms: Option<String>,

    /// The shortest interval that such a group may be given, milliseconds [default: 5000]
    #[arg(
        long,
        env = "CORELANE_GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) group_consumer_min_heartbeat_interval_ms: Option<String>,

    /// The longest, milliseconds [default: 15000]
    #[arg(
        long,
        env = "CORELANE_GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) group_consumer_max_heartbeat_interval_ms: Option<String>,

    /// Most members of one such group [default: 2147483647]
    #[arg(
        long,
        env = "CORELANE_GROUP_CONSUMER_MAX_SIZE",
        value_name = "N",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) group_consumer_max_size: Option<String>,

    /// The assignors that members may ask for, the first for those that ask for none
    /// [default: uniform,range]
    #[arg(
        long,
        env = "CORELANE_GROUP_CONSUMER_ASSIGNORS",
        value_name = "NAMES",
        hide_env_values = true
    )]
    pub(super) group_consumer_assignors: Option<String>,
}

impl ConsumerGroupArgs {
    /// The text given for one of the keys of these groups.
    pub(super) fn text(&self, key: &str) -> &Option<String> {
        match key {
            "group-consumer-session-timeout-ms" => &self.group_consumer_session_timeout_ms,
            "group-consumer-min-session-timeout-ms" => &self.group_consumer_min_session_timeout_ms,
            "group-consumer-max-session-timeout-ms" => &self.group_consumer_max_session_timeout_ms,
            "group-consumer-heartbeat-interval-ms" => &self.group_consumer_heartbeat_interval_ms,
            "group-consumer-min-heartbeat-interval-ms" => {
                &self.group_consumer_min_heartbeat_interval_ms
            }
            "group-consumer-max-heartbeat-interval-ms" => {
                &self.group_consumer_max_heartbeat_interval_ms
            }
            "group-consumer-max-size" => &self.group_consumer_max_size,
            "group-consumer-assignors" => &self.group_consumer_assignors,
            _ => unreachable!("a key of config::KEYS without a flag: {key}"),
        }
    }
}

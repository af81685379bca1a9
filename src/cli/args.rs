//! The arguments as clap reads them. Values stay text here: `config` knows what
//! they may be, whether they come from a flag, the environment or the file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::group_args::GroupArgs;

/// The whole command line.
#[derive(Parser, Debug)]
#[command(
    name = "corelane",
    version,
    about = "A Kafka-compatible broker that runs one shard per CPU core on io_uring",
    after_help = "A flag overrides its environment variable, which overrides the file, which \
                  overrides the default. The file is TOML and has the flags as keys, one a line: \
                  memory = \"4GiB\".\n\nRun 'corelane doctor' first on a new host: it says what \
                  to change.",
    args_conflicts_with_subcommands = true,
    infer_long_args = false
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Run the broker (the default command)
    Serve(SettingsArgs),
    /// Check whether this host can run the broker well, and say what to change
    ///
    /// Takes the flags of 'serve' and checks the host for those settings. Ends with 1 if the
    /// broker could not start.
    Doctor(SettingsArgs),
    /// Look into the broker's files
    #[command(subcommand)]
    Inspect(Inspect),
}

/// What to look into.
#[derive(Subcommand, Debug)]
pub(super) enum Inspect {
    /// Print and verify a write-ahead log: segments, blocks and records
    ///
    /// Reads only, and needs no running broker. Ends with 1 if something durable is damaged.
    Wal(InspectWal),
    /// Print and verify an object of the store: its footer, chunks and states
    ///
    /// Reads only. Ends with 1 if a byte of it has changed or is missing.
    Object(InspectObject),
}

/// Flags of 'inspect wal'.
#[derive(Args, Debug)]
pub(super) struct InspectWal {
    /// A segment file, the directory of one WAL, or a data directory
    pub(super) path: PathBuf,
    /// Leave out blocks and records, and tell what is in each segment
    #[arg(long)]
    pub(super) summary: bool,
}

/// Flags of 'inspect object'.
#[derive(Args, Debug)]
pub(super) struct InspectObject {
    /// The object, as a file
    pub(super) file: PathBuf,
    /// Leave out chunks that are sound
    #[arg(long)]
    pub(super) summary: bool,
}

/// Flags for settings, the same for every command that needs them.
#[derive(Args, Debug)]
pub(super) struct SettingsArgs {
    /// Configuration file, TOML
    #[arg(
        long,
        env = "CORELANE_CONFIG",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(super) config: Option<String>,

    /// Address to listen on; with topology per-core, shard I listens on PORT + I
    /// [default: 127.0.0.1:9092]
    #[arg(
        long,
        env = "CORELANE_LISTEN",
        value_name = "IP:PORT",
        hide_env_values = true
    )]
    pub(super) listen: Option<String>,

    /// Address that clients are told, if not the one listened on
    #[arg(
        long,
        env = "CORELANE_ADVERTISE",
        value_name = "HOST[:PORT]",
        hide_env_values = true
    )]
    pub(super) advertise: Option<String>,

    /// How shards appear to clients: 'per-core', each as a broker with its own port, or
    /// 'single', one broker on one port [default: per-core]
    #[arg(
        long,
        env = "CORELANE_TOPOLOGY",
        value_name = "TOPOLOGY",
        hide_env_values = true
    )]
    pub(super) topology: Option<String>,

    /// Number of shards [default: the CPUs this process may use]
    #[arg(long, env = "CORELANE_CORES", value_name = "N", hide_env_values = true)]
    pub(super) cores: Option<String>,

    /// Directory of all data [default: ./data]
    #[arg(
        long,
        env = "CORELANE_DATA_DIR",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub(super) data_dir: Option<String>,

    /// Memory budget of the broker, like 4GiB [default: a quarter of what this process may use].
    /// The largest request it reads is a sixteenth of one core's share, at most 100MiB
    #[arg(
        long,
        env = "CORELANE_MEMORY",
        value_name = "SIZE",
        hide_env_values = true
    )]
    pub(super) memory: Option<String>,

    /// Disk budget of the write-ahead logs, like 100GiB [default: half of the free space, at
    /// most 256GiB]
    #[arg(
        long,
        env = "CORELANE_WAL_DISK",
        value_name = "SIZE",
        hide_env_values = true
    )]
    pub(super) wal_disk: Option<String>,

    /// How long a connection may send nothing while it waits for no answer, milliseconds; -1 is
    /// no bound [default: 600000]
    #[arg(
        long,
        env = "CORELANE_CONNECTIONS_MAX_IDLE_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) connections_max_idle_ms: Option<String>,

    /// What to log: error, warn, info, debug, trace or off, or a list like
    /// info,glommio=warn [default: info]
    #[arg(
        long,
        env = "CORELANE_LOG_LEVEL",
        value_name = "LEVEL",
        hide_env_values = true
    )]
    pub(super) log_level: Option<String>,

    #[command(flatten)]
    pub(super) topics: TopicArgs,

    #[command(flatten)]
    pub(super) groups: GroupArgs,
}

/// Flags for topics.
#[derive(Args, Debug)]
#[command(next_help_heading = "Topics")]
pub(super) struct TopicArgs {
    /// Whether topics are created when a client first asks for them [default: true]
    #[arg(
        long,
        env = "CORELANE_AUTO_CREATE_TOPICS",
        value_name = "true|false",
        hide_env_values = true
    )]
    pub(super) auto_create_topics: Option<String>,

    /// Partitions of a topic that asks for no count [default: 1]
    #[arg(
        long,
        env = "CORELANE_DEFAULT_PARTITIONS",
        value_name = "N",
        hide_env_values = true
    )]
    pub(super) default_partitions: Option<String>,

    /// Pause between two searches for expired records, like 5m [default: 5m]
    #[arg(
        long,
        env = "CORELANE_RETENTION_CHECK_INTERVAL",
        value_name = "DURATION",
        hide_env_values = true
    )]
    pub(super) retention_check_interval: Option<String>,

    /// retention.ms of topics that set none, milliseconds; -1 keeps records for ever
    /// [default: 604800000]
    #[arg(
        long,
        env = "CORELANE_LOG_RETENTION_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) log_retention_ms: Option<String>,

    /// retention.bytes of topics that set none; -1 is no bound [default: -1]
    #[arg(
        long,
        env = "CORELANE_LOG_RETENTION_BYTES",
        value_name = "BYTES",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) log_retention_bytes: Option<String>,

    /// message.timestamp.before.max.ms of topics that set none: how far behind this host's clock
    /// a producer's timestamps may be, milliseconds [default: 9223372036854775807, no bound]
    #[arg(
        long,
        env = "CORELANE_LOG_MESSAGE_TIMESTAMP_BEFORE_MAX_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) log_message_timestamp_before_max_ms: Option<String>,

    /// message.timestamp.after.max.ms of topics that set none: how far ahead of this host's clock
    /// a producer's timestamps may be, milliseconds [default: 3600000]
    #[arg(
        long,
        env = "CORELANE_LOG_MESSAGE_TIMESTAMP_AFTER_MAX_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) log_message_timestamp_after_max_ms: Option<String>,

    /// max.message.bytes of topics that set none, at most 64MiB [default: 1048588]
    #[arg(
        long,
        env = "CORELANE_MESSAGE_MAX_BYTES",
        value_name = "SIZE",
        hide_env_values = true
    )]
    pub(super) message_max_bytes: Option<String>,

    /// How long an idle idempotent producer is remembered, milliseconds [default: 86400000]
    #[arg(
        long,
        env = "CORELANE_PRODUCER_ID_EXPIRATION_MS",
        value_name = "MS",
        allow_hyphen_values = true,
        hide_env_values = true
    )]
    pub(super) producer_id_expiration_ms: Option<String>,
}

impl SettingsArgs {
    /// The text given for a key of `config::KEYS`, by flag or environment.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let text = match key {
            "listen" => &self.listen,
            "advertise" => &self.advertise,
            "topology" => &self.topology,
            "cores" => &self.cores,
            "data-dir" => &self.data_dir,
            "memory" => &self.memory,
            "wal-disk" => &self.wal_disk,
            "connections-max-idle-ms" => &self.connections_max_idle_ms,
            "log-level" => &self.log_level,
            "auto-create-topics" => &self.topics.auto_create_topics,
            "default-partitions" => &self.topics.default_partitions,
            "retention-check-interval" => &self.topics.retention_check_interval,
            "log-retention-ms" => &self.topics.log_retention_ms,
            "log-retention-bytes" => &self.topics.log_retention_bytes,
            "log-message-timestamp-before-max-ms" => {
                &self.topics.log_message_timestamp_before_max_ms
            }
            "log-message-timestamp-after-max-ms" => &self.topics.log_message_timestamp_after_max_ms,
            "message-max-bytes" => &self.topics.message_max_bytes,
            "producer-id-expiration-ms" => &self.topics.producer_id_expiration_ms,
            key => self.groups.text(key),
        };
        text.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::KEYS;

    #[test]
    fn clap_finds_no_fault() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_key_has_its_flag_and_its_variable() {
        let cli = Cli::parse_from(["corelane"]);
        let command = Cli::command();
        for key in KEYS {
            let _: Option<&str> = cli.settings.text(key);
            let arg = command
                .get_arguments()
                .find(|arg| arg.get_long() == Some(key))
                .unwrap();
            let variable = format!("CORELANE_{}", key.replace('-', "_").to_uppercase());
            assert_eq!(arg.get_env().unwrap().to_str(), Some(variable.as_str()));
        }
    }
}

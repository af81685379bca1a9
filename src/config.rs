//! The broker's settings: what the command line, the environment, the
//! configuration file and the host itself amount to. Read once at start, before
//! any shard runs, and the same on every core from then on.
//!
//! Precedence: flag over environment over file over default. Layers are merged
//! as text read into types, so that a value has one syntax and one check,
//! wherever it stands.

mod cgroup;
mod consumer_groups;
mod cpus;
mod file;
mod groups;
pub mod host;
mod layer;
pub mod parse;
mod resolve;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use crate::base::ShardId;
use crate::base::limits::BATCH_BYTES_MAX;
use crate::catalog::BrokerDefaults;

pub use consumer_groups::{ASSIGNORS, CONSUMER_GROUP_KEYS, ConsumerGroupSettings};
pub use cpus::parse_cpu_list;
pub use file::{Places, read as read_file};
pub use groups::{GROUP_KEYS, GroupSettings};
pub use host::Host;
pub use layer::{KEYS, Layer};
pub use parse::Advertise;
pub use resolve::resolve;

/// Everything that can be set, after defaults were filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Where shard 0 listens; shard `i` on the port `i` higher in topology
    /// `per-core`, every shard here in topology `single`.
    pub listen: SocketAddr,
    /// What clients are told in place of `listen`.
    pub advertise: AdvertisedAddress,
    /// How shards appear to clients.
    pub topology: Topology,
    /// How many shards run.
    pub cores: u16,
    /// The CPU of each shard, or `None` to run unpinned: more shards than CPUs,
    /// or a CPU quota that says how much runs but not where.
    pub cpus: Option<Vec<usize>>,
    /// Where all data is.
    pub data_dir: PathBuf,
    /// Memory budget of the broker, bytes; each shard has an equal share.
    pub memory: u64,
    /// Disk budget of the WALs, bytes; each shard has an equal share.
    pub wal_disk: u64,
    /// Whether Metadata requests create unknown topics (Kafka:
    /// `auto.create.topics.enable`).
    pub auto_create_topics: bool,
    /// Partitions of a topic that asks for no count (Kafka: `num.partitions`).
    pub default_partitions: i32,
    /// Pause between two searches for expired records, milliseconds (Kafka:
    /// `log.retention.check.interval.ms`).
    pub retention_check_interval_ms: u64,
    /// `retention.ms` of topics that set none, milliseconds; -1 is no bound
    /// (Kafka: `log.retention.ms`).
    pub log_retention_ms: i64,
    /// `retention.bytes` of topics that set none; -1 is no bound (Kafka:
    /// `log.retention.bytes`).
    pub log_retention_bytes: i64,
    /// `message.timestamp.before.max.ms` of topics that set none, milliseconds; `i64::MAX` is no
    /// bound (Kafka: `log.message.timestamp.before.max.ms`).
    pub log_message_timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms` of topics that set none, milliseconds; `i64::MAX` is no
    /// bound (Kafka: `log.message.timestamp.after.max.ms`).
    pub log_message_timestamp_after_max_ms: i64,
    /// `max.message.bytes` of topics that set none (Kafka: `message.max.bytes`).
    pub message_max_bytes: u32,
    /// How long an idle idempotent producer is remembered, milliseconds (Kafka:
    /// `producer.id.expiration.ms`).
    pub producer_id_expiration_ms: u64,
    /// How consumer groups are kept.
    pub groups: GroupSettings,
    /// How those whose coordinator assigns are.
    pub consumer_groups: ConsumerGroupSettings,
    /// How long a connection may send nothing while it waits for no answer, milliseconds; -1 is
    /// no bound (Kafka: `connections.max.idle.ms`).
    pub connections_max_idle_ms: i64,
    /// What is logged: a level, or `level,target=level,...`.
    pub log_level: String,
}

/// How shards appear to clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topology {
    /// Each shard is a Kafka broker with a port of its own.
    PerCore,
    /// One Kafka broker; whichever shard accepts a connection forwards.
    Single,
}

/// The host and first port that clients are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdvertisedAddress {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// The port of shard 0.
    pub port: u16,
}

/// Why the settings are refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// How reading failed.
        source: std::io::Error,
    },
    /// A line of the file is wrong.
    #[error("{path}:{line}: {reason}")]
    File {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A flag or an environment variable is wrong.
    #[error("{given}: {reason}")]
    Given {
        /// The flag or the variable.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting does not fit the others or the host.
    #[error("{given}: {reason}")]
    Unfit {
        /// Its key.
        key: &'static str,
        /// The key and its value.
        given: String,
        /// Why it does not fit.
        reason: String,
    },
}

impl ConfigError {
    fn unfit(key: &'static str, value: impl Display, reason: String) -> ConfigError {
        let given = format!("{key} = {value}");
        ConfigError::Unfit { key, given, reason }
    }
}

impl Settings {
    /// Memory budget of one shard, bytes.
    pub fn memory_per_shard(&self) -> u64 {
        self.memory / u64::from(self.cores)
    }

    /// WAL disk budget of one shard, bytes.
    pub fn wal_disk_per_shard(&self) -> u64 {
        self.wal_disk / u64::from(self.cores)
    }

    /// Where a shard listens.
    pub fn listen_of(&self, shard: ShardId) -> SocketAddr {
        SocketAddr::new(self.listen.ip(), self.listen.port() + self.port_step(shard))
    }

    /// The host and port that clients are told for a shard.
    pub fn advertised_of(&self, shard: ShardId) -> (&str, u16) {
        (
            &self.advertise.host,
            self.advertise.port + self.port_step(shard),
        )
    }

    /// `resolve` saw to it that the highest port exists.
    fn port_step(&self, shard: ShardId) -> u16 {
        match self.topology {
            Topology::PerCore => shard.0,
            Topology::Single => 0,
        }
    }

    /// The catalogue's defaults.
    pub fn broker_defaults(&self) -> BrokerDefaults {
        BrokerDefaults {
            partitions: self.default_partitions,
            max_message_bytes_max: BATCH_BYTES_MAX as u32,
            configs: self.kafka_configs(),
        }
    }

    /// The settings under the names of Kafka's broker configs, those that are the
    /// same for every node.
    pub fn kafka_configs(&self) -> BTreeMap<String, String> {
        let configs = [
            (
                "auto.create.topics.enable",
                self.auto_create_topics.to_string(),
            ),
            (
                "connections.max.idle.ms",
                self.connections_max_idle_ms.to_string(),
            ),
            ("log.dirs", self.data_dir.display().to_string()),
            (
                "log.message.timestamp.after.max.ms",
                self.log_message_timestamp_after_max_ms.to_string(),
            ),
            (
                "log.message.timestamp.before.max.ms",
                self.log_message_timestamp_before_max_ms.to_string(),
            ),
            ("log.retention.bytes", self.log_retention_bytes.to_string()),
            (
                "log.retention.check.interval.ms",
                self.retention_check_interval_ms.to_string(),
            ),
            ("log.retention.ms", self.log_retention_ms.to_string()),
            ("message.max.bytes", self.message_max_bytes.to_string()),
            ("num.partitions", self.default_partitions.to_string()),
            (
                "producer.id.expiration.ms",
                self.producer_id_expiration_ms.to_string(),
            ),
        ];
        configs
            .into_iter()
            .chain(self.groups.kafka_configs())
            .map(|(name, value)| (name.to_owned(), value))
            .chain(self.consumer_groups.kafka_configs())
            .collect()
    }

    /// [`Settings::kafka_configs`] and what only this node has: for
    /// DescribeConfigs of a broker.
    pub fn kafka_configs_of(&self, node: ShardId) -> BTreeMap<String, String> {
        let mut configs = self.kafka_configs();
        let (host, port) = self.advertised_of(node);
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        configs.insert("node.id".to_owned(), node.to_string());
        configs.insert("broker.id".to_owned(), node.to_string());
        configs.insert(
            "listeners".to_owned(),
            format!("PLAINTEXT://{}", self.listen_of(node)),
        );
        configs.insert(
            "advertised.listeners".to_owned(),
            format!("PLAINTEXT://{host}:{port}"),
        );
        configs
    }
}

#[cfg(test)]
mod tests;

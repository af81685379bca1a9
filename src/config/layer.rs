//! One source of settings: whatever of them it gives.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Topology;
use super::consumer_groups::ConsumerGroupLayer;
use super::groups::GroupLayer;
use super::parse::{self, Advertise};
use crate::base::limits::{BATCH_BYTES_MAX, SHARDS_MAX, TOPIC_PARTITIONS_MAX};

/// Every key, as the file and (with two dashes) the command line have it.
pub const KEYS: [&str; 32] = [
    "listen",
    "advertise",
    "topology",
    "cores",
    "data-dir",
    "memory",
    "wal-disk",
    "auto-create-topics",
    "default-partitions",
    "retention-check-interval",
    "log-retention-ms",
    "log-retention-bytes",
    "log-message-timestamp-before-max-ms",
    "log-message-timestamp-after-max-ms",
    "message-max-bytes",
    "producer-id-expiration-ms",
    "offsets-retention-minutes",
    "offset-metadata-max-bytes",
    "group-initial-rebalance-delay-ms",
    "group-max-size",
    "group-min-session-timeout-ms",
    "group-max-session-timeout-ms",
    "group-consumer-session-timeout-ms",
    "group-consumer-min-session-timeout-ms",
    "group-consumer-max-session-timeout-ms",
    "group-consumer-heartbeat-interval-ms",
    "group-consumer-min-heartbeat-interval-ms",
    "group-consumer-max-heartbeat-interval-ms",
    "group-consumer-max-size",
    "group-consumer-assignors",
    "connections-max-idle-ms",
    "log-level",
];

/// Settings that one source gives; `None` where it is silent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Layer {
    pub(super) listen: Option<SocketAddr>,
    pub(super) advertise: Option<Advertise>,
    pub(super) topology: Option<Topology>,
    pub(super) cores: Option<u16>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) memory: Option<u64>,
    pub(super) wal_disk: Option<u64>,
    pub(super) auto_create_topics: Option<bool>,
    pub(super) default_partitions: Option<i32>,
    pub(super) retention_check_interval_ms: Option<u64>,
    pub(super) log_retention_ms: Option<i64>,
    pub(super) log_retention_bytes: Option<i64>,
    pub(super) log_message_timestamp_before_max_ms: Option<i64>,
    pub(super) log_message_timestamp_after_max_ms: Option<i64>,
    pub(super) message_max_bytes: Option<u32>,
    pub(super) producer_id_expiration_ms: Option<u64>,
    pub(super) groups: GroupLayer,
    pub(super) consumer_groups: ConsumerGroupLayer,
    pub(super) connections_max_idle_ms: Option<i64>,
    pub(super) log_level: Option<String>,
}

impl Layer {
    /// Reads the value of a key.
    ///
    /// # Errors
    /// What the key expects, or that there is no such key.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), String> {
        match key {
            "listen" => self.listen = Some(parse::listen(text)?),
            "advertise" => self.advertise = Some(parse::advertise(text)?),
            "topology" => self.topology = Some(topology(text)?),
            "cores" => self.cores = Some(narrow(text, 1, i64::from(SHARDS_MAX))?),
            "data-dir" if text.is_empty() => return Err("expected a directory".to_owned()),
            "data-dir" => self.data_dir = Some(PathBuf::from(text)),
            "memory" => self.memory = Some(parse::size(text)?),
            "wal-disk" => self.wal_disk = Some(parse::size(text)?),
            "auto-create-topics" => self.auto_create_topics = Some(parse::boolean(text)?),
            "default-partitions" => {
                self.default_partitions = Some(narrow(text, 1, i64::from(TOPIC_PARTITIONS_MAX))?);
            }
            "retention-check-interval" => {
                self.retention_check_interval_ms = Some(some_duration(text)?);
            }
            "log-retention-ms" => self.log_retention_ms = Some(parse::number(text, -1, i64::MAX)?),
            "log-retention-bytes" => {
                self.log_retention_bytes = Some(parse::number(text, -1, i64::MAX)?);
            }
            "log-message-timestamp-before-max-ms" => {
                self.log_message_timestamp_before_max_ms = Some(parse::number(text, 0, i64::MAX)?);
            }
            "log-message-timestamp-after-max-ms" => {
                self.log_message_timestamp_after_max_ms = Some(parse::number(text, 0, i64::MAX)?);
            }
            "message-max-bytes" => self.message_max_bytes = Some(batch_bytes(text)?),
            "producer-id-expiration-ms" => {
                self.producer_id_expiration_ms = Some(narrow(text, 1, i64::from(i32::MAX))?);
            }
            "connections-max-idle-ms" => self.connections_max_idle_ms = Some(idle_ms(text)?),
            "log-level" => self.log_level = Some(parse::log_level(text)?),
            _ => {
                let set = self.groups.set(key, text);
                let set = set.or_else(|| self.consumer_groups.set(key, text));
                return set.unwrap_or_else(|| Err(unknown(key)));
            }
        }
        Ok(())
    }

    /// This layer's settings, and those of `below` where it is silent.
    #[must_use]
    pub fn over(self, below: Layer) -> Layer {
        Layer {
            listen: self.listen.or(below.listen),
            advertise: self.advertise.or(below.advertise),
            topology: self.topology.or(below.topology),
            cores: self.cores.or(below.cores),
            data_dir: self.data_dir.or(below.data_dir),
            memory: self.memory.or(below.memory),
            wal_disk: self.wal_disk.or(below.wal_disk),
            auto_create_topics: self.auto_create_topics.or(below.auto_create_topics),
            default_partitions: self.default_partitions.or(below.default_partitions),
            retention_check_interval_ms: self
                .retention_check_interval_ms
                .or(below.retention_check_interval_ms),
            log_retention_ms: self.log_retention_ms.or(below.log_retention_ms),
            log_retention_bytes: self.log_retention_bytes.or(below.log_retention_bytes),
            log_message_timestamp_before_max_ms: self
                .log_message_timestamp_before_max_ms
                .or(below.log_message_timestamp_before_max_ms),
            log_message_timestamp_after_max_ms: self
                .log_message_timestamp_after_max_ms
                .or(below.log_message_timestamp_after_max_ms),
            message_max_bytes: self.message_max_bytes.or(below.message_max_bytes),
            producer_id_expiration_ms: self
                .producer_id_expiration_ms
                .or(below.producer_id_expiration_ms),
            groups: self.groups.over(below.groups),
            consumer_groups: self.consumer_groups.over(below.consumer_groups),
            connections_max_idle_ms: self
                .connections_max_idle_ms
                .or(below.connections_max_idle_ms),
            log_level: self.log_level.or(below.log_level),
        }
    }
}

fn unknown(key: &str) -> String {
    let near = KEYS
        .iter()
        .find(|known| known.replace('-', "") == key.replace(['-', '_', '.'], ""));
    match near {
        Some(known) => format!("unknown key '{key}', did you mean '{known}'?"),
        None => format!("unknown key '{key}'; the keys are {}", KEYS.join(", ")),
    }
}

fn topology(text: &str) -> Result<Topology, String> {
    match text {
        "per-core" => Ok(Topology::PerCore),
        "single" => Ok(Topology::Single),
        _ => Err("expected per-core or single".to_owned()),
    }
}

fn some_duration(text: &str) -> Result<u64, String> {
    match parse::duration_ms(text)? {
        0 => Err("it must be longer than nothing".to_owned()),
        ms if i32::try_from(ms).is_err() => Err("it must be at most 24d".to_owned()),
        ms => Ok(ms),
    }
}

fn idle_ms(text: &str) -> Result<i64, String> {
    match parse::number(text, -1, i64::from(i32::MAX))? {
        0 => Err("it must be longer than nothing, or -1 for no bound".to_owned()),
        ms => Ok(ms),
    }
}

fn batch_bytes(text: &str) -> Result<u32, String> {
    let too_large = || format!("it must be at most {} MiB", BATCH_BYTES_MAX >> 20);
    match u32::try_from(parse::size(text)?) {
        Ok(bytes) if bytes as usize <= BATCH_BYTES_MAX => Ok(bytes),
        _ => Err(too_large()),
    }
}

/// A whole number in a range that the type holds.
pub(super) fn narrow<T: TryFrom<i64>>(text: &str, least: i64, most: i64) -> Result<T, String> {
    let number = parse::number(text, least, most)?;
    T::try_from(number).map_err(|_| format!("expected a whole number up to {most}"))
}

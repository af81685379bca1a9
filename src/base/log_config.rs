//! What a topic's configuration means to its partitions' logs: the effective
//! values, after topic overrides and broker defaults have been merged.

use super::limits;

/// Effective settings of one partition's log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// `max.message.bytes`: largest record batch accepted, bytes.
    pub max_message_bytes: u32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms` (KIP-937): how long before now a producer's timestamps
    /// may lie, milliseconds; `None` is no bound.
    pub timestamp_before_max_ms: Option<u64>,
    /// `message.timestamp.after.max.ms` (KIP-937): how long after now; `None` is no bound.
    pub timestamp_after_max_ms: Option<u64>,
    /// `retention.ms`: age at which records expire; `None` keeps them for ever (-1).
    pub retention_ms: Option<u64>,
    /// `retention.bytes`: size of the partition past which its oldest records expire; `None` is -1.
    pub retention_bytes: Option<u64>,
    /// Whether `cleanup.policy` contains `delete`: without it nothing expires.
    pub expires: bool,
}

/// Kafka's `message.timestamp.type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampType {
    /// `CreateTime`: the producer's timestamps are kept.
    CreateTime,
    /// `LogAppendTime`: the broker stamps the time of the append.
    LogAppendTime,
}

impl Default for LogConfig {
    /// Kafka's own defaults: 1 MiB batches, CreateTime up to an hour ahead (KIP-1030), seven
    /// days, no size bound.
    fn default() -> Self {
        LogConfig {
            max_message_bytes: limits::BATCH_BYTES_DEFAULT as u32,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: None,
            timestamp_after_max_ms: Some(60 * 60 * 1000),
            retention_ms: Some(7 * 24 * 60 * 60 * 1000),
            retention_bytes: None,
            expires: true,
        }
    }
}

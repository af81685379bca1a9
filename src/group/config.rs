//! How groups are kept.

use super::consumer::ConsumerConfig;

/// Kafka's settings of its group coordinator, and this broker's own bound on memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupConfig {
    /// How long offsets are kept once nobody uses them, milliseconds (Kafka:
    /// `offsets.retention.minutes`; KIP-211).
    pub offsets_retention_ms: i64,
    /// Most bytes of text with a committed offset (Kafka: `offset.metadata.max.bytes`).
    pub offset_metadata_bytes_max: usize,
    /// How long the first rebalance of an empty group waits for more members, milliseconds
    /// (Kafka: `group.initial.rebalance.delay.ms`).
    pub initial_rebalance_delay_ms: u64,
    /// Most members of one group (Kafka: `group.max.size`).
    pub members_max: usize,
    /// Shortest session timeout, milliseconds (Kafka: `group.min.session.timeout.ms`).
    pub session_timeout_ms_min: i32,
    /// Longest session timeout, milliseconds (Kafka: `group.max.session.timeout.ms`).
    pub session_timeout_ms_max: i32,
    /// Most bytes that the state of one coordinator may take in memory. Beyond it new members
    /// are refused with GROUP_MAX_SIZE_REACHED and commits of further partitions with
    /// COORDINATOR_NOT_AVAILABLE.
    pub state_bytes_max: usize,
    /// Of groups whose coordinator assigns (KIP-848).
    pub consumer: ConsumerConfig,
}

impl Default for GroupConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        GroupConfig {
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1000,
            offset_metadata_bytes_max: 4096,
            initial_rebalance_delay_ms: 3000,
            members_max: i32::MAX as usize,
            session_timeout_ms_min: 6000,
            session_timeout_ms_max: 30 * 60 * 1000,
            state_bytes_max: crate::base::limits::GROUP_STATE_BYTES_MAX,
            consumer: ConsumerConfig::default(),
        }
    }
}

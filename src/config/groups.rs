//! The settings of consumer groups, in Kafka's names with dashes for dots.

use super::ConfigError;
use super::layer::narrow;

/// Their keys, as the file and (with two dashes) the command line have them.
pub const GROUP_KEYS: [&str; 6] = [
    "offsets-retention-minutes",
    "offset-metadata-max-bytes",
    "group-initial-rebalance-delay-ms",
    "group-max-size",
    "group-min-session-timeout-ms",
    "group-max-session-timeout-ms",
];

/// How groups are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupSettings {
    /// How long committed offsets are kept once nobody uses them, minutes (Kafka:
    /// `offsets.retention.minutes`).
    pub offsets_retention_minutes: i32,
    /// Most bytes of text with a committed offset (Kafka: `offset.metadata.max.bytes`).
    pub offset_metadata_max_bytes: i32,
    /// How long the first rebalance of an empty group waits for more members, milliseconds
    /// (Kafka: `group.initial.rebalance.delay.ms`).
    pub initial_rebalance_delay_ms: i32,
    /// Most members of one group (Kafka: `group.max.size`).
    pub max_size: i32,
    /// Shortest session timeout that a member may ask for, milliseconds (Kafka:
    /// `group.min.session.timeout.ms`).
    pub min_session_timeout_ms: i32,
    /// The longest (Kafka: `group.max.session.timeout.ms`).
    pub max_session_timeout_ms: i32,
}

impl Default for GroupSettings {
    /// Kafka's.
    fn default() -> Self {
        GroupSettings {
            offsets_retention_minutes: 7 * 24 * 60,
            offset_metadata_max_bytes: 4096,
            initial_rebalance_delay_ms: 3000,
            max_size: i32::MAX,
            min_session_timeout_ms: 6000,
            max_session_timeout_ms: 30 * 60 * 1000,
        }
    }
}

impl GroupSettings {
    /// The settings under the names of Kafka's broker configs.
    pub fn kafka_configs(&self) -> [(&'static str, String); 6] {
        [
            (
                "offsets.retention.minutes",
                self.offsets_retention_minutes.to_string(),
            ),
            (
                "offset.metadata.max.bytes",
                self.offset_metadata_max_bytes.to_string(),
            ),
            (
                "group.initial.rebalance.delay.ms",
                self.initial_rebalance_delay_ms.to_string(),
            ),
            ("group.max.size", self.max_size.to_string()),
            (
                "group.min.session.timeout.ms",
                self.min_session_timeout_ms.to_string(),
            ),
            (
                "group.max.session.timeout.ms",
                self.max_session_timeout_ms.to_string(),
            ),
        ]
    }
}

/// What of them one source gives; `None` where it is silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GroupLayer([Option<i32>; GROUP_KEYS.len()]);

impl GroupLayer {
    /// Reads the value of a key; `None` if the key is not one of these.
    pub(super) fn set(&mut self, key: &str, text: &str) -> Option<Result<(), String>> {
        let place = GROUP_KEYS.iter().position(|known| *known == key)?;
        let slot = self.0.get_mut(place)?;
        let least = match key {
            "offset-metadata-max-bytes" | "group-initial-rebalance-delay-ms" => 0,
            _ => 1,
        };
        let most = match key {
            // More would not fit a record beside what else is committed with it.
            "offset-metadata-max-bytes" => i64::from(i16::MAX),
            _ => i64::from(i32::MAX),
        };
        Some(narrow(text, least, most).map(|value| *slot = Some(value)))
    }

    /// This layer's settings, and those of `below` where it is silent.
    pub(super) fn over(self, below: GroupLayer) -> GroupLayer {
        let mut merged = below;
        for (slot, value) in merged.0.iter_mut().zip(self.0) {
            *slot = value.or(*slot);
        }
        merged
    }

    /// Fills in the defaults.
    pub(super) fn resolve(self) -> Result<GroupSettings, ConfigError> {
        let [retention, metadata, delay, size, min, max] = self.0;
        let defaults = GroupSettings::default();
        let settings = GroupSettings {
            offsets_retention_minutes: retention.unwrap_or(defaults.offsets_retention_minutes),
            offset_metadata_max_bytes: metadata.unwrap_or(defaults.offset_metadata_max_bytes),
            initial_rebalance_delay_ms: delay.unwrap_or(defaults.initial_rebalance_delay_ms),
            max_size: size.unwrap_or(defaults.max_size),
            min_session_timeout_ms: min.unwrap_or(defaults.min_session_timeout_ms),
            max_session_timeout_ms: max.unwrap_or(defaults.max_session_timeout_ms),
        };
        let (min, max) = (
            settings.min_session_timeout_ms,
            settings.max_session_timeout_ms,
        );
        if min <= max {
            return Ok(settings);
        }
        // The other may be a default.
        let [least, most] = [
            "group-min-session-timeout-ms",
            "group-max-session-timeout-ms",
        ];
        Err(match self.0 {
            [_, _, _, _, Some(_), _] => {
                ConfigError::unfit(least, min, format!("that is more than {most} = {max}"))
            }
            _ => ConfigError::unfit(most, max, format!("that is less than {least} = {min}")),
        })
    }
}

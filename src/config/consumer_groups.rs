//! The settings of groups whose coordinator assigns (KIP-848), in Kafka's names with dashes for
//! dots.

use super::ConfigError;
use super::layer::narrow;

/// Their keys, as the file and (with two dashes) the command line have them. The last is text.
pub const CONSUMER_GROUP_KEYS: [&str; 8] = [
    "group-consumer-session-timeout-ms",
    "group-consumer-min-session-timeout-ms",
    "group-consumer-max-session-timeout-ms",
    "group-consumer-heartbeat-interval-ms",
    "group-consumer-min-heartbeat-interval-ms",
    "group-consumer-max-heartbeat-interval-ms",
    "group-consumer-max-size",
    ASSIGNORS_KEY,
];
const ASSIGNORS_KEY: &str = "group-consumer-assignors";
/// How many of the keys have numbers.
const NUMBERS: usize = CONSUMER_GROUP_KEYS.len() - 1;

/// The assignors there are, in Kafka's words.
pub const ASSIGNORS: [&str; 2] = ["uniform", "range"];

/// How groups whose coordinator assigns are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumerGroupSettings {
    /// A member that is silent for so long is taken for gone, milliseconds (Kafka:
    /// `group.consumer.session.timeout.ms`).
    pub session_timeout_ms: i32,
    /// The shortest that a group may be given, milliseconds (Kafka:
    /// `group.consumer.min.session.timeout.ms`).
    pub min_session_timeout_ms: i32,
    /// The longest (Kafka: `group.consumer.max.session.timeout.ms`).
    pub max_session_timeout_ms: i32,
    /// How often members are to be heard of, milliseconds (Kafka:
    /// `group.consumer.heartbeat.interval.ms`).
    pub heartbeat_interval_ms: i32,
    /// The shortest that a group may be given, milliseconds (Kafka:
    /// `group.consumer.min.heartbeat.interval.ms`).
    pub min_heartbeat_interval_ms: i32,
    /// The longest (Kafka: `group.consumer.max.heartbeat.interval.ms`).
    pub max_heartbeat_interval_ms: i32,
    /// Most members of one group (Kafka: `group.consumer.max.size`).
    pub max_size: i32,
    /// The assignors that members may ask for, some of [`ASSIGNORS`] and each once; the first for
    /// those that ask for none (Kafka: `group.consumer.assignors`).
    pub assignors: Vec<String>,
}

impl Default for ConsumerGroupSettings {
    /// Kafka's.
    fn default() -> Self {
        ConsumerGroupSettings {
            session_timeout_ms: 45_000,
            min_session_timeout_ms: 45_000,
            max_session_timeout_ms: 60_000,
            heartbeat_interval_ms: 5000,
            min_heartbeat_interval_ms: 5000,
            max_heartbeat_interval_ms: 15_000,
            max_size: i32::MAX,
            assignors: ASSIGNORS.map(str::to_owned).to_vec(),
        }
    }
}

impl ConsumerGroupSettings {
    /// The settings under the names of Kafka's broker configs.
    pub fn kafka_configs(&self) -> impl Iterator<Item = (String, String)> {
        let numbers = [
            self.session_timeout_ms,
            self.min_session_timeout_ms,
            self.max_session_timeout_ms,
            self.heartbeat_interval_ms,
            self.min_heartbeat_interval_ms,
            self.max_heartbeat_interval_ms,
            self.max_size,
        ];
        let values = numbers.map(|number| number.to_string());
        let values = values.into_iter().chain([self.assignors.join(",")]);
        let names = CONSUMER_GROUP_KEYS.map(|key| key.replace('-', "."));
        names.into_iter().zip(values)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let ranges = [
            (
                "group-consumer-session-timeout-ms",
                "session-timeout",
                self.session_timeout_ms,
                self.min_session_timeout_ms,
                self.max_session_timeout_ms,
            ),
            (
                "group-consumer-heartbeat-interval-ms",
                "heartbeat-interval",
                self.heartbeat_interval_ms,
                self.min_heartbeat_interval_ms,
                self.max_heartbeat_interval_ms,
            ),
        ];
        for (key, name, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                let reason = format!(
                    "that is not from group-consumer-min-{name}-ms = {min} to \
                     group-consumer-max-{name}-ms = {max}"
                );
                return Err(ConfigError::unfit(key, value, reason));
            }
        }
        let (interval, session) = (self.heartbeat_interval_ms, self.session_timeout_ms);
        if interval < session {
            return Ok(());
        }
        let reason = format!("that is not below group-consumer-session-timeout-ms = {session}");
        let key = "group-consumer-heartbeat-interval-ms";
        Err(ConfigError::unfit(key, interval, reason))
    }
}

/// What of them one source gives; `None` where it is silent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConsumerGroupLayer {
    numbers: [Option<i32>; NUMBERS],
    assignors: Option<Vec<String>>,
}

impl ConsumerGroupLayer {
    /// Reads the value of a key; `None` if the key is not one of these.
    pub(super) fn set(&mut self, key: &str, text: &str) -> Option<Result<(), String>> {
        if key == ASSIGNORS_KEY {
            return Some(assignors(text).map(|names| self.assignors = Some(names)));
        }
        let place = CONSUMER_GROUP_KEYS.iter().position(|known| *known == key)?;
        let slot = self.numbers.get_mut(place)?;
        let number = narrow(text, 1, i64::from(i32::MAX));
        Some(number.map(|value| *slot = Some(value)))
    }

    /// This layer's settings, and those of `below` where it is silent.
    pub(super) fn over(self, below: ConsumerGroupLayer) -> ConsumerGroupLayer {
        let mut numbers = below.numbers;
        for (slot, value) in numbers.iter_mut().zip(self.numbers) {
            *slot = value.or(*slot);
        }
        ConsumerGroupLayer {
            numbers,
            assignors: self.assignors.or(below.assignors),
        }
    }

    /// Fills in the defaults.
    pub(super) fn resolve(self) -> Result<ConsumerGroupSettings, ConfigError> {
        let [
            session,
            min_session,
            max_session,
            interval,
            min_interval,
            max_interval,
            size,
        ] = self.numbers;
        let defaults = ConsumerGroupSettings::default();
        let settings = ConsumerGroupSettings {
            session_timeout_ms: session.unwrap_or(defaults.session_timeout_ms),
            min_session_timeout_ms: min_session.unwrap_or(defaults.min_session_timeout_ms),
            max_session_timeout_ms: max_session.unwrap_or(defaults.max_session_timeout_ms),
            heartbeat_interval_ms: interval.unwrap_or(defaults.heartbeat_interval_ms),
            min_heartbeat_interval_ms: min_interval.unwrap_or(defaults.min_heartbeat_interval_ms),
            max_heartbeat_interval_ms: max_interval.unwrap_or(defaults.max_heartbeat_interval_ms),
            max_size: size.unwrap_or(defaults.max_size),
            assignors: self.assignors.unwrap_or(defaults.assignors),
        };
        settings.check()?;
        Ok(settings)
    }
}

fn assignors(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    let is_known = |name: &&str| ASSIGNORS.contains(name);
    let is_new = |i: usize| names.get(i).is_some_and(|name| !names[..i].contains(name));
    match names.iter().all(is_known) && (0..names.len()).all(is_new) {
        true => Ok(names.into_iter().map(str::to_owned).collect()),
        false => Err(format!("expected some of {}", ASSIGNORS.join(","))),
    }
}

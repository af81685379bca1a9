//! How groups of KIP-848 are kept.

use std::str::FromStr;

/// Kafka's settings of groups whose coordinator assigns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConsumerConfig {
    /// A member that is silent for so long is taken for gone, milliseconds
    /// (Kafka: `group.consumer.session.timeout.ms`).
    pub session_timeout_ms: u64,
    /// How often members are to be heard of, milliseconds
    /// (Kafka: `group.consumer.heartbeat.interval.ms`).
    pub heartbeat_interval_ms: i32,
    /// Most members of one group (Kafka: `group.consumer.max.size`).
    pub members_max: usize,
    /// What members may ask for (Kafka: `group.consumer.assignors`).
    pub assignors: Assignors,
}

impl Default for ConsumerConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        ConsumerConfig {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
            members_max: i32::MAX as usize,
            assignors: Assignors::default(),
        }
    }
}

impl ConsumerConfig {
    /// The settings of one group.
    pub fn with(self, overrides: ConsumerOverrides) -> ConsumerConfig {
        let ConsumerOverrides {
            session_timeout_ms,
            heartbeat_interval_ms,
        } = overrides;
        ConsumerConfig {
            session_timeout_ms: session_timeout_ms.unwrap_or(self.session_timeout_ms),
            heartbeat_interval_ms: heartbeat_interval_ms.unwrap_or(self.heartbeat_interval_ms),
            ..self
        }
    }
}

/// What is set for one group; `None` where the settings of all count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConsumerOverrides {
    /// Kafka: `consumer.session.timeout.ms`, milliseconds.
    pub session_timeout_ms: Option<u64>,
    /// Kafka: `consumer.heartbeat.interval.ms`, milliseconds.
    pub heartbeat_interval_ms: Option<i32>,
}

/// A way to spread partitions over members.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Assignor {
    /// As evenly as subscriptions allow, moving as little as possible.
    Uniform,
    /// Neighbouring partitions of each topic together, and the same of topics that are read
    /// together; what a member had before does not count.
    Range,
}

impl Assignor {
    /// Kafka's word.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }
}

impl FromStr for Assignor {
    type Err = ();

    fn from_str(name: &str) -> Result<Assignor, ()> {
        match name {
            "uniform" => Ok(Assignor::Uniform),
            "range" => Ok(Assignor::Range),
            _ => Err(()),
        }
    }
}

/// The assignors that members may ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assignors {
    first: Assignor,
    second: Option<Assignor>,
}

impl Default for Assignors {
    /// Kafka's: both, `uniform` for members that ask for none.
    fn default() -> Self {
        Assignors::of([])
    }
}

impl Assignors {
    /// These, the first for members that ask for none; all if there are none.
    pub fn of(assignors: impl IntoIterator<Item = Assignor>) -> Assignors {
        let mut assignors = assignors.into_iter();
        match assignors.next() {
            Some(first) => Assignors {
                first,
                second: assignors.find(|other| *other != first),
            },
            None => Assignors {
                first: Assignor::Uniform,
                second: Some(Assignor::Range),
            },
        }
    }

    /// The assignor of groups whose members ask for none.
    pub fn first(self) -> Assignor {
        self.first
    }

    /// The assignor of this name, if members may ask for it.
    pub fn named(self, name: &str) -> Option<Assignor> {
        let asked: Assignor = name.parse().ok()?;
        self.all().find(|assignor| *assignor == asked)
    }

    /// All of them.
    pub fn all(self) -> impl Iterator<Item = Assignor> {
        [self.first].into_iter().chain(self.second)
    }
}

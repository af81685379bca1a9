//! The records of the catalogue's log.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codec;
use crate::base::TopicId;

/// One change of the catalogue, as its log keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CatalogRecord {
    /// A topic came into being, or stands so in a snapshot.
    TopicCreated {
        /// Its id.
        topic: TopicId,
        /// Its name.
        name: Arc<str>,
        /// Its partition count.
        partitions: i32,
        /// Its overrides.
        configs: BTreeMap<String, String>,
        /// When, wall clock, milliseconds.
        created_ms: i64,
    },
    /// A topic is gone for good.
    TopicDeleted {
        /// Its id.
        topic: TopicId,
    },
    /// A topic grew.
    PartitionsAdded {
        /// Its id.
        topic: TopicId,
        /// Its partition count from now on.
        partitions: i32,
    },
    /// A topic's overrides, all of them, from now on.
    ConfigSet {
        /// Its id.
        topic: TopicId,
        /// The overrides.
        configs: BTreeMap<String, String>,
    },
    /// A group's overrides, all of them, from now on.
    GroupConfigSet {
        /// Its id.
        group: Arc<str>,
        /// The overrides.
        configs: BTreeMap<String, String>,
    },
}

/// Why bytes are no record of the catalogue.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("the catalogue record is cut short")]
    Truncated,
    /// They go on after the record.
    #[error("the catalogue record has {0} bytes too many")]
    Trailing(usize),
    /// A newer version of the broker wrote them.
    #[error("the catalogue record has the unknown version {0}")]
    UnknownVersion(u8),
    /// No such kind of record.
    #[error("the catalogue record has the unknown kind {0}")]
    UnknownKind(u8),
    /// A field has a value that no writer gives it.
    #[error("the catalogue record's {0} is out of range")]
    Invalid(&'static str),
}

impl CatalogRecord {
    /// The record as the value of a Kafka record.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The record of these bytes.
    ///
    /// # Errors
    /// Whatever they are instead; never panics, never allocates by a length in them.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }
}

//! Why the catalogue refused something, in Kafka's error codes.

use thiserror::Error;

/// The error codes of Kafka that the catalogue answers with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// The topic does not exist (by name).
    UnknownTopicOrPartition,
    /// The topic's name is not allowed, or collides with another's.
    InvalidTopic,
    /// The topic exists already.
    TopicAlreadyExists,
    /// A partition count is out of range or no increase.
    InvalidPartitions,
    /// A replication factor is zero or below -1.
    InvalidReplicationFactor,
    /// A manual assignment has the wrong shape.
    InvalidReplicaAssignment,
    /// A config is unknown, malformed, out of range or not enforced yet.
    InvalidConfig,
    /// The request contradicts itself.
    InvalidRequest,
    /// A limit of this broker would be passed.
    PolicyViolation,
    /// The topic does not exist (by id).
    UnknownTopicId,
}

impl ErrorKind {
    /// Kafka's error code (`org.apache.kafka.common.protocol.Errors`).
    pub const fn code(self) -> i16 {
        match self {
            ErrorKind::UnknownTopicOrPartition => 3,
            ErrorKind::InvalidTopic => 17,
            ErrorKind::TopicAlreadyExists => 36,
            ErrorKind::InvalidPartitions => 37,
            ErrorKind::InvalidReplicationFactor => 38,
            ErrorKind::InvalidReplicaAssignment => 39,
            ErrorKind::InvalidConfig => 40,
            ErrorKind::InvalidRequest => 42,
            ErrorKind::PolicyViolation => 44,
            ErrorKind::UnknownTopicId => 100,
        }
    }
}

/// A refusal: the code for the client's program, the message for its reader.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{message}")]
pub struct CatalogError {
    /// What kind of refusal.
    pub kind: ErrorKind,
    /// One sentence that says what was wrong, for `error_message`.
    pub message: String,
}

impl CatalogError {
    /// A refusal with its sentence.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        CatalogError {
            kind,
            message: message.into(),
        }
    }

    /// Kafka's error code.
    pub const fn code(&self) -> i16 {
        self.kind.code()
    }
}

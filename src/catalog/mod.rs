//! The catalogue: which topics exist, how many partitions each has, how each is
//! configured, and which shard owns a partition.
//!
//! Shard 0 holds the only writer, every shard holds a replica of the same type.
//! The writer turns a request into records with [`Catalog::decide`]; the records
//! go to the catalogue's own log and to every replica, and [`Catalog::replay`] is
//! the only function that changes a catalogue, on the writer, on a replica and
//! in recovery alike.
//!
//! The writer must replay what it decided before it decides again, or two
//! requests could both create one name. The reply waits until the records are
//! durable and every shard has replayed them; that wait is the shard's affair.
//!
//! It never reads a clock, invents an id, performs I/O or knows partitions' data.

mod codec;
pub mod configs;
mod decide;
mod error;
mod name;
mod outcome;
pub mod placement;
mod record;
mod request;
mod state;

pub use decide::Decision;
pub use error::{CatalogError, ErrorKind};
pub use name::{OFFSETS_TOPIC, is_internal, validate as validate_name};
pub use outcome::{
    CatalogReply, ConfigsAltered, CreatedTopic, DeleteOutcome, TopicOutcome, TopicRef,
};
pub use record::{CatalogRecord, DecodeError};
pub use request::{
    AlterGroup, AlterTopic, Assignment, CatalogRequest, ConfigOp, ConfigOpKind, GrowTopic,
    IncrementalAlterTopic, NewTopic,
};
pub use state::{BrokerDefaults, Catalog, Change, Topic};

#[cfg(test)]
mod tests;

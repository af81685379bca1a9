//! Corelane: a Kafka-compatible broker that runs one shard per CPU core.
//!
//! Start with `src/ARCHITECTURE.md`; each folder's `mod.rs` says what it owns
//! and what it must never do. Imports run one way, and a test holds the table:
//! base <- kafka <- {wal, partition, catalog, group, object} <- shard <- runtime <- server <- cli.

pub mod base;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod group;
pub mod kafka;
pub mod object;
pub mod partition;
pub mod runtime;
pub mod server;
pub mod shard;
pub mod wal;

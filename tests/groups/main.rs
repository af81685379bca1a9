//! Consumer groups over the wire: commits and their durability, members and rebalances, in
//! both topologies and with any number of shards.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the tests measure time")]

#[path = "../common/mod.rs"]
mod common;

mod commits;
mod consumers;
mod crashes;
mod internal_topic;
mod many;
mod many_consumers;
mod members;
mod rig;
mod space;

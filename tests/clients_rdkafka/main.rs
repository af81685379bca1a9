//! A real client, librdkafka, against the broker as a process.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the tests measure time")]

#[path = "../common/mod.rs"]
mod common;

mod admin;
mod assigned_groups;
mod consumer;
mod faults;
mod group_rig;
mod groups;
mod produce_consume;
mod records;
mod rig;

//! What the log means, seen over the wire: Kafka's rules for produce and fetch, one
//! request at a time against a running broker.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the tests measure time")]

#[path = "../common/mod.rs"]
mod common;

mod cold;
mod fetch;
mod idempotence;
mod in_flight;
mod lifecycle;
mod long_poll;
mod offsets;
mod produce;
mod refusals;
mod sessions;
mod timestamps;

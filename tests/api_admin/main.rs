//! The APIs beside produce and fetch, as a client meets them: the broker runs as a
//! process, and requests of every version go to it over TCP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test waits for a process by the clock"
)]

#[path = "../common/mod.rs"]
mod common;

mod cluster;
mod configs;
mod oracle;
mod records;
mod rig;
mod topics;
mod versions;

//! Clients that are broken or mean harm: the broker stays up, says nothing above INFO,
//! keeps within its memory, and other clients notice nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the tests measure time")]

#[path = "../common/mod.rs"]
mod common;

mod appetite;
mod bystander;
mod captures;
mod crowds;
mod frames;
mod gauge;
mod idle;
mod memory;
mod peers;
mod requests;

//! The object store's core without a store: objects byte by byte, the manifest against a
//! model, and histories that die between any two steps.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, and says where"
)]

#[path = "../common/random.rs"]
#[allow(dead_code, reason = "other tests use all of it")]
mod random;

mod damage;
mod format;
mod golden;
mod lives;
mod manifest;
mod manifest_model;
mod merges;
mod orphans;
mod reads;
mod records;
mod retention;
mod uploads;

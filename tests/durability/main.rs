//! What acknowledged means: records survive SIGKILL, a full disk, restarts with
//! another number of cores, and ten thousand partitions.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the tests measure time")]

#[path = "../common/mod.rs"]
mod common;

mod damaged;
mod failed_calls;
mod failed_read;
mod failed_write;
mod first_starts;
mod full_disk;
mod kill;
mod many_partitions;
mod open_flags;
mod power_cut;
mod restarts;
mod small_fs;
mod steps;
mod story;

//! What the black-box tests share: the broker as a process of its own, a client that
//! sends exactly the bytes a test wants, and a source of repeatable randomness.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test binary uses its own part of it"
)]

pub mod batches;
pub mod broker;
pub mod client;
pub mod consumers;
pub mod faults;
pub mod groups;
pub mod host;
pub mod log;
pub mod matrix;
pub mod ops;
pub mod ports;
pub mod random;
pub mod skip;

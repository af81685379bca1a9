//! The WAL core against a simulated disk: what was acknowledged survives, and
//! nothing else than what was written ever comes back.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, and says where"
)]

mod corruption;
mod disk;
mod golden;
mod images;
mod inspection;
mod model;
mod records;
mod refusals;
mod rig;
mod space;
mod starts;

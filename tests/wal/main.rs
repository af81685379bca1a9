//! The WAL core against a simulated disk: what was acknowledged survives, and
//! nothing else than what was written ever comes back.

mod corruption;
mod disk;
mod golden;
mod images;
mod model;
mod records;
mod rig;
mod space;

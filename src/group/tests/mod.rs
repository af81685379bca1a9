//! Groups as their members see them.

mod admin;
mod consumers;
mod joins;
mod limits;
mod model;
mod offsets;
mod records;
mod restarts;
mod rig;
mod statics;

//! (to be written)

pub mod probe;

//! What is measured and how it is written down: counters that only count while
//! a measurement runs, latency, CPU time and context switches of a process.

pub mod meter;
pub mod procstat;
pub mod report;

pub use meter::Meter;
pub use report::Report;

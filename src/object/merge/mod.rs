//! Small objects of many partitions become long runs of few: which extents are joined
//! next, at which pace. A plan is made of the manifest as it is, and one output is
//! recorded at a time, so there is nothing to recover: what was not merged is found
//! again.

mod groups;
mod merger;

pub use groups::{Group, Limits};
pub use merger::{MergeConfig, MergeJob, Merger};

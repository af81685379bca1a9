//! The words everything else is written in: ids, offsets, time, limits,
//! checksums. Plain data without behaviour of its own; imports nothing.

pub mod checksum;
pub mod ids;
pub mod limits;
pub mod log_config;
pub mod mark;
pub mod time;

pub use ids::{LogPosition, Lsn, SegmentId, ShardId, TopicId, TopicPartition};
pub use log_config::{LogConfig, TimestampType};
pub use time::Now;

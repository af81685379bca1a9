//! DescribeLogDirs (35), versions 1-4: how much disk each partition takes (KIP-113).
//!
//! - 1: throttled responses are sent at once (KIP-219). 2: flexible.
//! - 3: an error code of its own. 4: size of the volume (KIP-827).

use std::borrow::Cow;

use crate::kafka::ErrorCode;
use crate::wire_struct;

wire_struct! {
    /// The request.
    pub struct DescribeLogDirsRequest<'a> {
        /// The topics of interest; null for all.
        [1+] topics: Option<Vec<DescribableLogDirTopic<'a>>>,
    }
}

wire_struct! {
    /// One topic of the request.
    pub struct DescribableLogDirTopic<'a> {
        /// Its name.
        [1+] topic: &'a str,
        /// Indexes of its partitions.
        [1+] partitions: Vec<i32>,
    }
}

wire_struct! {
    /// The response.
    pub struct DescribeLogDirsResponse<'a> {
        /// How long the client should pause, milliseconds.
        [1+] throttle_time_ms: i32,
        /// An error of the request as a whole.
        [3+] error_code: ErrorCode,
        /// One per log directory.
        [1+] results: Vec<DescribeLogDirsResult<'a>>,
    }
}

wire_struct! {
    /// One log directory.
    pub struct DescribeLogDirsResult<'a> {
        /// What happened.
        [1+] error_code: ErrorCode,
        /// Its absolute path.
        [1+] log_dir: Cow<'a, str>,
        /// What is in it.
        [1+] topics: Vec<DescribeLogDirsTopic<'a>>,
        /// Size of its volume, bytes, or -1.
        [4+] total_bytes: i64 = -1,
        /// Free space of its volume, bytes, or -1.
        [4+] usable_bytes: i64 = -1,
    }
}

wire_struct! {
    /// One topic of a log directory.
    pub struct DescribeLogDirsTopic<'a> {
        /// Its name.
        [1+] name: Cow<'a, str>,
        /// Its partitions.
        [1+] partitions: Vec<DescribeLogDirsPartition>,
    }
}

wire_struct! {
    /// One partition of a log directory.
    pub struct DescribeLogDirsPartition {
        /// The partition's index.
        [1+] partition_index: i32,
        /// Its size, bytes.
        [1+] partition_size: i64,
        /// How far a replica lags behind the high watermark, records.
        [1+] offset_lag: i64,
        /// Whether it is the copy that will replace the current one.
        [1+] is_future_key: bool,
    }
}

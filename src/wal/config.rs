//! What a WAL is opened with.

use thiserror::Error;

use super::segment;
use crate::base::limits;

/// What a WAL is opened with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WalConfig {
    /// The WAL's number: that of its shard.
    pub wal: u16,
    /// Size of every new segment file. The configuration keeps it within
    /// [`limits::WAL_SEGMENT_BYTES_MIN`] and [`limits::WAL_SEGMENT_BYTES_MAX`].
    pub segment_bytes: u32,
    /// Disk budget of this WAL in bytes, at least [`limits::WAL_SEGMENTS_MIN`] segments.
    pub disk_bytes_max: u64,
    /// 64 random bits, new at each start of the broker. Every life of a file in this run derives
    /// its incarnation from them, so they must not be guessable by clients.
    pub run_seed: u64,
}

/// A configuration that no WAL can work with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum WalConfigError {
    /// See [`segment::is_segment_size`].
    #[error("WAL segments of {0} bytes: not a multiple of 4096 within 8 KiB and 512 MiB")]
    SegmentBytes(u32),
    /// Fewer than [`limits::WAL_SEGMENTS_MIN`] segments.
    #[error("a WAL budget of {disk_bytes_max} bytes is less than 4 segments of {segment_bytes}")]
    DiskBytes {
        /// The budget given.
        disk_bytes_max: u64,
        /// The size of a segment.
        segment_bytes: u32,
    },
}

impl WalConfig {
    /// Checks what [`Wal::open`](super::Wal::open) relies on.
    ///
    /// # Errors
    /// See [`WalConfigError`].
    pub fn check(&self) -> Result<(), WalConfigError> {
        let WalConfig {
            segment_bytes,
            disk_bytes_max,
            ..
        } = *self;
        if !segment::is_segment_size(u64::from(segment_bytes)) {
            return Err(WalConfigError::SegmentBytes(segment_bytes));
        }
        if disk_bytes_max / u64::from(segment_bytes) < limits::WAL_SEGMENTS_MIN as u64 {
            return Err(WalConfigError::DiskBytes {
                disk_bytes_max,
                segment_bytes,
            });
        }
        Ok(())
    }
}

//! Why a WAL is not recovered. Each of these stops the broker: going on would
//! drop or alter what was acknowledged.

use thiserror::Error;

use crate::base::Lsn;
use crate::wal::block::BlockError;
use crate::wal::manifest::ManifestError;
use crate::wal::names::FilePath;

/// Why a WAL is not recovered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RecoveryError {
    /// There are segment files and no manifest.
    #[error("{0} is missing, though there are segment files beside it")]
    ManifestMissing(FilePath),
    /// The manifest cannot be read.
    #[error("{path}: {error}")]
    Manifest {
        /// The manifest.
        path: FilePath,
        /// What is wrong with it.
        error: ManifestError,
    },
    /// The manifest is that of another WAL.
    #[error("{path} is the manifest of WAL {found}: was it moved?")]
    WrongWal {
        /// The manifest.
        path: FilePath,
        /// The number it names.
        found: u16,
    },
    /// A file has a life that the manifest does not know yet: it is an older manifest, put back by
    /// hand or by a disk that loses renames.
    #[error("{path} holds segment {sequence}, which is newer than the manifest beside it")]
    ManifestOutdated {
        /// The file.
        path: FilePath,
        /// The sequence of the life in it.
        sequence: u64,
    },
    /// The manifest names a file that is not there.
    #[error("{path} is missing (segment {sequence} of its WAL): acknowledged records are lost")]
    SegmentMissing {
        /// The file.
        path: FilePath,
        /// The sequence of the life that it should hold.
        sequence: u64,
    },
    /// A file is not as large as the manifest says. Only a sealed segment's may be larger.
    #[error("{path} is {found} bytes long, not {expected}")]
    SegmentSize {
        /// The file.
        path: FilePath,
        /// Its size.
        found: u64,
        /// The size it should have.
        expected: u32,
    },
    /// A block that was durable is damaged or missing.
    #[error(
        "{path} is damaged at byte {offset}: {error}, where block {} should be. \
         Everything up to block {} was durable, so this is no unfinished write: acknowledged \
         records are lost", .lsn.0, .durable.0
    )]
    Corrupt {
        /// The file.
        path: FilePath,
        /// Where the block should begin, from the start of the file.
        offset: u32,
        /// The block's number.
        lsn: Lsn,
        /// The highest LSN known to be durable.
        durable: Lsn,
        /// What is there instead.
        error: BlockError,
    },
    /// A read gave fewer bytes than it was asked for.
    #[error("{path}: a read at byte {offset} gave {found} bytes, not {expected}")]
    ShortRead {
        /// The file.
        path: FilePath,
        /// Where it was read.
        offset: u32,
        /// Bytes that came.
        found: usize,
        /// Bytes asked for.
        expected: usize,
    },
}

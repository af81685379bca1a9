//! Objects as bytes: written as a plan of uncopied pieces, joined from others
//! without a look at their records, and read from the footer at their end.
//! `../FORMAT.md` has the diagrams.

mod chunk;
mod footer;
mod header;
mod join;
mod verify;
mod walk;
mod writer;

use thiserror::Error;

pub use chunk::{ChunkEntry, EpochStart, Mark, StateEntry};
pub use footer::{Footer, TailRead, Trailer};
pub use header::ObjectHeader;
pub use join::{CopyRange, JoinPlan, Run, join};
pub use verify::{Fault, Finding, Verification, VerifyStep};
pub use walk::{BatchWalk, WalkError};
pub use writer::{NewChunk, ObjectPlan, ObjectWriter};

/// Version of everything that is put into the store.
pub const FORMAT_VERSION: u32 = 1;
/// Bytes of an object's header.
pub const OBJECT_HEADER_BYTES: usize = 64;
/// Bytes at an object's very end, which tell where its footer is.
pub const TRAILER_BYTES: usize = 32;
/// First eight bytes of an object.
pub const OBJECT_MAGIC: [u8; 8] = *b"CLOBJECT";
/// First eight bytes of its trailer.
pub const TRAILER_MAGIC: [u8; 8] = *b"CLOBJEND";

/// Why bytes are not an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ObjectError {
    /// No magic, cut short, or longer than an object can be.
    #[error("not an object, or cut short")]
    Shape,
    /// Written by another version of the program.
    #[error("object format version {0}, this program reads {FORMAT_VERSION}")]
    Version(u32),
    /// The CRC of this part is wrong.
    #[error("the {0} does not match its CRC")]
    Crc(&'static str),
    /// Intact, but this part of the footer contradicts the rest.
    #[error("the footer contradicts itself: {0}")]
    Contradiction(&'static str),
}

/// Why something does not go into an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum WriteError {
    /// Bytes that are no record batches, or not the next ones of the partition.
    #[error(transparent)]
    Batches(#[from] WalkError),
    /// Chunks must come by topic, partition and offset.
    #[error("a chunk out of order")]
    Order,
    /// A chunk without a batch.
    #[error("an empty chunk")]
    Empty,
    /// More chunks or bytes than one object may have.
    #[error("more than one object may hold")]
    TooLarge,
}

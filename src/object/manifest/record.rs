//! The records of a manifest's log.

use super::codec;
use super::extent::Extent;
use crate::base::{TopicId, TopicPartition};
use crate::object::format::Footer;
use crate::object::key::ObjectId;

/// One change of a manifest, as its log keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ManifestRecord {
    /// Chunks go on where the store's part of their partitions ended.
    Uploaded {
        /// The object.
        object: ObjectInfo,
        /// Its chunks, those of partitions that are deleted left out.
        chunks: Vec<ChunkExtent>,
    },
    /// Chunks take the place of extents in other objects.
    Merged {
        /// The object.
        object: ObjectInfo,
        /// Those of its chunks that are still wanted.
        chunks: Vec<ChunkExtent>,
    },
    /// Records below an offset are deleted.
    Trimmed {
        /// Whose.
        tp: TopicPartition,
        /// The new log start offset.
        log_start: i64,
    },
    /// A topic is deleted.
    Dropped {
        /// Its id.
        topic: TopicId,
    },
    /// An object is no more in the store.
    Removed {
        /// Which.
        object: ObjectId,
    },
    /// An object is in the store: of a snapshot.
    Object(ObjectInfo),
    /// What the store has of a partition, all of it: of a snapshot.
    Partition {
        /// Which.
        tp: TopicPartition,
        /// Its log start offset.
        log_start: i64,
        /// Its stored end.
        end: i64,
        /// Its extents.
        extents: Vec<Extent>,
    },
}

/// An object, without its chunks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ObjectInfo {
    /// Its name.
    pub id: ObjectId,
    /// 0 as uploaded, one more with each merge.
    pub level: u8,
    /// Bytes of the whole object.
    pub bytes: u64,
    /// Bytes of its chunks.
    pub data_bytes: u64,
    /// Bytes of its footer, without the trailer.
    pub footer_bytes: u32,
    /// When it was begun, wall clock, milliseconds.
    pub created_ms: i64,
    /// Chunks in it.
    pub chunks: u32,
}

/// An extent, and whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChunkExtent {
    /// Whose records it has.
    pub tp: TopicPartition,
    /// The partition's log start offset when the record was written.
    pub log_start: i64,
    /// Where the records are.
    pub extent: Extent,
}

/// Why bytes are no record of a manifest.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("the manifest record is cut short")]
    Truncated,
    /// They go on after the record.
    #[error("the manifest record has {0} bytes too many")]
    Trailing(usize),
    /// A newer version of the broker wrote them.
    #[error("the manifest record has the unknown version {0}")]
    UnknownVersion(u8),
    /// No such kind of record.
    #[error("the manifest record has the unknown kind {0}")]
    UnknownKind(u8),
    /// A field has a value that no writer gives it.
    #[error("the manifest record's {0} is out of range")]
    Invalid(&'static str),
}

impl ObjectInfo {
    /// Of the object with this footer.
    pub fn new(footer: &Footer) -> ObjectInfo {
        ObjectInfo {
            id: footer.header.id,
            level: footer.header.level,
            bytes: footer.object_bytes,
            data_bytes: footer.chunks.iter().map(|c| u64::from(c.bytes)).sum(),
            footer_bytes: footer.footer_bytes,
            created_ms: footer.header.created_ms,
            chunks: footer.chunks.len() as u32,
        }
    }
}

impl ManifestRecord {
    /// The record as the value of a Kafka record.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The record of these bytes.
    ///
    /// # Errors
    /// Whatever they are instead; never panics, never allocates by a length in them.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }
}

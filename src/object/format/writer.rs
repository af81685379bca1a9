//! Making an object of record batches: the batches stay where they are, and what
//! is made anew (header, footer) goes between them.

use bytes::Bytes;

use super::{
    BatchWalk, ChunkEntry, Footer, OBJECT_HEADER_BYTES, ObjectHeader, StateEntry, WriteError,
};
use crate::base::limits::{CRC_COMBINE_BYTES_MIN, OBJECT_BYTES_MAX, OBJECT_CHUNKS_MAX};
use crate::base::{TopicPartition, checksum};
use crate::kafka::batch::{BatchHeader, CRC_COVER_START};

/// What goes into an object of one partition.
#[derive(Clone, Debug)]
pub struct NewChunk {
    /// Whose records they are.
    pub tp: TopicPartition,
    /// Its log start offset now.
    pub log_start: i64,
    /// Its next batches, in order; each piece has whole ones.
    pub batches: Vec<Bytes>,
    /// Its checkpoint as of the last of them.
    pub state: Option<Bytes>,
}

/// Collects chunks, and makes an object of them.
#[derive(Debug)]
pub struct ObjectWriter {
    header: ObjectHeader,
    entries: Vec<ChunkEntry>,
    batches: Vec<Vec<Bytes>>,
    states: Vec<Bytes>,
    bytes: usize,
}

/// An object, ready to be put.
#[derive(Clone, Debug)]
pub struct ObjectPlan {
    /// What it holds.
    pub footer: Footer,
    /// Its bytes, piece by piece.
    pub pieces: Vec<Bytes>,
    /// CRC-32C of all of them.
    pub crc: u32,
}

impl ObjectWriter {
    /// An object without chunks.
    pub fn new(header: ObjectHeader) -> ObjectWriter {
        ObjectWriter {
            header,
            entries: Vec::new(),
            batches: Vec::new(),
            states: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds a chunk, in the order of topics, partitions and offsets.
    ///
    /// # Errors
    /// See [`WriteError`]; the chunk is left out then.
    pub fn push(&mut self, chunk: NewChunk) -> Result<(), WriteError> {
        let bytes: usize = chunk
            .batches
            .iter()
            .chain(&chunk.state)
            .map(Bytes::len)
            .sum();
        if self.entries.len() == OBJECT_CHUNKS_MAX || self.bytes + bytes > OBJECT_BYTES_MAX {
            return Err(WriteError::TooLarge);
        }
        if chunk.batches.iter().all(Bytes::is_empty) {
            return Err(WriteError::Empty);
        }
        let mut walk = BatchWalk::new();
        let mut crc = 0;
        for piece in &chunk.batches {
            walk.walk(piece)?;
            crc = append_piece(crc, piece);
        }
        let mut entry = walk.finish(chunk.tp, crc, chunk.log_start)?;
        let last = self.entries.last().map(|last| (last.tp, last.end_offset));
        if last.is_some_and(|last| last > (entry.tp, entry.base_offset)) {
            return Err(WriteError::Order);
        }
        if let Some(state) = chunk.state.filter(|state| !state.is_empty()) {
            entry.state = Some(StateEntry {
                position: 0,
                bytes: state.len() as u32,
                crc: checksum::crc32c(&state),
            });
            self.states.push(state);
        }
        self.bytes += bytes;
        self.entries.push(entry);
        self.batches.push(chunk.batches);
        Ok(())
    }

    /// The object.
    ///
    /// # Errors
    /// [`WriteError::TooLarge`]: it would have more bytes than one may have.
    pub fn finish(self) -> Result<ObjectPlan, WriteError> {
        let footer = Footer::lay_out(self.header, self.entries)?;
        let mut pieces = vec![Bytes::copy_from_slice(&self.header.encode())];
        let mut crc = checksum::crc32c(&self.header.encode());
        for (entry, batches) in footer.chunks.iter().zip(self.batches) {
            crc = match entry.bytes as usize >= CRC_COMBINE_BYTES_MIN {
                true => checksum::crc32c_combine(crc, entry.crc, entry.bytes as usize),
                false => batches
                    .iter()
                    .fold(crc, |crc, piece| checksum::crc32c_append(crc, piece)),
            };
            pieces.extend(batches);
        }
        let end = Bytes::from(footer.encode());
        for piece in self.states.into_iter().chain([end]) {
            crc = checksum::crc32c_append(crc, &piece);
            pieces.push(piece);
        }
        Ok(ObjectPlan {
            footer,
            pieces,
            crc,
        })
    }

    /// Bytes of the chunks so far, and of the header.
    pub fn bytes(&self) -> usize {
        OBJECT_HEADER_BYTES + self.bytes
    }
}

/// The CRC of `crc`'s bytes and `piece`. A large single batch brings most of it along, verified
/// when it was produced.
fn append_piece(crc: u32, piece: &[u8]) -> u32 {
    let header = BatchHeader::decode(piece).ok();
    let single = header.filter(|header| header.total_bytes() == piece.len());
    match (single, piece.split_at_checked(CRC_COVER_START)) {
        (Some(header), Some((head, covered))) if covered.len() >= CRC_COMBINE_BYTES_MIN => {
            let crc = checksum::crc32c_append(crc, head);
            checksum::crc32c_combine(crc, header.crc, covered.len())
        }
        _ => checksum::crc32c_append(crc, piece),
    }
}

//! The footer, the trailer behind it, and how both are read from the end.

use bytes::{Buf, BufMut};

use super::{
    ChunkEntry, FORMAT_VERSION, OBJECT_HEADER_BYTES, ObjectError, ObjectHeader, TRAILER_BYTES,
    TRAILER_MAGIC, WriteError,
};
use crate::base::checksum;
use crate::base::limits::{OBJECT_BYTES_MAX, OBJECT_CHUNKS_MAX, OBJECT_FOOTER_BYTES_MAX};

const TRAILER_FIELDS_BYTES: usize = TRAILER_BYTES - 4;
/// The header again, the count of chunks, and zeroes.
const FOOTER_HEAD_BYTES: usize = OBJECT_HEADER_BYTES + 8;

/// What an object holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Footer {
    /// Which object it is.
    pub header: ObjectHeader,
    /// Its chunks, by topic, partition and offset.
    pub chunks: Vec<ChunkEntry>,
    /// Bytes of the whole object.
    pub object_bytes: u64,
    /// Bytes of the footer, the trailer not included.
    pub footer_bytes: u32,
}

/// The last bytes of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trailer {
    /// Bytes of the footer in front of it.
    pub footer_bytes: u32,
    /// Bytes of the whole object.
    pub object_bytes: u64,
    /// CRC-32C of the footer.
    pub footer_crc: u32,
}

/// What the end of an object told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TailRead {
    /// All of the footer.
    Whole(Footer),
    /// That the footer is longer: so many bytes are needed from the end.
    Needs(usize),
}

impl Trailer {
    fn encode(&self) -> [u8; TRAILER_BYTES] {
        let mut bytes = [0; TRAILER_BYTES];
        let (fields, mut sum) = bytes.split_at_mut(TRAILER_FIELDS_BYTES);
        let mut out = &mut *fields;
        out.put_slice(&TRAILER_MAGIC);
        out.put_u32_le(FORMAT_VERSION);
        out.put_u32_le(self.footer_bytes);
        out.put_u64_le(self.object_bytes);
        out.put_u32_le(self.footer_crc);
        sum.put_u32_le(checksum::crc32c(fields));
        bytes
    }

    /// Decodes the trailer of an object of which `tail` are the last bytes.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub fn decode(tail: &[u8]) -> Result<Trailer, ObjectError> {
        let bytes: &[u8; TRAILER_BYTES] = tail.last_chunk().ok_or(ObjectError::Shape)?;
        let (fields, mut sum) = bytes.split_at(TRAILER_FIELDS_BYTES);
        let mut input = fields
            .strip_prefix(&TRAILER_MAGIC)
            .ok_or(ObjectError::Shape)?;
        if sum.get_u32_le() != checksum::crc32c(fields) {
            return Err(ObjectError::Crc("trailer"));
        }
        let version = input.get_u32_le();
        if version != FORMAT_VERSION {
            return Err(ObjectError::Version(version));
        }
        let trailer = Trailer {
            footer_bytes: input.get_u32_le(),
            object_bytes: input.get_u64_le(),
            footer_crc: input.get_u32_le(),
        };
        let footer = trailer.footer_bytes as usize;
        let around = (OBJECT_HEADER_BYTES + footer + TRAILER_BYTES) as u64;
        let possible = (FOOTER_HEAD_BYTES..=OBJECT_FOOTER_BYTES_MAX).contains(&footer)
            && (around..=OBJECT_BYTES_MAX as u64).contains(&trailer.object_bytes);
        possible.then_some(trailer).ok_or(ObjectError::Shape)
    }
}

impl Footer {
    /// Gives `chunks` and their states their places in an object. Their positions count for
    /// nothing before.
    pub(super) fn lay_out(
        header: ObjectHeader,
        mut chunks: Vec<ChunkEntry>,
    ) -> Result<Footer, WriteError> {
        let mut position = OBJECT_HEADER_BYTES as u64;
        let mut place = |bytes: u32| {
            let begins = position;
            position += u64::from(bytes);
            begins as u32
        };
        for chunk in &mut chunks {
            chunk.position = place(chunk.bytes);
        }
        for state in chunks.iter_mut().filter_map(|chunk| chunk.state.as_mut()) {
            state.position = place(state.bytes);
        }
        let entries: usize = chunks.iter().map(ChunkEntry::encoded_bytes).sum();
        let footer_bytes = FOOTER_HEAD_BYTES + entries;
        let object_bytes = position + (footer_bytes + TRAILER_BYTES) as u64;
        if chunks.len() > OBJECT_CHUNKS_MAX
            || footer_bytes > OBJECT_FOOTER_BYTES_MAX
            || object_bytes > OBJECT_BYTES_MAX as u64
        {
            return Err(WriteError::TooLarge);
        }
        if !chunks.is_sorted_by(follow) {
            return Err(WriteError::Order);
        }
        Ok(Footer {
            header,
            chunks,
            object_bytes,
            footer_bytes: footer_bytes as u32,
        })
    }

    /// Footer and trailer as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.footer_bytes as usize + TRAILER_BYTES);
        out.put_slice(&self.header.encode());
        out.put_u32_le(self.chunks.len() as u32);
        out.put_u32_le(0);
        self.chunks.iter().for_each(|chunk| chunk.encode(&mut out));
        let trailer = Trailer {
            footer_bytes: out.len() as u32,
            object_bytes: self.object_bytes,
            footer_crc: checksum::crc32c(&out),
        };
        out.put_slice(&trailer.encode());
        out
    }

    /// Reads the footer from the last bytes of an object, however many they are: at least
    /// [`TRAILER_BYTES`], and [`limits::OBJECT_TAIL_BYTES`](crate::base::limits) are enough
    /// for most.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub fn read(tail: &[u8]) -> Result<TailRead, ObjectError> {
        let trailer = Trailer::decode(tail)?;
        let wanted = trailer.footer_bytes as usize + TRAILER_BYTES;
        let Some(begins) = tail.len().checked_sub(wanted) else {
            return Ok(TailRead::Needs(wanted));
        };
        let footer = tail.get(begins..tail.len() - TRAILER_BYTES);
        Footer::decode(footer.unwrap_or_default(), &trailer).map(TailRead::Whole)
    }

    fn decode(bytes: &[u8], trailer: &Trailer) -> Result<Footer, ObjectError> {
        if checksum::crc32c(bytes) != trailer.footer_crc {
            return Err(ObjectError::Crc("footer"));
        }
        let header = ObjectHeader::decode(bytes)?;
        let mut input = bytes.get(OBJECT_HEADER_BYTES..).unwrap_or_default();
        let short = |_| ObjectError::Contradiction("it ends within its head");
        let count = input.try_get_u32_le().map_err(short)? as usize;
        let zero = input.try_get_u32_le().map_err(short)?;
        if zero != 0 || count > OBJECT_CHUNKS_MAX {
            return Err(ObjectError::Contradiction("impossible count of chunks"));
        }
        let mut chunks: Vec<ChunkEntry> = Vec::new();
        for _ in 0..count {
            chunks.push(ChunkEntry::decode(&mut input)?);
        }
        if !input.is_empty() {
            return Err(ObjectError::Contradiction("bytes behind the last entry"));
        }
        // Whatever the places should be, they are a function of the sizes.
        let placed = Footer::lay_out(header, chunks.clone())
            .map_err(|_| ObjectError::Contradiction("chunks that do not follow each other"))?;
        if placed.chunks != chunks || placed.object_bytes != trailer.object_bytes {
            return Err(ObjectError::Contradiction(
                "places that leave gaps or overlap",
            ));
        }
        Ok(placed)
    }

    /// Where the footer begins in the object.
    pub fn position(&self) -> u64 {
        self.object_bytes - TRAILER_BYTES as u64 - u64::from(self.footer_bytes)
    }
}

/// Whether `b` may come behind `a` in an object.
fn follow(a: &ChunkEntry, b: &ChunkEntry) -> bool {
    a.tp < b.tp || (a.tp == b.tp && a.end_offset <= b.base_offset)
}

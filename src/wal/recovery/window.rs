//! The part of a segment file that is in memory while the file is read from
//! its start to its end, about a mebibyte at a time.

use bytes::{Buf, Bytes, BytesMut};

use super::ReadPlan;
use crate::base::limits;

/// A stretch of one file that moves forward.
#[derive(Debug)]
pub(in crate::wal) struct Window {
    slot: u32,
    file_bytes: u32,
    /// Where in the file `buffer` begins.
    start: u32,
    buffer: BytesMut,
}

impl Window {
    pub fn new(slot: u32, file_bytes: u32) -> Window {
        Window {
            slot,
            file_bytes,
            start: 0,
            buffer: BytesMut::new(),
        }
    }

    /// A window that begins further on in the file.
    pub fn starting_at(slot: u32, file_bytes: u32, start: u32) -> Window {
        Window {
            start,
            ..Window::new(slot, file_bytes)
        }
    }

    /// Where the window begins in the file.
    pub fn start(&self) -> u32 {
        self.start
    }

    /// Whether the window has moved past the last byte of the file.
    pub fn is_at_end(&self) -> bool {
        self.start >= self.file_bytes
    }

    /// Bytes from the start of the window to the end of the file.
    pub fn bytes_to_end(&self) -> usize {
        (self.file_bytes - self.start) as usize
    }

    /// The first `len` bytes of the window, or the read that is needed to have them. No more is
    /// asked for than the file has.
    pub fn peek(&self, len: usize) -> Result<&[u8], ReadPlan> {
        match self.buffer.get(..len) {
            Some(bytes) => Ok(bytes),
            None => {
                let offset = self.start + self.buffer.len() as u32;
                let missing = (len - self.buffer.len()).max(limits::WAL_READ_BYTES);
                let bytes = missing.min((self.file_bytes - offset) as usize);
                Err(ReadPlan {
                    slot: self.slot,
                    offset,
                    bytes,
                })
            }
        }
    }

    /// Adds what was read behind what is there.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Moves past `len` bytes that have been peeked at.
    pub fn skip(&mut self, len: usize) {
        self.buffer.advance(len);
        self.start += len as u32;
    }

    /// Moves past `len` bytes and returns them.
    pub fn take(&mut self, len: usize) -> Bytes {
        self.start += len as u32;
        self.buffer.split_to(len).freeze()
    }
}

//! A connection's read buffer: it takes in bytes from the socket and hands out
//! whole frames without copying them out.

use anyhow::{Result, ensure};

use super::SharedStream;
use crate::codec::frame_length;

/// Bytes of the length in front of a frame.
const LENGTH_BYTES: usize = 4;
/// When at least this much of a frame is missing, a read ends where the frame
/// ends (and the next length with it). The next frame then starts at the front
/// of the buffer, so large frames are never moved.
const EXACT_READ_BYTES_MIN: usize = 16 << 10;
/// Up to this many bytes are moved to the front before each read.
const MOVED_BYTES_MAX: usize = 1 << 10;

/// Buffered bytes of one connection, cut into frames.
pub struct FrameBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    frame_bytes_max: usize,
}

impl FrameBuffer {
    /// A buffer of `capacity` bytes, which grows for a larger frame up to `frame_bytes_max`.
    pub fn new(capacity: usize, frame_bytes_max: usize) -> FrameBuffer {
        FrameBuffer {
            bytes: vec![0; capacity],
            start: 0,
            end: 0,
            frame_bytes_max,
        }
    }

    /// Reads more from the socket; `false` at the end of the stream.
    pub async fn fill(&mut self, stream: &SharedStream) -> Result<bool> {
        let room = self.room()?;
        let read = stream.read(&mut self.bytes[room]).await?;
        self.end += read;
        ensure!(
            read > 0 || self.start == self.end,
            "the peer closed within a frame"
        );
        Ok(read > 0)
    }

    /// Whether the next frame is whole.
    pub fn has_frame(&self) -> Result<bool> {
        let held = self.end - self.start;
        Ok(self
            .length()?
            .is_some_and(|length| LENGTH_BYTES + length <= held))
    }

    /// The next whole frame, its length taken off.
    pub fn frame(&mut self) -> Result<Option<&[u8]>> {
        let Some(length) = self.length()? else {
            return Ok(None);
        };
        let whole = LENGTH_BYTES + length;
        if self.end - self.start < whole {
            return Ok(None);
        }
        let at = self.start;
        self.start += whole;
        Ok(Some(&self.bytes[at + LENGTH_BYTES..at + whole]))
    }

    fn length(&self) -> Result<Option<usize>> {
        let Some(length) = frame_length(&self.bytes[self.start..self.end]) else {
            return Ok(None);
        };
        let valid = usize::try_from(length).is_ok_and(|length| length <= self.frame_bytes_max);
        ensure!(
            valid,
            "a frame of {length} bytes, at most {} are taken",
            self.frame_bytes_max
        );
        Ok(Some(length as usize))
    }

    /// Where the next read goes: makes room for the rest of the current frame.
    fn room(&mut self) -> Result<std::ops::Range<usize>> {
        let held = self.end - self.start;
        let missing = self
            .length()?
            .map_or(0, |length| (LENGTH_BYTES + length) - held);
        if held <= MOVED_BYTES_MAX || self.end + missing > self.bytes.len() || self.is_full() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, held);
        }
        if self.end + missing + LENGTH_BYTES > self.bytes.len() {
            self.bytes.resize(self.end + missing + LENGTH_BYTES, 0);
        }
        let limit = match missing {
            0..EXACT_READ_BYTES_MIN => self.bytes.len(),
            _ => self.end + missing + LENGTH_BYTES,
        };
        Ok(self.end..limit)
    }

    fn is_full(&self) -> bool {
        self.end == self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(sizes: &[usize]) -> Vec<u8> {
        let mut wire = Vec::new();
        for (index, size) in sizes.iter().enumerate() {
            wire.extend_from_slice(&(*size as u32).to_be_bytes());
            wire.extend(std::iter::repeat_n(index as u8, *size));
        }
        wire
    }

    /// Feeds `wire` in pieces of at most `step` bytes and returns the frames' sizes.
    fn feed(buffer: &mut FrameBuffer, mut wire: &[u8], step: usize) -> Result<Vec<usize>> {
        let mut seen = Vec::new();
        while !wire.is_empty() {
            let room = buffer.room()?;
            let taken = room.len().min(step).min(wire.len());
            assert!(taken > 0, "no room although no frame is whole");
            buffer.bytes[room.start..room.start + taken].copy_from_slice(&wire[..taken]);
            buffer.end += taken;
            wire = &wire[taken..];
            while let Some(frame) = buffer.frame()? {
                assert!(frame.iter().all(|byte| *byte == seen.len() as u8));
                seen.push(frame.len());
            }
        }
        Ok(seen)
    }

    #[test]
    fn frames_of_any_size_in_pieces_of_any_size() {
        let sizes = [
            0, 1, 65_700, 3, 1_100, 65_700, 20_000, 300_000, 1_100, 5_000, 1,
        ];
        let wire = frames(&sizes);
        for step in [1, 7, 1_000, 65_536, usize::MAX] {
            for capacity in [64, 4_096, 256 << 10] {
                let mut buffer = FrameBuffer::new(capacity, 1 << 20);
                assert_eq!(
                    feed(&mut buffer, &wire, step).unwrap(),
                    sizes,
                    "{step} {capacity}"
                );
            }
        }
    }

    #[test]
    fn lengths_out_of_bounds_end_the_connection() {
        for length in [-1i32, 1025] {
            let mut buffer = FrameBuffer::new(64, 1024);
            assert!(feed(&mut buffer, &length.to_be_bytes(), 4).is_err());
        }
    }
}

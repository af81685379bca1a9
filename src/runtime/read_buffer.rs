//! What was read from a connection and is not yet split into frames. Frames leave it
//! uncopied; its memory is read into again once nothing refers to it any more.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::base::limits::{READ_BUFFER_BYTES_MAX, READ_BUFFER_BYTES_MIN, READ_BUFFERS_KEPT};

/// The read side of one connection.
#[derive(Debug)]
pub struct ReadBuffer {
    /// Initialised in its whole length; the first `filled` bytes were read.
    memory: BytesMut,
    filled: usize,
    /// How much to offer the socket next time, learnt from how much it had.
    offer: usize,
    /// Earlier memory, parts of which may still be in use as frames.
    spent: VecDeque<BytesMut>,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        ReadBuffer {
            memory: BytesMut::new(),
            filled: 0,
            offer: READ_BUFFER_BYTES_MIN,
            spent: VecDeque::new(),
        }
    }
}

impl ReadBuffer {
    /// The bytes that are here.
    pub fn bytes(&self) -> &[u8] {
        self.memory.get(..self.filled).unwrap_or_default()
    }

    /// Splits the first `len` bytes off, uncopied. `len` must not pass what is here.
    pub fn split(&mut self, len: usize) -> Bytes {
        assert!(len <= self.filled);
        self.filled -= len;
        self.memory.split_to(len).freeze()
    }

    /// Memory that the next read needs at most while a frame of `frame` bytes is being read.
    pub fn bytes_needed(&self, frame: usize) -> usize {
        frame.min(2 * self.filled.max(READ_BUFFER_BYTES_MAX))
    }

    /// Whether it holds more memory than a fresh one would.
    pub fn is_large(&self) -> bool {
        self.memory.len() > READ_BUFFER_BYTES_MIN || !self.spent.is_empty()
    }

    /// Gives its memory back, if no bytes are in it: the connection is idle.
    pub fn release(&mut self) {
        if self.filled == 0 {
            *self = ReadBuffer::default();
        }
    }

    /// Room to read into. `frame` is the size of the frame that is being read, 0 if it is
    /// not known: memory for a large one doubles as its bytes arrive, because a length
    /// alone must not make us allocate.
    pub(super) fn space(&mut self, frame: usize) -> &mut [u8] {
        let room = self.memory.len() - self.filled;
        let frame_fits = self.memory.len() >= frame.min(2 * self.filled);
        if room < (self.offer / 4).max(1) || !frame_fits {
            self.renew(
                self.offer
                    .max((2 * self.filled).min(frame))
                    .max(self.filled + 1),
            );
        }
        self.memory.get_mut(self.filled..).unwrap_or_default()
    }

    /// Notes `n` bytes read, and learns from them how much to offer next time.
    pub(super) fn filled(&mut self, n: usize) {
        let offered = self.memory.len() - self.filled;
        self.filled += n;
        if n == offered {
            self.offer = (self.offer * 2).min(READ_BUFFER_BYTES_MAX);
        } else if n < offered / 8 {
            self.offer = (self.offer / 2).max(READ_BUFFER_BYTES_MIN);
            self.spent.clear();
        }
    }

    /// Goes on in memory of `size` bytes, with what is here at its beginning.
    fn renew(&mut self, size: usize) {
        let mut memory = self.reuse(size).unwrap_or_else(|| BytesMut::zeroed(size));
        if let (Some(to), Some(from)) = (
            memory.get_mut(..self.filled),
            self.memory.get(..self.filled),
        ) {
            to.copy_from_slice(from);
        }
        let mut old = std::mem::replace(&mut self.memory, memory);
        if self.spent.len() < READ_BUFFERS_KEPT {
            old.clear();
            self.spent.push_back(old);
        }
    }

    /// Earlier memory of at least `size` bytes that nothing refers to.
    fn reuse(&mut self, size: usize) -> Option<BytesMut> {
        let place = self
            .spent
            .iter_mut()
            .position(|old| old.try_reclaim(size))?;
        let mut memory = self.spent.remove(place)?;
        set_whole_length(&mut memory);
        Some(memory)
    }
}

/// Makes all of the memory usable without writing zeroes over it again.
#[allow(
    unsafe_code,
    reason = "the memory is initialised, which BytesMut cannot know"
)]
fn set_whole_length(memory: &mut BytesMut) {
    let capacity = memory.capacity();
    // SAFETY: every `BytesMut` here began as `BytesMut::zeroed`, which initialises all of
    // its allocation up to the length that became its capacity, and bytes are never made
    // uninitialised again.
    unsafe { memory.set_len(capacity) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(buffer: &mut ReadBuffer, bytes: &[u8], frame: usize) -> usize {
        let space = buffer.space(frame);
        let n = bytes.len().min(space.len());
        space[..n].copy_from_slice(&bytes[..n]);
        buffer.filled(n);
        n
    }

    #[test]
    fn a_stream_comes_out_as_it_went_in_whatever_is_kept() {
        let input: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
        let mut buffer = ReadBuffer::default();
        let (mut rest, mut output, mut kept) = (&input[..], Vec::new(), VecDeque::new());
        while output.len() < input.len() {
            let n = receive(&mut buffer, rest, 1000);
            rest = &rest[n..];
            while buffer.bytes().len() >= 1000 || (rest.is_empty() && !buffer.bytes().is_empty()) {
                let frame = buffer.split(buffer.bytes().len().min(1000));
                output.extend_from_slice(&frame);
                kept.push_back((output.len(), frame));
            }
            while kept.len() > 700 {
                let (end, frame) = kept.pop_front().unwrap();
                assert_eq!(
                    frame,
                    input[end - frame.len()..end],
                    "memory in use was written over"
                );
            }
        }
        assert_eq!(output, input);
    }

    #[test]
    fn a_length_alone_allocates_nothing() {
        let mut buffer = ReadBuffer::default();
        receive(&mut buffer, &[0; 4], 0);
        assert!(buffer.space(100 << 20).len() <= READ_BUFFER_BYTES_MIN);
    }

    #[test]
    fn a_large_frame_gets_room_as_it_comes() {
        let input = vec![7; 5 << 20];
        let mut buffer = ReadBuffer::default();
        let mut rest = &input[..];
        while !rest.is_empty() {
            let n = receive(&mut buffer, rest, input.len());
            assert!(n > 0);
            rest = &rest[n..];
        }
        assert_eq!(buffer.bytes(), input);
    }

    #[test]
    fn free_memory_is_used_again() {
        let mut buffer = ReadBuffer::default();
        let mut addresses = std::collections::HashSet::new();
        for _ in 0..100 {
            let room = buffer.space(0).len();
            buffer.filled(room);
            addresses.insert(buffer.memory.as_ptr() as usize);
            drop(buffer.split(room));
        }
        assert!(addresses.len() < 15, "{} allocations", addresses.len());
    }
}

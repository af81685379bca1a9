//! Prebuilt requests lying side by side, so that one write sends many. They are
//! alike but for the correlation id, the only bytes that are ever patched. The
//! socket copies what it sends, so a chunk is free again after its write.

use crate::codec::writer::CORRELATION_AT_REQUEST;

/// Enough for a write to be worth its system call, little enough to stay in a
/// core's cache.
const CHUNK_BYTES: usize = 128 << 10;

/// Copies of one request.
pub struct Chunk {
    bytes: Vec<u8>,
    request_bytes: usize,
}

impl Chunk {
    /// As many copies as fit, at least one and no more than `window`.
    pub fn new(request: &[u8], window: usize) -> Chunk {
        let copies = (CHUNK_BYTES / request.len()).clamp(1, window);
        Chunk {
            bytes: request.repeat(copies),
            request_bytes: request.len(),
        }
    }

    /// Requests that one write can carry.
    pub fn requests(&self) -> usize {
        self.bytes.len() / self.request_bytes
    }

    /// The first `count` requests, numbered from `correlation` on.
    pub fn numbered(&mut self, correlation: i32, count: usize) -> &[u8] {
        let requests = self.bytes.chunks_exact_mut(self.request_bytes);
        for (request, index) in requests.take(count).zip(0i32..) {
            let number = correlation.wrapping_add(index).to_be_bytes();
            request[CORRELATION_AT_REQUEST..CORRELATION_AT_REQUEST + 4].copy_from_slice(&number);
        }
        &self.bytes[..count * self.request_bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{batch, frame_length, produce};

    #[test]
    fn every_copy_is_a_request_with_its_own_number() {
        let request = produce::request(11, "t", 0, &batch::build(1, 1024, 1));
        let mut chunk = Chunk::new(&request, 1000);
        assert!(chunk.requests() > 100);
        let mut wire = chunk.numbered(i32::MAX - 1, 3);
        assert_eq!(wire.len(), 3 * request.len());
        for expected in [i32::MAX - 1, i32::MAX, i32::MIN] {
            let length = frame_length(wire).unwrap() as usize;
            let (_, asked) = produce::Template::parse(&wire[4..4 + length]).unwrap();
            assert_eq!((asked.correlation, asked.records), (expected, 1));
            wire = &wire[4 + length..];
        }
    }

    #[test]
    fn a_chunk_holds_at_least_one_and_at_most_a_window() {
        let large = vec![0; 1 << 20];
        assert_eq!(Chunk::new(&large, 8).requests(), 1);
        assert_eq!(Chunk::new(&[0; 100], 8).requests(), 8);
    }
}

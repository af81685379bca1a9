//! The buffer of one WAL block: aligned for O_DIRECT, filled once, written, and
//! then shared read-only as the tail of the partitions in it.

use std::rc::Rc;

use bytes::Bytes;
use glommio::io::DmaBuffer;

/// Memory for a block of `len` bytes; its contents are unspecified.
pub fn allocate(len: usize) -> DmaBuffer {
    glommio::allocate_dma_buffer_global(len)
}

/// Freezes a written buffer into `Bytes` that any core may read and drop.
///
/// The write must have completed: if the reactor still holds the buffer it is
/// copied instead, which costs time and is never wrong.
pub fn share(buffer: Rc<DmaBuffer>) -> Bytes {
    match Rc::try_unwrap(buffer) {
        Ok(owned) => Bytes::from_owner(WrittenBlock(owned)),
        Err(held) => Bytes::copy_from_slice(held.as_bytes()),
    }
}

struct WrittenBlock(DmaBuffer);

// SAFETY: the buffer comes from `allocate_dma_buffer_global`, which is plain heap
// memory owned by this value alone (not one of the executor's registered
// buffers), so it may be freed on any thread; it is never written again.
#[allow(unsafe_code, reason = "lets the tail be read by other shards uncopied")]
unsafe impl Send for WrittenBlock {}

impl AsRef<[u8]> for WrittenBlock {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

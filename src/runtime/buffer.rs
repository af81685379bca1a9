//! The buffers of WAL blocks: aligned for O_DIRECT, filled once, written, and then shared
//! read-only as the tail of the partitions in them.
//!
//! They come from the executor's arena, whose pages the kernel has pinned once for all
//! writes, and from the heap when it is used up. The arena may be used on its own core
//! only, so a block that another core was the last to read goes home before it is freed.

use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use bytes::Bytes;
use flume::{Receiver, Sender};
use glommio::io::DmaBuffer;

/// Memory of `len` bytes to write a file from; its contents are unspecified. It stays on its core.
pub fn aligned(len: usize) -> DmaBuffer {
    glommio::allocate_dma_buffer(len)
}

/// The block buffers of one executor.
#[derive(Debug)]
pub struct BlockBuffers {
    home: ThreadId,
    /// Shared and not dropped yet, wherever they are.
    living: Arc<AtomicUsize>,
    /// Freed on other cores; as many at most as there are blocks in memory.
    returned: Receiver<Traveller>,
    way_home: Sender<Traveller>,
}

impl BlockBuffers {
    /// For the executor that this runs on.
    pub fn here() -> BlockBuffers {
        let (way_home, returned) = flume::unbounded();
        BlockBuffers {
            home: thread::current().id(),
            living: Arc::default(),
            returned,
            way_home,
        }
    }

    /// Memory for a block of `len` bytes; its contents are unspecified.
    pub fn allocate(&self, len: usize) -> DmaBuffer {
        for Traveller(buffer) in self.returned.try_iter() {
            drop(ManuallyDrop::into_inner(buffer));
        }
        aligned(len)
    }

    /// Freezes a written buffer into `Bytes` that any core may read and drop.
    ///
    /// The write must have completed: if the reactor still holds the buffer it is
    /// copied instead, which costs time and is never wrong.
    pub fn share(&self, buffer: Rc<DmaBuffer>) -> Bytes {
        match Rc::try_unwrap(buffer) {
            Ok(owned) => {
                self.living.fetch_add(1, Ordering::Relaxed);
                Bytes::from_owner(WrittenBlock {
                    buffer: ManuallyDrop::new(owned),
                    home: self.home,
                    living: self.living.clone(),
                    way_home: self.way_home.clone(),
                })
            }
            Err(held) => Bytes::copy_from_slice(held.as_bytes()),
        }
    }

    /// How many blocks somebody still reads, on any core.
    pub fn living(&self) -> usize {
        self.living.load(Ordering::Relaxed)
    }
}

struct WrittenBlock {
    buffer: ManuallyDrop<DmaBuffer>,
    home: ThreadId,
    living: Arc<AtomicUsize>,
    way_home: Sender<Traveller>,
}

// SAFETY: away from home the buffer's bytes are read and nothing else. They do not change any
// more, and where they lie neither. Its only part that is bound to a thread is the count of its
// arena's users, which `drop` leaves to the home thread.
#[allow(unsafe_code, reason = "lets the tail be read by other shards uncopied")]
unsafe impl Send for WrittenBlock {}

impl AsRef<[u8]> for WrittenBlock {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_bytes()
    }
}

impl Drop for WrittenBlock {
    #[allow(unsafe_code, reason = "takes the buffer out of what is being dropped")]
    fn drop(&mut self) {
        self.living.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: this is the end of `self`, so nobody looks at the field again.
        let buffer = unsafe { ManuallyDrop::take(&mut self.buffer) };
        if thread::current().id() == self.home {
            drop(buffer);
        } else {
            // When the other core's executor has ended, the process is about to end as well.
            let _ = self.way_home.send(Traveller(ManuallyDrop::new(buffer)));
        }
    }
}

/// A buffer on its way to the core that may free it. Dropped on the way, it is leaked.
struct Traveller(ManuallyDrop<DmaBuffer>);

// SAFETY: nothing is done with it before it is home.
#[allow(unsafe_code, reason = "only a buffer's own core may free it")]
unsafe impl Send for Traveller {}

impl std::fmt::Debug for Traveller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Traveller").field(&self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use glommio::{LocalExecutorBuilder, Placement};

    use super::*;

    /// Runs `test` on an executor whose arena has room for one block of 64 KiB.
    fn on_executor(test: impl FnOnce(&BlockBuffers)) {
        LocalExecutorBuilder::new(Placement::Unbound)
            .io_memory(96 << 10)
            .make()
            .expect("an executor")
            .run(async move { test(&BlockBuffers::here()) });
    }

    fn block(buffers: &BlockBuffers, fill: u8) -> (usize, Bytes) {
        let mut buffer = buffers.allocate(64 << 10);
        buffer.as_bytes_mut().fill(fill);
        (
            buffer.as_bytes().as_ptr() as usize,
            buffers.share(Rc::new(buffer)),
        )
    }

    #[test]
    fn a_block_dropped_on_its_own_core_is_free_at_once() {
        on_executor(|buffers| {
            let (first, bytes) = block(buffers, 1);
            assert_ne!(block(buffers, 2).0, first, "still in use");
            drop(bytes);
            assert_eq!(block(buffers, 3).0, first);
        });
    }

    #[test]
    fn a_block_dropped_on_another_core_comes_home_before_it_is_used_again() {
        on_executor(|buffers| {
            let (first, bytes) = block(buffers, 7);
            let slice = bytes.slice(100..200);
            drop(bytes);
            assert_eq!(buffers.living(), 1);
            let reader = thread::spawn(move || {
                assert_eq!(slice, [7; 100].as_slice());
                slice
            });
            let slice = reader.join().expect("the bytes are readable elsewhere");
            thread::spawn(move || drop(slice)).join().expect("no panic");
            assert_eq!((buffers.returned.len(), buffers.living()), (1, 0));
            assert_eq!(block(buffers, 8).0, first);
        });
    }

    #[test]
    fn a_block_may_outlive_its_executor_elsewhere() {
        let (out, kept) = flume::bounded(1);
        on_executor(move |buffers| out.send(block(buffers, 9).1).expect("room for one"));
        let bytes = kept.recv().expect("sent before the end");
        assert!(bytes.iter().all(|&byte| byte == 9));
        drop(bytes);
    }

    #[test]
    fn a_buffer_that_is_still_held_is_copied() {
        on_executor(|buffers| {
            let mut buffer = buffers.allocate(4096);
            buffer.as_bytes_mut().fill(5);
            let held = Rc::new(buffer);
            let shared = buffers.share(held.clone());
            assert_ne!(shared.as_ptr(), held.as_bytes().as_ptr());
            assert_eq!(shared, held.as_bytes());
        });
    }
}

//! The memory that one shard's sockets are read into: three shares of `--memory`, each
//! waited for in the order of asking.
//!
//! - *Chunks* are shared by all connections: each read takes as much of the open chunk as
//!   it brought, so a connection without anything to read costs no buffer at all.
//! - A request that fits no chunk gets memory of its own, for its whole length and before
//!   it is read: those of ordinary size from one share, larger ones from another, so that
//!   a few giants cannot hold up the rest.
//!
//! Memory goes back when the last slice of it is dropped, on whichever core that is, and the
//! one used last is used next: it is still in the cache.
//!
//! Nobody who holds memory waits for more of the same share, and who waits for a share of its
//! own while holding a part of a chunk waits for holders who need no chunks. So the waits have
//! an order, and end as long as each holder goes on; `server/stall.rs` sees to that. As it is
//! not the peer's fault that the broker has no memory, nobody is ended for waiting; instead
//! little is read of what may need such memory once it is short (`read_buffer.rs`), so the
//! chunks are not kept from others meanwhile.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

use super::units::{Held, Units};
use crate::base::limits::{
    FRAME_BYTES_MAX, LARGE_REQUEST_BYTES, READ_CHUNK_BYTES, READ_IN_PLACE_BYTES_MAX,
    REQUEST_ROUNDING_BYTES,
};
use crate::kafka::frame::LENGTH_BYTES;

/// Which part of the budget memory is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// The chunks.
    Chunks,
    /// Requests too large for a chunk.
    Requests,
    /// Requests above [`LARGE_REQUEST_BYTES`].
    LargeRequests,
}

/// The memory of one shard's reads.
#[derive(Debug)]
pub struct ReadPool {
    chunks: Shelf,
    requests: Shelf,
    large_requests: Shelf,
    open: RefCell<Option<Lease>>,
    /// Chunks opened since the last look.
    opened: Cell<u64>,
}

/// Memory on loan; it goes back when all that was split off it is gone as well.
#[derive(Debug)]
pub(super) struct Lease {
    /// Initialised in its whole length.
    pub(super) memory: BytesMut,
    pub(super) token: Arc<Token>,
}

/// Kept by everything that refers to some memory; the last one gives it back.
#[derive(Debug)]
pub(super) struct Token {
    place: usize,
    returned: Arc<Mutex<Vec<usize>>>,
    // Dropped behind `drop` below: who is woken by it finds the memory returned.
    _units: Held,
}

impl Drop for Token {
    fn drop(&mut self) {
        lock(&self.returned).push(self.place);
    }
}

impl ReadPool {
    /// Pools of these sizes.
    pub fn new(chunk_bytes: u64, request_bytes: u64, large_request_bytes: u64) -> ReadPool {
        ReadPool {
            chunks: Shelf::new(chunk_bytes),
            requests: Shelf::new(request_bytes),
            large_requests: Shelf::new(large_request_bytes),
            open: RefCell::default(),
            opened: Cell::new(0),
        }
    }

    /// The largest request that is read, its length excluded.
    pub fn frame_bytes_max(&self) -> usize {
        frame_bytes_max(self.large_requests.units.all())
    }

    /// Whether somebody waits for memory of `share`.
    pub fn is_short(&self, share: Share) -> bool {
        self.shelf(share).units.is_short()
    }

    /// Whether somebody waits for memory of a request's own.
    pub(super) fn is_short_of_leases(&self) -> bool {
        self.requests.units.is_short() || self.large_requests.units.is_short()
    }

    /// Runs `read` on the open chunk, if it has room or another can be opened at once.
    pub(super) fn with_chunk<R>(&self, read: impl FnOnce(&mut Lease) -> R) -> Option<R> {
        let mut open = self.open.borrow_mut();
        if !open.as_ref().is_some_and(has_room) {
            // What is left of the last one goes back first: it may be what there is.
            *open = None;
            let units = self.chunks.units.try_take(READ_CHUNK_BYTES as u64)?;
            self.opened.set(self.opened.get() + 1);
            *open = Some(self.chunks.lend(units, READ_CHUNK_BYTES));
        }
        open.as_mut().map(read)
    }

    /// Waits until there is a chunk with room, and opens it.
    pub(super) async fn wait_for_chunk(&self) {
        let units = self.chunks.units.take(READ_CHUNK_BYTES as u64).await;
        let mut open = self.open.borrow_mut();
        if !open.as_ref().is_some_and(has_room) {
            self.opened.set(self.opened.get() + 1);
            *open = Some(self.chunks.lend(units, READ_CHUNK_BYTES));
        }
    }

    /// The share that a frame of `bytes`, its length included, is from.
    pub(super) fn share_of(bytes: usize) -> Share {
        if bytes <= READ_IN_PLACE_BYTES_MAX {
            Share::Chunks
        } else if request_memory(bytes) <= LARGE_REQUEST_BYTES {
            Share::Requests
        } else {
            Share::LargeRequests
        }
    }

    /// Memory for a frame of `bytes` and the length of the next, once there is some.
    pub(super) async fn lease(&self, bytes: usize) -> Lease {
        let shelf = self.shelf(Self::share_of(bytes));
        let bytes = request_memory(bytes);
        let units = shelf.units.take(bytes as u64).await;
        shelf.lend(units, bytes)
    }

    fn shelf(&self, share: Share) -> &Shelf {
        match share {
            Share::Chunks => &self.chunks,
            Share::Requests => &self.requests,
            Share::LargeRequests => &self.large_requests,
        }
    }

    /// The open chunk.
    #[cfg(test)]
    pub(super) fn open_for_tests(&self) -> std::cell::RefMut<'_, Option<Lease>> {
        self.open.borrow_mut()
    }

    /// Gives the open chunk back: nothing is read any more.
    pub(super) fn close(&self) {
        *self.open.borrow_mut() = None;
    }

    /// The units of chunks, requests and large requests.
    pub(super) fn units(&self) -> [&Units; 3] {
        [&self.chunks, &self.requests, &self.large_requests].map(|shelf| &shelf.units)
    }

    /// To be called now and then: gives the memory that is not in use to the allocator if
    /// little was read since the last call.
    pub fn look_for_idle(&self) {
        if self.opened.take() <= 1 {
            let shelves = [&self.chunks, &self.requests, &self.large_requests];
            shelves.into_iter().for_each(Shelf::clear);
        }
    }
}

/// A chunk's end is kept for the rest of the last frame that begins in it.
fn has_room(chunk: &Lease) -> bool {
    chunk.memory.len() > READ_IN_PLACE_BYTES_MAX + READ_CHUNK_BYTES / 16
}

/// The largest frame, its length excluded, where `share` bytes are for large requests.
pub(super) const fn frame_bytes_max(share: u64) -> usize {
    let share = if share > FRAME_BYTES_MAX as u64 * 2 {
        FRAME_BYTES_MAX * 2
    } else {
        share as usize
    };
    let whole = share / REQUEST_ROUNDING_BYTES * REQUEST_ROUNDING_BYTES;
    let fits = whole.saturating_sub(2 * LENGTH_BYTES);
    if fits < FRAME_BYTES_MAX {
        fits
    } else {
        FRAME_BYTES_MAX
    }
}

/// Memory for a frame of `bytes` and the next one's length: rounded, so that memory is found
/// again although the sizes of requests vary a little.
const fn request_memory(bytes: usize) -> usize {
    (bytes + LENGTH_BYTES).next_multiple_of(REQUEST_ROUNDING_BYTES)
}

/// The memory of one share: what is on loan, and what is ready to be lent again.
#[derive(Debug)]
struct Shelf {
    units: Units,
    spare: RefCell<Vec<BytesMut>>,
    /// An empty handle of all that is on loan, at the place that its token names.
    lent: RefCell<Vec<Option<BytesMut>>>,
    /// Places whose memory nobody refers to any more.
    returned: Arc<Mutex<Vec<usize>>>,
}

impl Shelf {
    fn new(bytes: u64) -> Shelf {
        Shelf {
            units: Units::new(bytes),
            spare: RefCell::default(),
            lent: RefCell::default(),
            returned: Arc::default(),
        }
    }

    /// Lends `bytes` of memory that `units` were taken for.
    fn lend(&self, units: Held, bytes: usize) -> Lease {
        self.collect();
        let mut memory = self.spare_of(bytes).unwrap_or_else(|| {
            self.make_room();
            BytesMut::zeroed(bytes)
        });
        let handle = memory.split_off(memory.len());
        let mut lent = self.lent.borrow_mut();
        let place = match lent.iter().position(Option::is_none) {
            Some(place) => place,
            None => {
                lent.push(None);
                lent.len() - 1
            }
        };
        lent[place] = Some(handle);
        let token = Arc::new(Token {
            place,
            returned: self.returned.clone(),
            _units: units,
        });
        Lease { memory, token }
    }

    /// Puts what has come back with the spare memory.
    fn collect(&self) {
        let returned = std::mem::take(&mut *lock(&self.returned));
        let mut lent = self.lent.borrow_mut();
        for place in returned {
            let handle = lent.get_mut(place).and_then(Option::take);
            let Some(mut memory) = handle else { continue };
            // All of it, as it is the only handle.
            if memory.try_reclaim(1) {
                set_whole_length(&mut memory);
                self.spare.borrow_mut().push(memory);
            } else {
                debug_assert!(false, "a slice has outlived its token");
            }
        }
    }

    /// The spare memory of just this size that was used last.
    fn spare_of(&self, bytes: usize) -> Option<BytesMut> {
        let mut spare = self.spare.borrow_mut();
        let place = spare.iter().rposition(|memory| memory.len() == bytes)?;
        Some(spare.remove(place))
    }

    /// Drops spare memory, the oldest first, until it and what is on loan are within the share.
    fn make_room(&self) {
        let mut spare = self.spare.borrow_mut();
        let free = usize::try_from(self.units.free()).unwrap_or(usize::MAX);
        let mut bytes: usize = spare.iter().map(BytesMut::len).sum();
        while bytes > free {
            bytes -= spare.remove(0).len();
        }
    }

    fn clear(&self) {
        self.collect();
        *self.spare.borrow_mut() = Vec::new();
    }
}

/// What was read, as bytes that give their memory back when the last slice is dropped.
pub(super) fn freeze(memory: BytesMut, token: Arc<Token>) -> Bytes {
    Bytes::from_owner(Read {
        bytes: memory.freeze(),
        _token: token,
    })
}

struct Read {
    // Before the token: what the token gives back must have no other handle.
    bytes: Bytes,
    _token: Arc<Token>,
}

impl AsRef<[u8]> for Read {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
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

fn lock(returned: &Mutex<Vec<usize>>) -> std::sync::MutexGuard<'_, Vec<usize>> {
    returned.lock().unwrap_or_else(PoisonError::into_inner)
}

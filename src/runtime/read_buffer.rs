//! What was read from a connection, as frames. Reads bring many small frames at a time into a
//! chunk that all connections share; of a frame whose end is still to come, little is moved
//! and much is not: its rest is then read behind it, and no further than its end. A frame that
//! fits no chunk needs memory of its own, and while that is waited for little of it is here.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use super::read_pool::{Lease, ReadPool, Share, Token, freeze};
use crate::base::limits::{
    READ_BYTES_MAX, READ_BYTES_MIN, READ_CARRIED_BYTES_MAX, READ_IN_PLACE_BYTES_MAX,
};
use crate::kafka::frame::{self, FrameError, LENGTH_BYTES};

/// Why a connection cannot be read on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReadError {
    /// This is not Kafka's protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It would never fit.
    #[error(
        "a request of {bytes} bytes is larger than the {max} bytes that this broker's --memory has room for"
    )]
    TooLarge {
        /// Bytes of the request.
        bytes: usize,
        /// Bytes of the largest that is read.
        max: usize,
    },
}

/// A frame that has begun and holds memory of a share until it has ended, with room for its
/// rest: what comes next is the peer's turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Begun {
    /// Which one of this connection; they are counted.
    pub number: u64,
    /// How much of it is here, bytes.
    pub bytes: usize,
    /// Where its memory is from.
    pub share: Share,
}

/// The read side of one connection.
#[derive(Debug)]
pub struct ReadBuffer {
    /// Whole frames, each behind its length.
    ready: Bytes,
    /// The beginning of a frame, with room for its rest.
    begun: Option<Partial>,
    /// The beginning of a frame, small, in memory of the connection's own.
    carried: Vec<u8>,
    /// What is wrong with what comes behind `ready`.
    error: Option<ReadError>,
    /// How much to read at a time, learnt from how much there was.
    offer: usize,
    /// How much the last read could bring, if it was not held back.
    offered: Option<usize>,
    /// The last frame had memory of its own, and the next may as well.
    expects_lease: bool,
    frame_bytes_max: usize,
    frames: u64,
    state: Rc<Cell<Option<Begun>>>,
}

/// A part of a frame.
#[derive(Debug)]
struct Partial {
    memory: BytesMut,
    filled: usize,
    token: Arc<Token>,
    share: Share,
}

/// What is to be done to read on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Read the rest of a frame to where its beginning is.
    Fill,
    /// Take memory for a frame of so many bytes that fits no chunk.
    Lease(usize),
    /// Read into a chunk, which must be waited for if `wait`.
    Read {
        /// The frame is too large for memory of the connection's own.
        wait: bool,
    },
}

/// Where the last whole frame ends, and how long the one behind is, if that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cut {
    whole: usize,
    next: Option<usize>,
}

impl ReadBuffer {
    /// An empty one, for frames that `pool` has room for. It keeps `begun` up to date: the
    /// frame that has begun and holds memory.
    pub fn new(pool: &ReadPool, begun: Rc<Cell<Option<Begun>>>) -> ReadBuffer {
        ReadBuffer {
            ready: Bytes::new(),
            begun: None,
            carried: Vec::new(),
            error: None,
            offer: READ_BYTES_MIN,
            offered: None,
            expects_lease: false,
            frame_bytes_max: pool.frame_bytes_max(),
            frames: 0,
            state: begun,
        }
    }

    /// The next whole frame without its length; `None` if more is to be read first. Frames
    /// that are followed by others share memory with these.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, ReadError> {
        let Some(prefix) = self.ready.first_chunk::<LENGTH_BYTES>() else {
            return self.error.map_or(Ok(None), Err);
        };
        // Looked at when it was read, so it is not negative and not too long.
        let length = i32::from_be_bytes(*prefix) as usize;
        self.ready.advance(LENGTH_BYTES);
        Ok(Some(self.ready.split_to(length)))
    }

    /// Whether whole frames are here that hold up memory of the chunks.
    pub fn is_behind(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn next(&self) -> Next {
        if let Some(begun) = &self.begun {
            if begun.filled < begun.memory.len() {
                return Next::Fill;
            }
            let frame = frame_bytes(&begun.memory).unwrap_or_default();
            return Next::Lease(frame);
        }
        match frame_bytes(&self.carried) {
            Some(frame) if frame > READ_IN_PLACE_BYTES_MAX => Next::Lease(frame),
            Some(frame) => Next::Read {
                wait: frame > READ_CARRIED_BYTES_MAX,
            },
            None => Next::Read { wait: false },
        }
    }

    /// Goes on in memory that is the frame's own.
    pub(super) fn put_into(&mut self, lease: Lease, frame: usize) {
        let Lease { mut memory, token } = lease;
        memory.truncate(frame + LENGTH_BYTES);
        let begun = self.begun.take();
        let here = begun.as_ref().map_or(&self.carried[..], |b| &b.memory[..]);
        let filled = here.len();
        memory[..filled].copy_from_slice(here);
        self.carried = Vec::new();
        self.begun = Some(Partial {
            memory,
            filled,
            token,
            share: ReadPool::share_of(frame),
        });
        self.tell();
    }

    /// The room behind the beginning of a frame.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let begun = self.begun.as_mut();
        begun
            .and_then(|begun| begun.memory.get_mut(begun.filled..))
            .unwrap_or_default()
    }

    /// Notes `n` bytes read into [`room`](Self::room).
    pub(super) fn on_filled(&mut self, n: usize) {
        let Some(mut begun) = self.begun.take() else {
            return;
        };
        begun.filled += n;
        let frame = frame_bytes(&begun.memory).unwrap_or_default();
        if begun.filled < frame {
            self.begun = Some(begun);
        } else {
            // The length of the next may be here as well.
            let behind = begun.memory.get(frame..begun.filled).unwrap_or_default();
            self.carried = behind.to_vec();
            self.error = cut(behind, self.frame_bytes_max)
                .err()
                .map(|(_, error)| error);
            if begun.share != Share::Chunks {
                self.expects_lease = true;
                self.offer = READ_BYTES_MIN;
            }
            begun.memory.truncate(frame);
            self.ready = freeze(begun.memory, begun.token);
            self.frames += 1;
        }
        self.tell();
    }

    /// Where to read into in `chunk`: behind the place for what is carried.
    ///
    /// The beginning of a frame that needs memory of its own would keep the chunk from others
    /// for as long as that is waited for. So where one may follow, or `is_short` tells that
    /// such memory is waited for, no more is read than could be carried.
    pub(super) fn offer<'a>(&mut self, chunk: &'a mut Lease, is_short: bool) -> &'a mut [u8] {
        let from = self.carried.len();
        let end = chunk.memory.len() - READ_IN_PLACE_BYTES_MAX;
        let mut end = end.min(from + self.offer);
        self.offered = None;
        if is_short || self.expects_lease {
            let frame = frame_bytes(&self.carried).unwrap_or_default();
            end = end.min(frame + READ_CARRIED_BYTES_MAX);
        } else {
            self.offered = Some(end - from);
        }
        chunk.memory.get_mut(from..end).unwrap_or_default()
    }

    /// Takes what was read: `n` bytes of what was offered in `chunk`.
    pub(super) fn take(&mut self, chunk: &mut Lease, n: usize) {
        self.learn(n);
        let carried = std::mem::take(&mut self.carried);
        let end = carried.len() + n;
        chunk.memory[..carried.len()].copy_from_slice(&carried);
        let read = &chunk.memory[..end];
        let Cut { whole, next } = self.cut(read);
        let left = end - whole;
        if left <= READ_CARRIED_BYTES_MAX {
            // Its place in the chunk is used again.
            self.carried = read[whole..].to_vec();
        }
        if whole > 0 {
            self.expects_lease = false;
            let frames = chunk.memory.split_to(whole);
            self.ready = freeze(frames, chunk.token.clone());
            self.frames += 1;
        }
        if left > READ_CARRIED_BYTES_MAX {
            // Room for the rest is always there: that is what the end of a chunk is kept for.
            let here = next.filter(|frame| *frame <= READ_IN_PLACE_BYTES_MAX);
            self.begun = Some(Partial {
                memory: chunk.memory.split_to(here.unwrap_or(left)),
                filled: left,
                token: chunk.token.clone(),
                share: Share::Chunks,
            });
        }
        self.tell();
    }

    /// Takes a few bytes into memory of the connection's own: there is no chunk to be had.
    pub(super) fn take_few(&mut self, bytes: &[u8]) {
        self.carried.extend_from_slice(bytes);
        let Cut { whole, .. } = self.cut_carried();
        if whole > 0 {
            let behind = self.carried.split_off(whole);
            self.ready = std::mem::replace(&mut self.carried, behind).into();
            self.frames += 1;
        }
    }

    /// How many bytes may be taken so.
    pub(super) fn few(&self) -> usize {
        READ_CARRIED_BYTES_MAX + LENGTH_BYTES - self.carried.len()
    }

    fn cut_carried(&mut self) -> Cut {
        let carried = std::mem::take(&mut self.carried);
        let found = self.cut(&carried);
        self.carried = carried;
        found
    }

    fn cut(&mut self, read: &[u8]) -> Cut {
        cut(read, self.frame_bytes_max).unwrap_or_else(|(whole, error)| {
            self.error = Some(error);
            Cut { whole, next: None }
        })
    }

    fn learn(&mut self, n: usize) {
        let Some(offered) = self.offered else {
            return;
        };
        if n == offered {
            self.offer = (self.offer * 2).min(READ_BYTES_MAX);
        } else if n < offered / 8 {
            self.offer = (self.offer / 2).max(READ_BYTES_MIN);
        }
    }

    /// Nothing is due from the peer while the broker has no memory for the rest of a frame.
    fn tell(&self) {
        let due = self.begun.as_ref().filter(|b| b.filled < b.memory.len());
        self.state.set(due.map(|begun| Begun {
            number: self.frames,
            bytes: begun.filled,
            share: begun.share,
        }));
    }
}

/// The size of the frame that begins here, its length included. It was looked at before.
fn frame_bytes(begun: &[u8]) -> Option<usize> {
    let prefix = begun.first_chunk()?;
    let length = usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or_default();
    Some(LENGTH_BYTES + length)
}

/// Finds the end of the whole frames. An error comes with where these end before it.
fn cut(read: &[u8], frame_bytes_max: usize) -> Result<Cut, (usize, ReadError)> {
    let mut whole = 0;
    loop {
        let rest = read.get(whole..).unwrap_or_default();
        let length = match frame::frame_length(rest) {
            Ok(None) => return Ok(Cut { whole, next: None }),
            Ok(Some(bytes)) if bytes > frame_bytes_max => {
                let max = frame_bytes_max;
                return Err((whole, ReadError::TooLarge { bytes, max }));
            }
            Ok(Some(length)) => length,
            Err(error) => return Err((whole, error.into())),
        };
        let frame = LENGTH_BYTES + length;
        if rest.len() < frame {
            return Ok(Cut {
                whole,
                next: Some(frame),
            });
        }
        whole += frame;
    }
}

#[cfg(test)]
mod tests;

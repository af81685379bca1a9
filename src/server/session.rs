//! One client connection: a reading task that splits frames and has them handled
//! in order, and a writing task that sends the responses in that same order, each
//! once what it says is durable. Requests are handled one at a time, as Kafka does,
//! but for produce: its offsets are fixed when it is handled, and the next request
//! is read while the disk works.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use futures_lite::future;

use super::Services;
use super::router::{self, Answer, Ready};
use crate::base::limits::{
    CONNECTION_IN_FLIGHT_MAX, LARGE_REQUEST_BYTES, READ_BUFFER_BYTES_MAX, REQUEST_STALL_MS_MAX,
    RESPONSE_BYTES_QUEUED_MAX, SOCKET_WRITE_BYTES_MAX, SOCKET_WRITE_PIECES_MAX,
};
use crate::kafka::frame::{self, LENGTH_BYTES};
use crate::runtime::event::Event;
use crate::runtime::net::Connection;
use crate::runtime::read_buffer::ReadBuffer;
use crate::runtime::units::Held;

/// What the two tasks of a session share.
struct Session {
    connection: Connection,
    services: Services,
    activity: Rc<Activity>,
    answers: RefCell<VecDeque<Answer>>,
    /// Bytes of the responses in `answers`.
    queued_bytes: Cell<usize>,
    /// Raised when an answer was queued, or none will come any more.
    queued: Event,
    /// Raised when the queue has got shorter.
    drained: Event,
    /// The reading task has ended: send what is queued, then close.
    ending: Cell<bool>,
    /// The socket failed: nothing can be sent any more.
    broken: Cell<bool>,
}

/// What tells an idle session from a busy one.
#[derive(Default)]
pub struct Activity {
    reads: Cell<u64>,
    seen: Cell<u64>,
    is_large: Cell<bool>,
    /// Raised when nothing was read for a while, to give memory back.
    idle: Event,
}

impl Activity {
    /// To be called now and then: a session that has read nothing since the last call gives
    /// its read buffers back.
    pub fn look(&self) {
        if self.seen.replace(self.reads.get()) == self.reads.get() && self.is_large.get() {
            self.idle.raise();
        }
    }
}

/// Serves `connection` until either side ends it.
pub async fn run(connection: Connection, services: Services, activity: Rc<Activity>) {
    let session = Rc::new(Session {
        connection,
        services,
        activity,
        answers: RefCell::default(),
        queued_bytes: Cell::new(0),
        queued: Event::default(),
        drained: Event::default(),
        ending: Cell::new(false),
        broken: Cell::new(false),
    });
    let writer = crate::runtime::start({
        let session = session.clone();
        async move { session.write_answers().await }
    });
    session.read_requests().await;
    session.ending.set(true);
    session.queued.raise();
    writer.await;
    session.connection.shutdown().await;
}

impl Session {
    async fn read_requests(&self) {
        let mut buffer = ReadBuffer::default();
        let mut scratch = BytesMut::new();
        let mut wanted = 0;
        // Memory for the rest of a request that fits no read buffer, until it is handled.
        let mut large: Option<Held> = None;
        while !self.broken.get() {
            self.reserve(&buffer, wanted, &mut large).await;
            match self.read_some(&mut buffer, wanted, large.is_some()).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(peer = %self.connection.peer(), %error, "connection lost");
                    return;
                }
            }
            let handled = self.handle_frames(&mut buffer, &mut scratch).await;
            // The disk begins while the batches are still in the cache, and what was read can
            // be read into again.
            crate::runtime::yield_now().await;
            match handled {
                Some(bytes) if bytes == wanted => {}
                Some(bytes) => {
                    wanted = bytes;
                    large = None;
                }
                None => return,
            }
        }
    }

    /// Takes memory for a large frame as it comes: its length alone takes nothing.
    async fn reserve(&self, buffer: &ReadBuffer, wanted: usize, large: &mut Option<Held>) {
        if wanted <= READ_BUFFER_BYTES_MAX {
            return;
        }
        let needed = buffer.bytes_needed(wanted) as u64;
        let shard = &self.services.shard;
        let units = if wanted > LARGE_REQUEST_BYTES {
            &shard.large_request_units
        } else {
            &shard.request_units
        };
        match large {
            Some(held) => held.grow_to(needed).await,
            None => *large = Some(units.take(needed).await),
        }
    }

    /// Reads what the socket has. Without anything to read for a while, the buffer's memory
    /// goes back first.
    async fn read_some(
        &self,
        buffer: &mut ReadBuffer,
        wanted: usize,
        large: bool,
    ) -> io::Result<usize> {
        let stall_ms_max = large.then_some(REQUEST_STALL_MS_MAX);
        self.activity.reads.set(self.activity.reads.get() + 1);
        loop {
            self.activity.is_large.set(buffer.is_large());
            let read = async { Some(self.connection.read(buffer, wanted, stall_ms_max).await) };
            let idle = async {
                self.activity.idle.wait().await;
                None
            };
            match future::or(read, idle).await {
                Some(result) => return result,
                None => buffer.release(),
            }
        }
    }

    /// Handles every whole frame in `buffer`. Gives the size of the frame whose rest is
    /// still to come, 0 if not known; `None` when the connection is to be closed.
    async fn handle_frames(
        &self,
        buffer: &mut ReadBuffer,
        scratch: &mut BytesMut,
    ) -> Option<usize> {
        loop {
            let wanted = match frame::frame_length(buffer.bytes()) {
                Ok(None) => return Some(0),
                Ok(Some(length)) => LENGTH_BYTES + length,
                Err(error) => {
                    tracing::debug!(peer = %self.connection.peer(), %error, "connection closed");
                    return None;
                }
            };
            if buffer.bytes().len() < wanted {
                return Some(wanted);
            }
            let mut frame = buffer.split(wanted);
            frame.advance(LENGTH_BYTES);
            self.handle_frame(&frame, scratch).await?;
            crate::runtime::yield_if_needed().await;
        }
    }

    async fn handle_frame(&self, frame: &Bytes, scratch: &mut BytesMut) -> Option<()> {
        while self.is_far_behind() {
            self.drained.wait().await;
        }
        if self.broken.get() {
            return None;
        }
        match router::answer(&self.services, frame, scratch).await {
            Ok(Answer::Nothing) => {}
            Ok(answer) => {
                let bytes = self.queued_bytes.get() + answer.bytes();
                self.queued_bytes.set(bytes);
                self.answers.borrow_mut().push_back(answer);
                self.queued.raise();
            }
            Err(error) => {
                tracing::debug!(peer = %self.connection.peer(), %error, "connection closed");
                return None;
            }
        }
        Some(())
    }

    /// Whether the client does not read its responses: then its requests are not read either.
    fn is_far_behind(&self) -> bool {
        !self.broken.get()
            && (self.answers.borrow().len() >= CONNECTION_IN_FLIGHT_MAX
                || self.queued_bytes.get() >= RESPONSE_BYTES_QUEUED_MAX)
    }

    async fn write_answers(&self) {
        let mut outgoing = Outgoing::default();
        while let Some(answer) = self.next_answer().await {
            self.wait_for(answer, &mut outgoing).await;
            self.take_ready(&mut outgoing);
            self.drained.raise();
            let written = self.connection.write_all(&mut outgoing.pieces).await;
            outgoing.held.clear();
            if let Err(error) = written {
                tracing::debug!(peer = %self.connection.peer(), %error, "connection lost");
                self.broken.set(true);
                self.answers.borrow_mut().clear();
                self.drained.raise();
                self.connection.shutdown().await;
                return;
            }
        }
    }

    async fn next_answer(&self) -> Option<Answer> {
        loop {
            if let Some(next) = self.answers.borrow_mut().pop_front() {
                self.queued_bytes
                    .set(self.queued_bytes.get() - next.bytes());
                return Some(next);
            }
            if self.ending.get() {
                return None;
            }
            self.queued.wait().await;
        }
    }

    /// Waits until `answer` may leave, and adds it.
    async fn wait_for(&self, answer: Answer, outgoing: &mut Outgoing) {
        match answer {
            Answer::Ready(ready) => {
                self.services.shard.durable(ready.after).await;
                outgoing.add(ready);
            }
            Answer::Produce(in_flight) => {
                if let Some(frame) = in_flight.wait(&self.services).await {
                    outgoing.pieces.extend(frame.into_chunks());
                }
            }
            Answer::Nothing => {}
        }
    }

    /// Adds the answers behind that may leave at once, to send them with one system call.
    fn take_ready(&self, outgoing: &mut Outgoing) {
        let durable = self.services.shard.gate.durable();
        let mut answers = self.answers.borrow_mut();
        let mut bytes = 0;
        while outgoing.pieces.len() < SOCKET_WRITE_PIECES_MAX && bytes < SOCKET_WRITE_BYTES_MAX {
            let leaves = matches!(answers.front(), Some(Answer::Ready(r)) if r.after <= durable);
            match answers.pop_front_if(|_| leaves) {
                Some(Answer::Ready(ready)) => {
                    self.queued_bytes
                        .set(self.queued_bytes.get() - ready.frame.len());
                    bytes += ready.frame.len();
                    outgoing.add(ready);
                }
                _ => return,
            }
        }
    }
}

/// What goes out with the next system call.
#[derive(Default)]
struct Outgoing {
    pieces: VecDeque<Bytes>,
    held: Vec<Held>,
}

impl Outgoing {
    fn add(&mut self, ready: Ready) {
        self.pieces.extend(ready.frame.into_chunks());
        self.held.extend(ready.held);
    }
}

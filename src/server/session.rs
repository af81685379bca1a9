//! One client connection: a reading task that splits frames and has them handled
//! in order, and a writing task that sends the responses in that same order, each
//! once what it says is durable. Requests are handled one at a time, as Kafka does,
//! but for produce: its offsets are fixed when it is handled, and the next request
//! is read while the disk works.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt::Display;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::Services;
use super::router::{self, Answer, Ready};
use super::stall::Activity;
use crate::base::limits::{
    CONNECTION_IN_FLIGHT_MAX, READ_CARRIED_BYTES_MAX, READ_IN_PLACE_BYTES_MAX,
    RESPONSE_BYTES_QUEUED_MAX, SOCKET_WRITE_BYTES_MAX, SOCKET_WRITE_PIECES_MAX,
};
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
    /// How often the client did not read its responses.
    times_behind: Cell<u64>,
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
        times_behind: Cell::new(0),
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
        let pool = &self.services.shard.read_pool;
        let mut buffer = ReadBuffer::new(pool, self.activity.begun.clone());
        let mut scratch = BytesMut::new();
        while !self.broken.get() {
            self.activity.reading.set(true);
            let read = self.connection.read(&mut buffer, pool).await;
            self.activity.reading.set(false);
            match read {
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
            if handled.is_none() {
                return;
            }
        }
    }

    /// Handles every whole frame in `buffer`; `None` when the connection is to be closed.
    async fn handle_frames(&self, buffer: &mut ReadBuffer, scratch: &mut BytesMut) -> Option<()> {
        loop {
            match buffer.next_frame() {
                Ok(None) => return Some(()),
                Ok(Some(frame)) => self.handle_frame(frame, scratch).await?,
                Err(error) => {
                    self.complain(&error);
                    return None;
                }
            }
            crate::runtime::yield_if_needed().await;
        }
    }

    async fn handle_frame(&self, frame: Bytes, scratch: &mut BytesMut) -> Option<()> {
        if self.is_far_behind() {
            self.wait_for_reader().await;
        }
        if self.broken.get() {
            return None;
        }
        let (frame, parked) = self.park(frame);
        let peer = self.connection.peer().ip();
        let mut answer = router::answer(&self.services, &frame, scratch, peer).await;
        if let Ok(Answer::Waiting(response)) = answer {
            // The connection waits, but memory that others need must not.
            drop((frame, parked));
            answer = Ok(Ready::at_once(response.await));
        }
        match answer {
            Ok(Answer::Nothing) => {}
            Ok(answer) => {
                let bytes = self.queued_bytes.get() + answer.bytes();
                self.queued_bytes.set(bytes);
                self.answers.borrow_mut().push_back(answer);
                self.queued.raise();
            }
            Err(error) => {
                self.complain(&error);
                return None;
            }
        }
        Some(())
    }

    /// Says why the connection is closed, if that has not been said too often lately.
    fn complain(&self, error: &dyn Display) {
        let peer = self.connection.peer();
        let now_ms = self.services.shard.now().mono_ms;
        match self.services.complaints.may_say(now_ms) {
            Some(0) => tracing::info!(%peer, %error, "connection closed"),
            Some(unsaid) => tracing::info!(%peer, %error, unsaid, "connection closed"),
            None => tracing::debug!(%peer, %error, "connection closed"),
        }
    }

    /// Copies a request whose handling may take long, like a long poll, out of the memory that
    /// it shares with others. Where there is no room for that, it stays.
    fn park(&self, frame: Bytes) -> (Bytes, Option<Held>) {
        if frame.len() > READ_IN_PLACE_BYTES_MAX || router::is_kept_by_the_wal(&frame) {
            return (frame, None);
        }
        if frame.len() <= READ_CARRIED_BYTES_MAX {
            return (Bytes::copy_from_slice(&frame), None);
        }
        let units = &self.services.shard.parked_units;
        match units.try_take(frame.len() as u64) {
            Some(held) => (Bytes::copy_from_slice(&frame), Some(held)),
            None => (frame, None),
        }
    }

    /// Waits while the client does not read its responses.
    async fn wait_for_reader(&self) {
        self.times_behind.set(self.times_behind.get() + 1);
        self.activity.behind.set(Some(self.times_behind.get()));
        while self.is_far_behind() {
            self.drained.wait().await;
        }
        self.activity.behind.set(None);
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
            self.activity.sending.set(true);
            let written = self.connection.write_all(&mut outgoing.pieces).await;
            self.activity.sending.set(false);
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
            Answer::Waiting(_) | Answer::Nothing => {}
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

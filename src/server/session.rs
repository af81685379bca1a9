//! One client connection: a reading task that splits frames and has them handled
//! in order, and a writing task that sends the responses in that same order, each
//! once what it says is durable. Requests are handled one at a time, as Kafka does,
//! but for produce: its offsets are fixed when it is handled, and the next request
//! is read while the disk works.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt::Display;
use std::io;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::Services;
use super::router::{self, Answer, Ready};
use super::stall::{Activity, Sending};
use crate::base::limits::{
    CONNECTION_IN_FLIGHT_MAX, READ_CARRIED_BYTES_MAX, READ_IN_PLACE_BYTES_MAX,
    RESPONSE_BYTES_QUEUED_MAX, RESPONSE_BYTES_WITHOUT_UNITS, SOCKET_WRITE_BYTES_MAX,
    SOCKET_WRITE_PIECES_MAX,
};
use crate::kafka::ErrorCode;
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
    /// Responses in `answers`, and those that were taken from there and are not sent yet.
    unsent: Cell<usize>,
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
    /// How often something was sent.
    times_sent: Cell<u64>,
}

/// Serves `connection` until either side ends it.
pub async fn run(connection: Connection, services: Services, activity: Rc<Activity>) {
    let session = Rc::new(Session {
        connection,
        services,
        activity,
        answers: RefCell::default(),
        queued_bytes: Cell::new(0),
        unsent: Cell::new(0),
        queued: Event::default(),
        drained: Event::default(),
        ending: Cell::new(false),
        broken: Cell::new(false),
        times_behind: Cell::new(0),
        times_sent: Cell::new(0),
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
        let is_produce = router::is_kept_by_the_wal(&frame);
        if self.is_far_behind(is_produce) {
            self.wait_for_reader(is_produce).await;
        }
        if self.broken.get() {
            return None;
        }
        let (frame, parked) = self.park(frame);
        let peer = self.connection.peer().ip();
        let mut answer = router::answer(&self.services, &frame, scratch, peer).await;
        // The connection may have to wait now, but memory that others need must not.
        drop((frame, parked));
        if let Ok(Answer::Waiting(response)) = answer {
            answer = Ok(Ready::at_once(response.await));
        }
        match answer {
            Ok(Answer::Nothing) => {}
            Ok(Answer::Close(error)) => {
                self.tell_closed(error);
                return None;
            }
            Ok(answer) => {
                let answer = self.paid_for(answer, is_produce).await;
                self.queue(answer);
            }
            Err(error) => {
                self.complain(&error);
                return None;
            }
        }
        Some(())
    }

    fn queue(&self, answer: Answer) {
        let bytes = self.queued_bytes.get() + answer.bytes();
        self.queued_bytes.set(bytes);
        self.unsent.set(self.unsent.get() + 1);
        let is_paid = matches!(&answer, Answer::Ready(ready) if ready.held.is_some());
        let paid = &self.activity.paid;
        paid.set(paid.get() + usize::from(is_paid));
        self.answers.borrow_mut().push_back(answer);
        self.queued.raise();
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

    /// The answer with memory for its response: units, which it may have to wait for. None are
    /// needed for a little if nothing else waits to be sent, nor for what a produce is told,
    /// which is always little and has cost its client more.
    async fn paid_for(&self, answer: Answer, is_produce: bool) -> Answer {
        let is_little = answer.bytes() <= RESPONSE_BYTES_WITHOUT_UNITS && self.unsent.get() == 0;
        match answer {
            Answer::Ready(mut ready) if ready.held.is_none() && !is_produce && !is_little => {
                let bytes = ready.frame.len();
                ready.held = self.services.shard.pay_for_response(bytes).await;
                Answer::Ready(ready)
            }
            answer => answer,
        }
    }

    /// Waits while the client does not read its responses.
    async fn wait_for_reader(&self, is_produce: bool) {
        self.times_behind.set(self.times_behind.get() + 1);
        self.activity.behind.set(Some(self.times_behind.get()));
        while self.is_far_behind(is_produce) {
            self.drained.wait().await;
        }
        self.activity.behind.set(None);
    }

    /// Whether the client does not read its responses: then its requests are not read either.
    /// While others wait for memory of responses, each connection gets it for one at a time.
    fn is_far_behind(&self, is_produce: bool) -> bool {
        let is_short = || self.services.shard.response_units.is_short();
        !self.broken.get()
            && (self.answers.borrow().len() >= CONNECTION_IN_FLIGHT_MAX
                || self.queued_bytes.get() >= RESPONSE_BYTES_QUEUED_MAX
                || self.unsent.get() > 0 && !is_produce && is_short())
    }

    async fn write_answers(&self) {
        let mut outgoing = Outgoing::default();
        while let Some(answer) = self.next_answer().await {
            if let Err(error) = self.wait_for(answer, &mut outgoing).await {
                self.tell_closed(error);
                return self.give_up().await;
            }
            self.take_ready(&mut outgoing);
            self.drained.raise();
            let written = self.send(&mut outgoing).await;
            self.on_sent(&mut outgoing);
            if let Err(error) = written {
                tracing::debug!(peer = %self.connection.peer(), %error, "connection lost");
                return self.give_up().await;
            }
        }
    }

    async fn send(&self, outgoing: &mut Outgoing) -> io::Result<()> {
        self.times_sent.set(self.times_sent.get() + 1);
        let mut sending = Sending {
            number: self.times_sent.get(),
            bytes: 0,
        };
        while !outgoing.pieces.is_empty() {
            self.activity.sending.set(Some(sending));
            sending.bytes += self.connection.write_some(&mut outgoing.pieces).await?;
        }
        Ok(())
    }

    /// What was to be sent is sent, or can never be.
    fn on_sent(&self, outgoing: &mut Outgoing) {
        let (activity, unsent) = (&self.activity, &self.unsent);
        activity.sending.set(None);
        activity.paid.set(activity.paid.get() - outgoing.held.len());
        unsent.set(unsent.get() - outgoing.answers);
        outgoing.answers = 0;
        outgoing.held.clear();
        self.drained.raise();
    }

    /// Ends the connection without another answer.
    async fn give_up(&self) {
        self.broken.set(true);
        self.answers.borrow_mut().clear();
        self.drained.raise();
        self.connection.shutdown().await;
    }

    fn tell_closed(&self, error: ErrorCode) {
        let peer = self.connection.peer();
        tracing::debug!(%peer, ?error, "connection closed: a produce without an answer was refused");
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

    /// Waits until `answer` may leave, and adds it; the error that the connection ends with
    /// instead.
    async fn wait_for(&self, answer: Answer, outgoing: &mut Outgoing) -> Result<(), ErrorCode> {
        outgoing.answers += 1;
        let answer = match answer {
            Answer::Produce(in_flight) => in_flight.wait(&self.services).await,
            answer => answer,
        };
        match answer {
            Answer::Ready(ready) => {
                self.services.shard.durable(ready.after).await;
                outgoing.add(ready);
            }
            Answer::Close(error) => return Err(error),
            Answer::Produce(_) | Answer::Waiting(_) | Answer::Nothing => {}
        }
        Ok(())
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
                    outgoing.answers += 1;
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
    /// How many answers they are.
    answers: usize,
    pieces: VecDeque<Bytes>,
    held: Vec<Held>,
}

impl Outgoing {
    fn add(&mut self, ready: Ready) {
        self.pieces.extend(ready.frame.into_chunks());
        self.held.extend(ready.held);
    }
}

//! One producing connection: a task that keeps the window full and one that
//! checks every response and times it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use super::chunk::Chunk;
use crate::clock;
use crate::codec::produce::{self, Produced};
use crate::load::Load;
use crate::net::{FrameBuffer, SharedStream, Signal};

/// Bytes of responses read at once.
const READ_BYTES: usize = 64 << 10;
/// A response to one batch is far smaller.
const RESPONSE_BYTES_MAX: usize = 64 << 10;

/// What one connection does.
pub struct Plan {
    /// Partition produced to.
    pub partition: i32,
    /// The requests.
    pub chunk: Chunk,
    /// Most requests in flight.
    pub window: usize,
    /// Records in a request.
    pub records: u64,
    /// Bytes of record values in a request.
    pub value_bytes: u64,
    /// Whether base offsets must continue without a gap.
    pub dense: bool,
    /// Requests left to send, all connections together.
    pub remaining: Rc<Cell<u64>>,
}

/// What the two tasks share.
struct Flight {
    load: Rc<Load>,
    stream: SharedStream,
    /// When each request in flight was handed to the socket, oldest first.
    sent_at: RefCell<VecDeque<Instant>>,
    /// The window opened, or the last request was sent.
    changed: Signal,
    all_sent: Cell<bool>,
}

/// Starts both tasks of a connection.
pub fn start(load: &Rc<Load>, stream: SharedStream, plan: Plan) {
    let flight = Rc::new(Flight {
        load: Rc::clone(load),
        stream,
        sent_at: RefCell::new(VecDeque::with_capacity(plan.window)),
        changed: Signal::default(),
        all_sent: Cell::new(false),
    });
    let check = Check {
        partition: plan.partition,
        records: plan.records,
        value_bytes: plan.value_bytes,
        dense: plan.dense,
        next_correlation: 0,
        next_offset: None,
    };
    load.spawn(receive(Rc::clone(&flight), check));
    load.spawn(send(flight, plan));
}

async fn send(flight: Rc<Flight>, mut plan: Plan) -> Result<()> {
    let mut next_correlation = 0i32;
    loop {
        let open = flight.changed.until(|| flight.open(&plan)).await;
        if open == 0 {
            break;
        }
        plan.remaining.set(plan.remaining.get() - open as u64);
        let now = clock::now();
        flight
            .sent_at
            .borrow_mut()
            .extend(std::iter::repeat_n(now, open));
        flight
            .stream
            .write_all(plan.chunk.numbered(next_correlation, open))
            .await?;
        next_correlation = next_correlation.wrapping_add(open as i32);
    }
    flight.all_sent.set(true);
    if flight.sent_at.borrow().is_empty() {
        flight.stream.shutdown().await;
    }
    Ok(())
}

impl Flight {
    /// How many requests may be sent now: `None` is to wait, 0 to end.
    fn open(&self, plan: &Plan) -> Option<usize> {
        if self.load.is_stopping() || plan.remaining.get() == 0 {
            return Some(0);
        }
        let open = plan.window - self.sent_at.borrow().len();
        let open = open.min(plan.chunk.requests());
        let open = usize::try_from(plan.remaining.get()).map_or(open, |left| left.min(open));
        (open > 0).then_some(open)
    }
}

async fn receive(flight: Rc<Flight>, mut check: Check) -> Result<()> {
    let mut buffer = FrameBuffer::new(READ_BYTES, RESPONSE_BYTES_MAX);
    while buffer.fill(&flight.stream).await? {
        let now = clock::now();
        while let Some(frame) = buffer.frame()? {
            check.response(&produce::response(frame)?)?;
            let Some(sent_at) = flight.sent_at.borrow_mut().pop_front() else {
                bail!("a response without a request");
            };
            let latency = now.saturating_duration_since(sent_at);
            flight
                .load
                .meter
                .count(latency, check.records, check.value_bytes);
        }
        flight.changed.wake();
        if flight.all_sent.get() && flight.sent_at.borrow().is_empty() {
            flight.stream.shutdown().await;
            return Ok(());
        }
    }
    let unanswered = flight.sent_at.borrow().len();
    ensure!(
        unanswered == 0,
        "the server closed with {unanswered} requests unanswered"
    );
    ensure!(flight.all_sent.get(), "the server closed the connection");
    Ok(())
}

/// What the next response must say.
struct Check {
    partition: i32,
    records: u64,
    value_bytes: u64,
    dense: bool,
    next_correlation: i32,
    next_offset: Option<i64>,
}

impl Check {
    fn response(&mut self, produced: &Produced) -> Result<()> {
        let Produced {
            correlation,
            partition,
            error,
            base_offset,
        } = *produced;
        ensure!(error == 0, "partition {partition}: error code {error}");
        ensure!(
            correlation == self.next_correlation,
            "response {correlation}, {} was due",
            self.next_correlation
        );
        ensure!(
            partition == self.partition,
            "partition {partition} was not asked for"
        );
        let next = self.next_offset.unwrap_or(base_offset.max(0));
        ensure!(
            base_offset == next || (base_offset > next && !self.dense),
            "partition {partition}: base offset {base_offset}, {next} was due"
        );
        self.next_offset = Some(base_offset + self.records as i64);
        self.next_correlation = correlation.wrapping_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dense: bool) -> Check {
        Check {
            partition: 3,
            records: 64,
            value_bytes: 65_536,
            dense,
            next_correlation: 0,
            next_offset: None,
        }
    }

    #[test]
    fn offsets_and_correlation_ids_must_continue() {
        let first = Produced {
            correlation: 0,
            partition: 3,
            error: 0,
            base_offset: 640,
        };
        let second = Produced {
            correlation: 1,
            base_offset: 704,
            ..first
        };
        let mut checked = check(true);
        checked.response(&first).unwrap();
        checked.response(&second).unwrap();
        for wrong in [
            Produced {
                correlation: 2,
                ..second
            },
            Produced {
                partition: 4,
                ..second
            },
            Produced { error: 6, ..second },
            Produced {
                base_offset: 705,
                ..second
            },
            Produced {
                base_offset: 640,
                ..second
            },
        ] {
            let mut checked = check(true);
            checked.response(&first).unwrap();
            assert!(checked.response(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn with_other_producers_offsets_need_only_rise() {
        let first = Produced {
            correlation: 0,
            partition: 3,
            error: 0,
            base_offset: 0,
        };
        let mut checked = check(false);
        checked.response(&first).unwrap();
        checked
            .response(&Produced {
                correlation: 1,
                base_offset: 100,
                ..first
            })
            .unwrap();
        assert!(
            checked
                .response(&Produced {
                    correlation: 2,
                    base_offset: 99,
                    ..first
                })
                .is_err()
        );
    }
}

//! One connection of the sink: a task that receives and appends, and one that
//! acknowledges, in request order, what became durable.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use anyhow::Result;
use glommio::net::TcpStream;

use super::log::Log;
use crate::codec::produce::Template;
use crate::net::{FrameBuffer, SharedStream};

/// A response that waits for its block.
struct Pending {
    block: u64,
    correlation: i32,
    base_offset: i64,
    template: Rc<Template>,
}

#[derive(Default)]
struct Unacknowledged {
    queue: RefCell<VecDeque<Pending>>,
    /// Nothing more will be queued.
    ended: Cell<bool>,
}

/// Serves `stream` until its peer closes it.
pub async fn run(stream: TcpStream, log: Rc<Log>, read_bytes: usize) -> Result<()> {
    let stream = SharedStream::new(stream)?;
    let waiting = Rc::new(Unacknowledged::default());
    let acknowledging = glommio::spawn_local(acknowledge(
        stream.clone(),
        Rc::clone(&log),
        Rc::clone(&waiting),
    ));
    let received = receive(&stream, &log, &waiting, read_bytes).await;
    waiting.ended.set(true);
    log.durable.wake();
    acknowledging.await?;
    received
}

async fn receive(
    stream: &SharedStream,
    log: &Log,
    waiting: &Unacknowledged,
    read_bytes: usize,
) -> Result<()> {
    let mut buffer = FrameBuffer::new(read_bytes, log.frame_bytes_max());
    let mut known: Option<Rc<Template>> = None;
    let mut next_offset = 0;
    while buffer.fill(stream).await? {
        while let Some(frame) = buffer.frame()? {
            let seen = known.as_ref().and_then(|template| template.asked(frame));
            let (template, asked) = match (seen, &known) {
                (Some(asked), Some(template)) => (Rc::clone(template), asked),
                _ => {
                    let (template, asked) = Template::parse(frame)?;
                    (Rc::clone(known.insert(Rc::new(template))), asked)
                }
            };
            let block = log.append(frame, crc32c::crc32c(frame)).await;
            let correlation = asked.correlation;
            let pending = Pending {
                block,
                correlation,
                base_offset: next_offset,
                template,
            };
            waiting.queue.borrow_mut().push_back(pending);
            next_offset += i64::from(asked.records);
        }
        // The other connections and the writers come first.
        futures_lite::future::yield_now().await;
    }
    Ok(())
}

async fn acknowledge(
    stream: SharedStream,
    log: Rc<Log>,
    waiting: Rc<Unacknowledged>,
) -> Result<()> {
    let mut out = Vec::new();
    loop {
        out.clear();
        let more = log
            .durable
            .until(|| drain_durable(&log, &waiting, &mut out))
            .await;
        stream.write_all(&out).await?;
        if !more {
            return Ok(());
        }
    }
}

/// Encodes every response whose block is durable. `None` while there is none,
/// `false` with the last one of the connection.
fn drain_durable(log: &Log, waiting: &Unacknowledged, out: &mut Vec<u8>) -> Option<bool> {
    let mut queue = waiting.queue.borrow_mut();
    while let Some(pending) = queue
        .front()
        .filter(|pending| log.is_durable(pending.block))
    {
        pending
            .template
            .respond(out, pending.correlation, pending.base_offset);
        queue.pop_front();
    }
    match (queue.is_empty() && waiting.ended.get(), out.is_empty()) {
        (true, _) => Some(false),
        (false, false) => Some(true),
        (false, true) => None,
    }
}

//! One fetching connection: asks for its partitions in turn and checks what
//! comes back.

use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};

use crate::clock;
use crate::codec::{self, batch, fetch};
use crate::load::Load;
use crate::net::{FrameBuffer, SharedStream};

/// First size of the read buffer; it grows to the largest response.
const READ_BYTES: usize = 256 << 10;

/// Where one partition is being read.
pub struct Cursor {
    request: fetch::Request,
    start: i64,
    end: Option<i64>,
    next: i64,
}

impl Cursor {
    /// Reads from `start` to `end`, or for ever.
    pub fn new(request: fetch::Request, start: i64, end: Option<i64>) -> Cursor {
        Cursor {
            request,
            start,
            end,
            next: start,
        }
    }

    fn has_ended(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }
}

/// Fetches until the load stops, or until every cursor reached its end, from
/// where they start over if `again`.
pub async fn run(
    load: Rc<Load>,
    stream: SharedStream,
    mut cursors: Vec<Cursor>,
    again: bool,
) -> Result<()> {
    let mut buffer = FrameBuffer::new(READ_BYTES, codec::FRAME_BYTES_MAX);
    let mut correlation = 0i32;
    while !load.is_stopping() {
        let mut all_ended = true;
        for cursor in &mut cursors {
            if cursor.has_ended() {
                continue;
            }
            all_ended = false;
            correlation = correlation.wrapping_add(1);
            fetch(&load, &stream, &mut buffer, cursor, correlation).await?;
        }
        if all_ended && !again {
            return Ok(());
        }
        if all_ended {
            cursors
                .iter_mut()
                .for_each(|cursor| cursor.next = cursor.start);
        }
    }
    Ok(())
}

async fn fetch(
    load: &Load,
    stream: &SharedStream,
    buffer: &mut FrameBuffer,
    cursor: &mut Cursor,
    correlation: i32,
) -> Result<()> {
    let sent_at = clock::now();
    stream
        .write_all(cursor.request.at(correlation, cursor.next))
        .await?;
    while !buffer.has_frame()? {
        ensure!(
            buffer.fill(stream).await?,
            "the server closed the connection"
        );
    }
    let fetched = fetch::response(buffer.frame()?.context("the frame is whole")?)?;
    ensure!(
        fetched.correlation == correlation,
        "response {}",
        fetched.correlation
    );
    ensure!(
        fetched.error == 0,
        "fetching offset {}: error code {}",
        cursor.next,
        fetched.error
    );
    let walked = batch::walk(fetched.records, cursor.next)?;
    if walked.bytes == 0 {
        if !fetched.records.is_empty() {
            bail!(
                "no whole batch in {} bytes at offset {}",
                fetched.records.len(),
                cursor.next
            );
        }
        return Ok(());
    }
    ensure!(
        walked.next_offset <= fetched.high_watermark,
        "offset {} is beyond the high watermark {}",
        walked.next_offset - 1,
        fetched.high_watermark
    );
    cursor.next = walked.next_offset;
    load.meter
        .count(sent_at.elapsed(), walked.records, walked.bytes);
    Ok(())
}

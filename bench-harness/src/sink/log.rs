//! Group commit: frames gather in one open block while the writes in flight
//! are busy, and go to the disk together. Acknowledgement follows the
//! contiguous prefix of durable blocks, whatever order the writes complete in.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use glommio::io::{DmaBuffer, DmaFile};

use super::CeilingArgs;
use super::file::ALIGN;
use crate::net::Signal;

/// Length and CRC-32C in front of each frame.
const RECORD_HEADER_BYTES: usize = 8;

/// The log of one core.
pub struct Log {
    file: DmaFile,
    state: RefCell<State>,
    /// A block may have become ready to write.
    filled: Signal,
    /// The open block was taken.
    room: Signal,
    /// The durable prefix grew, or a connection ended.
    pub durable: Signal,
}

struct State {
    file_bytes: u64,
    block_bytes: usize,
    group_bytes: usize,
    open: Option<Open>,
    next_block: u64,
    next_position: u64,
    in_flight: usize,
    /// Blocks below this are durable.
    durable_end: u64,
    /// For each block from `durable_end` on, whether its write completed.
    completed: VecDeque<bool>,
}

/// The block that frames are copied into.
struct Open {
    buffer: DmaBuffer,
    used: usize,
    /// The next frame did not fit.
    full: bool,
}

/// A block on its way to the disk.
struct Write {
    block: u64,
    position: u64,
    buffer: DmaBuffer,
}

impl Log {
    /// A log that writes to `file` from its start.
    pub fn new(file: DmaFile, args: &CeilingArgs) -> Log {
        let state = State {
            file_bytes: args.file_bytes,
            block_bytes: args.block_bytes,
            group_bytes: args.group_bytes,
            open: None,
            next_block: 0,
            next_position: 0,
            in_flight: 0,
            durable_end: 0,
            completed: VecDeque::new(),
        };
        Log {
            file,
            state: RefCell::new(state),
            filled: Signal::default(),
            room: Signal::default(),
            durable: Signal::default(),
        }
    }

    /// Largest frame that fits in a block.
    pub fn frame_bytes_max(&self) -> usize {
        self.state.borrow().block_bytes - RECORD_HEADER_BYTES
    }

    /// Copies `frame` into the open block and returns the block's number, once
    /// there is room for it.
    pub async fn append(&self, frame: &[u8], crc: u32) -> u64 {
        let block = match self.try_append(frame, crc) {
            Some(block) => block,
            None => {
                self.filled.wake();
                self.room.until(|| self.try_append(frame, crc)).await
            }
        };
        self.filled.wake();
        block
    }

    /// Whether the block `number` is on the disk, and all before it.
    pub fn is_durable(&self, number: u64) -> bool {
        number < self.state.borrow().durable_end
    }

    fn try_append(&self, frame: &[u8], crc: u32) -> Option<u64> {
        let state = &mut *self.state.borrow_mut();
        let open = state.open.get_or_insert_with(|| Open {
            buffer: self.file.alloc_dma_buffer(state.block_bytes),
            used: 0,
            full: false,
        });
        let end = open.used + RECORD_HEADER_BYTES + frame.len();
        let Some(target) = open.buffer.as_bytes_mut().get_mut(open.used..end) else {
            open.full = true;
            return None;
        };
        let (header, body) = target.split_at_mut(RECORD_HEADER_BYTES);
        header[..4].copy_from_slice(&(frame.len() as u32).to_be_bytes());
        header[4..].copy_from_slice(&crc.to_be_bytes());
        body.copy_from_slice(frame);
        open.used = end;
        Some(state.next_block)
    }

    /// Takes the open block when it is worth a write: when the disk would
    /// otherwise be idle, when it holds a group, or when it is full.
    fn take(&self) -> Option<Write> {
        let state = &mut *self.state.borrow_mut();
        let ready = |open: &mut Open| {
            open.used > 0 && (state.in_flight == 0 || open.full || open.used >= state.group_bytes)
        };
        let Open {
            mut buffer, used, ..
        } = state.open.take_if(ready)?;
        let length = used.next_multiple_of(ALIGN);
        buffer.as_bytes_mut()[used..length].fill(0);
        buffer.trim_to_size(length);
        if state.next_position + length as u64 > state.file_bytes {
            state.next_position = 0;
        }
        let write = Write {
            block: state.next_block,
            position: state.next_position,
            buffer,
        };
        state.next_block += 1;
        state.next_position += length as u64;
        state.in_flight += 1;
        state.completed.push_back(false);
        Some(write)
    }

    fn on_written(&self, block: u64) {
        let state = &mut *self.state.borrow_mut();
        state.in_flight -= 1;
        state.completed[(block - state.durable_end) as usize] = true;
        while state.completed.front() == Some(&true) {
            state.completed.pop_front();
            state.durable_end += 1;
        }
    }
}

/// Writes one block after the other, forever. As many of these run as there
/// may be writes in flight. A failed write ends the process: nothing after it
/// may be acknowledged.
pub async fn write_blocks(log: Rc<Log>) {
    loop {
        let write = log.filled.until(|| log.take()).await;
        log.room.wake();
        let length = write.buffer.len();
        match log.file.write_at(write.buffer, write.position).await {
            Ok(written) if written == length => {}
            outcome => {
                eprintln!("writing {length} bytes at {}: {outcome:?}", write.position);
                std::process::abort();
            }
        }
        log.on_written(write.block);
        log.durable.wake();
        log.filled.wake();
    }
}

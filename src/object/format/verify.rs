//! Looking through a whole object, piece by piece: whether every byte is what its
//! footer says, for `corelane inspect object` and for whoever doubts.

use std::collections::VecDeque;

use super::{
    BatchWalk, ChunkEntry, Footer, OBJECT_HEADER_BYTES, ObjectError, ObjectHeader, TRAILER_BYTES,
    TailRead, WalkError,
};
use crate::base::checksum;
use crate::base::limits::{OBJECT_BYTES_MAX, OBJECT_TAIL_BYTES, OBJECT_VERIFY_READ_BYTES};

/// What the verification does next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VerifyStep {
    /// It needs these bytes of the object: answer with [`Verification::on_read`].
    Read {
        /// Where they begin.
        position: u64,
        /// How many they are.
        bytes: usize,
    },
    /// It has come to this.
    Found(Finding),
    /// There is no more.
    Done,
}

/// A part of an object, and whether it is sound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The footer. Without it nothing else can be told.
    Footer(Result<Footer, ObjectError>),
    /// The header is not the one that the footer has.
    Header,
    /// A chunk, by its number in the footer.
    Chunk(usize, Result<(), Fault>),
    /// The state with the chunk of this number.
    State(usize, Result<(), Fault>),
}

/// What is wrong with a chunk or a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// Its bytes have changed.
    #[error("the bytes do not match their CRC")]
    Crc,
    /// They are as they were written, and no batches of one partition.
    #[error(transparent)]
    Batches(#[from] WalkError),
    /// The footer tells other things of them.
    #[error("the footer's entry differs from the batches")]
    Entry,
}

/// What is being read.
#[derive(Debug)]
enum Part {
    Tail(usize),
    Header,
    Chunk(usize, Box<BatchWalk>),
    State(usize),
}

/// The verification of one object.
#[derive(Debug)]
pub struct Verification {
    object_bytes: u64,
    footer: Option<Footer>,
    part: Part,
    /// Of the part: bytes read, and their CRC.
    read: u64,
    crc: u32,
    fault: Option<Fault>,
    found: VecDeque<Finding>,
    is_done: bool,
}

impl Verification {
    /// Of an object of so many bytes.
    pub fn new(object_bytes: u64) -> Verification {
        let tail = object_bytes.min(OBJECT_TAIL_BYTES as u64) as usize;
        let mut verification = Verification {
            object_bytes,
            footer: None,
            part: Part::Tail(tail),
            read: 0,
            crc: 0,
            fault: None,
            found: VecDeque::new(),
            is_done: false,
        };
        let possible = (OBJECT_HEADER_BYTES + TRAILER_BYTES) as u64..=OBJECT_BYTES_MAX as u64;
        if !possible.contains(&object_bytes) {
            verification.end_without_footer(ObjectError::Shape);
        }
        verification
    }

    /// What is next. Nothing changes while a read is awaited.
    pub fn poll(&mut self) -> VerifyStep {
        if let Some(finding) = self.found.pop_front() {
            return VerifyStep::Found(finding);
        }
        if self.is_done {
            return VerifyStep::Done;
        }
        let (begins, bytes) = self.extent();
        let left = bytes - self.read;
        VerifyStep::Read {
            position: begins + self.read,
            bytes: match self.part {
                Part::Tail(_) => left as usize,
                _ => left.min(OBJECT_VERIFY_READ_BYTES as u64) as usize,
            },
        }
    }

    /// Where the present part lies, and its size.
    fn extent(&self) -> (u64, u64) {
        let of = |position: u32, bytes: u32| (u64::from(position), u64::from(bytes));
        match &self.part {
            Part::Tail(bytes) => (self.object_bytes - *bytes as u64, *bytes as u64),
            Part::Header => (0, OBJECT_HEADER_BYTES as u64),
            Part::Chunk(at, _) => self.entry(*at).map_or((0, 0), |c| of(c.position, c.bytes)),
            Part::State(at) => {
                let state = self.entry(*at).and_then(|chunk| chunk.state);
                state.map_or((0, 0), |s| of(s.position, s.bytes))
            }
        }
    }

    fn entry(&self, at: usize) -> Option<&ChunkEntry> {
        self.footer.as_ref()?.chunks.get(at)
    }

    /// The bytes that [`VerifyStep::Read`] asked for; fewer are those of an object that has
    /// been cut off.
    pub fn on_read(&mut self, bytes: &[u8]) {
        match &mut self.part {
            Part::Tail(_) => return self.on_tail(bytes),
            Part::Chunk(_, walk) if self.fault.is_none() => {
                self.fault = walk.walk(bytes).err().map(Fault::Batches);
            }
            _ => {}
        }
        self.crc = checksum::crc32c_append(self.crc, bytes);
        self.read += bytes.len() as u64;
        if matches!(self.part, Part::Header) {
            let expected = self.footer.as_ref().map(|footer| footer.header);
            if ObjectHeader::decode(bytes).ok() != expected {
                self.found.push_back(Finding::Header);
            }
        }
        if bytes.is_empty() || self.read >= self.extent().1 {
            self.end_part();
        }
    }

    fn on_tail(&mut self, bytes: &[u8]) {
        match Footer::read(bytes) {
            Ok(TailRead::Needs(needed)) if needed as u64 <= self.object_bytes => {
                match bytes.len() < needed && !matches!(self.part, Part::Tail(n) if n == needed) {
                    true => self.part = Part::Tail(needed),
                    false => self.end_without_footer(ObjectError::Shape),
                }
            }
            Ok(TailRead::Whole(footer)) if footer.object_bytes == self.object_bytes => {
                self.found.push_back(Finding::Footer(Ok(footer.clone())));
                self.footer = Some(footer);
                self.begin(Part::Header);
            }
            Ok(_) => self.end_without_footer(ObjectError::Shape),
            Err(error) => self.end_without_footer(error),
        }
    }

    fn end_without_footer(&mut self, error: ObjectError) {
        self.found.push_back(Finding::Footer(Err(error)));
        self.is_done = true;
    }

    fn begin(&mut self, part: Part) {
        self.part = part;
        (self.read, self.crc, self.fault) = (0, 0, None);
    }

    fn end_part(&mut self) {
        match std::mem::replace(&mut self.part, Part::Header) {
            Part::Chunk(at, walk) => {
                let judged = self.judge(at, *walk);
                self.found.push_back(Finding::Chunk(at, judged));
                self.begin_after(at);
            }
            Part::State(at) => {
                let stored = self.entry(at).and_then(|chunk| chunk.state);
                let is_sound = stored.is_some_and(|state| state.crc == self.crc);
                let judged = if is_sound { Ok(()) } else { Err(Fault::Crc) };
                self.found.push_back(Finding::State(at, judged));
                self.begin_chunk(at + 1);
            }
            Part::Header | Part::Tail(_) => self.begin_chunk(0),
        }
    }

    fn judge(&self, at: usize, walk: BatchWalk) -> Result<(), Fault> {
        let Some(entry) = self.entry(at).filter(|entry| entry.crc == self.crc) else {
            return Err(Fault::Crc);
        };
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let mut walked = walk.finish(entry.tp, entry.crc, entry.log_start)?;
        (walked.position, walked.state) = (entry.position, entry.state);
        (walked == *entry).then_some(()).ok_or(Fault::Entry)
    }

    /// Behind a chunk: its state, or the next chunk.
    fn begin_after(&mut self, at: usize) {
        match self.entry(at).and_then(|chunk| chunk.state) {
            Some(_) => self.begin(Part::State(at)),
            None => self.begin_chunk(at + 1),
        }
    }

    fn begin_chunk(&mut self, at: usize) {
        match self.entry(at).map(BatchWalk::again) {
            Some(walk) => self.begin(Part::Chunk(at, Box::new(walk))),
            None => self.is_done = true,
        }
    }
}

//! What is in a segment file, told block by block, for `corelane inspect wal`.
//! It judges nothing as lost or void: that takes the manifest and the other
//! segments, which is recovery's part.

use super::block::{self, BlockError, BlockHeader, RecordSpan};
use super::record::{RecordKind, decode_log_start};
use super::recovery::{ReadPlan, Window};
use super::segment::SEGMENT_HEADER_BYTES;
use crate::base::{TopicPartition, limits};
use crate::kafka::batch::BatchHeader;

/// What the inspection does next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InspectStep {
    /// It needs these bytes: answer with [`Inspection::on_read`].
    Read(ReadPlan),
    /// It has come to this.
    Found(Finding),
    /// The file is at its end.
    Done,
}

/// A stretch of a segment file behind its header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// An intact block.
    Block {
        /// Where it begins in the file.
        offset: u32,
        /// Its header.
        header: BlockHeader,
        /// Its records, in order.
        records: Vec<RecordReport>,
    },
    /// A block that is not intact.
    Damaged {
        /// Where it begins in the file.
        offset: u32,
        /// Its header, if that at least is intact.
        header: Option<BlockHeader>,
        /// What is wrong.
        error: BlockError,
    },
    /// Pages without a block of this life.
    Empty {
        /// Where they begin in the file.
        offset: u32,
        /// How many bytes they are.
        bytes: u32,
        /// What is there instead.
        content: EmptyContent,
    },
}

/// What pages hold that hold no block of this life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EmptyContent {
    /// Zeroes: never written.
    Zeroes,
    /// What an earlier life of the file left behind, or the rest of a damaged block.
    Leftovers,
}

/// One record of an intact block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordReport {
    /// Whose it is.
    pub tp: TopicPartition,
    /// Where its payload begins in the file.
    pub offset: u32,
    /// Bytes of its payload.
    pub bytes: u32,
    /// What it says.
    pub content: RecordContent,
}

/// What a record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordContent {
    /// A record batch with this header.
    Batch(BatchHeader),
    /// The log start offset is now this.
    LogStart(i64),
    /// A checkpoint of the partition.
    PartitionState,
}

/// The inspection of one segment file as one life of it.
#[derive(Debug)]
pub struct Inspection {
    incarnation: u64,
    window: Window,
    /// Pages without a block that are not told yet.
    empty: Option<(u32, u32, EmptyContent)>,
}

impl Inspection {
    /// Inspects a file of `file_bytes` as the life `incarnation`: that of its header, or of the
    /// manifest. What does not fill a page at the end of the file is left out.
    pub fn new(slot: u32, file_bytes: u32, incarnation: u64) -> Inspection {
        let file_bytes = file_bytes - file_bytes % limits::WAL_ALIGN as u32;
        let window = Window::starting_at(slot, file_bytes, SEGMENT_HEADER_BYTES as u32);
        Inspection {
            incarnation,
            window,
            empty: None,
        }
    }

    /// What is next. Nothing changes while a read is awaited.
    pub fn poll(&mut self) -> InspectStep {
        loop {
            if self.window.is_at_end() {
                return self
                    .tell_empty()
                    .map_or(InspectStep::Done, InspectStep::Found);
            }
            let page = match self.window.peek(limits::WAL_ALIGN) {
                Ok(page) => page,
                Err(plan) => return InspectStep::Read(plan),
            };
            let header = BlockHeader::decode(page, self.incarnation);
            let bytes_to_end = self.window.bytes_to_end();
            match header {
                Err(BlockError::Absent | BlockError::Stale) => {
                    let is_zero = page.iter().all(|&byte| byte == 0);
                    let content = if is_zero {
                        EmptyContent::Zeroes
                    } else {
                        EmptyContent::Leftovers
                    };
                    if let Some(told) = self.add_empty(content) {
                        return InspectStep::Found(told);
                    }
                }
                Ok(header) if header.aligned_bytes() <= bytes_to_end => {
                    if let Err(plan) = self.window.peek(header.aligned_bytes()) {
                        return InspectStep::Read(plan);
                    }
                    let told = self.tell_empty();
                    return InspectStep::Found(told.unwrap_or_else(|| self.tell_block(header)));
                }
                other => {
                    let offset = self.window.start();
                    if let Some(told) = self.tell_empty() {
                        return InspectStep::Found(told);
                    }
                    self.window.skip(limits::WAL_ALIGN);
                    let (header, error) = match other {
                        Ok(header) => (Some(header), BlockError::Impossible),
                        Err(error) => (None, error),
                    };
                    return InspectStep::Found(Finding::Damaged {
                        offset,
                        header,
                        error,
                    });
                }
            }
        }
    }

    /// The bytes of the read that was asked for, all of them.
    pub fn on_read(&mut self, bytes: &[u8]) {
        self.window.extend(bytes);
    }

    fn add_empty(&mut self, content: EmptyContent) -> Option<Finding> {
        let page_bytes = limits::WAL_ALIGN as u32;
        let told = match &mut self.empty {
            Some((_, bytes, same)) if *same == content => {
                *bytes += page_bytes;
                None
            }
            _ => {
                let told = self.tell_empty();
                self.empty = Some((self.window.start(), page_bytes, content));
                told
            }
        };
        self.window.skip(limits::WAL_ALIGN);
        told
    }

    fn tell_empty(&mut self) -> Option<Finding> {
        let (offset, bytes, content) = self.empty.take()?;
        Some(Finding::Empty {
            offset,
            bytes,
            content,
        })
    }

    /// Takes the whole block that the window begins with.
    fn tell_block(&mut self, header: BlockHeader) -> Finding {
        let offset = self.window.start();
        let block = self.window.take(header.aligned_bytes());
        let used = block.get(..header.bytes_used as usize).unwrap_or_default();
        let spans = match block::verify(&header, used) {
            Ok(spans) => spans,
            Err(error) => {
                return Finding::Damaged {
                    offset,
                    header: Some(header),
                    error,
                };
            }
        };
        let records = spans
            .iter()
            .filter_map(|span| report(offset, used, span))
            .collect();
        Finding::Block {
            offset,
            header,
            records,
        }
    }
}

fn report(block_offset: u32, block: &[u8], span: &RecordSpan) -> Option<RecordReport> {
    let payload = block.get(span.payload_at..span.payload_at + span.payload_bytes)?;
    let content = match span.kind {
        RecordKind::Batch => RecordContent::Batch(BatchHeader::decode(payload).ok()?),
        RecordKind::LogStart => RecordContent::LogStart(decode_log_start(payload)?),
        RecordKind::PartitionState => RecordContent::PartitionState,
    };
    Some(RecordReport {
        tp: span.tp,
        offset: block_offset + span.payload_at as u32,
        bytes: span.payload_bytes as u32,
        content,
    })
}

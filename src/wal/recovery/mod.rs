//! Recovery: from the bytes of a WAL's directory to its records, in LSN order,
//! and to what the next run starts from. A state machine that asks for reads
//! and is given bytes; it holds about one read, or one block, at a time.
//!
//! Sealed segments must be whole: they were durable when the manifest was
//! written. The open ones, in the order of their sequences, hold the blocks
//! from the manifest's `open_lsn` on. They are read to their ends: the blocks
//! that follow each other without a gap are the log, and the first LSN that is
//! missing or damaged is the hole. Every intact block header, before the hole
//! or behind it, attests an LSN up to which everything was durable when it was
//! written; so does the manifest. A hole at or below any of these is damage to
//! what was acknowledged, and an error. A hole above all of them is where a
//! crash interrupted writes that nobody was promised, and the log is cut there.
//!
//! The cut is durable once the manifest of the next run seals the segments up
//! to it, which is before that run writes its first block: until then every
//! recovery finds the same cut, and ever after what lies behind is void.

mod error;
mod found;
mod layout;
mod tail;
mod window;

use std::collections::VecDeque;

use bytes::Bytes;

pub use error::RecoveryError;
pub use found::{Cut, Recovered, RecoveredSegment};
use layout::{Layout, Range, Target};
use tail::Tail;
pub(super) use window::Window;

use super::block::{self, BLOCK_HEADER_BYTES, BlockError, BlockHeader};
use super::names::FilePath;
use super::record::RecordKind;
use super::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::base::mark::mark;
use crate::base::{LogPosition, Lsn, SegmentId, TopicPartition, limits};

/// A read that recovery needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadPlan {
    /// The slot of the segment file.
    pub slot: u32,
    /// Where to read, a multiple of 4 KiB.
    pub offset: u32,
    /// Bytes to read, a multiple of 4 KiB, all within the file.
    pub bytes: usize,
}

/// What recovery does next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecoveryStep {
    /// It needs these bytes: answer with [`Recovery::on_read`].
    Read(ReadPlan),
    /// It has found a record.
    Record(RecoveredRecord),
    /// It is through: take the result with [`Recovery::finish`].
    Done,
}

/// A record that survived, every byte of it verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveredRecord {
    /// The block it is in.
    pub lsn: Lsn,
    /// What it is.
    pub kind: RecordKind,
    /// Whose it is.
    pub tp: TopicPartition,
    /// Where its payload begins.
    pub position: LogPosition,
    /// Its payload; a slice of what was read, which keeps that alive.
    pub payload: Bytes,
}

/// A segment file as the directory lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListedFile {
    /// The slot in its name.
    pub slot: u32,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The recovery of one WAL.
#[derive(Debug)]
pub struct Recovery {
    wal: u16,
    targets: VecDeque<Target>,
    current: Option<(Target, Window)>,
    asked: Option<ReadPlan>,
    records: VecDeque<RecoveredRecord>,
    /// The LSN that must come next.
    expected: Lsn,
    tail: Tail,
    recovered: Recovered,
}

impl Recovery {
    /// Begins the recovery of WAL number `wal` from its directory's segment files and the bytes
    /// of its manifest, `None` when it has none.
    ///
    /// # Errors
    /// What the two alone give away, see [`RecoveryError`].
    pub fn new(
        wal: u16,
        files: &[ListedFile],
        manifest: Option<&[u8]>,
    ) -> Result<Recovery, RecoveryError> {
        let layout = Layout::read(wal, files, manifest)?;
        Ok(Recovery {
            wal,
            expected: layout.recovered.next_lsn,
            targets: layout.targets,
            current: None,
            asked: None,
            records: VecDeque::new(),
            tail: Tail::new(layout.durable),
            recovered: layout.recovered,
        })
    }

    /// What is next. Nothing changes while a read is awaited.
    ///
    /// # Errors
    /// Damage to what was durable, see [`RecoveryError`]. The records given before are worthless
    /// then.
    pub fn poll(&mut self) -> Result<RecoveryStep, RecoveryError> {
        loop {
            if let Some(record) = self.records.pop_front() {
                return Ok(RecoveryStep::Record(record));
            }
            if let Some(plan) = self.asked {
                return Ok(RecoveryStep::Read(plan));
            }
            let Some((target, mut window)) = self.current.take() else {
                match self.targets.pop_front() {
                    Some(target) => self.enter(target),
                    None => {
                        self.tail.check(self.wal, self.expected)?;
                        return Ok(RecoveryStep::Done);
                    }
                }
                continue;
            };
            match self.read_on(target, &mut window)? {
                Progress::Needs(plan) => {
                    self.asked = Some(plan);
                    self.current = Some((target, window));
                }
                Progress::Moved => self.current = Some((target, window)),
                Progress::Ended => {}
            }
        }
    }

    /// The bytes of the read that was asked for.
    ///
    /// # Errors
    /// [`RecoveryError::ShortRead`] when there are fewer or more than asked for.
    pub fn on_read(&mut self, bytes: &[u8]) -> Result<(), RecoveryError> {
        let Some(plan) = self.asked.take() else {
            return Ok(());
        };
        if bytes.len() != plan.bytes {
            return Err(RecoveryError::ShortRead {
                path: FilePath {
                    wal: self.wal,
                    slot: Some(plan.slot),
                },
                offset: plan.offset,
                found: bytes.len(),
                expected: plan.bytes,
            });
        }
        if let Some((_, window)) = &mut self.current {
            window.extend(bytes);
        }
        Ok(())
    }

    /// The result, after [`RecoveryStep::Done`].
    pub fn finish(mut self) -> Recovered {
        assert!(
            self.targets.is_empty() && self.current.is_none(),
            "recovery is not done"
        );
        self.recovered.next_lsn = self.expected;
        self.recovered.cut = self.tail.cut(self.expected);
        self.recovered.settle();
        self.recovered
    }

    fn enter(&mut self, target: Target) {
        match target.range {
            Range::Sealed { first_lsn, .. } => self.expected = first_lsn,
            Range::Open => self.tail.enter(),
            Range::Unused => {}
        }
        if target.range != Range::Unused {
            self.recovered.begin(self.wal, &target);
        }
        self.current = Some((target, Window::new(target.slot, target.file_bytes)));
    }

    /// Reads on by one header, block or page.
    fn read_on(&mut self, target: Target, window: &mut Window) -> Result<Progress, RecoveryError> {
        if window.start() == 0 {
            return self.read_segment_header(&target, window);
        }
        if target.range == Range::Unused {
            return Ok(Progress::Ended);
        }
        if let Range::Sealed { end_lsn, .. } = target.range
            && self.expected == end_lsn
        {
            if self
                .targets
                .front()
                .is_none_or(|next| next.range == Range::Open)
            {
                self.expected = self.recovered.open_lsn;
            }
            return Ok(Progress::Ended);
        }
        if window.is_at_end() {
            // A sealed segment that ends too early; an open one just ends.
            mark!("wal.recovery.end-of-file");
            self.miss(&target, window.start(), BlockError::Absent)?;
            return Ok(Progress::Ended);
        }
        let page = match window.peek(limits::WAL_ALIGN) {
            Ok(page) => page,
            Err(plan) => return Ok(Progress::Needs(plan)),
        };
        let header = match BlockHeader::decode(page, target.life.incarnation) {
            Ok(header) if header.aligned_bytes() <= window.bytes_to_end() => header,
            other => {
                let error = other.err().unwrap_or(BlockError::Impossible);
                self.miss(&target, window.start(), error)?;
                window.skip(limits::WAL_ALIGN);
                return Ok(Progress::Moved);
            }
        };
        self.read_block(&target, window, header)
    }

    fn read_segment_header(
        &mut self,
        target: &Target,
        window: &mut Window,
    ) -> Result<Progress, RecoveryError> {
        let bytes = match window.peek(SEGMENT_HEADER_BYTES) {
            Ok(bytes) => bytes,
            Err(plan) => return Ok(Progress::Needs(plan)),
        };
        let expected = SegmentHeader {
            id: SegmentId {
                wal: self.wal,
                sequence: target.life.sequence,
            },
            incarnation: target.life.incarnation,
            file_bytes: target.file_bytes,
        };
        let header = SegmentHeader::decode(bytes);
        // A sealed segment may be shorter by now than when its life began.
        let header = header.map(|header| SegmentHeader {
            file_bytes: match target.range {
                Range::Sealed { .. } => header.file_bytes.min(target.file_bytes),
                Range::Open | Range::Unused => header.file_bytes,
            },
            ..header
        });
        if let Ok(SegmentHeader {
            id: SegmentId { wal, sequence },
            ..
        }) = header
            && wal == self.wal
            && sequence >= self.recovered.next_sequence
        {
            mark!("wal.recovery.manifest-outdated");
            let path = FilePath {
                wal,
                slot: Some(target.slot),
            };
            return Err(RecoveryError::ManifestOutdated { path, sequence });
        }
        self.recovered
            .note_header(target.slot, header == Ok(expected));
        window.skip(SEGMENT_HEADER_BYTES);
        Ok(Progress::Moved)
    }

    /// A block with an intact header is at the start of the window.
    fn read_block(
        &mut self,
        target: &Target,
        window: &mut Window,
        header: BlockHeader,
    ) -> Result<Progress, RecoveryError> {
        let offset = window.start();
        let is_first = offset == SEGMENT_HEADER_BYTES as u32;
        if header.lsn != self.expected || !self.tail.may_continue(is_first) {
            self.tail.attest(header.durable);
            self.tail.count_void();
            self.miss(target, offset, BlockError::Absent)?;
            window.skip(limits::WAL_ALIGN);
            return Ok(Progress::Moved);
        }
        let used = header.bytes_used as usize;
        let spans = match window.peek(header.aligned_bytes()) {
            Ok(block) => block::verify(&header, block.get(..used).unwrap_or_default()),
            Err(plan) => return Ok(Progress::Needs(plan)),
        };
        self.tail.attest(header.durable);
        let spans = match spans {
            Ok(spans) => spans,
            Err(error) => {
                mark!("wal.recovery.torn-block");
                self.miss(target, offset, error)?;
                window.skip(limits::WAL_ALIGN);
                return Ok(Progress::Moved);
            }
        };
        let block = window.take(header.aligned_bytes());
        let segment = SegmentId {
            wal: self.wal,
            sequence: target.life.sequence,
        };
        self.records
            .extend(spans.iter().map(|span| RecoveredRecord {
                lsn: header.lsn,
                kind: span.kind,
                tp: span.tp,
                position: LogPosition {
                    segment,
                    offset: offset + span.payload_at as u32,
                },
                payload: block.slice(span.payload_at..span.payload_at + span.payload_bytes),
            }));
        self.recovered
            .extend(target.slot, header.lsn, window.start());
        self.tail.continued();
        self.expected = header.lsn.next();
        Ok(Progress::Moved)
    }

    /// The expected block is not here. In a sealed segment that is an error at once, in an open
    /// one it depends on what else is found.
    fn miss(
        &mut self,
        target: &Target,
        offset: u32,
        error: BlockError,
    ) -> Result<(), RecoveryError> {
        let slot = target.slot;
        match target.range {
            Range::Open | Range::Unused => {
                self.tail.miss(slot, offset, error);
                Ok(())
            }
            Range::Sealed { end_lsn, .. } => {
                mark!("wal.recovery.damage-in-sealed");
                Err(RecoveryError::Corrupt {
                    path: FilePath {
                        wal: self.wal,
                        slot: Some(slot),
                    },
                    offset,
                    lsn: self.expected,
                    durable: self.tail.durable().max(Lsn(end_lsn.0 - 1)),
                    error,
                })
            }
        }
    }
}

/// How a step of reading ended.
enum Progress {
    Needs(ReadPlan),
    Moved,
    Ended,
}

const _: () = assert!(BLOCK_HEADER_BYTES <= limits::WAL_ALIGN);

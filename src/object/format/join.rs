//! Making an object of chunks of others. Everything about it follows from their
//! footers, before a byte of it is read: the records are copied and never opened.

use std::ops::Range;

use bytes::Bytes;

use super::{ChunkEntry, EpochStart, Footer, Mark, ObjectHeader, StateEntry, WriteError};
use crate::base::checksum;
use crate::base::limits::OBJECT_MARK_BYTES;
use crate::object::key::ObjectId;

/// Chunks of one partition that become one: each begins where the one before it ends.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The objects, and the chunks in them.
    pub parts: Vec<(ObjectId, &'a ChunkEntry)>,
}

/// Bytes to copy from another object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyRange {
    /// From which.
    pub object: ObjectId,
    /// Which of its bytes.
    pub range: Range<u64>,
    /// Their CRC-32C: what is read must match it, or the object is not to be put.
    pub crc: u32,
}

/// An object made of others' chunks.
#[derive(Clone, Debug)]
pub struct JoinPlan {
    /// What it holds.
    pub footer: Footer,
    /// Its first bytes.
    pub head: Bytes,
    /// What comes behind them, in order.
    pub copies: Vec<CopyRange>,
    /// Its last bytes.
    pub tail: Bytes,
    /// CRC-32C of all of it.
    pub crc: u32,
}

/// Plans an object that has a chunk for each run, in the order of topics, partitions and offsets.
///
/// # Errors
/// [`WriteError::Order`] for runs with gaps or out of order, [`WriteError::Empty`],
/// [`WriteError::TooLarge`].
pub fn join(header: ObjectHeader, runs: &[Run<'_>]) -> Result<JoinPlan, WriteError> {
    let entries: Vec<ChunkEntry> = runs.iter().map(join_run).collect::<Result<_, _>>()?;
    let footer = Footer::lay_out(header, entries)?;
    let mut copies = Vec::new();
    for run in runs {
        for (object, part) in &run.parts {
            copies.push(copy(*object, part.position, part.bytes, part.crc));
        }
    }
    for run in runs {
        if let Some((object, part)) = run.parts.last()
            && let Some(state) = part.state
        {
            copies.push(copy(*object, state.position, state.bytes, state.crc));
        }
    }
    let head = Bytes::copy_from_slice(&header.encode());
    let tail = Bytes::from(footer.encode());
    let mut crc = checksum::crc32c(&head);
    for copy in &copies {
        let bytes = (copy.range.end - copy.range.start) as usize;
        crc = checksum::crc32c_combine(crc, copy.crc, bytes);
    }
    crc = checksum::crc32c_append(crc, &tail);
    Ok(JoinPlan {
        footer,
        head,
        copies,
        tail,
        crc,
    })
}

fn copy(object: ObjectId, position: u32, bytes: u32, crc: u32) -> CopyRange {
    let begins = u64::from(position);
    CopyRange {
        object,
        range: begins..begins + u64::from(bytes),
        crc,
    }
}

fn join_run(run: &Run<'_>) -> Result<ChunkEntry, WriteError> {
    let mut parts = run.parts.iter().map(|(_, part)| *part);
    let mut joined = parts.next().ok_or(WriteError::Empty)?.clone();
    for part in parts {
        if part.tp != joined.tp || part.base_offset != joined.end_offset {
            return Err(WriteError::Order);
        }
        append(&mut joined, part)?;
    }
    // Its place is still to be found; only the state at the end means anything.
    joined.state = joined.state.map(|state| StateEntry {
        position: 0,
        ..state
    });
    Ok(joined)
}

fn append(joined: &mut ChunkEntry, part: &ChunkEntry) -> Result<(), WriteError> {
    let shift = joined.bytes;
    let bytes = shift.checked_add(part.bytes).ok_or(WriteError::TooLarge)?;
    for mark in &part.marks {
        push_mark(
            &mut joined.marks,
            Mark {
                position: mark.position + shift,
                ..*mark
            },
        );
    }
    let last = joined.epochs.last().map_or(-1, |last| last.epoch);
    for EpochStart { epoch, offset } in part.epochs.iter().copied() {
        if epoch < last {
            return Err(WriteError::Order);
        }
        if epoch > last {
            joined.epochs.push(EpochStart { epoch, offset });
        }
    }
    joined.crc = checksum::crc32c_combine(joined.crc, part.crc, part.bytes as usize);
    joined.bytes = bytes;
    joined.end_offset = part.end_offset;
    joined.records += part.records;
    joined.batches = joined.batches.saturating_add(part.batches);
    joined.max_timestamp = joined.max_timestamp.max(part.max_timestamp);
    joined.log_start = joined.log_start.max(part.log_start);
    joined.state = part.state;
    Ok(())
}

/// Marks of short parts would lie closer than is of use.
fn push_mark(marks: &mut Vec<Mark>, mark: Mark) {
    match marks.last_mut() {
        Some(last) if mark.position - last.position < OBJECT_MARK_BYTES => {
            last.max_timestamp = last.max_timestamp.max(mark.max_timestamp);
        }
        _ => marks.push(mark),
    }
}

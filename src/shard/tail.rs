//! Which WAL blocks are still in memory: the tail cache's order, and how much of it is
//! worth its memory. The partitions hold slices of these blocks; this queue decides
//! whose go first.
//!
//! The tail is as long as its readers need, not as long as the budget allows. Memory that
//! is used again at once is in the processor's caches; memory that comes around once a
//! gigabyte is not, and the first touch of a page costs more than everything else that
//! is done with its bytes. So the queue keeps twice the distance at which consumers
//! have read lately, from [`TAIL_BYTES_MIN`] to its budget.

use std::collections::VecDeque;

use crate::base::limits::{TAIL_BYTES_MIN, TAIL_READS_REMEMBERED_MS};
use crate::base::{LogPosition, TopicPartition};

/// The blocks of one shard's tail, oldest first.
#[derive(Debug)]
pub struct TailQueue {
    blocks: VecDeque<TailBlock>,
    bytes: usize,
    bytes_max: usize,
    segment_bytes: u32,
    /// Where the newest block ends.
    head: Option<LogPosition>,
    reads: RecentReads,
}

/// One block in memory and the last offset that it holds of each partition.
#[derive(Debug)]
pub struct TailBlock {
    /// Memory that goes when the block goes.
    pub bytes: usize,
    /// Where it begins.
    pub start: LogPosition,
    /// The partitions in it, each with the offset after its last batch in the block.
    pub ends: Vec<(TopicPartition, i64)>,
}

impl TailQueue {
    /// An empty tail of at most `bytes_max` bytes, of a WAL with segments of `segment_bytes`.
    pub fn new(bytes_max: usize, segment_bytes: u32) -> Self {
        TailQueue {
            blocks: VecDeque::new(),
            bytes: 0,
            bytes_max,
            segment_bytes,
            head: None,
            reads: RecentReads::default(),
        }
    }

    /// Adds the newest block.
    pub fn push(&mut self, block: TailBlock) {
        self.bytes += block.bytes;
        self.head = Some(LogPosition {
            segment: block.start.segment,
            offset: block.start.offset + block.bytes as u32,
        });
        self.blocks.push_back(block);
    }

    /// Has at most `bytes_max` bytes from now on.
    pub fn limit(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// A consumer has read at `position`, from memory or from the disk.
    pub fn on_read(&mut self, mono_ms: u64, position: LogPosition) {
        // Further back than the budget: no tail would help that reader.
        if let Some(depth) = self.depth(position).filter(|&d| d <= self.bytes_max) {
            self.reads.note(mono_ms, depth);
        }
    }

    /// The next block to let go of while there is more than is worth keeping. Blocks are
    /// dropped oldest first, so each partition loses a prefix of its tail.
    pub fn poll_evict(&mut self, mono_ms: u64) -> Option<TailBlock> {
        let wanted = self.reads.deepest(mono_ms).saturating_mul(2);
        if self.bytes <= wanted.max(TAIL_BYTES_MIN).min(self.bytes_max) {
            return None;
        }
        let block = self.blocks.pop_front()?;
        self.bytes -= block.bytes;
        Some(block)
    }

    /// Bytes of the WAL from `position` to its durable end.
    fn depth(&self, position: LogPosition) -> Option<usize> {
        let head = self.head?;
        if position.segment.wal != head.segment.wal {
            return None;
        }
        let segments = head
            .segment
            .sequence
            .checked_sub(position.segment.sequence)?;
        let bytes = segments.saturating_mul(u64::from(self.segment_bytes));
        let depth = bytes
            .saturating_add(u64::from(head.offset))
            .saturating_sub(u64::from(position.offset));
        usize::try_from(depth).ok()
    }
}

/// The deepest read of this and of the last period.
#[derive(Default, Debug)]
struct RecentReads {
    current: usize,
    last: usize,
    period: u64,
}

impl RecentReads {
    fn note(&mut self, mono_ms: u64, depth: usize) {
        self.turn(mono_ms);
        self.current = self.current.max(depth);
    }

    fn deepest(&mut self, mono_ms: u64) -> usize {
        self.turn(mono_ms);
        self.current.max(self.last)
    }

    fn turn(&mut self, mono_ms: u64) {
        let period = mono_ms / TAIL_READS_REMEMBERED_MS;
        if period > self.period {
            let follows = period == self.period + 1;
            self.last = if follows { self.current } else { 0 };
            self.current = 0;
            self.period = period;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SegmentId;
    use crate::base::limits::MIB;

    const SEGMENT_BYTES: u32 = 64 * MIB as u32;
    const BUDGET: usize = 1024 * MIB;

    /// The position after `mib` MiB of a WAL that began with segment 1.
    fn position(mib: usize) -> LogPosition {
        let (sequence, offset) = (1 + mib as u64 / 64, mib % 64 * MIB);
        LogPosition {
            segment: SegmentId { wal: 0, sequence },
            offset: offset as u32,
        }
    }

    /// Appends blocks of one MiB from `from` up to `to`, and gives the MiB that are kept.
    fn append(tail: &mut TailQueue, mono_ms: u64, from: usize, to: usize) -> usize {
        for mib in from..to {
            tail.push(TailBlock {
                bytes: MIB,
                start: position(mib),
                ends: Vec::new(),
            });
            while tail.poll_evict(mono_ms).is_some() {}
        }
        tail.bytes / MIB
    }

    #[test]
    fn without_readers_little_is_kept() {
        let mut tail = TailQueue::new(BUDGET, SEGMENT_BYTES);
        assert_eq!(append(&mut tail, 0, 0, 500), TAIL_BYTES_MIN / MIB);
        let mut small = TailQueue::new(5 * MIB, SEGMENT_BYTES);
        assert_eq!(append(&mut small, 0, 0, 500), 5);
    }

    #[test]
    fn the_tail_grows_with_the_distance_of_its_readers_up_to_the_budget() {
        let mut tail = TailQueue::new(BUDGET, SEGMENT_BYTES);
        append(&mut tail, 0, 0, 1000);
        for (depth, kept) in [
            (1, TAIL_BYTES_MIN / MIB),
            (200, 400),
            (100, 400),
            (600, 1024),
        ] {
            tail.on_read(0, position(1000 - depth));
            let mut copy = TailQueue::new(BUDGET, SEGMENT_BYTES);
            std::mem::swap(&mut copy.reads, &mut tail.reads);
            assert_eq!(append(&mut copy, 0, 1000, 3000), kept, "{depth}");
            std::mem::swap(&mut copy.reads, &mut tail.reads);
        }
    }

    #[test]
    fn readers_that_no_tail_would_help_change_nothing() {
        let mut tail = TailQueue::new(BUDGET, SEGMENT_BYTES);
        append(&mut tail, 0, 0, 2000);
        tail.on_read(0, position(2000 - 1025));
        tail.on_read(0, position(3000));
        let mut elsewhere = position(1900);
        elsewhere.segment.wal = 1;
        tail.on_read(0, elsewhere);
        assert_eq!(append(&mut tail, 0, 2000, 3000), TAIL_BYTES_MIN / MIB);
    }

    #[test]
    fn it_shrinks_again_when_its_readers_have_caught_up_or_gone() {
        let mut tail = TailQueue::new(BUDGET, SEGMENT_BYTES);
        append(&mut tail, 0, 0, 1000);
        tail.on_read(0, position(800));
        let soon = 2 * TAIL_READS_REMEMBERED_MS - 1;
        assert_eq!(append(&mut tail, soon, 1000, 2000), 400);
        assert_eq!(
            append(&mut tail, soon + 1, 2000, 2001),
            TAIL_BYTES_MIN / MIB
        );
    }
}

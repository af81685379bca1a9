//! The tail: recent durable batches still in memory, always the end of the
//! log without a gap. The bytes are slices of the WAL's written blocks, so the
//! shard, which counts those blocks, says when they go.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::base::LogPosition;

/// The batches of one partition that are in memory.
#[derive(Clone, Default, Debug)]
pub(super) struct Tail {
    batches: VecDeque<TailBatch>,
    bytes: usize,
}

/// One whole batch.
#[derive(Clone, Debug)]
pub(super) struct TailBatch {
    pub(super) base_offset: i64,
    pub(super) last_offset: i64,
    pub(super) position: LogPosition,
    pub(super) bytes: Bytes,
}

impl Tail {
    /// Adds the next batch.
    pub(super) fn push(&mut self, batch: TailBatch) {
        assert!(
            self.end().is_none_or(|end| end == batch.base_offset),
            "the tail has a gap"
        );
        self.bytes += batch.bytes.len();
        self.batches.push_back(batch);
    }

    /// Offset of the first batch's first record.
    pub(super) fn first_offset(&self) -> Option<i64> {
        self.batches.front().map(|batch| batch.base_offset)
    }

    /// Offset after the last batch.
    pub(super) fn end(&self) -> Option<i64> {
        self.batches.back().map(|batch| batch.last_offset + 1)
    }

    /// Sizes of all batches together.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The batch that holds `offset`, and all after it. Offsets before the
    /// tail give the whole tail.
    pub(super) fn starting_at(&self, offset: i64) -> impl Iterator<Item = &TailBatch> {
        let first = self
            .batches
            .partition_point(|batch| batch.last_offset < offset);
        self.batches.range(first..)
    }

    /// Drops the batches wholly below `offset`. Returns their bytes.
    pub(super) fn evict_before(&mut self, offset: i64) -> usize {
        let before = self.bytes;
        while self
            .batches
            .front()
            .is_some_and(|batch| batch.last_offset < offset)
        {
            self.evict_first();
        }
        before - self.bytes
    }

    /// Drops the first batch. Returns its bytes, 0 if there is none.
    pub(super) fn evict_first(&mut self) -> usize {
        let Some(batch) = self.batches.pop_front() else {
            return 0;
        };
        self.bytes -= batch.bytes.len();
        if self.batches.is_empty() {
            // An idle partition keeps no buffer.
            self.batches = VecDeque::new();
        }
        batch.bytes.len()
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        *self = Tail::default();
    }

    /// Heap bytes held besides the batches themselves.
    pub(super) fn memory_bytes(&self) -> usize {
        self.batches.capacity() * size_of::<TailBatch>()
    }
}

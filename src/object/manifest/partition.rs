//! One partition's part of the store: its extents, in the order of offsets.

use std::collections::VecDeque;

use super::Extent;

/// The extents of one partition that one manifest has. Each begins at or before the end of the
/// one before it, and ends behind it; nothing of them is wholly below the log start.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PartitionMap {
    pub(super) log_start: i64,
    pub(super) end: i64,
    pub(super) extents: VecDeque<Extent>,
}

impl PartitionMap {
    /// Below this the records are deleted, as far as the manifest was told.
    pub fn log_start(&self) -> i64 {
        self.log_start
    }

    /// The stored end: what lies below it is in the store, or deleted.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// Its extents.
    pub fn extents(&self) -> impl DoubleEndedIterator<Item = &Extent> + ExactSizeIterator {
        self.extents.iter()
    }

    /// Bytes of all extents.
    pub fn bytes(&self) -> u64 {
        self.extents
            .iter()
            .map(|extent| u64::from(extent.bytes))
            .sum()
    }

    /// The extents from the one with `offset` on; none if the store does not have that.
    pub fn extents_from(&self, offset: i64) -> impl Iterator<Item = &Extent> {
        let after = self.extents.partition_point(|extent| extent.base <= offset);
        let first = match after.checked_sub(1) {
            Some(at) if offset >= self.log_start && offset < self.end => at,
            _ => self.extents.len(),
        };
        self.extents.range(first..)
    }

    /// Heap bytes, about.
    pub fn memory_bytes(&self) -> usize {
        let marks: usize = self.extents.iter().map(Extent::memory_bytes).sum();
        self.extents.capacity() * size_of::<Extent>() + marks
    }

    /// Whether a chunk from `base` on goes on where the store's part ends: nothing may be left
    /// out but what is deleted.
    pub(super) fn goes_on(&self, base: i64) -> bool {
        base == self.end || (base > self.end && base <= self.log_start)
    }

    /// The extents that a merged chunk takes the place of: none if it may not.
    pub(super) fn replaced_by(&self, merged: &Extent) -> std::ops::Range<usize> {
        let first = self
            .extents
            .partition_point(|extent| extent.base < merged.base);
        let after = self
            .extents
            .partition_point(|extent| extent.end <= merged.end);
        if first >= after {
            return 0..0;
        }
        let covered = first..after;
        let begins = self.extents.get(first).map(|extent| extent.base);
        let ends = self.extents.get(after - 1).map(|extent| extent.end);
        // In front, extents may have been trimmed since the merge was planned.
        let fits = ends == Some(merged.end) && (first == 0 || begins == Some(merged.base));
        if fits { covered } else { 0..0 }
    }

    /// Puts `merged` in the place of what it has replaced, which is returned.
    pub(super) fn replace(&mut self, merged: Extent) -> Vec<Extent> {
        let range = self.replaced_by(&merged);
        if range.is_empty() {
            return Vec::new();
        }
        let at = range.start;
        let replaced = self.extents.drain(range).collect();
        self.extents.insert(at, merged);
        replaced
    }

    /// Adds the next extent.
    pub(super) fn push(&mut self, extent: Extent) {
        self.end = extent.end;
        self.extents.push_back(extent);
    }

    /// Raises the log start; gives what is dead now.
    pub(super) fn trim(&mut self, log_start: i64) -> Vec<Extent> {
        self.log_start = self.log_start.max(log_start);
        let dead = self
            .extents
            .partition_point(|extent| extent.end <= self.log_start);
        self.extents.drain(..dead).collect()
    }

    /// Whether the extents can be those of one partition: they may come from anywhere.
    pub(super) fn is_possible(&self) -> bool {
        let follows = self.extents.iter().zip(self.extents.iter().skip(1));
        let mut follows = follows.map(|(a, b)| a.base < b.base && b.base <= a.end && a.end < b.end);
        let first_is_live = self.extents.front().is_none_or(|e| e.end > self.log_start);
        let ends = self.extents.back().is_none_or(|e| e.end == self.end);
        self.log_start >= 0 && self.end >= 0 && follows.all(|ok| ok) && first_is_live && ends
    }
}

//! What this shard still needs of each WAL segment, its own and those of earlier
//! runs that other shards wrote: live batches and reads under way. A segment that
//! nobody needs is reclaimed; nothing else ever is.

use std::collections::BTreeMap;

use crate::base::SegmentId;

/// One shard's needs, by segment.
#[derive(Default, Debug)]
pub struct SegmentNeeds {
    needs: BTreeMap<SegmentId, Need>,
    /// Live batches in all segments.
    batches: u64,
}

#[derive(Default, Debug)]
struct Need {
    batches: u64,
    reads: u32,
}

impl SegmentNeeds {
    /// `batches` more batches live in `segment`.
    pub fn add(&mut self, segment: SegmentId, batches: u64) {
        self.needs.entry(segment).or_default().batches += batches;
        self.batches += batches;
    }

    /// `batches` batches in `segment` expired or were deleted. Whether it is free now: that
    /// is said once, because another shard counts on it.
    pub fn release(&mut self, segment: SegmentId, batches: u64) -> bool {
        if let Some(need) = self.needs.get_mut(&segment) {
            assert!(
                need.batches >= batches,
                "more batches released than were added"
            );
            need.batches -= batches;
            self.batches -= batches;
        }
        self.forget_if_free(segment)
    }

    /// A read of `segment` begins; it stays as it is until [`SegmentNeeds::unpin`].
    pub fn pin(&mut self, segment: SegmentId) {
        self.needs.entry(segment).or_default().reads += 1;
    }

    /// A read of `segment` has ended. Whether it is free now.
    pub fn unpin(&mut self, segment: SegmentId) -> bool {
        if let Some(need) = self.needs.get_mut(&segment) {
            need.reads = need.reads.saturating_sub(1);
        }
        self.forget_if_free(segment)
    }

    /// Whether this shard still needs `segment`.
    pub fn needs(&self, segment: SegmentId) -> bool {
        self.needs.contains_key(&segment)
    }

    /// Live batches in `segment`.
    pub fn batches(&self, segment: SegmentId) -> u64 {
        self.needs.get(&segment).map_or(0, |need| need.batches)
    }

    /// Whether a read is under way.
    pub fn has_reads(&self) -> bool {
        self.needs.values().any(|need| need.reads > 0)
    }

    /// Live batches of this shard.
    pub fn batches_in_all(&self) -> u64 {
        self.batches
    }

    /// The segments that are needed.
    pub fn segments(&self) -> impl Iterator<Item = SegmentId> + '_ {
        self.needs.keys().copied()
    }

    fn forget_if_free(&mut self, segment: SegmentId) -> bool {
        let need = self.needs.get(&segment);
        let free = need.is_some_and(|need| need.batches == 0 && need.reads == 0);
        if free {
            self.needs.remove(&segment);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_needed_while_it_has_batches_or_readers() {
        let segment = SegmentId {
            wal: 1,
            sequence: 7,
        };
        let mut needs = SegmentNeeds::default();
        assert!(!needs.needs(segment));
        needs.add(segment, 2);
        needs.pin(segment);
        assert!(!needs.release(segment, 2), "a reader holds it");
        assert!(needs.needs(segment));
        assert!(needs.unpin(segment));
        assert!(!needs.needs(segment));
        assert!(!needs.unpin(segment), "it is free once only");
        assert!(!needs.release(segment, 0));
    }
}

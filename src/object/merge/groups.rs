//! Which neighbouring extents of a partition may become one.

use crate::base::TopicPartition;
use crate::base::limits::{MERGE_RUN_BYTES, MERGE_SPAN_MS_MIN, MERGE_SPAN_PARTS};
use crate::object::manifest::{Extent, PartitionMap};

/// Extents of one partition that become one chunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Whose.
    pub tp: TopicPartition,
    /// The extents: each begins where the one before it ends.
    pub extents: Vec<Extent>,
}

/// What a joined extent may come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// It does not go on once it has so many bytes.
    pub bytes: u64,
    /// It covers no more time than this, milliseconds: it expires as a whole.
    pub span_ms: Option<u64>,
}

impl Limits {
    /// For a partition with this `retention.ms`; `None` keeps records for ever.
    pub fn new(retention_ms: Option<u64>) -> Limits {
        Limits {
            bytes: MERGE_RUN_BYTES,
            span_ms: retention_ms.map(|ms| (ms / MERGE_SPAN_PARTS).max(MERGE_SPAN_MS_MIN)),
        }
    }
}

impl Group {
    /// Bytes of all its extents.
    pub fn bytes(&self) -> u64 {
        self.extents
            .iter()
            .map(|extent| u64::from(extent.bytes))
            .sum()
    }

    /// The highest level among them.
    pub fn level(&self) -> u8 {
        self.extents
            .iter()
            .map(|extent| extent.level)
            .max()
            .unwrap_or(0)
    }
}

/// The groups of those extents of a partition that `is_drawn` chooses, from the front, each as
/// long as `limits` and the neighbourhood allow.
pub fn groups<'a>(
    map: &'a PartitionMap,
    limits: Limits,
    is_drawn: &dyn Fn(&Extent) -> bool,
) -> Vec<Vec<&'a Extent>> {
    let mut groups: Vec<Vec<&Extent>> = Vec::new();
    let mut sum = Sum::default();
    for extent in map.extents().filter(|extent| is_drawn(extent)) {
        let joined = sum.with(extent);
        match groups.last_mut() {
            Some(group)
                if sum.end == extent.base
                    && sum.bytes < limits.bytes
                    && limits.span_ms.is_none_or(|max| joined.span_ms() <= max) =>
            {
                group.push(extent);
                sum = joined;
            }
            _ => {
                groups.push(vec![extent]);
                sum = Sum::default().with(extent);
            }
        }
    }
    groups
}

/// What the extents of a group come to.
#[derive(Clone, Copy, Default)]
struct Sum {
    bytes: u64,
    end: i64,
    /// The first and the last of the extents' largest timestamps; none may have one.
    times: Option<(i64, i64)>,
}

impl Sum {
    fn with(self, extent: &Extent) -> Sum {
        let time = Some(extent.max_timestamp).filter(|ms| *ms >= 0);
        let times = match (self.times, time) {
            (Some((oldest, newest)), Some(ms)) => Some((oldest.min(ms), newest.max(ms))),
            (times, ms) => times.or(ms.map(|ms| (ms, ms))),
        };
        Sum {
            bytes: self.bytes + u64::from(extent.bytes),
            end: extent.end,
            times,
        }
    }

    fn span_ms(&self) -> u64 {
        self.times
            .map_or(0, |(oldest, newest)| newest.abs_diff(oldest))
    }
}

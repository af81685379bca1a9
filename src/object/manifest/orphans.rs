//! Objects that are in the store and in no manifest.

use std::ops::Range;

use super::state::Manifest;
use crate::base::TopicPartition;
use crate::object::format::Footer;
use crate::object::key::ObjectId;

/// There is an object of a later start than ours: another host has taken over. Nothing may be
/// removed any more, nor uploaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("object {0} is of a later start: another broker has taken over")]
pub struct Fenced(pub ObjectId);

/// Those of `listed` that no manifest knows and that nobody is about to put. `is_kept` tells
/// which objects are this shard's to remove; `under_way` is the lowest number of this start that
/// may be put still, or recorded.
///
/// What is found is to be removed once [`is_covered`] agrees.
///
/// # Errors
/// See [`Fenced`].
pub fn find_orphans(
    manifest: &Manifest,
    listed: impl IntoIterator<Item = ObjectId>,
    is_kept: &dyn Fn(ObjectId) -> bool,
    start: u32,
    under_way: u32,
) -> Result<Vec<ObjectId>, Fenced> {
    let mut orphans = Vec::new();
    for id in listed {
        if id.start > start {
            return Err(Fenced(id));
        }
        let is_over = id.age() < (start, under_way);
        if is_over && is_kept(id) && manifest.object(id).is_none() {
            orphans.push(id);
        }
    }
    Ok(orphans)
}

/// Whether all that an object holds is in its partitions' logs without it: below their ends, in
/// the store or in the WAL, or of partitions that are no more. `log` gives the log start and the
/// high watermark of a partition. An orphan of which this does not hold has records that are
/// nowhere else, and is not to be removed.
pub fn is_covered(footer: &Footer, log: &dyn Fn(TopicPartition) -> Option<Range<i64>>) -> bool {
    let is_in_log = |tp, end| log(tp).is_none_or(|log| end <= log.end);
    footer
        .chunks
        .iter()
        .all(|chunk| is_in_log(chunk.tp, chunk.end_offset))
}

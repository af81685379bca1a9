//! What has happened, turned into records.

use super::extent::Extent;
use super::record::{ChunkExtent, ManifestRecord, ObjectInfo};
use super::state::Manifest;
use crate::base::{TopicId, TopicPartition};
use crate::object::format::{ChunkEntry, Footer};
use crate::object::key::ObjectId;

/// An object that does not belong here. Its uploader has lost its way; nothing may be removed
/// for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// An object of this name is known.
    #[error("object {0} is known already")]
    Known(ObjectId),
    /// Its chunk does not go on where the store's part of the partition ends.
    #[error("{tp}: the store has offsets up to {end}, and the next chunk begins at {base}")]
    Gap {
        /// Whose chunk.
        tp: TopicPartition,
        /// The stored end.
        end: i64,
        /// Where the chunk begins.
        base: i64,
    },
}

impl Manifest {
    /// An object was put whose chunks are the next of their partitions. `log_start` tells where
    /// a partition begins now, `None` if it is not there any more; chunks of such, and those
    /// below the log start, are left out.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn decide_uploaded(
        &self,
        footer: &Footer,
        log_start: &dyn Fn(TopicPartition) -> Option<i64>,
    ) -> Result<ManifestRecord, Refusal> {
        let object = self.check_new(footer)?;
        let mut chunks: Vec<ChunkExtent> = Vec::new();
        for chunk in &footer.chunks {
            let (tp, base) = (chunk.tp, chunk.base_offset);
            let map = self.partitions.get(&tp);
            let Some(log_start) = log_start(tp) else {
                continue;
            };
            let log_start = map.map_or(log_start, |map| map.log_start.max(log_start));
            if chunk.end_offset <= log_start {
                continue;
            }
            let before = chunks.last().filter(|last| last.tp == tp);
            let end = before.map(|last| last.extent.end);
            let end = end.or(map.map(|map| map.end)).unwrap_or(base);
            if base != end && !(base > end && base <= log_start) {
                return Err(Refusal::Gap { tp, end, base });
            }
            chunks.push(chunk_extent(footer, chunk, log_start));
        }
        Ok(ManifestRecord::Uploaded { object, chunks })
    }

    /// An object was put that was joined from others. Chunks that nobody wants any more, because
    /// all they would replace is deleted, are left out.
    ///
    /// # Errors
    /// [`Refusal::Known`].
    pub fn decide_merged(&self, footer: &Footer) -> Result<ManifestRecord, Refusal> {
        let object = self.check_new(footer)?;
        let log_start = |tp| self.partitions.get(&tp).map_or(0, |map| map.log_start);
        let chunks = footer
            .chunks
            .iter()
            .map(|chunk| chunk_extent(footer, chunk, log_start(chunk.tp)));
        let wanted = |chunk: &ChunkExtent| {
            let map = self.partitions.get(&chunk.tp);
            map.is_some_and(|map| !map.replaced_by(&chunk.extent).is_empty())
        };
        Ok(ManifestRecord::Merged {
            object,
            chunks: chunks.filter(wanted).collect(),
        })
    }

    /// Records of `tp` below `log_start` are deleted; `None` if that is no news here.
    pub fn decide_trimmed(&self, tp: TopicPartition, log_start: i64) -> Option<ManifestRecord> {
        let map = self.partitions.get(&tp)?;
        (log_start > map.log_start).then_some(ManifestRecord::Trimmed { tp, log_start })
    }

    /// A topic is deleted; `None` if the store has nothing of it.
    pub fn decide_dropped(&self, topic: TopicId) -> Option<ManifestRecord> {
        let is_known = !self.partitions_of(topic).is_empty();
        is_known.then_some(ManifestRecord::Dropped { topic })
    }

    /// An object was removed from the store; `None` if it is unknown, or somebody wants it.
    pub fn decide_removed(&self, object: ObjectId) -> Option<ManifestRecord> {
        let is_dead = self.objects.get(&object)?.is_dead();
        is_dead.then_some(ManifestRecord::Removed { object })
    }

    /// The live state as records, objects first: for the end of a log that has grown long, and
    /// for the store.
    pub fn snapshot(&self) -> impl Iterator<Item = ManifestRecord> + '_ {
        let objects = self.objects.values();
        let partitions = self.partitions.iter();
        let objects = objects.map(|object| ManifestRecord::Object(object.info));
        objects.chain(partitions.map(|(tp, map)| ManifestRecord::Partition {
            tp: *tp,
            log_start: map.log_start,
            end: map.end,
            extents: map.extents.iter().cloned().collect(),
        }))
    }

    fn check_new(&self, footer: &Footer) -> Result<ObjectInfo, Refusal> {
        let id = footer.header.id;
        match self.objects.contains_key(&id) {
            true => Err(Refusal::Known(id)),
            false => Ok(ObjectInfo::new(footer)),
        }
    }
}

fn chunk_extent(footer: &Footer, chunk: &ChunkEntry, log_start: i64) -> ChunkExtent {
    ChunkExtent {
        tp: chunk.tp,
        log_start,
        extent: Extent::new(&footer.header, chunk),
    }
}

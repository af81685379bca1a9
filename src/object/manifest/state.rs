//! The manifest's state, and what each record does to it.

use std::collections::{BTreeMap, btree_map};

use super::extent::Extent;
use super::partition::PartitionMap;
use super::record::{ChunkExtent, ManifestRecord, ObjectInfo};
use crate::base::{TopicId, TopicPartition};
use crate::object::key::ObjectId;

/// The objects that one shard keeps, and what of which partition is in them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Manifest {
    pub(super) objects: BTreeMap<ObjectId, Object>,
    pub(super) partitions: BTreeMap<TopicPartition, PartitionMap>,
}

/// An object, and how much of it is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Object {
    /// What it is.
    pub info: ObjectInfo,
    /// Chunks of it that a partition wants.
    pub live_chunks: u32,
    /// Their bytes.
    pub live_bytes: u64,
}

/// Records that survived and cannot follow each other. Their checksums are right, so this is a
/// bug or another's data, and going on might lose what is there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Contradiction {
    /// An object that is known already, or is not.
    #[error("object {0}: recorded out of order")]
    Object(ObjectId),
    /// An extent that the partition cannot have there.
    #[error("object {object}, {tp}: offsets from {base} on cannot come now")]
    Extent {
        /// The object.
        object: ObjectId,
        /// Whose extent.
        tp: TopicPartition,
        /// Its first offset.
        base: i64,
    },
}

impl Object {
    pub(super) fn new(info: ObjectInfo) -> Object {
        Object {
            info,
            live_chunks: 0,
            live_bytes: 0,
        }
    }

    /// Whether nobody wants any of it.
    pub fn is_dead(&self) -> bool {
        self.live_chunks == 0
    }

    /// Whether less than half of what it holds is wanted.
    pub fn is_sparse(&self) -> bool {
        self.live_bytes * 2 < self.info.data_bytes
    }
}

impl Manifest {
    /// What the store has of `tp`.
    pub fn partition(&self, tp: TopicPartition) -> Option<&PartitionMap> {
        self.partitions.get(&tp)
    }

    /// All partitions that the store has anything of, or had.
    pub fn partitions(&self) -> impl Iterator<Item = (TopicPartition, &PartitionMap)> {
        self.partitions.iter().map(|(tp, map)| (*tp, map))
    }

    /// The object of this name.
    pub fn object(&self, id: ObjectId) -> Option<&Object> {
        self.objects.get(&id)
    }

    /// All objects, dead ones that are not removed yet included.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// Heap bytes, about.
    pub fn memory_bytes(&self) -> usize {
        let maps: usize = self
            .partitions
            .values()
            .map(PartitionMap::memory_bytes)
            .sum();
        maps + self.partitions.len() * size_of::<(TopicPartition, PartitionMap)>()
            + self.objects.len() * size_of::<(ObjectId, Object)>()
    }

    /// Applies one record of the log.
    ///
    /// # Errors
    /// That it cannot follow what was replayed before it; the manifest is of no use then.
    pub fn replay(&mut self, record: &ManifestRecord) -> Result<(), Contradiction> {
        match record {
            ManifestRecord::Uploaded { object, chunks } => {
                self.add_object(*object)?;
                chunks.iter().try_for_each(|chunk| self.append(chunk))?;
            }
            ManifestRecord::Merged { object, chunks } => {
                self.add_object(*object)?;
                chunks.iter().try_for_each(|chunk| self.replace(chunk))?;
            }
            ManifestRecord::Trimmed { tp, log_start } => {
                if let Some(map) = self.partitions.get_mut(tp) {
                    let dead = map.trim(*log_start);
                    self.release(&dead);
                }
            }
            ManifestRecord::Dropped { topic } => {
                for tp in self.partitions_of(*topic) {
                    if let Some(map) = self.partitions.remove(&tp) {
                        self.release(map.extents.iter());
                    }
                }
            }
            ManifestRecord::Removed { object } => match self.objects.entry(*object) {
                btree_map::Entry::Occupied(entry) if entry.get().is_dead() => {
                    entry.remove();
                }
                _ => return Err(Contradiction::Object(*object)),
            },
            ManifestRecord::Object(info) => {
                self.know(*info);
            }
            ManifestRecord::Partition {
                tp,
                log_start,
                end,
                extents,
            } => {
                let map = PartitionMap {
                    log_start: *log_start,
                    end: *end,
                    extents: extents.iter().cloned().collect(),
                };
                self.set_partition(*tp, map)?;
            }
        }
        Ok(())
    }

    fn add_object(&mut self, info: ObjectInfo) -> Result<(), Contradiction> {
        match self.objects.entry(info.id) {
            btree_map::Entry::Vacant(entry) => {
                entry.insert(Object::new(info));
                Ok(())
            }
            btree_map::Entry::Occupied(_) => Err(Contradiction::Object(info.id)),
        }
    }

    fn append(&mut self, chunk: &ChunkExtent) -> Result<(), Contradiction> {
        // A partition begins where its first chunk does: what was before is deleted.
        let base = chunk.extent.base;
        let map = self.partitions.entry(chunk.tp);
        let map = map.or_insert_with(|| PartitionMap {
            log_start: base,
            end: base,
            ..PartitionMap::default()
        });
        let dead = map.trim(chunk.log_start);
        let is_next = map.goes_on(base) && chunk.extent.end > map.log_start;
        if is_next {
            map.push(chunk.extent.clone());
        }
        self.release(&dead);
        match is_next {
            true => self.want([&chunk.extent]),
            false => Err(misplaced(chunk)),
        }
    }

    fn replace(&mut self, chunk: &ChunkExtent) -> Result<(), Contradiction> {
        let map = self.partitions.get_mut(&chunk.tp);
        let replaced = map.map(|map| map.replace(chunk.extent.clone()));
        match replaced.filter(|replaced| !replaced.is_empty()) {
            Some(replaced) => {
                self.release(&replaced);
                self.want([&chunk.extent])
            }
            None => Err(misplaced(chunk)),
        }
    }

    pub(super) fn set_partition(
        &mut self,
        tp: TopicPartition,
        map: PartitionMap,
    ) -> Result<(), Contradiction> {
        self.want(map.extents.iter())?;
        if let Some(before) = self.partitions.insert(tp, map) {
            self.release(before.extents.iter());
        }
        Ok(())
    }

    fn want<'a>(
        &mut self,
        extents: impl IntoIterator<Item = &'a Extent>,
    ) -> Result<(), Contradiction> {
        for extent in extents {
            let object = self.objects.get_mut(&extent.object);
            let object = object.ok_or(Contradiction::Object(extent.object))?;
            object.live_chunks += 1;
            object.live_bytes += u64::from(extent.bytes);
        }
        Ok(())
    }

    /// Counts an extent of a partition that is dealt to this manifest.
    pub(super) fn count(&mut self, info: ObjectInfo, extent: &Extent) {
        let object = self
            .objects
            .entry(info.id)
            .or_insert_with(|| Object::new(info));
        object.live_chunks += 1;
        object.live_bytes += u64::from(extent.bytes);
    }

    /// Makes an object known, wanted or not.
    pub(super) fn know(&mut self, info: ObjectInfo) {
        let object = self.objects.entry(info.id);
        object.or_insert_with(|| Object::new(info));
    }

    fn release<'a>(&mut self, extents: impl IntoIterator<Item = &'a Extent>) {
        for extent in extents {
            if let Some(object) = self.objects.get_mut(&extent.object) {
                object.live_chunks -= 1;
                object.live_bytes -= u64::from(extent.bytes);
            }
        }
    }

    pub(super) fn partitions_of(&self, topic: TopicId) -> Vec<TopicPartition> {
        let at = |partition| TopicPartition { topic, partition };
        let range = self.partitions.range(at(i32::MIN)..=at(i32::MAX));
        range.map(|(tp, _)| *tp).collect()
    }
}

fn misplaced(chunk: &ChunkExtent) -> Contradiction {
    Contradiction::Extent {
        object: chunk.extent.object,
        tp: chunk.tp,
        base: chunk.extent.base,
    }
}

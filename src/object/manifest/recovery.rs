//! The manifests of all WALs put together, and dealt out to the shards that there are now.

use std::collections::{BTreeMap, BTreeSet};

use super::record::ManifestRecord;
use super::state::{Contradiction, Manifest};
use crate::base::{ShardId, TopicPartition};
use crate::object::key::ObjectId;

/// Takes the records of all manifests.
#[derive(Default, Debug)]
pub struct Recovery {
    manifest: Manifest,
    removed: BTreeSet<ObjectId>,
}

/// What one shard begins with.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Dealt {
    /// The partitions that it owns, the objects that these want, and those that it keeps.
    pub manifest: Manifest,
    /// How many other shards want an object that it keeps; none is left out.
    pub lent: BTreeMap<ObjectId, u16>,
}

/// Which shard removes an object.
pub fn keeper(object: ObjectId, shards: u16) -> ShardId {
    ShardId(object.shard.0 % shards.max(1))
}

impl Recovery {
    /// Goes on from a manifest that was put together already.
    pub fn new(manifest: Manifest) -> Recovery {
        Recovery {
            manifest,
            removed: BTreeSet::new(),
        }
    }

    /// Takes one record. They must come start by start, and in order within one manifest.
    ///
    /// # Errors
    /// See [`Contradiction`].
    pub fn record(&mut self, record: &ManifestRecord) -> Result<(), Contradiction> {
        match record {
            // Another manifest of the same start may still say why nobody wants it any more.
            ManifestRecord::Removed { object } => {
                self.removed.insert(*object);
                Ok(())
            }
            record => self.manifest.replay(record),
        }
    }

    /// The manifest of all shards.
    ///
    /// # Errors
    /// That something is wanted of an object that was removed.
    pub fn finish(mut self) -> Result<Manifest, Contradiction> {
        for object in self.removed {
            if let Some(record) = self.manifest.decide_removed(object) {
                self.manifest.replay(&record)?;
            } else if self.manifest.object(object).is_some() {
                return Err(Contradiction::Object(object));
            }
        }
        Ok(self.manifest)
    }
}

impl Manifest {
    /// Deals the manifest of all shards out to `shards` of them.
    pub fn deal(self, shards: u16, owner: &dyn Fn(TopicPartition) -> ShardId) -> Vec<Dealt> {
        let mut dealt = vec![Dealt::default(); usize::from(shards)];
        for (tp, map) in self.partitions {
            let Some(to) = dealt.get_mut(usize::from(owner(tp).0)) else {
                continue;
            };
            for extent in &map.extents {
                if let Some(object) = self.objects.get(&extent.object) {
                    to.manifest.count(object.info, extent);
                }
            }
            to.manifest.partitions.insert(tp, map);
        }
        for (id, object) in self.objects {
            let keeper = usize::from(keeper(id, shards).0);
            let wanted = dealt.iter().enumerate();
            let elsewhere = wanted
                .filter(|(shard, dealt)| {
                    *shard != keeper && dealt.manifest.objects.contains_key(&id)
                })
                .count() as u16;
            if let Some(keeper) = dealt.get_mut(keeper) {
                keeper.manifest.know(object.info);
                if elsewhere > 0 {
                    keeper.lent.insert(id, elsewhere);
                }
            }
        }
        dealt
    }
}

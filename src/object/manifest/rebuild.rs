//! A manifest from the footers of the objects, and from a snapshot if there is one: for
//! a host that has lost its disk. `../FORMAT.md` says why this is the manifest that
//! was lost.

use std::collections::BTreeMap;

use super::extent::Extent;
use super::partition::PartitionMap;
use super::record::ObjectInfo;
use super::state::{Manifest, Object};
use crate::base::TopicPartition;
use crate::object::format::{EpochStart, Footer};

/// Collects what is in the store.
#[derive(Default, Debug)]
pub struct Rebuild {
    manifest: Manifest,
    floor: u32,
    found: BTreeMap<TopicPartition, Found>,
}

#[derive(Default, Debug)]
struct Found {
    candidates: Vec<Candidate>,
}

/// An extent that may hold a part of its partition.
#[derive(Debug)]
struct Candidate {
    extent: Extent,
    /// Its leader epochs; none are known of an extent of a snapshot.
    epochs: Vec<EpochStart>,
    /// The log start when its object was begun.
    log_start: i64,
    /// Whether it is sure to have been recorded.
    is_recorded: bool,
}

/// The manifest of what was found.
#[derive(Debug)]
pub struct Rebuilt {
    /// The manifest. What nobody needs is dead in it.
    pub manifest: Manifest,
    /// Where logs were cut off, because offsets are in no object.
    pub gaps: Vec<Gap>,
}

/// Offsets that are not deleted, as far as is known, and not in the store. The partition ends
/// in front of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// Whose.
    pub tp: TopicPartition,
    /// The first of them.
    pub from: i64,
    /// Behind the last of them.
    pub to: i64,
    /// Whether something behind them was recorded, so that they must have been in the store:
    /// they are lost. Otherwise they were being put when the host was lost, and so was what is
    /// behind them.
    pub is_loss: bool,
}

impl Rebuild {
    /// From a snapshot, or [`Manifest::default`]. Footers of objects that it does not know are
    /// to be added then. `floor` is the last start that began from the store alone: what an
    /// earlier one put, and the snapshots do not have, arrived too late.
    pub fn new(manifest: Manifest, floor: u32) -> Rebuild {
        Rebuild {
            manifest,
            floor,
            found: BTreeMap::new(),
        }
    }

    /// Adds an object, in any order; one that is known changes nothing. Chunks of partitions that do
    /// not exist any more are left out.
    pub fn add(&mut self, footer: &Footer, exists: &dyn Fn(TopicPartition) -> bool) {
        let info = ObjectInfo::new(footer);
        if self.manifest.objects.contains_key(&info.id) {
            return;
        }
        self.manifest.objects.insert(info.id, Object::new(info));
        if info.id.start < self.floor {
            return;
        }
        for chunk in footer.chunks.iter().filter(|chunk| exists(chunk.tp)) {
            let found = self.found.entry(chunk.tp).or_default();
            found.candidates.push(Candidate {
                extent: Extent::new(&footer.header, chunk),
                epochs: chunk.epochs.clone(),
                log_start: chunk.log_start,
                is_recorded: info.level > 0,
            });
        }
    }

    /// Puts it together.
    pub fn finish(mut self) -> Rebuilt {
        let mut gaps = Vec::new();
        for (tp, mut found) in std::mem::take(&mut self.found) {
            let known = self.manifest.partitions.get(&tp);
            let begin = known.map(|known| found.add_known(known));
            let (map, gap) = found.cover(begin.unwrap_or_default());
            gaps.extend(gap.map(|(from, to, is_loss)| Gap {
                tp,
                from,
                to,
                is_loss,
            }));
            if known.is_some() || !map.extents.is_empty() {
                // Every object of an extent was added, so nothing can be unknown.
                let set = self.manifest.set_partition(tp, map);
                debug_assert!(set.is_ok(), "{set:?}");
            }
        }
        Rebuilt {
            manifest: self.manifest,
            gaps,
        }
    }
}

impl Found {
    /// Adds what a snapshot knows; gives a partition without its extents. Uploads are recorded in
    /// order, so an upload below the stored end that the snapshot does not have was never
    /// recorded.
    fn add_known(&mut self, known: &PartitionMap) -> PartitionMap {
        self.candidates
            .retain(|c| c.extent.level > 0 || c.extent.base >= known.end);
        let extents = known.extents.iter().cloned();
        self.candidates.extend(extents.map(|extent| Candidate {
            extent,
            epochs: Vec::new(),
            log_start: known.log_start,
            is_recorded: true,
        }));
        PartitionMap {
            log_start: known.log_start,
            end: known.end,
            ..PartitionMap::default()
        }
    }

    /// The fewest extents that cover everything from the log start to the first gap; and the
    /// gap, with whether something behind it was recorded.
    fn cover(mut self, mut map: PartitionMap) -> (PartitionMap, Option<(i64, i64, bool)>) {
        self.candidates.retain(|c| c.extent.end > map.log_start);
        self.candidates.sort_by_key(|c| c.extent.base);
        let mut rest = self.candidates.into_iter().peekable();
        let mut reach = map.log_start;
        let (mut epoch, mut log_start) = (-1, map.log_start);
        // Those that have the record at `reach`.
        let mut here: Vec<Candidate> = Vec::new();
        loop {
            while let Some(next) = rest.next_if(|c| c.extent.base <= reach) {
                here.push(next);
            }
            here.retain(|c| c.extent.end > reach);
            let usable = here.iter().filter(|c| c.may_follow(epoch, reach));
            if let Some(best) = usable.max_by_key(|c| c.rank(reach)) {
                reach = best.extent.end;
                epoch = best.epochs.last().map_or(epoch, |last| last.epoch);
                log_start = log_start.max(best.log_start);
                map.push(best.extent.clone());
                continue;
            }
            let next = rest.find(|c| c.may_follow(epoch, c.extent.base));
            let gap = match next {
                // All in front of it was deleted before it was put.
                Some(next) if next.extent.base <= next.log_start => {
                    reach = next.extent.base;
                    here.push(next);
                    continue;
                }
                Some(next) => {
                    let is_loss = next.is_recorded || rest.any(|c| c.is_recorded);
                    Some((reach, next.extent.base, is_loss))
                }
                None => None,
            };
            map.trim(log_start);
            return (map, gap);
        }
    }
}

impl Candidate {
    /// The leader epoch of the record at `offset`, if that is known.
    fn epoch_at(&self, offset: i64) -> Option<i32> {
        let begun = self
            .epochs
            .iter()
            .take_while(|start| start.offset <= offset);
        begun.last().map(|start| start.epoch)
    }

    /// Whether its record at `offset` may come behind one of `epoch`.
    fn may_follow(&self, epoch: i32, offset: i64) -> bool {
        self.epoch_at(offset).is_none_or(|found| found >= epoch)
    }

    /// Which of the candidates that hold the record at `offset` is taken. Two that hold it with
    /// different leader epochs do not hold the same record: the older one is of a host that
    /// went on when it was not the leader any more.
    fn rank(&self, offset: i64) -> (Option<i32>, i64, u8, (u32, u32)) {
        let Extent {
            end, level, object, ..
        } = self.extent;
        (self.epoch_at(offset), end, level, object.age())
    }
}

//! How a life ends and the next begins, and what must hold all the time.

use super::*;

impl World {
    /// The process dies; its requests may be answered or take effect later.
    fn die(&mut self) {
        let Memory {
            made,
            putting,
            merging,
            ..
        } = &mut self.memory;
        let puts = putting.iter().map(|number| made[number].clone());
        self.late.extend(puts.chain(merging.take()));
    }

    /// It starts again with its disk.
    fn restart(&mut self) {
        self.die();
        let mut manifest = Manifest::default();
        for record in &self.disk.log {
            manifest.replay(record).unwrap();
        }
        assert_eq!(manifest, self.durable);
        let floor = self.memory.floor;
        self.memory = memory(self.memory.start + 1, manifest);
        self.memory.floor = floor;
        self.feed();
        self.check();
    }

    /// What the WAL has and the store has not is to be uploaded.
    fn feed(&mut self) {
        let logs: Vec<_> = self.disk.partitions.clone().into_iter().collect();
        for (tp, log) in logs {
            self.memory.trims.push(tp);
            let stored = self
                .memory
                .manifest
                .partition(tp)
                .map_or(0, PartitionMap::end);
            let base = stored.max(log.floor);
            if base < log.end() {
                self.durable_part(tp, base, log.end());
            }
        }
    }

    /// It starts again without its disk: what is in the bucket is all there is.
    fn restart_without_disk(&mut self) {
        self.die();
        let newest = self.bucket.snapshots.last_key_value();
        let newest = newest.map(|(_, bytes)| Snapshot::decode(bytes).unwrap());
        let floor = newest.as_ref().map_or(0, |snapshot| snapshot.floor);
        let manifest = newest.map(|snapshot| snapshot.manifest().unwrap());
        let mut rebuild = Rebuild::new(manifest.unwrap_or_default(), floor);
        for footer in self.bucket.objects.values() {
            rebuild.add(footer, &|_| true);
        }
        let rebuilt = rebuild.finish();
        for gap in &rebuilt.gaps {
            let stored = self.durable.partition(gap.tp).map_or(0, PartitionMap::end);
            assert!(!gap.is_loss && gap.from >= stored, "{gap:?} of {stored}");
        }
        let manifest = rebuilt.manifest;
        let mut trims = Vec::new();
        for (tp, log) in &mut self.disk.partitions {
            let map = manifest.partition(*tp).cloned().unwrap_or_default();
            let stored = self.durable.partition(*tp).map_or(0, PartitionMap::end);
            assert!(map.end() >= stored, "{tp}: {} of {stored}", map.end());
            for offset in log.log_start..stored {
                assert!(
                    map.extents_from(offset).next().is_some(),
                    "{tp} {offset} of {stored} is lost"
                );
            }
            // Beyond what was recorded, whatever is there is what is there now.
            log.epochs.truncate((stored / BATCH) as usize);
            for n in stored / BATCH..map.end() / BATCH {
                let offset = (BATCH * n).max(map.log_start());
                let extent = map.extents_from(offset).next();
                let found = extent.map(|e| epoch_of(&self.bucket, *tp, e, offset));
                log.epochs.push(found.unwrap_or(0));
            }
            // More may have been deleted than was ever stored: it goes on there, and offsets are
            // not given out again. (Here batches have their places.)
            let end = map.end().max(map.log_start());
            log.epochs
                .resize((end as u64).div_ceil(BATCH as u64) as usize, 0);
            log.log_start = match end == map.end() {
                true => map.log_start(),
                false => log.end(),
            };
            log.floor = log.end();
            trims.push(*tp);
        }
        self.disk.log = manifest.snapshot().collect();
        self.durable = manifest.clone();
        self.memory = memory(self.memory.start + 1, manifest);
        self.memory.floor = self.memory.start;
        self.memory.trims = trims;
        self.snapshot();
        self.check();
    }

    fn arrive_late(&mut self) {
        if let Some(at) = (self.random.next() as usize).checked_rem(self.late.len()) {
            let footer = self.late.swap_remove(at);
            self.bucket.objects.insert(footer.header.id, footer);
            self.check();
        }
    }

    /// Whatever was durable is in the WAL or in the store, in memory's eyes and in the disk's.
    pub fn check(&self) {
        for manifest in [&self.memory.manifest, &self.durable] {
            for object in manifest.objects().filter(|object| !object.is_dead()) {
                let id = object.info.id;
                assert!(
                    self.bucket.objects.contains_key(&id),
                    "{id} is wanted and gone"
                );
            }
            for (tp, log) in &self.disk.partitions {
                for at in log.log_start / BATCH..log.floor.min(log.end()) / BATCH {
                    let offset = log.log_start.max(BATCH * at);
                    self.check_stored(manifest, *tp, offset, log.epochs[at as usize]);
                }
            }
        }
    }

    fn check_stored(&self, manifest: &Manifest, tp: TopicPartition, offset: i64, epoch: i32) {
        let map = manifest.partition(tp);
        let extent = map.and_then(|map| map.extents_from(offset).next());
        let extent = extent.unwrap_or_else(|| panic!("{tp} {offset} is lost: {map:?}"));
        let found = epoch_of(&self.bucket, tp, extent, offset);
        assert_eq!(found, epoch, "{tp} {offset} is another record");
    }

    /// Nothing more goes wrong: all is uploaded, recorded and tidied up.
    fn settle(&mut self) {
        while !self.late.is_empty() {
            self.arrive_late();
        }
        for _ in 0..60 {
            for kind in 4..=20 {
                for _ in 0..4 {
                    self.work(kind);
                }
            }
            self.now_ms += 40_000;
            self.check();
        }
        assert_eq!(self.memory.uploader.stats(), UploadStats::default());
        assert_eq!(self.memory.manifest, self.durable);
        for (tp, log) in &self.disk.partitions {
            assert!(
                log.floor >= log.end() / BATCH * BATCH,
                "{tp}: the WAL still has some"
            );
        }
        for (id, footer) in &self.bucket.objects {
            match self.memory.manifest.object(*id) {
                Some(object) => assert!(!object.is_dead(), "{id} is left over"),
                None => assert!(!self.is_covered(footer), "{id} is an orphan"),
            }
        }
    }
}

/// The leader epoch of a record, as its object tells.
fn epoch_of(bucket: &Bucket, tp: TopicPartition, extent: &Extent, offset: i64) -> i32 {
    let chunks = &bucket.objects[&extent.object].chunks;
    let chunk = chunks
        .iter()
        .find(|chunk| chunk.position == extent.position);
    let chunk = chunk.unwrap();
    assert!(chunk.tp == tp && (chunk.base_offset..chunk.end_offset).contains(&offset));
    let found = chunk.epochs.iter().rfind(|start| start.offset <= offset);
    found.unwrap().epoch
}

/// Dies after so many steps of a fixed history.
fn die_at(step: u64, seed: u64, has_disk: bool) {
    let mut world = World::new(seed);
    (0..step).for_each(|_| world.step());
    match has_disk {
        true => world.restart(),
        false => world.restart_without_disk(),
    }
    (0..20).for_each(|_| world.step());
    world.settle();
}

#[test]
fn it_may_die_between_any_two_steps() {
    (0..150).for_each(|step| die_at(step, 11, true));
}

#[test]
fn it_may_lose_its_disk_between_any_two_steps() {
    (0..150).for_each(|step| die_at(step, 12, false));
}

#[test]
fn it_may_die_again_and_again() {
    let (mut merges, mut removals) = (0, 0);
    for seed in 0..40 {
        let mut world = World::new(seed);
        for _ in 0..600 {
            world.step();
            match world.random.below(200) {
                0..3 => world.restart(),
                3 => world.restart_without_disk(),
                4..10 => world.arrive_late(),
                _ => {}
            }
        }
        world.settle();
        merges += world.merges;
        removals += world.removals;
    }
    assert!(
        merges > 30 && removals > 200,
        "{merges} merges, {removals} removals"
    );
}

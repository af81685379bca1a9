//! Damage at rest: flipped bits, and hands laid on a WAL.

use corelane::wal::{Entry, EntryContent, Manifest, SegmentHeader};

use super::{Disk, File, Flipped, Untouched};
use crate::plan::Fault;

impl Disk {
    /// Flips a bit of a file at rest until [`Disk::repair`].
    pub fn flip(&self, file: File, at: usize) {
        self.report.borrow_mut().fault(Fault::BitFlip);
        let mut state = self.state.borrow_mut();
        let bit = 1 << self.dice.below(8);
        if let Some(bytes) = state.files.get_mut(&file) {
            bytes[at] ^= bit;
            state.flipped = Some(Flipped::File(file, at, bit));
        }
    }

    /// The same in a manifest.
    pub fn flip_manifest(&self, wal: u16) {
        let mut state = self.state.borrow_mut();
        let bit = 1 << self.dice.below(8);
        if let Some(bytes) = state.manifests.get_mut(&wal) {
            self.report.borrow_mut().fault(Fault::BitFlip);
            let at = self.dice.below(bytes.len() as u64) as usize;
            bytes[at] ^= bit;
            state.flipped = Some(Flipped::Manifest(wal, at, bit));
        }
    }

    /// Does to a WAL what no disk does by itself, until [`Disk::repair`]: a file or the manifest
    /// is lost, cut short, another WAL's, or an older one. Whether a start must refuse it.
    pub fn tamper(&self, wal: u16) -> Option<bool> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        // What no start has counted yet is begun again, whatever it looks like.
        state.meta.filter(|meta| wal < meta.wals)?;
        let bytes = state.manifests.get(&wal)?.clone();
        let manifest = Manifest::decode(&bytes).ok()?;
        let of_wal = state.files.range((wal, 0)..=(wal, u32::MAX));
        let files: Vec<(File, Vec<u8>)> = of_wal.map(|(f, b)| (*f, b.clone())).collect();
        let entries = |free: bool| {
            let is_free = |e: &&Entry| matches!(e.content, EntryContent::Free) == free;
            let found = manifest.entries.iter().filter(is_free);
            found.map(|e| (wal, e.slot)).collect::<Vec<File>>()
        };
        let (used, free) = (entries(false), entries(true));
        let newest_life = files
            .iter()
            .filter_map(|(_, bytes)| SegmentHeader::decode(bytes).ok())
            .map(|header| header.id.sequence)
            .max();
        let refused = match self.dice.below(6) {
            0 if !files.is_empty() => {
                state.manifests.remove(&wal);
                true
            }
            1 if !used.is_empty() => {
                state.files.remove(self.dice.pick(&used));
                true
            }
            2 if !used.is_empty() => {
                // Into what the manifest says it has: what is behind that may be on its way out.
                let cut = self.dice.pick(&used);
                let entry = manifest.entries.iter().find(|e| e.slot == cut.1)?;
                let file = state.files.get_mut(cut)?;
                file.truncate(entry.file_bytes as usize - 4096);
                true
            }
            3 if !free.is_empty() => {
                state.files.get_mut(self.dice.pick(&free))?.truncate(4096);
                false
            }
            4 => {
                let others = state.manifests.iter().filter(|(other, _)| **other != wal);
                let other = others.map(|(_, bytes)| bytes.clone()).next()?;
                state.manifests.insert(wal, other);
                true
            }
            _ => {
                let old = state.old_manifests.get(&wal)?.clone();
                let known = Manifest::decode(&old).ok()?.next_sequence;
                newest_life.filter(|newest| *newest >= known)?;
                state.manifests.insert(wal, old);
                true
            }
        };
        state.untouched = Some(Untouched {
            wal,
            files,
            manifest: Some(bytes),
        });
        self.report.borrow_mut().fault(Fault::Tamper);
        Some(refused)
    }

    /// Puts a flipped bit right, and whatever somebody did to a WAL. Whether there was anything.
    pub fn repair(&self) -> bool {
        let mut state = self.state.borrow_mut();
        if let Some(untouched) = state.untouched.take() {
            let wal = untouched.wal;
            state.files.retain(|(of, _), _| *of != wal);
            state.files.extend(untouched.files);
            match untouched.manifest {
                Some(bytes) => state.manifests.insert(wal, bytes),
                None => state.manifests.remove(&wal),
            };
            return true;
        }
        match state.flipped.take() {
            Some(Flipped::File(file, at, bit)) => {
                if let Some(bytes) = state.files.get_mut(&file) {
                    bytes[at] ^= bit;
                }
                true
            }
            Some(Flipped::Manifest(wal, at, bit)) => {
                if let Some(bytes) = state.manifests.get_mut(&wal) {
                    bytes[at] ^= bit;
                }
                true
            }
            None => false,
        }
    }
}

//! A disk for one WAL directory, and how it fails.
//!
//! What was reported as done survives. Of what is in flight when the process
//! is killed, each piece is found again whole, in part, or not at all,
//! independently of the others: a write by its 512-byte sectors or its 4 KiB
//! pages, a new file with any length so far, a file being shortened with any
//! length in between, a renamed manifest or the old one, a file to be removed
//! or none. What is found again may still be in the memory of the disk: a power
//! cut before the file is flushed takes any sector of it back, and gives back
//! what was cut off.

use std::collections::BTreeMap;

use corelane::base::Lsn;
use corelane::wal::{EntryContent, ListedFile, Manifest, SegmentWork, Wal};

use crate::records::Rng;

const SECTOR: usize = 512;

/// Something handed to the disk and not reported back yet.
#[derive(Clone, Debug)]
pub enum Flight {
    Block {
        lsn: Lsn,
        slot: u32,
        offset: usize,
        bytes: Vec<u8>,
    },
    Work(SegmentWork),
}

#[derive(Clone, Default, Debug)]
pub struct Disk {
    pub files: BTreeMap<u32, Vec<u8>>,
    pub manifest: Option<Vec<u8>>,
    pub flights: Vec<Flight>,
    /// What sectors held before writes that survived a kill but were never flushed.
    volatile: BTreeMap<(u32, usize), Vec<u8>>,
    /// What files held behind the end that a shortening gave them which survived a kill but was
    /// never flushed.
    volatile_ends: BTreeMap<u32, Vec<u8>>,
    /// New files find no room, nor does anything else that needs some.
    pub is_full: bool,
}

impl Disk {
    pub fn holding(files: BTreeMap<u32, Vec<u8>>, manifest: Vec<u8>) -> Disk {
        Disk {
            files,
            manifest: Some(manifest),
            ..Disk::default()
        }
    }

    pub fn list(&self) -> Vec<ListedFile> {
        let listed = |(&slot, bytes): (&u32, &Vec<u8>)| ListedFile {
            slot,
            bytes: bytes.len() as u64,
        };
        self.files.iter().map(listed).collect()
    }

    /// Carries out the `index`th thing in flight and reports it.
    pub fn complete(&mut self, index: usize, wal: &mut Wal) {
        match self.flights.remove(index) {
            Flight::Block {
                lsn,
                slot,
                offset,
                bytes,
            } => {
                self.write(slot, offset, &bytes);
                wal.on_written(lsn);
            }
            Flight::Work(SegmentWork::Prepare { slot, .. }) if self.is_full => {
                self.files.insert(slot, vec![0; 4096]);
                wal.on_prepare_failed(slot);
            }
            Flight::Work(SegmentWork::WriteManifest { .. }) if self.is_full => {
                wal.on_manifest_failed();
            }
            Flight::Work(SegmentWork::Shorten { slot, .. }) if self.is_full => {
                wal.on_shorten_failed(slot);
            }
            Flight::Work(work) => self.complete_work(work, wal),
        }
    }

    fn complete_work(&mut self, work: SegmentWork, wal: &mut Wal) {
        match work {
            SegmentWork::Prepare { slot, bytes } => {
                self.files.insert(slot, vec![0; bytes as usize]);
                wal.on_prepared(slot);
            }
            SegmentWork::WriteHeader { slot, bytes } => {
                self.write(slot, 0, &bytes[..]);
                wal.on_header_written(slot);
            }
            SegmentWork::WriteManifest { bytes } => {
                self.manifest = Some(bytes);
                wal.on_manifest_written();
            }
            SegmentWork::Shorten { slot, bytes } => {
                self.shorten(slot, bytes as usize);
                self.volatile_ends.remove(&slot);
                wal.on_shortened(slot);
            }
            SegmentWork::Delete { slot } => {
                self.remove(slot);
                wal.on_deleted(slot);
            }
        }
    }

    fn write(&mut self, slot: u32, offset: usize, bytes: &[u8]) {
        assert!(offset.is_multiple_of(4096) && bytes.len().is_multiple_of(4096));
        let file = self
            .files
            .get_mut(&slot)
            .expect("a block is written to a file that exists");
        file[offset..offset + bytes.len()].copy_from_slice(bytes);
        for at in (offset..offset + bytes.len()).step_by(SECTOR) {
            self.volatile.remove(&(slot, at));
        }
    }

    /// Before a shortening is begun the manifest must say that it may happen.
    pub fn assert_may_shorten(&self, slot: u32, bytes: u32) {
        let manifest = Manifest::decode(self.manifest.as_deref().unwrap_or_default()).unwrap();
        let entry = manifest.entries.iter().find(|entry| entry.slot == slot);
        let entry = entry.expect("a file that is shortened is in the manifest");
        assert!(
            matches!(entry.content, EntryContent::Sealed { .. }),
            "{entry:?}"
        );
        assert_eq!(entry.file_bytes, bytes);
    }

    fn shorten(&mut self, slot: u32, bytes: usize) {
        let file = self.files.get_mut(&slot).expect("a file that exists");
        assert!(file.len() >= bytes, "no file is made longer");
        let cut_off = file.split_off(bytes);
        // What sectors held behind the end comes back with it, if anything does.
        self.volatile
            .retain(|&(of, at), _| of != slot || at + SECTOR <= bytes);
        if !cut_off.is_empty() {
            let before = self.volatile_ends.remove(&slot).unwrap_or_default();
            self.volatile_ends.insert(slot, [cut_off, before].concat());
        }
    }

    fn remove(&mut self, slot: u32) {
        self.files.remove(&slot);
        self.volatile.retain(|&(of, _), _| of != slot);
        self.volatile_ends.remove(&slot);
    }

    /// Flushes one file.
    pub fn sync(&mut self, slot: u32) {
        self.volatile.retain(|&(of, _), _| of != slot);
        self.volatile_ends.remove(&slot);
    }

    /// The process is killed; with `power_cut`, the disk loses what is in its memory as well.
    pub fn crash(&mut self, rng: &mut Rng, power_cut: bool) {
        if power_cut {
            self.lose_volatile(rng);
        }
        for flight in std::mem::take(&mut self.flights) {
            match flight {
                Flight::Block {
                    slot,
                    offset,
                    bytes,
                    ..
                } => {
                    self.write_in_part(rng, slot, offset, &bytes);
                }
                Flight::Work(SegmentWork::WriteHeader { slot, bytes }) => {
                    self.write_in_part(rng, slot, 0, &bytes[..]);
                }
                Flight::Work(SegmentWork::Prepare { slot, bytes }) => {
                    let len = [
                        None,
                        Some(0),
                        Some(4096 + rng.below(4096)),
                        Some(bytes as usize),
                    ];
                    if let Some(len) = len[rng.below(4)] {
                        self.files.insert(slot, vec![0; len]);
                    }
                }
                Flight::Work(SegmentWork::WriteManifest { bytes }) => {
                    if rng.one_in(2) {
                        self.manifest = Some(bytes);
                    }
                }
                Flight::Work(SegmentWork::Shorten { slot, bytes }) => {
                    self.shorten_in_part(rng, slot, bytes as usize);
                }
                Flight::Work(SegmentWork::Delete { slot }) => {
                    if rng.one_in(2) {
                        self.remove(slot);
                    }
                }
            }
        }
        if power_cut {
            // The cut came with the kill: nothing is left in memory that could still be lost.
            self.volatile.clear();
            self.volatile_ends.clear();
        }
    }

    fn lose_volatile(&mut self, rng: &mut Rng) {
        for (slot, end) in std::mem::take(&mut self.volatile_ends) {
            if rng.one_in(2)
                && let Some(file) = self.files.get_mut(&slot)
            {
                file.extend(end);
            }
        }
        for ((slot, at), before) in std::mem::take(&mut self.volatile) {
            if rng.one_in(2)
                && let Some(file) = self.files.get_mut(&slot)
            {
                file[at..at + SECTOR].copy_from_slice(&before);
            }
        }
    }

    fn shorten_in_part(&mut self, rng: &mut Rng, slot: u32, bytes: usize) {
        let found = self.files[&slot].len();
        let len = match rng.below(3) {
            0 => found,
            1 => bytes,
            // Some file systems cut off a large file in several steps.
            _ => bytes + rng.below(found - bytes + 1),
        };
        self.shorten(slot, len);
    }

    fn write_in_part(&mut self, rng: &mut Rng, slot: u32, offset: usize, bytes: &[u8]) {
        let Some(file) = self.files.get_mut(&slot) else {
            return;
        };
        let granularity = if rng.one_in(2) { SECTOR } else { 4096 };
        let fate = rng.below(4);
        for (i, part) in bytes.chunks(granularity).enumerate() {
            let survives = match fate {
                0 => false,
                1 => true,
                _ => rng.one_in(2),
            };
            if !survives {
                continue;
            }
            for (j, sector) in part.chunks(SECTOR).enumerate() {
                let at = offset + i * granularity + j * SECTOR;
                let before = file[at..at + SECTOR].to_vec();
                file[at..at + SECTOR].copy_from_slice(sector);
                self.volatile.entry((slot, at)).or_insert(before);
            }
        }
    }
}

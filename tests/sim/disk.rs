//! The disk of one host, and how it fails.
//!
//! What was reported as done survives everything. Of what is in flight when the process ends,
//! each piece is found again whole, in part or not at all, independently of the others and of
//! the order in which they were begun: a write by its 512-byte sectors or its 4 KiB pages, a
//! new file with any length so far, a replaced file as the old or the new one, a removed file
//! there or gone, a shortened one as long as before or not. What is found again may still be in the memory of the disk: a power cut
//! before it is flushed takes any sector of it back, and a renamed file as well.
//!
//! An operation takes some microseconds, now and then a second. A write may fail; it is then
//! like one in flight, and the process must not go on. A read may fail, or give a flipped
//! bit, and be right the next time. Before a start one bit at rest may have flipped, in a
//! place where something intact attests that it was durable; once recovery has looked, the
//! bit is put right again, as from a backup. So it is with a WAL that somebody has laid hands
//! on: a file or the manifest gone, cut short, another WAL's, or an older one. When the disk is full, new files and manifests
//! find no room; what exists can be overwritten.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use corelane::wal::{Entry, EntryContent, ListedFile, Manifest, SegmentHeader};

use crate::dice::Dice;
use crate::executor::Executor;
use crate::plan::{Fault, Plan};
use crate::report::Report;

const SECTOR: usize = 512;

/// A segment file: WAL and slot.
pub type File = (u16, u32);

/// The file that counts the starts.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Meta {
    pub incarnation: u32,
    pub wals: u16,
}

#[derive(Clone, Debug)]
enum Flight {
    Write {
        file: File,
        offset: usize,
        bytes: Bytes,
    },
    Create {
        file: File,
        bytes: usize,
    },
    Remove {
        file: File,
    },
    Shorten {
        file: File,
        bytes: usize,
    },
    Manifest {
        wal: u16,
        bytes: Vec<u8>,
    },
    Meta(Meta),
}

#[derive(Default)]
struct State {
    files: BTreeMap<File, Vec<u8>>,
    manifests: BTreeMap<u16, Vec<u8>>,
    meta: Option<Meta>,
    flights: BTreeMap<u64, Flight>,
    next_flight: u64,
    /// What sectors held before writes that survived a kill but were never flushed.
    volatile: BTreeMap<(File, usize), Vec<u8>>,
    volatile_manifests: BTreeMap<u16, Option<Vec<u8>>>,
    volatile_meta: Option<Option<Meta>>,
    flipped: Option<Flipped>,
    untouched: Option<Untouched>,
    /// Of each WAL, the manifest before the present one.
    old_manifests: BTreeMap<u16, Vec<u8>>,
    /// Reads under way, by file.
    reads: BTreeMap<File, u32>,
}

#[derive(Clone, Copy, Debug)]
enum Flipped {
    File(File, usize, u8),
    Manifest(u16, usize, u8),
}

/// A WAL as it was before somebody laid hands on it.
#[derive(Clone, Debug)]
struct Untouched {
    wal: u16,
    files: Vec<(File, Vec<u8>)>,
    manifest: Option<Vec<u8>>,
}

/// The disk.
pub struct Disk {
    executor: Executor,
    dice: Dice,
    plan: Rc<Plan>,
    report: Rc<RefCell<Report>>,
    state: RefCell<State>,
    /// No room for new files and manifests.
    pub full: Cell<bool>,
    /// No fault happens any more.
    pub kind: Cell<bool>,
}

impl Disk {
    pub fn new(
        executor: Executor,
        dice: Dice,
        plan: Rc<Plan>,
        report: Rc<RefCell<Report>>,
    ) -> Disk {
        Disk {
            executor,
            dice,
            plan,
            report,
            state: RefCell::default(),
            full: Cell::new(false),
            kind: Cell::new(false),
        }
    }

    /// Whether this fault happens now, once in `n` times.
    fn strikes(&self, fault: Fault, n: u64) -> bool {
        let strikes = self.plan.has(fault) && !self.kind.get() && self.dice.one_in(n);
        if strikes {
            self.report.borrow_mut().fault(fault);
        }
        strikes
    }

    async fn pause(&self) {
        let us = if self.strikes(Fault::SlowDisk, 60) {
            *self.dice.pick(&[5_000, 50_000, 400_000, 2_000_000])
        } else {
            self.dice.range(10, 300)
        };
        self.executor.sleep_us(us).await;
    }

    /// Does `flight` now or at the end of its time; a crash in between decides otherwise.
    async fn perform(&self, flight: Flight) {
        let number = {
            let mut state = self.state.borrow_mut();
            state.next_flight += 1;
            let number = state.next_flight;
            state.flights.insert(number, flight.clone());
            number
        };
        self.pause().await;
        let mut state = self.state.borrow_mut();
        state.flights.remove(&number);
        state.complete(flight);
    }

    /// Writes durably. After an error the process must end.
    pub async fn write(&self, file: File, offset: u32, bytes: Bytes) -> io::Result<()> {
        let offset = offset as usize;
        assert!(
            offset.is_multiple_of(4096) && bytes.len().is_multiple_of(4096),
            "writes are aligned"
        );
        assert!(
            self.state.borrow().files.contains_key(&file),
            "a write to {file:?}, which does not exist"
        );
        let fails = self.strikes(Fault::WriteFails, 1500);
        let flight = Flight::Write {
            file,
            offset,
            bytes,
        };
        if fails {
            self.pause().await;
            let mut state = self.state.borrow_mut();
            state.next_flight += 1;
            let number = state.next_flight;
            state.flights.insert(number, flight);
            return Err(io::Error::other("simulated"));
        }
        self.perform(flight).await;
        Ok(())
    }

    /// Creates a file of zeroes, or part of it where there is no room.
    pub async fn create(&self, file: File, bytes: usize) -> io::Result<()> {
        if self.full.get() {
            self.pause().await;
            if self.dice.one_in(2) {
                let part = 4096 * self.dice.below(bytes as u64 / 4096) as usize;
                let mut state = self.state.borrow_mut();
                state.files.insert(file, vec![0; part]);
            }
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.perform(Flight::Create { file, bytes }).await;
        Ok(())
    }

    pub async fn remove(&self, file: File) {
        assert_eq!(
            self.reads_of(file),
            0,
            "{file:?} is removed while it is read"
        );
        self.perform(Flight::Remove { file }).await;
    }

    /// Cuts a file off.
    pub async fn shorten(&self, file: File, bytes: usize) -> io::Result<()> {
        if self.full.get() && self.dice.one_in(4) {
            self.pause().await;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.perform(Flight::Shorten { file, bytes }).await;
        Ok(())
    }

    pub async fn replace_manifest(&self, wal: u16, bytes: Vec<u8>) -> io::Result<()> {
        if self.full.get() && self.dice.one_in(2) {
            self.pause().await;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.perform(Flight::Manifest { wal, bytes }).await;
        Ok(())
    }

    pub async fn replace_meta(&self, meta: Meta) {
        self.perform(Flight::Meta(meta)).await;
    }

    pub async fn read(&self, file: File, offset: u32, len: usize) -> io::Result<Bytes> {
        *self.state.borrow_mut().reads.entry(file).or_default() += 1;
        self.pause().await;
        if self.strikes(Fault::SlowDisk, 40) {
            self.executor.sleep_ms(self.dice.range(10, 3000)).await;
        }
        let mut state = self.state.borrow_mut();
        if let Some(reads) = state.reads.get_mut(&file) {
            *reads -= 1;
        }
        if self.strikes(Fault::ReadFails, 300) {
            return Err(io::Error::other("simulated"));
        }
        let offset = offset as usize;
        let Some(found) = state.files.get(&file) else {
            panic!("a read of {file:?}, which does not exist");
        };
        let mut bytes = found[offset..offset + len].to_vec();
        if self.strikes(Fault::ReadFlip, 100) {
            // Now and then where the first batch says what it is.
            let at = match self.dice.one_in(8) {
                true => 16,
                false => self.dice.below(len as u64) as usize,
            };
            bytes[at.min(len - 1)] ^= 1 << self.dice.below(8);
        }
        Ok(bytes.into())
    }

    /// As [`Disk::read`], for recovery: what is at rest, or an error.
    pub async fn read_at_start(&self, file: File, offset: u32, len: usize) -> io::Result<Bytes> {
        self.executor.sleep_us(self.dice.range(10, 300)).await;
        if self.strikes(Fault::ReadFails, 2000) {
            return Err(io::Error::other("simulated"));
        }
        let state = self.state.borrow();
        let found = &state.files[&file];
        let (start, end) = (offset as usize, offset as usize + len);
        Ok(Bytes::copy_from_slice(&found[start..end.min(found.len())]))
    }

    /// Reads under way of a file.
    pub fn reads_of(&self, file: File) -> u32 {
        self.state.borrow().reads.get(&file).copied().unwrap_or(0)
    }

    pub fn list(&self, wal: u16) -> Vec<ListedFile> {
        let state = self.state.borrow();
        let of_wal = state.files.range((wal, 0)..=(wal, u32::MAX));
        of_wal
            .map(|((_, slot), bytes)| ListedFile {
                slot: *slot,
                bytes: bytes.len() as u64,
            })
            .collect()
    }

    /// Bytes of all files of a WAL.
    pub fn bytes(&self, wal: u16) -> u64 {
        self.list(wal).iter().map(|file| file.bytes).sum()
    }

    pub fn manifest(&self, wal: u16) -> Option<Vec<u8>> {
        self.state.borrow().manifests.get(&wal).cloned()
    }

    pub fn meta(&self) -> Option<Meta> {
        self.state.borrow().meta
    }

    /// Flushes one file.
    pub async fn sync(&self, file: File) {
        self.executor.sleep_us(self.dice.range(10, 300)).await;
        let mut state = self.state.borrow_mut();
        state.volatile.retain(|(of, _), _| *of != file);
    }

    /// The process has ended; with `power_cut`, the disk loses what is in its memory as well.
    pub fn crash(&self, power_cut: bool) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.reads.clear();
        if power_cut {
            self.lose_volatile(state);
        }
        for flight in std::mem::take(&mut state.flights).into_values() {
            self.resolve(state, flight);
        }
        if power_cut {
            // The cut came with the end: nothing is left in memory that could still be lost.
            state.volatile.clear();
            state.volatile_manifests.clear();
            state.volatile_meta = None;
        }
    }

    fn lose_volatile(&self, state: &mut State) {
        for ((file, at), before) in std::mem::take(&mut state.volatile) {
            if self.dice.one_in(2)
                && let Some(bytes) = state.files.get_mut(&file)
            {
                bytes[at..at + SECTOR].copy_from_slice(&before);
            }
        }
        for (wal, before) in std::mem::take(&mut state.volatile_manifests) {
            if self.dice.one_in(2) {
                match before {
                    Some(bytes) => state.manifests.insert(wal, bytes),
                    None => state.manifests.remove(&wal),
                };
            }
        }
        if let Some(before) = state.volatile_meta.take()
            && self.dice.one_in(2)
        {
            state.meta = before;
        }
    }

    /// What becomes of something in flight at a crash.
    fn resolve(&self, state: &mut State, flight: Flight) {
        match flight {
            Flight::Write {
                file,
                offset,
                bytes,
            } => self.write_in_part(state, file, offset, &bytes),
            Flight::Create { file, bytes } => {
                let lens = [
                    None,
                    Some(0),
                    Some(4096 + self.dice.below(4096) as usize),
                    Some(bytes),
                ];
                if let Some(len) = *self.dice.pick(&lens) {
                    state.files.insert(file, vec![0; len]);
                }
            }
            Flight::Remove { file } => {
                if self.dice.one_in(2) {
                    state.files.remove(&file);
                }
            }
            Flight::Shorten { file, bytes } => {
                if let Some(found) = state.files.get_mut(&file)
                    && self.dice.one_in(2)
                {
                    found.truncate(bytes);
                    state
                        .volatile
                        .retain(|(of, at), _| *of != file || *at < bytes);
                }
            }
            Flight::Manifest { wal, bytes } => {
                if self.dice.one_in(2) {
                    let before = state.manifests.insert(wal, bytes);
                    state.volatile_manifests.entry(wal).or_insert(before);
                }
            }
            Flight::Meta(meta) => {
                if self.dice.one_in(2) {
                    let before = state.meta.replace(meta);
                    state.volatile_meta.get_or_insert(before);
                }
            }
        }
    }

    fn write_in_part(&self, state: &mut State, file: File, offset: usize, bytes: &[u8]) {
        let Some(found) = state.files.get_mut(&file) else {
            return;
        };
        let granularity = if self.dice.one_in(2) { SECTOR } else { 4096 };
        let lost = self.strikes(Fault::LostWrite, 3);
        let torn = !lost && self.strikes(Fault::TornWrite, 2);
        for (i, part) in bytes.chunks(granularity).enumerate() {
            if lost || (torn && self.dice.one_in(2)) {
                continue;
            }
            for (j, sector) in part.chunks(SECTOR).enumerate() {
                let at = offset + i * granularity + j * SECTOR;
                let before = found[at..at + SECTOR].to_vec();
                found[at..at + SECTOR].copy_from_slice(sector);
                state.volatile.entry((file, at)).or_insert(before);
            }
        }
    }

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
                let file = state.files.get_mut(self.dice.pick(&used))?;
                file.truncate(file.len() - 4096);
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

impl State {
    fn complete(&mut self, flight: Flight) {
        match flight {
            Flight::Write {
                file,
                offset,
                bytes,
            } => {
                let found = self.files.get_mut(&file).expect("a file that was there");
                found[offset..offset + bytes.len()].copy_from_slice(&bytes);
                let end = offset + bytes.len();
                let sectors: Vec<_> = self
                    .volatile
                    .range((file, offset)..(file, end))
                    .map(|(key, _)| *key)
                    .collect();
                for sector in sectors {
                    self.volatile.remove(&sector);
                }
            }
            Flight::Create { file, bytes } => {
                self.files.insert(file, vec![0; bytes]);
                self.volatile.retain(|(of, _), _| *of != file);
            }
            Flight::Remove { file } => {
                self.files.remove(&file);
                self.volatile.retain(|(of, _), _| *of != file);
            }
            Flight::Shorten { file, bytes } => {
                if let Some(found) = self.files.get_mut(&file) {
                    found.truncate(bytes);
                }
                self.volatile
                    .retain(|(of, at), _| *of != file || *at < bytes);
            }
            Flight::Manifest { wal, bytes } => {
                if let Some(old) = self.manifests.insert(wal, bytes) {
                    self.old_manifests.insert(wal, old);
                }
                self.volatile_manifests.remove(&wal);
            }
            Flight::Meta(meta) => {
                self.meta = Some(meta);
                self.volatile_meta = None;
            }
        }
    }
}

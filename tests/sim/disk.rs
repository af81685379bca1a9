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
//! like one in flight, and the process must not go on. A flush may fail as well, and then pages that
//! never reached the disk are read as if they had, until they are dropped on request, by chance
//! at a crash, or by a power cut; flushing them again does nothing. A read may fail, or give a flipped
//! bit, and be right the next time. Before a start one bit at rest may have flipped, in a
//! place where something intact attests that it was durable; once recovery has looked, the
//! bit is put right again, as from a backup. So it is with a WAL that somebody has laid hands
//! on: a file or the manifest gone, cut short, another WAL's, or an older one. When the disk is full, new files and manifests
//! find no room; what exists can be overwritten.

mod crash;
mod damage;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use corelane::wal::ListedFile;

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
    /// What the disk has of sectors of which the page cache has what could not be flushed.
    unflushed: BTreeMap<(File, usize), Vec<u8>>,
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
        if self.strikes(Fault::FlushFails, 500) {
            self.pause().await;
            self.fail_flush(&mut self.state.borrow_mut(), file, offset, &bytes);
            return Err(io::Error::other("simulated"));
        }
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

    /// Has reads show what is on the disk, before the first of a start.
    pub async fn settle(&self, file: File) {
        self.executor.sleep_us(self.dice.range(10, 300)).await;
        self.state
            .borrow_mut()
            .drop_unflushed(|sector| sector.0 == file);
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
}

impl State {
    /// What these sectors held before does not matter any more.
    fn forget(&mut self, file: File, sectors: Range<usize>) {
        let sectors = (file, sectors.start)..(file, sectors.end);
        for kept in [&mut self.volatile, &mut self.unflushed] {
            kept.extract_if(sectors.clone(), |_, _| true).for_each(drop);
        }
    }

    fn complete(&mut self, flight: Flight) {
        match flight {
            Flight::Write {
                file,
                offset,
                bytes,
            } => {
                let found = self.files.get_mut(&file).expect("a file that was there");
                found[offset..offset + bytes.len()].copy_from_slice(&bytes);
                self.forget(file, offset..offset + bytes.len());
            }
            Flight::Create { file, bytes } => {
                self.files.insert(file, vec![0; bytes]);
                self.forget(file, 0..usize::MAX);
            }
            Flight::Remove { file } => {
                self.files.remove(&file);
                self.forget(file, 0..usize::MAX);
            }
            Flight::Shorten { file, bytes } => {
                if let Some(found) = self.files.get_mut(&file) {
                    found.truncate(bytes);
                }
                self.forget(file, bytes..usize::MAX);
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

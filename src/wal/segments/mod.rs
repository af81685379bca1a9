//! The segment files of one WAL and what becomes of each: created and
//! zero-filled once, then given one life after another. Keeps spares ready
//! ahead of the active segment, has the manifest written before anything
//! relies on it, and knows how much room the disk budget leaves.
//!
//! A file's way: Filling -> Free -> Listing (until the manifest that names its
//! new life is durable) -> Heading (until its header is) -> Ready -> Active ->
//! Sealed -> Reclaimed (until the manifest without it is durable and no reader
//! has it pinned) -> Free again, or Deleting. What the last run left unused of
//! a file that it was writing is cut off, see `shorten`.

mod done;
mod live;
mod room;
mod shorten;
mod slot;

use std::collections::{BTreeMap, VecDeque};

use room::{Room, SEGMENTS_AT_OPEN};
pub use slot::ReclaimError;
pub(super) use slot::{Active, Slot, Spare, State};

use super::manifest::{Entry, EntryContent, Life, Manifest};
use super::recovery::Recovered;
use super::segment::{self, SegmentHeader};
use super::{SegmentWork, WalConfig};
use crate::base::mark::mark;
use crate::base::{Lsn, SegmentId, limits};

/// All files of one WAL.
#[derive(Debug)]
pub(super) struct Segments {
    pub config: WalConfig,
    /// Spares to keep; none in an adopted WAL.
    spares_wanted: i64,
    slots: BTreeMap<u32, Slot>,
    /// Sequence to slot, of every file that has a life.
    lives: BTreeMap<u64, u32>,
    active: Option<Active>,
    next_sequence: u64,
    /// Headers to write and files to delete.
    todo: VecDeque<SegmentWork>,
    /// Generation of the manifest that is written next.
    next_generation: u64,
    durable_generation: u64,
    manifest_in_flight: bool,
    manifest_wanted: bool,
    /// The disk had no room for a manifest: write none until told to retry.
    manifest_stalled: bool,
    /// The disk had no room for a file: create none until told to retry.
    fill_stalled: bool,
    /// Files to shorten, one after the other.
    to_shorten: VecDeque<u32>,
    /// The one that is being shortened.
    shortening: Option<u32>,
    /// The disk had no room for a shortening: shorten none until told to retry.
    shorten_stalled: bool,
    /// Nothing has changed since there was no work.
    idle: bool,
    room: Room,
}

impl Segments {
    /// Takes over what recovery found. `adopted` is a WAL that is only emptied.
    pub fn open(config: WalConfig, adopted: bool, recovered: &Recovered) -> Segments {
        let mut segments = Segments {
            config,
            spares_wanted: if adopted {
                0
            } else {
                limits::WAL_SPARE_SEGMENTS as i64
            },
            slots: BTreeMap::new(),
            lives: BTreeMap::new(),
            active: None,
            next_sequence: recovered.next_sequence,
            todo: VecDeque::new(),
            next_generation: 1,
            durable_generation: 0,
            manifest_in_flight: false,
            manifest_wanted: true,
            manifest_stalled: false,
            fill_stalled: false,
            to_shorten: VecDeque::new(),
            shortening: None,
            shorten_stalled: false,
            idle: false,
            room: Room::new(&config),
        };
        for found in &recovered.segments {
            let sequence = found.id.sequence;
            let state = State::Sealed {
                life: Life {
                    sequence,
                    incarnation: found.incarnation,
                },
                first_lsn: found.first_lsn,
                end_lsn: found.end_lsn,
                bytes_used: found.bytes_used,
            };
            segments.insert_recovered(found, state);
            segments.lives.insert(sequence, found.slot);
        }
        segments.take_free(adopted, recovered);
        for &slot in &recovered.unlisted {
            mark!("wal.segments.unlisted-deleted");
            segments.insert(slot, 0, State::Deleting);
            segments.todo.push_back(SegmentWork::Delete { slot });
        }
        if !adopted {
            segments.room.overdraw(SEGMENTS_AT_OPEN);
        }
        segments.assert_invariants();
        segments
    }

    /// Keeps as many free files as the budget allows, and the few that every run needs.
    fn take_free(&mut self, adopted: bool, recovered: &Recovered) {
        let size = u64::from(self.config.segment_bytes);
        let live: u64 = recovered
            .segments
            .iter()
            .map(|found| u64::from(shorten::bytes_to_keep(found)))
            .sum();
        let budgeted = self.config.disk_bytes_max.saturating_sub(live) / size;
        let mut keepable = if adopted {
            0
        } else {
            budgeted.max(SEGMENTS_AT_OPEN as u64)
        };
        for &(slot, bytes) in &recovered.free {
            if keepable > 0 && bytes == self.config.segment_bytes {
                keepable -= 1;
                self.insert(slot, bytes, State::Free);
            } else {
                // The manifest may still call it open, so that one is replaced before it goes.
                self.insert(
                    slot,
                    bytes,
                    State::Reclaimed {
                        generation: self.next_generation,
                    },
                );
            }
        }
    }

    fn insert(&mut self, slot: u32, bytes: u32, state: State) {
        self.insert_file(slot, Slot::new(bytes, state));
    }

    fn insert_file(&mut self, slot: u32, file: Slot) {
        self.room.add(&file);
        let before = self.slots.insert(slot, file);
        assert!(before.is_none(), "slot {slot} holds one file");
    }

    /// Brings a file into another state: the only way that a state changes.
    fn set(&mut self, slot: u32, state: State) {
        self.change(slot, |file| file.state = state);
    }

    /// Changes what is known of a file, and what follows for the room.
    fn change(&mut self, slot: u32, change: impl FnOnce(&mut Slot)) {
        if let Some(file) = self.slots.get_mut(&slot) {
            self.room.remove(file);
            change(file);
            self.room.add(file);
        }
        self.idle = false;
    }

    fn state(&self, slot: u32) -> Option<State> {
        self.slots.get(&slot).map(|file| file.state)
    }

    /// The next piece of work on files, if there is any. Several may be under way at a time: at
    /// most one manifest, one file being filled and one being shortened, and any number of headers
    /// and removals.
    pub fn poll(&mut self, next_lsn: Lsn, durable: Lsn) -> Option<SegmentWork> {
        if self.idle {
            return None;
        }
        let work = self.todo.pop_front();
        let work = work
            .or_else(|| self.poll_manifest(next_lsn, durable))
            .or_else(|| self.poll_shorten())
            .or_else(|| self.poll_fill());
        self.idle = work.is_none();
        self.assert_invariants();
        work
    }

    fn poll_manifest(&mut self, next_lsn: Lsn, durable: Lsn) -> Option<SegmentWork> {
        if self.manifest_in_flight || self.manifest_stalled {
            return None;
        }
        while self.room.claimed < self.spares_wanted && self.claim_spare() {}
        if !self.manifest_wanted {
            return None;
        }
        self.manifest_wanted = false;
        self.manifest_in_flight = true;
        self.next_generation += 1;
        let bytes = self.manifest(next_lsn, durable).encode();
        Some(SegmentWork::WriteManifest { bytes })
    }

    /// Gives a free file a new life, right before a manifest is written. A reclaimed one that nobody reads is as good: one manifest
    /// ends its old life and begins the new one.
    fn claim_spare(&mut self) -> bool {
        let mut files = self.slots.iter();
        let free = files.find(|(_, file)| match file.state {
            State::Free => true,
            State::Reclaimed { .. } => file.pins == 0 && self.is_keepable(file),
            _ => false,
        });
        let Some((&slot, _)) = free else { return false };
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let incarnation = segment::incarnation(self.config.run_seed, sequence);
        let life = Life {
            sequence,
            incarnation,
        };
        self.lives.insert(sequence, slot);
        self.set(slot, State::Listing { life });
        self.manifest_wanted = true;
        true
    }

    fn poll_fill(&mut self) -> Option<SegmentWork> {
        let enough = self.room.claimed + self.room.free >= self.spares_wanted;
        // Nothing is created before the first manifest of this run is durable: a directory with
        // segment files always has a manifest.
        let may_fill = self.room.filling == 0 && !self.fill_stalled && self.durable_generation > 0;
        if enough || !may_fill || !self.room.may_create() {
            return None;
        }
        let taken = self
            .slots
            .keys()
            .zip(0..)
            .take_while(|&(&slot, i)| slot == i);
        let slot = taken.count() as u32;
        let bytes = self.config.segment_bytes;
        self.insert(slot, bytes, State::Filling);
        Some(SegmentWork::Prepare { slot, bytes })
    }

    fn manifest(&self, next_lsn: Lsn, durable: Lsn) -> Manifest {
        // Sequences rise with LSNs: the first life that is not sealed and durable is the first
        // open one, and a life without blocks comes after all blocks.
        let mut open_lsn = next_lsn;
        let content = |file: &Slot| match file.state {
            State::Filling | State::Deleting => None,
            State::Reclaimed { .. } if !self.is_keepable(file) => None,
            State::Free | State::Reclaimed { .. } => Some(EntryContent::Free),
            State::Sealed {
                life,
                first_lsn,
                end_lsn,
                ..
            } if end_lsn <= durable.next() => Some(EntryContent::Sealed {
                life,
                first_lsn,
                end_lsn,
            }),
            State::Sealed {
                life, first_lsn, ..
            }
            | State::Active { life, first_lsn } => {
                open_lsn = open_lsn.min(first_lsn);
                Some(EntryContent::Open(life))
            }
            State::Listing { life } | State::Heading { life } | State::Ready { life } => {
                Some(EntryContent::Open(life))
            }
        };
        let contents = self.slots.values().map(content);
        let files = self.slots.iter().zip(contents);
        let entries = files
            .filter_map(|((&slot, file), content)| {
                Some(Entry {
                    slot,
                    file_bytes: file.listed_bytes,
                    content: content?,
                })
            })
            .collect();
        let (wal, next_sequence) = (self.config.wal, self.next_sequence);
        Manifest {
            wal,
            next_sequence,
            open_lsn,
            durable,
            entries,
        }
    }

    /// Whether a reclaimed file is used again. With several that could be, but not all, it does
    /// not matter which: those that a manifest called free and are gone are not missed, and those
    /// that it left out and are there are deleted.
    fn is_keepable(&self, file: &Slot) -> bool {
        file.is_of(self.config.segment_bytes) && self.room.keepable() > 0
    }

    /// A reclaimed file that no manifest names and nobody reads is free, or goes.
    fn settle(&mut self, slot: u32) {
        if let Some(&file) = self.slots.get(&slot)
            && let State::Reclaimed { generation } = file.state
            && generation <= self.durable_generation
            && file.pins == 0
        {
            if self.is_keepable(&file) {
                mark!("wal.segments.recycled");
                self.set(slot, State::Free);
            } else {
                mark!("wal.segments.deleted");
                self.delete(slot);
            }
        }
    }

    fn delete(&mut self, slot: u32) {
        self.set(slot, State::Deleting);
        self.todo.push_back(SegmentWork::Delete { slot });
    }

    fn write_header(&mut self, slot: u32, file_bytes: u32, life: Life) {
        let id = SegmentId {
            wal: self.config.wal,
            sequence: life.sequence,
        };
        let incarnation = life.incarnation;
        let header = SegmentHeader {
            id,
            incarnation,
            file_bytes,
        };
        self.set(slot, State::Heading { life });
        let bytes = Box::new(header.encode());
        self.todo
            .push_back(SegmentWork::WriteHeader { slot, bytes });
    }

    fn assert_invariants(&self) {
        assert!(self.durable_generation < self.next_generation);
        assert!(
            self.room.claimed <= self.spares_wanted,
            "no more spares than wanted"
        );
        let active = self.active.and_then(|active| self.state(active.slot));
        let is_active = active.is_none_or(|state| matches!(state, State::Active { .. }));
        assert!(is_active, "the active segment takes the blocks");
    }
}

//! The segment files of one WAL and what becomes of each: created and
//! zero-filled once, then given one life after another. Keeps spares ready
//! ahead of the active segment, writes the manifest before anything relies on
//! it, and knows how much room the disk budget leaves.
//!
//! A file's way: Filling -> Free -> Listing (until the manifest that names its
//! new life is durable) -> Heading (until its header is) -> Ready -> Active ->
//! Sealed -> Reclaimed (until the manifest without it is durable and no reader
//! has it pinned) -> Free again, or Deleting.

use std::collections::BTreeMap;

use super::manifest::{Entry, EntryContent, Life, Manifest};
use super::recovery::Recovered;
use super::room::Room;
use super::segment::{self, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::{LiveSegment, Priority, SegmentWork, WalConfig, WalStats};
use crate::base::{Lsn, SegmentId, limits};

/// What holds for a file now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Being created and zero-filled; in no manifest.
    Filling,
    /// Holds nothing and may have a new life.
    Free,
    /// Waits for the manifest of this generation to be durable, which names its life.
    Listing { life: Life, generation: u64 },
    /// Waits for its header to be durable.
    Heading { life: Life, submitted: bool },
    /// A spare: may become active at once.
    Ready { life: Life },
    /// Takes the blocks.
    Active { life: Life, first_lsn: Lsn },
    /// Full, or of an earlier run.
    Sealed {
        life: Life,
        first_lsn: Lsn,
        end_lsn: Lsn,
        bytes_used: u32,
    },
    /// Given up. Waits for the manifest of this generation, and for its readers.
    Reclaimed { generation: u64 },
    /// Waits for its removal.
    Deleting { submitted: bool },
}

#[derive(Debug)]
pub(super) struct Slot {
    pub bytes: u32,
    pub pins: u32,
    pub state: State,
}

/// Why a segment cannot be reclaimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReclaimError {
    /// No live segment has this identity: never, or no more.
    #[error("no live segment has this identity")]
    Unknown,
    /// It still takes blocks, or some of its blocks are not durable yet.
    #[error("the segment is in use")]
    InUse,
}

/// The segment that takes the blocks, and where its next block begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Active {
    pub id: SegmentId,
    pub slot: u32,
    pub incarnation: u64,
    pub file_bytes: u32,
    pub next_offset: u32,
}

/// All files of one WAL.
#[derive(Debug)]
pub(super) struct Segments {
    pub config: WalConfig,
    /// Spares to keep; none in an adopted WAL, where nothing is recycled either.
    spares_wanted: usize,
    pub slots: BTreeMap<u32, Slot>,
    /// Sequence to slot, of every file that has a life.
    lives: BTreeMap<u64, u32>,
    active: Option<Active>,
    next_sequence: u64,
    /// Generation of the manifest that is written next.
    next_generation: u64,
    durable_generation: u64,
    manifest_in_flight: bool,
    manifest_wanted: bool,
    /// The disk had no room for a manifest: write none until told to retry.
    manifest_stalled: bool,
    /// The disk had no room for a file: create none until told to retry.
    fill_stalled: bool,
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
                limits::WAL_SPARE_SEGMENTS
            },
            slots: BTreeMap::new(),
            lives: BTreeMap::new(),
            active: None,
            next_sequence: recovered.next_sequence,
            next_generation: 1,
            durable_generation: 0,
            manifest_in_flight: false,
            manifest_wanted: true,
            manifest_stalled: false,
            fill_stalled: false,
            idle: false,
            room: Room::default(),
        };
        for found in &recovered.segments {
            let state = State::Sealed {
                life: Life {
                    sequence: found.id.sequence,
                    incarnation: found.incarnation,
                },
                first_lsn: found.first_lsn,
                end_lsn: found.end_lsn,
                bytes_used: found.bytes_used,
            };
            segments.insert(found.slot, found.file_bytes, state);
            segments.lives.insert(found.id.sequence, found.slot);
        }
        for &(slot, bytes) in &recovered.free {
            // Not deleted before a manifest without it is durable: the old one may call it open.
            let keep = !adopted && bytes == config.segment_bytes;
            let state = if keep {
                State::Free
            } else {
                State::Reclaimed { generation: 1 }
            };
            segments.insert(slot, bytes, state);
        }
        for &slot in &recovered.unlisted {
            segments.insert(slot, 0, State::Deleting { submitted: false });
        }
        segments.room = Room::at_open(&segments);
        segments.refresh();
        segments
    }

    fn insert(&mut self, slot: u32, bytes: u32, state: State) {
        let before = self.slots.insert(
            slot,
            Slot {
                bytes,
                pins: 0,
                state,
            },
        );
        assert!(before.is_none(), "slot {slot} is recovered once");
    }

    /// The next piece of work on files, if there is any. Several may be under way at a time: at
    /// most one manifest and one file being filled, and any number of headers and removals.
    pub fn poll(&mut self, next_lsn: Lsn, durable: Lsn) -> Option<SegmentWork> {
        if self.idle {
            return None;
        }
        let work = self
            .poll_slots()
            .or_else(|| self.poll_manifest(next_lsn, durable))
            .or_else(|| self.poll_fill());
        self.idle = work.is_none();
        work
    }

    fn poll_manifest(&mut self, next_lsn: Lsn, durable: Lsn) -> Option<SegmentWork> {
        if self.manifest_in_flight || self.manifest_stalled {
            return None;
        }
        self.claim_spares();
        if !self.manifest_wanted {
            return None;
        }
        self.manifest_wanted = false;
        self.manifest_in_flight = true;
        self.next_generation += 1;
        let bytes = self.manifest(next_lsn, durable).encode();
        Some(SegmentWork::WriteManifest { bytes })
    }

    fn poll_slots(&mut self) -> Option<SegmentWork> {
        let wal = self.config.wal;
        self.slots
            .iter_mut()
            .find_map(|(&slot, file)| match &mut file.state {
                State::Deleting {
                    submitted: submitted @ false,
                } => {
                    *submitted = true;
                    Some(SegmentWork::Delete { slot })
                }
                State::Heading {
                    life,
                    submitted: submitted @ false,
                } => {
                    *submitted = true;
                    let id = SegmentId {
                        wal,
                        sequence: life.sequence,
                    };
                    let incarnation = life.incarnation;
                    let header = SegmentHeader {
                        id,
                        incarnation,
                        file_bytes: file.bytes,
                    };
                    Some(SegmentWork::WriteHeader {
                        slot,
                        bytes: Box::new(header.encode()),
                    })
                }
                _ => None,
            })
    }

    /// Gives free files a new life until enough spares are on their way. A reclaimed file that
    /// nobody reads may be taken at once: one manifest ends its old life and begins the new one.
    fn claim_spares(&mut self) {
        while self.room.claimed < self.spares_wanted {
            let size = self.config.segment_bytes;
            let may_recycle = self.room.may_recycle();
            let free = self.slots.iter_mut().find(|(_, file)| match file.state {
                State::Free => true,
                State::Reclaimed { .. } => may_recycle && file.pins == 0 && file.bytes == size,
                _ => false,
            });
            let Some((&slot, file)) = free else { return };
            let sequence = self.next_sequence;
            let incarnation = segment::incarnation(self.config.run_seed, sequence);
            let generation = self.next_generation;
            file.state = State::Listing {
                life: Life {
                    sequence,
                    incarnation,
                },
                generation,
            };
            self.next_sequence += 1;
            self.lives.insert(sequence, slot);
            self.manifest_wanted = true;
            self.refresh();
        }
    }

    fn poll_fill(&mut self) -> Option<SegmentWork> {
        let enough = self.room.claimed + self.room.free >= self.spares_wanted;
        // Nothing is created before the first manifest of this run is durable: a directory with
        // segment files always has a manifest.
        if enough || self.fill_stalled || self.durable_generation == 0 || !self.room.may_create() {
            return None;
        }
        let slot = (0..).find(|slot| !self.slots.contains_key(slot))?;
        let bytes = self.config.segment_bytes;
        self.insert(slot, bytes, State::Filling);
        self.refresh();
        Some(SegmentWork::Prepare { slot, bytes })
    }

    fn manifest(&self, next_lsn: Lsn, durable: Lsn) -> Manifest {
        // Sequences rise with LSNs: the first life that is not sealed and durable is the first
        // open one, and a life without blocks comes after all blocks.
        let mut open_lsn = next_lsn;
        let entry = |(&slot, file): (&u32, &Slot)| {
            let content = match file.state {
                State::Filling | State::Deleting { .. } => return None,
                State::Reclaimed { .. } if !self.is_recyclable(file) => return None,
                State::Free | State::Reclaimed { .. } => EntryContent::Free,
                State::Sealed {
                    life,
                    first_lsn,
                    end_lsn,
                    ..
                } if end_lsn.0 <= durable.0 + 1 => EntryContent::Sealed {
                    life,
                    first_lsn,
                    end_lsn,
                },
                State::Sealed {
                    life, first_lsn, ..
                }
                | State::Active { life, first_lsn } => {
                    open_lsn = open_lsn.min(first_lsn);
                    EntryContent::Open(life)
                }
                State::Listing { life, .. }
                | State::Heading { life, .. }
                | State::Ready { life } => EntryContent::Open(life),
            };
            Some(Entry {
                slot,
                file_bytes: file.bytes,
                content,
            })
        };
        let entries = self.slots.iter().filter_map(entry).collect();
        Manifest {
            wal: self.config.wal,
            next_sequence: self.next_sequence,
            open_lsn,
            durable,
            entries,
        }
    }

    fn is_recyclable(&self, file: &Slot) -> bool {
        self.spares_wanted > 0 && file.bytes == self.config.segment_bytes && self.room.may_recycle()
    }

    /// The manifest handed out last has replaced the one before, durably.
    pub fn on_manifest_written(&mut self) {
        assert!(self.manifest_in_flight, "no manifest is in flight");
        self.manifest_in_flight = false;
        self.durable_generation = self.next_generation - 1;
        for file in self.slots.values_mut() {
            if let State::Listing { life, generation } = file.state
                && generation <= self.durable_generation
            {
                file.state = State::Heading {
                    life,
                    submitted: false,
                };
            }
        }
        let reclaimed = |file: &Slot| matches!(file.state, State::Reclaimed { .. });
        let slots: Vec<u32> = self
            .slots
            .iter()
            .filter(|(_, file)| reclaimed(file))
            .map(|(&slot, _)| slot)
            .collect();
        for slot in slots {
            self.settle(slot);
        }
        self.refresh();
    }

    /// The manifest could not be written for want of space; the old one is still in place.
    pub fn on_manifest_failed(&mut self) {
        assert!(self.manifest_in_flight, "no manifest is in flight");
        self.manifest_in_flight = false;
        self.manifest_wanted = true;
        self.manifest_stalled = true;
        self.refresh();
    }

    /// A reclaimed file that no manifest names and nobody reads is free, or goes.
    fn settle(&mut self, slot: u32) {
        let Some(file) = self.slots.get(&slot) else {
            return;
        };
        if let State::Reclaimed { generation } = file.state
            && generation <= self.durable_generation
            && file.pins == 0
        {
            let recyclable = self.is_recyclable(file);
            let state = if recyclable {
                State::Free
            } else {
                State::Deleting { submitted: false }
            };
            self.set(slot, state);
        }
    }

    fn set(&mut self, slot: u32, state: State) {
        if let Some(file) = self.slots.get_mut(&slot) {
            file.state = state;
        }
        self.refresh();
    }

    fn state(&self, slot: u32) -> Option<State> {
        self.slots.get(&slot).map(|file| file.state)
    }

    /// The file in `slot` exists, is zero-filled, and all of that is durable.
    pub fn on_prepared(&mut self, slot: u32) {
        assert_eq!(
            self.state(slot),
            Some(State::Filling),
            "slot {slot} is not being filled"
        );
        self.set(slot, State::Free);
    }

    /// The disk has no room for the file in `slot`. What there is of it is deleted.
    pub fn on_prepare_failed(&mut self, slot: u32) {
        assert_eq!(
            self.state(slot),
            Some(State::Filling),
            "slot {slot} is not being filled"
        );
        self.fill_stalled = true;
        self.set(slot, State::Deleting { submitted: false });
    }

    /// There may be room on the disk again.
    pub fn retry(&mut self) {
        self.manifest_stalled = false;
        self.fill_stalled = false;
        self.refresh();
    }

    /// The header of the file in `slot` is durable.
    pub fn on_header_written(&mut self, slot: u32) {
        let Some(State::Heading {
            life,
            submitted: true,
        }) = self.state(slot)
        else {
            panic!("no header is being written in slot {slot}");
        };
        self.set(slot, State::Ready { life });
    }

    /// The file in `slot` is gone.
    pub fn on_deleted(&mut self, slot: u32) {
        let deleting = Some(State::Deleting { submitted: true });
        assert_eq!(
            self.state(slot),
            deleting,
            "slot {slot} is not being deleted"
        );
        self.slots.remove(&slot);
        self.refresh();
    }

    /// The segment that takes the blocks.
    pub fn active(&self) -> Option<&Active> {
        self.active.as_ref()
    }

    /// The active segment's next block begins `bytes` further on.
    pub fn advance(&mut self, bytes: usize) {
        if let Some(active) = &mut self.active {
            active.next_offset += bytes as u32;
            assert!(
                active.next_offset <= active.file_bytes,
                "blocks stay inside their segment"
            );
        }
    }

    /// Whether [`roll`](Self::roll) would find the next segment ready.
    pub fn is_next_ready(&self) -> bool {
        self.next_ready().is_some()
    }

    /// The next life in order of sequence, and only that one: blocks fill lives in their order.
    fn next_ready(&self) -> Option<(u32, Life, u32)> {
        let after = self.active.map_or(0, |active| active.id.sequence + 1);
        let unused = self.lives.range(after..).find_map(|(_, slot)| {
            let file = self.slots.get(slot)?;
            match file.state {
                State::Sealed { .. } => None,
                state => Some((*slot, state, file.bytes)),
            }
        });
        match unused? {
            (slot, State::Ready { life }, bytes) => Some((slot, life, bytes)),
            _ => None,
        }
    }

    /// Seals the active segment before `next_lsn` and makes the next one active. Returns whether
    /// there was a next one; nothing changes otherwise.
    pub fn roll(&mut self, next_lsn: Lsn) -> bool {
        let Some((slot, life, file_bytes)) = self.next_ready() else {
            return false;
        };
        if let Some(full) = self.active.take()
            && let Some(State::Active { life, first_lsn }) = self.state(full.slot)
        {
            assert!(first_lsn < next_lsn, "no segment is sealed without a block");
            let bytes_used = full.next_offset;
            self.set(
                full.slot,
                State::Sealed {
                    life,
                    first_lsn,
                    end_lsn: next_lsn,
                    bytes_used,
                },
            );
        }
        self.active = Some(Active {
            id: SegmentId {
                wal: self.config.wal,
                sequence: life.sequence,
            },
            slot,
            incarnation: life.incarnation,
            file_bytes,
            next_offset: SEGMENT_HEADER_BYTES as u32,
        });
        self.set(
            slot,
            State::Active {
                life,
                first_lsn: next_lsn,
            },
        );
        true
    }

    /// Gives up a segment that holds nothing live.
    pub fn reclaim(&mut self, id: SegmentId, durable: Lsn) -> Result<(), ReclaimError> {
        let slot = self.live_slot(id).ok_or(ReclaimError::Unknown)?;
        match self.state(slot) {
            Some(State::Sealed { end_lsn, .. }) if end_lsn.0 <= durable.0 + 1 => {
                self.lives.remove(&id.sequence);
                self.manifest_wanted = true;
                self.set(
                    slot,
                    State::Reclaimed {
                        generation: self.next_generation,
                    },
                );
                Ok(())
            }
            _ => Err(ReclaimError::InUse),
        }
    }

    /// The slot of a segment that has blocks.
    fn live_slot(&self, id: SegmentId) -> Option<u32> {
        let slot = *self
            .lives
            .get(&id.sequence)
            .filter(|_| id.wal == self.config.wal)?;
        let live = matches!(
            self.state(slot)?,
            State::Active { .. } | State::Sealed { .. }
        );
        live.then_some(slot)
    }

    /// See [`Wal::pin`](super::Wal::pin).
    pub fn pin(&mut self, id: SegmentId) -> Option<u32> {
        let slot = self.live_slot(id)?;
        self.slots.get_mut(&slot)?.pins += 1;
        Some(slot)
    }

    /// See [`Wal::unpin`](super::Wal::unpin).
    pub fn unpin(&mut self, slot: u32) {
        let pins = self
            .slots
            .get_mut(&slot)
            .map(|file| &mut file.pins)
            .filter(|pins| **pins > 0);
        let Some(pins) = pins else {
            panic!("slot {slot} is not pinned")
        };
        *pins -= 1;
        if *pins == 0 {
            self.settle(slot);
        }
    }

    /// Asks for a manifest, which carries the durable LSN.
    pub fn want_manifest(&mut self) {
        self.manifest_wanted = true;
        self.idle = false;
    }

    /// Whether the manifest on disk says all that there is to say.
    pub fn is_manifest_current(&self) -> bool {
        !self.manifest_wanted && !self.manifest_in_flight
    }

    /// The segments that hold blocks, in LSN order.
    pub fn live(&self) -> impl Iterator<Item = LiveSegment> + '_ {
        let wal = self.config.wal;
        self.lives.iter().filter_map(move |(&sequence, &slot)| {
            let id = SegmentId { wal, sequence };
            match self.state(slot)? {
                State::Sealed {
                    first_lsn,
                    end_lsn,
                    bytes_used,
                    ..
                } => Some(LiveSegment {
                    id,
                    slot,
                    first_lsn,
                    end_lsn: Some(end_lsn),
                    bytes_used,
                }),
                State::Active { first_lsn, .. } => {
                    let bytes_used = self.active?.next_offset;
                    Some(LiveSegment {
                        id,
                        slot,
                        first_lsn,
                        end_lsn: None,
                        bytes_used,
                    })
                }
                _ => None,
            }
        })
    }

    /// Segments that records of this priority may still roll into.
    pub fn headroom(&self, priority: Priority) -> i64 {
        self.room.headroom(priority)
    }

    /// What concerns files in the figures of the WAL.
    pub fn stats(&self) -> WalStats {
        WalStats {
            disk_bytes: self.room.bytes,
            disk_bytes_max: self.config.disk_bytes_max,
            live_segments: self.room.live,
            spare_segments: self.room.claimed,
            free_segments: self.room.free,
            data_headroom_segments: self.room.headroom(Priority::Data),
            ..WalStats::default()
        }
    }

    fn refresh(&mut self) {
        self.idle = false;
        self.room = self.room.recounted(self);
        self.assert_invariants();
    }

    /// Whether the disk had no room for a file.
    pub fn is_fill_stalled(&self) -> bool {
        self.fill_stalled
    }

    fn assert_invariants(&self) {
        let active = |file: &Slot| matches!(file.state, State::Active { .. });
        let count = self.slots.values().filter(|file| active(file)).count();
        assert!(count <= 1, "one segment takes the blocks");
        assert!(self.durable_generation < self.next_generation);
    }
}

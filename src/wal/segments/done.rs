//! Completions of work on files.

use super::Segments;
use super::slot::{Slot, State};
use crate::base::limits;
use crate::base::mark::mark;

impl Segments {
    /// The manifest handed out last has replaced the one before, durably.
    pub fn on_manifest_written(&mut self) {
        assert!(self.manifest_in_flight, "no manifest is in flight");
        self.manifest_in_flight = false;
        self.durable_generation = self.next_generation - 1;
        self.idle = false;
        let waits =
            |file: &Slot| matches!(file.state, State::Listing { .. } | State::Reclaimed { .. });
        let files = self.slots.iter().map(|(&slot, &file)| (slot, file));
        let waiting: Vec<(u32, Slot)> = files.filter(|(_, file)| waits(file)).collect();
        for (slot, file) in waiting {
            match file.state {
                State::Listing { life } => self.write_header(slot, file.bytes, life),
                _ => self.settle(slot),
            }
        }
    }

    /// The manifest could not be written for want of space; the old one is still in place.
    pub fn on_manifest_failed(&mut self) {
        assert!(self.manifest_in_flight, "no manifest is in flight");
        self.manifest_in_flight = false;
        mark!("wal.segments.manifest-failed");
        self.manifest_wanted = true;
        self.manifest_stalled = true;
        self.idle = false;
    }

    /// The file in `slot` exists, is zero-filled, and all of that is durable.
    pub fn on_prepared(&mut self, slot: u32) {
        self.assert_state(slot, State::Filling);
        self.set(slot, State::Free);
    }

    /// The disk has no room for the file in `slot`. What there is of it is deleted.
    pub fn on_prepare_failed(&mut self, slot: u32) {
        self.assert_state(slot, State::Filling);
        mark!("wal.segments.prepare-failed");
        self.fill_stalled = true;
        self.delete(slot);
    }

    /// Grants the broker's own records another reserve if they are `starved`, and takes it back
    /// once the budget is kept.
    pub fn overdraw(&mut self, starved: bool) {
        let segments = if starved {
            limits::WAL_RESERVE_SEGMENTS
        } else {
            0
        };
        self.room.overdraw(segments);
    }

    /// There may be room on the disk again.
    pub fn retry(&mut self) {
        self.manifest_stalled = false;
        self.fill_stalled = false;
        self.shorten_stalled = false;
        self.idle = false;
    }

    /// The header of the file in `slot` is durable.
    pub fn on_header_written(&mut self, slot: u32) {
        let Some(State::Heading { life }) = self.state(slot) else {
            panic!("no header is being written in slot {slot}");
        };
        self.set(slot, State::Ready { life });
    }

    /// The file in `slot` is gone.
    pub fn on_deleted(&mut self, slot: u32) {
        self.assert_state(slot, State::Deleting);
        if let Some(file) = self.slots.remove(&slot) {
            self.room.remove(&file);
        }
        self.idle = false;
    }

    fn assert_state(&self, slot: u32, expected: State) {
        assert_eq!(
            self.state(slot),
            Some(expected),
            "slot {slot} is in another state"
        );
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

    /// Whether there is no file at all.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

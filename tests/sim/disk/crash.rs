//! What a crash leaves of what was in flight, and a power cut of what was never flushed.

use super::{Disk, File, Flight, SECTOR, State};
use crate::plan::Fault;

const PAGE: usize = 4096;

impl State {
    /// The page cache lets go of sectors that could not be flushed.
    pub(super) fn drop_unflushed(&mut self, is_dropped: impl Fn(&(File, usize)) -> bool) {
        let dropped = self
            .unflushed
            .extract_if(.., |sector, _| is_dropped(sector));
        for ((file, at), bytes) in dropped {
            if let Some(found) = self.files.get_mut(&file) {
                found[at..at + SECTOR].copy_from_slice(&bytes);
            }
        }
    }
}

impl Disk {
    /// The process has ended; with `power_cut`, the disk loses what is in its memory as well.
    pub fn crash(&self, power_cut: bool) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.reads.clear();
        // The kernel may have had another use for the memory of a page.
        let pages = self.dice.bits();
        state.drop_unflushed(|(_, at)| power_cut || pages >> (at / PAGE % 64) & 1 == 1);
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
                    state.forget(file, bytes..usize::MAX);
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

    /// The page cache has all of it, the disk some pages.
    pub(super) fn fail_flush(&self, state: &mut State, file: File, offset: usize, bytes: &[u8]) {
        let Some(found) = state.files.get_mut(&file) else {
            return;
        };
        for (i, page) in bytes.chunks(PAGE).enumerate() {
            let reaches_disk = self.dice.one_in(4);
            for (j, sector) in page.chunks(SECTOR).enumerate() {
                let at = offset + i * PAGE + j * SECTOR;
                if !reaches_disk {
                    let before = found[at..at + SECTOR].to_vec();
                    state.unflushed.entry((file, at)).or_insert(before);
                }
                found[at..at + SECTOR].copy_from_slice(sector);
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
}

//! Work on the segment files of the WALs that this shard keeps: its own and those it
//! empties.

use super::state::Shard;
use crate::wal::SegmentWork;

impl Shard {
    /// Whether there is work on segment files.
    pub fn has_segment_work(&mut self) -> bool {
        if self.segment_work.is_none() {
            self.segment_work = self.next_segment_work();
        }
        self.segment_work.is_some()
    }

    /// The next piece of work, with the number of the WAL that it is for.
    pub fn poll_segment(&mut self) -> Option<(u16, SegmentWork)> {
        self.segment_work
            .take()
            .or_else(|| self.next_segment_work())
    }

    fn next_segment_work(&mut self) -> Option<(u16, SegmentWork)> {
        let own = self.wal.poll_segment().map(|work| (self.wal.wal(), work));
        own.or_else(|| {
            let mut adopted = self.adopted.values_mut();
            adopted.find_map(|wal| wal.poll_segment().map(|work| (wal.wal(), work)))
        })
    }

    /// [`SegmentWork::Prepare`] is done.
    pub fn on_prepared(&mut self, slot: u32) {
        self.wal.on_prepared(slot);
    }

    /// [`SegmentWork::Prepare`] found no room.
    pub fn on_prepare_failed(&mut self, slot: u32) {
        self.wal.on_prepare_failed(slot);
    }

    /// [`SegmentWork::WriteHeader`] is done.
    pub fn on_header_written(&mut self, slot: u32) {
        self.wal.on_header_written(slot);
        self.on_room();
    }

    /// [`SegmentWork::WriteManifest`] is done.
    pub fn on_manifest_written(&mut self, wal: u16) {
        match self.adopted.get_mut(&wal) {
            Some(adopted) => adopted.on_manifest_written(),
            None => self.wal.on_manifest_written(),
        }
    }

    /// [`SegmentWork::WriteManifest`] found no room.
    pub fn on_manifest_failed(&mut self, wal: u16) {
        match self.adopted.get_mut(&wal) {
            Some(adopted) => adopted.on_manifest_failed(),
            None => self.wal.on_manifest_failed(),
        }
    }

    /// [`SegmentWork::Shorten`] is done.
    pub fn on_shortened(&mut self, wal: u16, slot: u32) {
        match self.adopted.get_mut(&wal) {
            Some(adopted) => adopted.on_shortened(slot),
            None => self.wal.on_shortened(slot),
        }
    }

    /// [`SegmentWork::Shorten`] found no room.
    pub fn on_shorten_failed(&mut self, wal: u16, slot: u32) {
        match self.adopted.get_mut(&wal) {
            Some(adopted) => adopted.on_shorten_failed(slot),
            None => self.wal.on_shorten_failed(slot),
        }
    }

    /// [`SegmentWork::Delete`] is done.
    pub fn on_deleted(&mut self, wal: u16, slot: u32) {
        match self.adopted.get_mut(&wal) {
            Some(adopted) => adopted.on_deleted(slot),
            None => self.wal.on_deleted(slot),
        }
    }

    /// Tries again what found no room on the disk.
    pub fn retry_segments(&mut self) {
        self.wal.retry();
        self.adopted
            .values_mut()
            .for_each(crate::wal::AdoptedWal::retry);
    }

    /// Has the WAL write down where it ends, before a clean stop.
    pub fn close_wal(&mut self) {
        self.wal.close();
    }

    /// Whether all is durable and written down.
    pub fn is_wal_closed(&self) -> bool {
        self.wal.is_closed()
    }
}

//! Reads from segment files, and what becomes of those that come back damaged.

use std::io;

use bytes::Bytes;
use corelane::partition::{ColdRead, DiskRead, verify_cold};

use super::Node;
use crate::plan::Fault;

impl Node {
    pub(super) fn verified(
        &self,
        bytes: &Bytes,
        offset: u32,
        read: &ColdRead,
    ) -> io::Result<Bytes> {
        let start = (read.position.offset - offset) as usize;
        let batch = bytes.slice(start..start + read.len as usize);
        if verify_cold(read, &batch) {
            return Ok(batch);
        }
        self.world.event("cold-read-damaged");
        assert!(
            self.world.plan.has(Fault::ReadFlip),
            "what was read cold is damaged: {read:?}"
        );
        Err(io::ErrorKind::InvalidData.into())
    }

    pub(super) async fn read_disk(&self, read: &DiskRead) -> io::Result<Bytes> {
        let slot = self.slots.borrow().holding(read.segment);
        let slot = slot.expect("a segment that is read is in a file");
        let file = (read.segment.wal, slot);
        let disk = &self.world.disk;
        disk.read(file, read.offset, read.len as usize).await
    }
}

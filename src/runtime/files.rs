//! The segment files that one shard has open: those of its own WAL to write and read,
//! those of other WALs that hold its partitions' older records to read.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::data_dir::wal_dir;
use super::disk::{SegmentFile, WriteMode};
use super::sleep_ms;
use crate::base::{SegmentId, ShardId};
use crate::shard::SegmentSlots;
use crate::wal;

/// Whether that is why a file was not opened: glommio's errors do not keep their number.
fn no_descriptor_left() -> bool {
    let error = std::fs::File::open("/dev/null").err();
    let number = error.and_then(|error| error.raw_os_error());
    matches!(number, Some(libc::EMFILE | libc::ENFILE))
}

/// Pause before a file is opened again for which there was no descriptor, milliseconds.
const RETRY_MS: u64 = 50;

/// One shard's open files.
#[derive(Debug)]
pub struct Files {
    data_dir: PathBuf,
    mode: WriteMode,
    own: u16,
    open: RefCell<HashMap<(u16, u32), Rc<SegmentFile>>>,
    slots: RefCell<SegmentSlots>,
}

impl Files {
    /// No file open yet; `found` is what recovery knows of all WALs.
    pub fn new(
        data_dir: &Path,
        mode: WriteMode,
        shard: ShardId,
        found: Arc<HashMap<SegmentId, u32>>,
    ) -> Files {
        Files {
            data_dir: data_dir.to_owned(),
            mode,
            own: shard.0,
            open: RefCell::default(),
            slots: RefCell::new(SegmentSlots::new(shard, found)),
        }
    }

    /// Directory of a WAL.
    pub fn wal_dir(&self, wal: u16) -> PathBuf {
        wal_dir(&self.data_dir, wal)
    }

    /// Path of a segment file.
    pub fn path(&self, wal: u16, slot: u32) -> PathBuf {
        self.wal_dir(wal).join(wal::segment_file_name(slot))
    }

    /// The file in `slot` of the own WAL; `segment` is the life that it has now.
    pub async fn own(&self, segment: SegmentId, slot: u32) -> io::Result<Rc<SegmentFile>> {
        self.slots.borrow_mut().on_write(segment, slot);
        self.file(self.own, slot).await
    }

    /// The file in `slot` of WAL `wal`, opened once.
    pub async fn file(&self, wal: u16, slot: u32) -> io::Result<Rc<SegmentFile>> {
        if let Some(file) = self.open.borrow().get(&(wal, slot)) {
            return Ok(file.clone());
        }
        let file = Rc::new(self.open_when_possible(&self.path(wal, slot)).await?);
        // Another task may have opened it meanwhile; one descriptor stays.
        Ok(self
            .open
            .borrow_mut()
            .entry((wal, slot))
            .or_insert(file)
            .clone())
    }

    /// Without descriptors the WAL waits until a connection has given one back.
    async fn open_when_possible(&self, path: &Path) -> io::Result<SegmentFile> {
        loop {
            match SegmentFile::open(path, self.mode).await {
                Err(_) if no_descriptor_left() => {
                    tracing::warn!(path = %path.display(), "no descriptor left to open a WAL segment; raise the limit of open files");
                    sleep_ms(RETRY_MS).await;
                }
                result => return result,
            }
        }
    }

    /// The file that holds `segment`, for reading.
    pub async fn holding(&self, segment: SegmentId) -> io::Result<Rc<SegmentFile>> {
        let slot = self.slots.borrow().holding(segment);
        let slot = slot.ok_or_else(|| io::Error::other(format!("{segment:?} is in no file")))?;
        self.file(segment.wal, slot).await
    }

    /// Forgets a life that is over; its file may go on with another.
    pub fn forget(&self, segment: SegmentId) {
        if let Some(slot) = self.slots.borrow_mut().forget(segment) {
            self.close(segment.wal, slot);
        }
    }

    /// Closes everything; whether nobody was using any of it.
    pub async fn close_all(&self) -> bool {
        let open = std::mem::take(&mut *self.open.borrow_mut());
        let mut unused = true;
        for file in open.into_values() {
            match Rc::try_unwrap(file) {
                // What was written is durable: nothing can be lost any more.
                Ok(file) => drop(file.close().await),
                Err(_) => unused = false,
            }
        }
        unused
    }

    /// Closes the file in `slot` of WAL `wal`, which is to be removed.
    pub fn close(&self, wal: u16, slot: u32) {
        self.open.borrow_mut().remove(&(wal, slot));
    }
}

//! WAL segment files as the kernel sees them. Opened once, O_DIRECT|O_DSYNC where
//! the file system has it, buffered writes with fdatasync where it does not.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::rc::Rc;

use glommio::io::{BufferedFile, DmaBuffer, DmaFile, OpenOptions, ReadResult};

use super::data_dir::sync_dir;
use super::steps::step;
use crate::base::limits::{MIB, WAL_ALIGN};

/// How a WAL's files are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteMode {
    /// `O_DIRECT|O_DSYNC`: one write is one durable transfer.
    Direct,
    /// Buffered writes, each followed by fdatasync.
    Buffered,
}

/// Size and free space of the file system that `path` is in, bytes. The kernel knows both
/// without asking the disk.
///
/// # Errors
/// The file system's.
pub fn volume_bytes(path: &Path) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Ok((bytes(stat.f_blocks), bytes(stat.f_bavail)))
}

/// One open segment file; one descriptor for its life, so that no error is missed.
#[derive(Debug)]
pub enum SegmentFile {
    /// See [`WriteMode::Direct`].
    Direct(DmaFile),
    /// See [`WriteMode::Buffered`].
    Buffered(BufferedFile),
}

impl SegmentFile {
    /// Opens an existing file for reading and writing.
    pub async fn open(path: &Path, mode: WriteMode) -> io::Result<SegmentFile> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        Ok(match mode {
            WriteMode::Direct => {
                options.custom_flags(libc::O_DSYNC);
                SegmentFile::Direct(options.dma_open(path).await.map_err(io::Error::from)?)
            }
            WriteMode::Buffered => {
                SegmentFile::Buffered(options.buffered_open(path).await.map_err(io::Error::from)?)
            }
        })
    }

    /// Writes all of `buffer` at `offset`; durable when this returns.
    pub async fn write(&self, buffer: &Rc<DmaBuffer>, offset: u64) -> io::Result<()> {
        let len = buffer.len();
        let written = match self {
            SegmentFile::Direct(file) => file.write_rc_at(buffer.clone(), offset).await,
            SegmentFile::Buffered(file) => {
                let written = file.write_at(buffer.as_bytes().to_vec(), offset).await;
                if written.is_ok() {
                    step!("block.in-the-page-cache");
                    file.fdatasync().await.map_err(io::Error::from)?;
                }
                written
            }
        };
        match written.map_err(io::Error::from)? {
            n if n == len => Ok(()),
            n => Err(io::Error::other(format!("short write: {n} of {len} bytes"))),
        }
    }

    /// Reads up to `len` bytes at `offset`; fewer only at the end of the file. They are in the
    /// executor's own memory: what is to be kept, or to leave this core, must be copied.
    pub async fn read(&self, offset: u64, len: usize) -> io::Result<ReadResult> {
        let read = match self {
            SegmentFile::Direct(file) => file.read_at(offset, len).await,
            SegmentFile::Buffered(file) => file.read_at(offset, len).await,
        };
        read.map_err(io::Error::from)
    }

    /// Closes the descriptor; reads under way have ended by now.
    pub async fn close(self) -> io::Result<()> {
        match self {
            SegmentFile::Direct(file) => file.close().await.map_err(io::Error::from),
            SegmentFile::Buffered(file) => file.close().await.map_err(io::Error::from),
        }
    }
}

/// Creates `path` with `len` zero bytes that are on disk, so that later overwrites
/// change no metadata. Blocking: call it off the event loop. On failure (a full
/// disk) the unfinished file is removed.
pub fn create_zeroed(path: &Path, len: u64) -> io::Result<()> {
    let result = write_zeroes(path, len);
    if result.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(path);
    }
    result
}

/// Cuts a file off behind its first `len` bytes, and makes that durable. It never makes one
/// longer: that is an error. Blocking: call it off the event loop.
pub fn shorten(path: &Path, len: u64) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    let found = file.metadata()?.len();
    if found < len {
        let reason = format!("it has {found} bytes, and its blocks took {len}");
        return Err(io::Error::other(reason));
    }
    file.set_len(len)?;
    step!("segment.cut");
    file.sync_all()
}

/// Past the page cache where the file system allows it: filling a segment by way of it
/// costs ten times the CPU time.
fn write_zeroes(path: &Path, len: u64) -> io::Result<()> {
    let memory = vec![0; MIB + WAL_ALIGN];
    let start = memory.as_ptr().align_offset(WAL_ALIGN);
    let zeroes = memory.get(start..start + MIB).unwrap_or_default();
    let mut file = create_direct(path)?;
    step!("segment.created");
    let mut left = len;
    while left > 0 {
        let n = left.min(MIB as u64) as usize;
        file.write_all(zeroes.get(..n).unwrap_or_default())?;
        left -= n as u64;
    }
    step!("segment.zeroed");
    file.sync_all()?;
    path.parent().map_or(Ok(()), sync_dir)
}

fn create_direct(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    match options.clone().custom_flags(libc::O_DIRECT).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => options.open(path),
        result => result,
    }
}

/// Which mode the file system of `file` allows. Nothing is created or written, so that a full
/// disk does not keep the broker from starting. Blocking: at start only.
pub fn probe_mode(file: &Path) -> io::Result<WriteMode> {
    let direct = File::options()
        .write(true)
        .custom_flags(libc::O_DIRECT | libc::O_DSYNC)
        .open(file);
    match direct {
        Ok(_) => Ok(WriteMode::Direct),
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => Ok(WriteMode::Buffered),
        Err(e) => Err(e),
    }
}

/// Sees to it that reads of `file` show what is on the disk, which the page cache need not: Linux
/// keeps a page whose writing has failed as if it were clean, so that it is read as written, and a
/// later flush has nothing to do and succeeds; a power cut, or just want of memory, takes it back.
/// Such a page is dropped here. One that is still to be written cannot be dropped, and is written
/// first: that is an error if it fails, and the next call drops the page. (A file system that does
/// not drop pages when asked has no other way to tell; those of Linux that write to disks do.)
/// Blocking: at start only.
///
/// # Errors
/// Those of writing what was still to be written.
pub fn settle(file: &File) -> io::Result<()> {
    file.sync_data()?;
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}

/// Reads `len` bytes at `offset` with an ordinary call; for recovery, before shards run.
pub fn read_blocking(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        let rest = bytes.get_mut(filled..).unwrap_or_default();
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_shorter_and_never_longer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, [7; 3 * WAL_ALIGN]).unwrap();
        for _ in 0..2 {
            shorten(&path, 2 * WAL_ALIGN as u64).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), [7; 2 * WAL_ALIGN]);
        }
        assert!(shorten(&path, 3 * WAL_ALIGN as u64).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), [7; 2 * WAL_ALIGN]);
        let missing = shorten(&dir.path().join("none"), 0).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}

//! What the manifest and the directory listing say before anything is read:
//! which files are read, as what, in which order, and which are free.

use std::collections::{BTreeMap, VecDeque};

use super::found::Recovered;
use super::{ListedFile, RecoveryError};
use crate::base::mark::mark;
use crate::base::{Lsn, limits};
use crate::wal::manifest::{EntryContent, Life, Manifest};
use crate::wal::names::FilePath;
use crate::wal::segment::SEGMENT_HEADER_BYTES;

/// One file to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Target {
    pub slot: u32,
    /// Bytes of it that count: all that it has, or what a sealed segment is shortened to.
    pub file_bytes: u32,
    /// Bytes that it has.
    pub found_bytes: u32,
    pub life: Life,
    pub range: Range,
}

/// Which blocks a file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Range {
    /// All of these.
    Sealed { first_lsn: Lsn, end_lsn: Lsn },
    /// Those that follow, as far as they go.
    Open,
    /// None. Only its header is read, which must not be newer than the manifest.
    Unused,
}

impl Target {
    fn unused(slot: u32) -> Target {
        let life = Life {
            sequence: 0,
            incarnation: 0,
        };
        Target {
            slot,
            file_bytes: SEGMENT_HEADER_BYTES as u32,
            found_bytes: SEGMENT_HEADER_BYTES as u32,
            life,
            range: Range::Unused,
        }
    }
}

#[derive(Debug)]
pub(super) struct Layout {
    /// First those without blocks; then in the order of their LSNs: the sealed ones, then the
    /// open ones, by sequence.
    pub targets: VecDeque<Target>,
    pub durable: Lsn,
    pub recovered: Recovered,
}

impl Layout {
    pub fn read(
        wal: u16,
        files: &[ListedFile],
        manifest: Option<&[u8]>,
    ) -> Result<Layout, RecoveryError> {
        let path = FilePath { wal, slot: None };
        let Some(bytes) = manifest else {
            // Nothing is created before there is a manifest.
            return if files.is_empty() {
                let recovered = Recovered::fresh(wal);
                Ok(Layout {
                    targets: VecDeque::new(),
                    durable: Lsn(0),
                    recovered,
                })
            } else {
                mark!("wal.recovery.manifest-missing");
                Err(RecoveryError::ManifestMissing(path))
            };
        };
        let manifest = Manifest::decode(bytes).map_err(|error| {
            mark!("wal.recovery.manifest-damaged");
            RecoveryError::Manifest { path, error }
        })?;
        if manifest.wal != wal {
            mark!("wal.recovery.wrong-wal");
            return Err(RecoveryError::WrongWal {
                path,
                found: manifest.wal,
            });
        }
        Layout::from_manifest(&manifest, files)
    }

    fn from_manifest(manifest: &Manifest, files: &[ListedFile]) -> Result<Layout, RecoveryError> {
        let wal = manifest.wal;
        let mut listed: BTreeMap<u32, u64> =
            files.iter().map(|file| (file.slot, file.bytes)).collect();
        let mut recovered = Recovered::fresh(wal);
        recovered.next_sequence = manifest.next_sequence;
        recovered.open_lsn = manifest.open_lsn;
        recovered.next_lsn = manifest.open_lsn;
        let mut targets = Vec::new();
        for entry in &manifest.entries {
            let (slot, file_bytes) = (entry.slot, entry.file_bytes);
            let found = listed.remove(&slot);
            let (life, range) = match entry.content {
                EntryContent::Free => {
                    // A free file holds nothing: whatever became of it is no loss.
                    match found {
                        Some(bytes) if bytes == u64::from(file_bytes) => {
                            recovered.free.push((slot, file_bytes));
                            targets.push(Target::unused(slot));
                        }
                        // Left to those that the manifest does not know.
                        Some(bytes) => {
                            mark!("wal.recovery.free-file-of-other-size");
                            listed.insert(slot, bytes);
                        }
                        None => {
                            mark!("wal.recovery.free-file-gone");
                        }
                    }
                    continue;
                }
                EntryContent::Open(life) => (life, Range::Open),
                EntryContent::Sealed {
                    life,
                    first_lsn,
                    end_lsn,
                } => (life, Range::Sealed { first_lsn, end_lsn }),
            };
            let path = FilePath {
                wal,
                slot: Some(slot),
            };
            let found = found.ok_or_else(|| missing(path, life))?;
            let found_bytes = accept_size(found, file_bytes, range);
            let found_bytes = found_bytes.ok_or_else(|| wrong_size(path, found, file_bytes))?;
            targets.push(Target {
                slot,
                file_bytes,
                found_bytes,
                life,
                range,
            });
        }
        for (slot, bytes) in listed {
            mark!("wal.recovery.unlisted-file");
            recovered.unlisted.push(slot);
            if bytes >= SEGMENT_HEADER_BYTES as u64 {
                targets.push(Target::unused(slot));
            }
        }
        targets.sort_unstable_by_key(|target| target.life.sequence);
        Ok(Layout {
            targets: targets.into(),
            durable: manifest.durable,
            recovered,
        })
    }
}

/// The size of a segment's file, if it can be right. A sealed segment's may be larger than the
/// manifest says: the manifest that shortens it is written before it is shortened.
fn accept_size(found: u64, file_bytes: u32, range: Range) -> Option<u32> {
    let is_right = match range {
        Range::Sealed { .. } => {
            (u64::from(file_bytes)..=limits::WAL_SEGMENT_BYTES_MAX as u64).contains(&found)
        }
        Range::Open | Range::Unused => found == u64::from(file_bytes),
    };
    u32::try_from(found).ok().filter(|_| is_right)
}

fn missing(path: FilePath, life: Life) -> RecoveryError {
    mark!("wal.recovery.segment-missing");
    let sequence = life.sequence;
    RecoveryError::SegmentMissing { path, sequence }
}

fn wrong_size(path: FilePath, found: u64, expected: u32) -> RecoveryError {
    mark!("wal.recovery.segment-size");
    RecoveryError::SegmentSize {
        path,
        found,
        expected,
    }
}

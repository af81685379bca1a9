//! The data directory as a whole: its lock, and the small file that names the
//! cluster and counts its starts. Touched at start only, before any shard runs.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::steps::step;
use crate::base::checksum;
use crate::base::limits::SHARDS_MAX;
use crate::wal::{self, MANIFEST_FILE, Manifest};

/// Version of the layout of the data directory.
const FORMAT: u32 = 1;
const META: &str = "corelane.toml";
const LOCK: &str = "lock";
/// The file that names the cluster is padded to one sector, which disks write whole or not
/// at all: on a full disk it can be overwritten where it is.
const META_BYTES: usize = 512;

/// An open, locked data directory.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    meta: Meta,
    /// Wrote-before count of WALs: each of them must be there.
    wals_before: u16,
    _lock: File,
}

/// What must be known before any log is read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    format: u32,
    /// Kafka's cluster id: 16 random bytes in base64url, made once.
    cluster_id: String,
    /// How often a broker started here; the leader epoch of this run.
    incarnation: u32,
    /// WALs that were ever written here: `wal/shard-000` to this count.
    wals: u16,
    /// CRC-32C of the values above: a wrong digit would have records passed over.
    crc: u32,
}

impl Meta {
    fn right_crc(&self) -> u32 {
        let Meta {
            format,
            cluster_id,
            incarnation,
            wals,
            crc: _,
        } = self;
        checksum::crc32c(format!("{format} {cluster_id} {incarnation} {wals}").as_bytes())
    }

    /// What is wrong with it, if anything.
    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            let format = self.format;
            return Err(format!(
                "format {format} is not known to this version, which reads {FORMAT}"
            ));
        }
        if self.crc != self.right_crc() {
            return Err("its values do not match their crc".into());
        }
        Ok(())
    }
}

/// Why a data directory cannot be used.
#[derive(Debug, Error)]
pub enum DataDirError {
    /// Another process has it.
    #[error(
        "{path} is in use by another corelane (process {owner}); stop it, or give this one its own --data-dir"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Process id, as the owner wrote it.
        owner: String,
    },
    /// The file system refused.
    #[error("{path}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
    /// The file that names the cluster cannot be understood.
    #[error("{path}: {reason}")]
    Meta {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A log that was written here has disappeared.
    #[error(
        "{0} is missing, but this data directory had it: refusing to start without its records; put it back, or start with an empty --data-dir"
    )]
    MissingWal(PathBuf),
    /// There is a log that was not written here.
    #[error(
        "{wal} holds records, but {meta} does not count it: refusing to start without them; put the right {META} back, or move the directory away"
    )]
    UncountedWal {
        /// Directory of the log.
        wal: PathBuf,
        /// The file that counts the logs.
        meta: PathBuf,
    },
}

impl DataDir {
    /// Locks `path` for this process (creating it if need be), and counts this start.
    /// `random` names a new cluster.
    pub fn open(path: &Path, shards: u16, random: [u8; 16]) -> Result<DataDir, DataDirError> {
        let created = missing(path);
        fs::create_dir_all(path).map_err(io_error(path))?;
        let lock = lock(path)?;
        step!("start.locked");
        let (meta, wals_before) = match read_meta(&path.join(META))? {
            Some(old) => {
                let wals_before = old.wals;
                (next_start(path, old, shards)?, wals_before)
            }
            None => {
                keep_name(path, &created).map_err(io_error(path))?;
                let cluster_id = base64url(random);
                (
                    Meta {
                        format: FORMAT,
                        cluster_id,
                        incarnation: 1,
                        wals: shards,
                        crc: 0,
                    },
                    0,
                )
            }
        };
        let meta = Meta {
            crc: meta.right_crc(),
            ..meta
        };
        let dir = DataDir {
            path: path.to_owned(),
            meta,
            wals_before,
            _lock: lock,
        };
        dir.check_uncounted()?;
        dir.prepare_wals()?;
        step!("start.wals-made");
        dir.write_meta()?;
        step!("start.counted");
        Ok(dir)
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> &str {
        &self.meta.cluster_id
    }

    /// The number of this start, from 1.
    pub fn incarnation(&self) -> u32 {
        self.meta.incarnation
    }

    /// A file that is there whenever this is open.
    pub fn lock_path(&self) -> PathBuf {
        self.path.join(LOCK)
    }

    /// How many WALs there are, those of earlier runs with more shards included.
    pub fn wals(&self) -> u16 {
        self.meta.wals
    }

    /// The directory of one WAL.
    pub fn wal_dir(&self, wal: u16) -> PathBuf {
        wal_dir(&self.path, wal)
    }

    /// A log that nobody counted would be passed over in silence.
    fn check_uncounted(&self) -> Result<(), DataDirError> {
        let parent = self.path.join("wal");
        for name in names(&parent).map_err(io_error(&parent))? {
            let Some(wal) = wal::parse_dir_name(&name) else {
                continue;
            };
            let dir = parent.join(&name);
            if wal >= self.wals_before && has_segments(&dir).map_err(io_error(&dir))? {
                let meta = self.path.join(META);
                return Err(DataDirError::UncountedWal { wal: dir, meta });
            }
        }
        Ok(())
    }

    fn prepare_wals(&self) -> Result<(), DataDirError> {
        for wal in 0..self.meta.wals {
            let dir = self.wal_dir(wal);
            if wal < self.wals_before {
                if !dir.is_dir() {
                    return Err(DataDirError::MissingWal(dir));
                }
                continue;
            }
            fs::create_dir_all(&dir).map_err(io_error(&dir))?;
            step!("start.wal-directory-made");
            begin_wal(&dir, wal).map_err(io_error(&dir))?;
        }
        let parent = self.path.join("wal");
        sync_dir(&parent)
            .and_then(|()| sync_dir(&self.path))
            .map_err(io_error(&parent))
    }

    fn write_meta(&self) -> Result<(), DataDirError> {
        let path = self.path.join(META);
        let text = toml::to_string(&self.meta).map_err(|e| DataDirError::Meta {
            path: path.clone(),
            reason: e.to_string(),
        })?;
        let padded = format!(
            "{text:
<META_BYTES$}"
        );
        let replaced = replace_file(&path, padded.as_bytes());
        or_overwrite(replaced, &path, padded.as_bytes()).map_err(io_error(&path))
    }
}

/// The directory of WAL number `wal` under `data_dir`.
pub fn wal_dir(data_dir: &Path, wal: u16) -> PathBuf {
    data_dir.join("wal").join(format!("shard-{wal:03}"))
}

/// The names in a directory; none if it is not there.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

/// Whether there is anything in the directory of a WAL that could hold records. A file that
/// happens to have the directory's name has none.
fn has_segments(dir: &Path) -> io::Result<bool> {
    let is_segment = |name: &String| wal::parse_segment_file_name(name).is_some();
    Ok(dir.is_dir() && names(dir)?.iter().any(is_segment))
}

/// Gives a new WAL its empty manifest, so that one without a manifest is known to have lost it.
fn begin_wal(dir: &Path, wal: u16) -> io::Result<()> {
    let path = dir.join(MANIFEST_FILE);
    replace_file(&path, &Manifest::empty(wal).encode())
}

/// What is to be known of the next start, with `shards` shards.
fn next_start(dir: &Path, old: Meta, shards: u16) -> Result<Meta, DataDirError> {
    let refuse = |reason: &str| DataDirError::Meta {
        path: dir.join(META),
        reason: reason.into(),
    };
    let incarnation = old.incarnation.checked_add(1);
    if old.wals > SHARDS_MAX {
        return Err(refuse("there cannot be so many WALs"));
    }
    Ok(Meta {
        incarnation: incarnation.ok_or_else(|| refuse("there were too many starts"))?,
        wals: old.wals.max(shards),
        ..old
    })
}

/// Replaces `path` by `contents` so that after a crash it is the old or the new one, whole.
pub fn replace_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("tmp");
    let written = File::create(&fresh).and_then(|mut file| {
        file.write_all(contents)?;
        file.sync_all()
    });
    if let Err(error) = written {
        // What is unfinished takes room that may be missing elsewhere.
        let _ = fs::remove_file(&fresh);
        return Err(error);
    }
    step!("file.written");
    fs::rename(&fresh, path)?;
    step!("file.renamed");
    path.parent().map_or(Ok(()), sync_dir)
}

/// Whether a write failed for want of room, the disk's or that of a quota.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// What came of replacing `path`. If it was for want of room that it failed, a file of the same
/// length is written over, which needs none.
fn or_overwrite(replaced: io::Result<()>, path: &Path, contents: &[u8]) -> io::Result<()> {
    let Err(full) = replaced else { return Ok(()) };
    if !is_full(&full) {
        return Err(full);
    }
    let opened = File::options().write(true).open(path);
    let mut file = match opened {
        // A first start has nothing to write over.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(full),
        opened => opened?,
    };
    if file.metadata()?.len() != contents.len() as u64 {
        return Err(full);
    }
    file.write_all(contents)?;
    file.sync_all()
}

/// The directories that `create_dir_all` has to create for `path`, the innermost first.
fn missing(path: &Path) -> Vec<PathBuf> {
    let above = path.ancestors().filter(|dir| !dir.as_os_str().is_empty());
    above
        .take_while(|dir| !dir.exists())
        .map(Path::to_owned)
        .collect()
}

/// Makes the names of a new data directory and of those above it durable, or all of it could be
/// gone after a power cut. All of them: an earlier start may have created them and then died.
/// Only where this one did must it succeed, as others may not be ours to open.
fn keep_name(path: &Path, created: &[PathBuf]) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    for (i, above) in path.ancestors().skip(1).enumerate() {
        match sync_dir(above) {
            Err(error) if i < created.len() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Makes the names in a directory durable.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn lock(dir: &Path) -> Result<File, DataDirError> {
    let path = dir.join(LOCK);
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(io_error(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // The message is better with the owner's number and right without it.
            let _ = file.read_to_string(&mut owner);
            let owner = if owner.is_empty() {
                "unknown".into()
            } else {
                owner
            };
            return Err(DataDirError::InUse {
                path: dir.to_owned(),
                owner,
            });
        }
        Err(TryLockError::Error(source)) => return Err(DataDirError::Io { path, source }),
    }
    file.set_len(0)
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map_err(io_error(&path))?;
    Ok(file)
}

fn read_meta(path: &Path) -> Result<Option<Meta>, DataDirError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(DataDirError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    let refuse = |reason: String| DataDirError::Meta {
        path: path.to_owned(),
        reason,
    };
    // Its first line: the rest is the file once more.
    let meta: Meta = toml::from_str(&text).map_err(|e| refuse(e.message().replace('\n', " ")))?;
    meta.check().map_err(refuse)?;
    Ok(Some(meta))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.to_owned();
    move |source| DataDirError::Io { path, source }
}

fn base64url(bytes: [u8; 16]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = u128::from_be_bytes(bytes);
    // 22 digits of 6 bits hold 132 bits: the last digit's low 4 bits are padding.
    (0..22u32)
        .map(|i| {
            let digit = if i == 21 {
                bits << 4
            } else {
                bits >> (122 - 6 * i)
            };
            char::from(ALPHABET[(digit & 63) as usize])
        })
        .collect()
}

#[cfg(test)]
mod tests;

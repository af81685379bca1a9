//! The files of a WAL, read as they are.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::base::limits::WAL_ALIGN;
use crate::wal::recovery::{ListedFile, ReadPlan};
use crate::wal::{
    MANIFEST_BYTES_MAX, MANIFEST_FILE, Manifest, parse_dir_name, parse_segment_file_name,
    segment_file_name,
};

/// The directory of one WAL.
pub(super) struct WalDir {
    path: PathBuf,
    files: Vec<ListedFile>,
}

impl WalDir {
    /// Whether a directory has a manifest or segment files in it.
    pub(super) fn is_one(path: &Path) -> anyhow::Result<bool> {
        let is_ours =
            |name: &String| name == MANIFEST_FILE || parse_segment_file_name(name).is_some();
        Ok(names(path)?.iter().any(is_ours))
    }

    /// Lists the segment files of a directory.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for name in names(path)? {
            if let Some(slot) = parse_segment_file_name(&name) {
                let file = path.join(name);
                let bytes = fs::metadata(&file).with_context(|| shown(&file))?.len();
                files.push(ListedFile { slot, bytes });
            }
        }
        files.sort_by_key(|file| file.slot);
        Ok(WalDir {
            path: path.to_owned(),
            files,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The segment files, by slot.
    pub(super) fn files(&self) -> &[ListedFile] {
        &self.files
    }

    pub(super) fn segment_path(&self, slot: u32) -> PathBuf {
        self.path.join(segment_file_name(slot))
    }

    /// The bytes of the manifest, cut where no manifest is as long; `None` if
    /// there is none.
    pub(super) fn manifest_bytes(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.path.join(MANIFEST_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let limit = MANIFEST_BYTES_MAX as u64 + 1;
        open(&path)?
            .take(limit)
            .read_to_end(&mut bytes)
            .with_context(|| shown(&path))?;
        Ok(Some(bytes))
    }

    pub(super) fn manifest(&self) -> anyhow::Result<Manifest> {
        let bytes = self
            .manifest_bytes()?
            .ok_or_else(|| anyhow!("there is no manifest"))?;
        Ok(Manifest::decode(&bytes)?)
    }

    /// The WAL's number: by the directory's name, or, where it was copied
    /// elsewhere, by its manifest.
    pub(super) fn number(&self) -> anyhow::Result<u16> {
        let path = self
            .path
            .canonicalize()
            .with_context(|| shown(&self.path))?;
        let name = path.file_name().and_then(|name| name.to_str());
        match name.and_then(parse_dir_name) {
            Some(number) => Ok(number),
            None => Ok(self.manifest()?.wal),
        }
    }
}

/// The names in a directory; those that are no text are none of ours.
pub(super) fn names(directory: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| shown(directory))? {
        let name = entry.with_context(|| shown(directory))?.file_name();
        names.extend(name.into_string());
    }
    Ok(names)
}

pub(super) fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| shown(path))
}

/// The file's length, which fits u32 for any segment.
pub(super) fn len(path: &Path, file: &File) -> anyhow::Result<u32> {
    let bytes = file.metadata().with_context(|| shown(path))?.len();
    u32::try_from(bytes).map_err(|_| anyhow!("{}: no segment is this large", path.display()))
}

pub(super) fn read(path: &Path, file: &File, plan: ReadPlan) -> anyhow::Result<Vec<u8>> {
    let mut bytes = vec![0; plan.bytes];
    file.read_exact_at(&mut bytes, u64::from(plan.offset))
        .with_context(|| shown(path))?;
    Ok(bytes)
}

/// The start of a file, where a segment's header is; shorter if the file is.
pub(super) fn first_page(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?
        .take(WAL_ALIGN as u64)
        .read_to_end(&mut bytes)
        .with_context(|| shown(path))?;
    Ok(bytes)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

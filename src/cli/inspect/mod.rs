//! `corelane inspect wal`: what is in the files of a write-ahead log, and
//! whether it is whole. Reads only. The decoding and the judgement are `wal`'s;
//! here are the paths, the reads and the words. `corelane inspect object` has its own file.

mod files;
mod object;
mod print;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::wal::inspect::{InspectStep, Inspection};
use crate::wal::recovery::{Recovered, Recovery, RecoveryStep};
use crate::wal::{
    Entry, EntryContent, Life, Manifest, SegmentHeader, WAL_ROOT_DIR, parse_dir_name,
    parse_segment_file_name, segment_file_name,
};
use files::WalDir;
pub(super) use object::object;
use print::{Printer, Totals};

/// Prints and verifies what is at `path`; gives whether all of it is sound.
///
/// # Errors
/// That there is no WAL, or that it cannot be read, or the output not written.
pub(super) fn wal(path: &Path, summary: bool, out: &mut dyn Write) -> anyhow::Result<bool> {
    let mut printer = Printer::new(out, summary);
    if path.is_file() {
        return segment_file(path, &mut printer);
    }
    let dirs = wal_dirs(path)?;
    if dirs.is_empty() {
        bail!("{}: there is no write-ahead log here", path.display());
    }
    let mut is_sound = true;
    for dir in dirs {
        is_sound &= whole_wal(&dir, &mut printer)?;
    }
    Ok(is_sound)
}

/// The directories of WALs at a path: itself, or those under it or under its `wal`.
fn wal_dirs(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if WalDir::is_one(path)? {
        return Ok(vec![path.to_owned()]);
    }
    let root = path.join(WAL_ROOT_DIR);
    let parent = if root.is_dir() { root.as_path() } else { path };
    let mut dirs = Vec::new();
    for name in files::names(parent)? {
        if parse_dir_name(&name).is_some() {
            dirs.push(parent.join(name));
        }
    }
    dirs.sort();
    Ok(dirs)
}

/// One segment file by itself, as the life that its header names, or else the
/// manifest beside it. Any damage counts: nothing says here what was durable.
fn segment_file(path: &Path, printer: &mut Printer<'_>) -> anyhow::Result<bool> {
    let file_name = path.file_name().and_then(|name| name.to_str());
    let slot = file_name.and_then(parse_segment_file_name);
    let header = SegmentHeader::decode(&files::first_page(path)?);
    let bytes = files::len(path, &files::open(path)?)?;
    printer.segment_header(path, bytes, &header)?;
    let incarnation = match (header, slot) {
        (Ok(header), _) => header.incarnation,
        (Err(_), Some(slot)) => life_by_manifest(path, slot)?.incarnation,
        (Err(error), None) => bail!("{}: {error}", path.display()),
    };
    let totals = segment(path, slot.unwrap_or(0), incarnation, printer)?;
    Ok(header.is_ok() && totals.damaged == 0)
}

/// The life that the manifest in the same directory gives to a slot.
fn life_by_manifest(path: &Path, slot: u32) -> anyhow::Result<Life> {
    let dir = WalDir::open(path.parent().unwrap_or(Path::new(".")))?;
    let manifest = dir
        .manifest()
        .context("without a segment header the manifest is needed")?;
    let entry = manifest.entries.iter().find(|entry| entry.slot == slot);
    match entry.and_then(life_of) {
        Some(life) => Ok(life),
        None => bail!(
            "{}: the manifest names no blocks in slot {slot}",
            path.display()
        ),
    }
}

fn life_of(entry: &Entry) -> Option<Life> {
    match entry.content {
        EntryContent::Free => None,
        EntryContent::Open(life) | EntryContent::Sealed { life, .. } => Some(life),
    }
}

/// All segments of a WAL, in the order of its log, and then recovery's judgement.
fn whole_wal(path: &Path, printer: &mut Printer<'_>) -> anyhow::Result<bool> {
    let dir = WalDir::open(path)?;
    match dir.manifest() {
        Ok(manifest) => by_manifest(&dir, &manifest, printer)?,
        Err(error) => {
            printer.manifest_error(path, &error)?;
            for file in dir.files() {
                // Damage is told by itself; that one file is beyond telling hides no other.
                if let Err(error) = segment_file(&dir.segment_path(file.slot), printer) {
                    printer.unreadable(&error)?;
                }
            }
        }
    }
    let judged = verify(&dir);
    printer.verdict(&judged)?;
    Ok(judged.is_ok())
}

fn by_manifest(dir: &WalDir, manifest: &Manifest, printer: &mut Printer<'_>) -> anyhow::Result<()> {
    printer.manifest(dir.path(), manifest)?;
    let mut entries: Vec<&Entry> = manifest.entries.iter().collect();
    entries.sort_by_key(|entry| life_of(entry).map_or(u64::MAX, |life| life.sequence));
    for entry in entries {
        printer.entry(entry)?;
        let file = dir.files().iter().find(|file| file.slot == entry.slot);
        let Some(life) = life_of(entry) else { continue };
        if let Some(file) = file {
            printer.unlike_entry(entry, file.bytes)?;
            segment(
                &dir.segment_path(entry.slot),
                entry.slot,
                life.incarnation,
                printer,
            )?;
        } else {
            printer.missing(&segment_file_name(entry.slot))?;
        }
    }
    for file in dir.files() {
        if !manifest.entries.iter().any(|entry| entry.slot == file.slot) {
            printer.unlisted(&segment_file_name(file.slot))?;
        }
    }
    Ok(())
}

/// Prints the blocks and records of one file, and what they come to.
fn segment(
    path: &Path,
    slot: u32,
    incarnation: u64,
    printer: &mut Printer<'_>,
) -> anyhow::Result<Totals> {
    let file = files::open(path)?;
    let bytes = files::len(path, &file)?;
    let mut inspection = Inspection::new(slot, bytes, incarnation);
    let mut totals = Totals::default();
    loop {
        match inspection.poll() {
            InspectStep::Read(plan) => inspection.on_read(&files::read(path, &file, plan)?),
            InspectStep::Found(finding) => {
                totals.add(&finding);
                printer.finding(&finding)?;
            }
            InspectStep::Done => break,
        }
    }
    printer.totals(&totals)?;
    Ok(totals)
}

/// Recovers the WAL as a start would, and gives how many records it found.
fn verify(dir: &WalDir) -> anyhow::Result<(Recovered, u64)> {
    let manifest = dir.manifest_bytes()?;
    let mut recovery = Recovery::new(dir.number()?, dir.files(), manifest.as_deref())?;
    let mut records = 0;
    let mut open: Option<(u32, std::fs::File)> = None;
    loop {
        match recovery.poll()? {
            RecoveryStep::Record(_) => records += 1,
            RecoveryStep::Done => return Ok((recovery.finish(), records)),
            RecoveryStep::Read(plan) => {
                let path = dir.segment_path(plan.slot);
                let (_, file) = match open.take().filter(|(slot, _)| *slot == plan.slot) {
                    Some(open) => open,
                    None => (plan.slot, files::open(&path)?),
                };
                recovery.on_read(&files::read(&path, &file, plan)?)?;
                open = Some((plan.slot, file));
            }
        }
    }
}

#[cfg(test)]
mod tests;

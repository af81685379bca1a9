//! Reading every WAL of the data directory at start: a thread for each verifies its
//! records, and they come together start by start, in the order in which they were
//! written. Ordinary blocking reads; no shard runs yet.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::Context;

use super::data_dir::DataDir;
use super::disk;
use super::steps::step;
use crate::base::SegmentId;
use crate::shard::{Assembly, earliest};
use crate::wal::{
    ListedFile, MANIFEST_BYTES_MAX, MANIFEST_FILE, Recovered, RecoveredRecord, Recovery,
    RecoveryStep, parse_segment_file_name, segment_file_name,
};

/// Records handed over at once, and hand-overs that may wait.
const RECORDS_PER_HANDOVER: usize = 256;
const HANDOVERS_WAITING: usize = 16;

/// What the data directory holds.
#[derive(Debug)]
pub struct Found {
    /// All records, put together.
    pub assembly: Assembly,
    /// What each WAL goes on from, by its number.
    pub wals: Vec<Recovered>,
    /// The file of every segment.
    pub slots: HashMap<SegmentId, u32>,
    /// Records found.
    pub records: u64,
}

/// Recovers all WALs. No more than `producers_max` producers are remembered.
pub fn all(data_dir: &DataDir, producers_max: usize) -> anyhow::Result<Found> {
    let mut sources: Vec<Source> = (0..data_dir.wals())
        .map(|wal| Source::start(wal, data_dir.wal_dir(wal)))
        .collect();
    let mut assembly = Assembly::remembering(producers_max);
    let mut records = 0;
    while let Some(source) = next_source(&mut sources) {
        let record = source
            .next
            .take()
            .context("a record was there a moment ago")?;
        assembly.record(&record)?;
        records += 1;
    }
    let mut wals = Vec::new();
    for source in sources {
        wals.push(source.end()?);
    }
    let slots = wals
        .iter()
        .flat_map(|wal| wal.segments.iter().map(|s| (s.id, s.slot)))
        .collect();
    Ok(Found {
        assembly,
        wals,
        slots,
        records,
    })
}

/// The source whose next record comes next of all.
fn next_source(sources: &mut [Source]) -> Option<&mut Source> {
    let heads = sources.iter_mut().map(|source| source.peek());
    let place = earliest(heads)?;
    sources.get_mut(place)
}

/// One WAL, read by a thread of its own.
struct Source {
    dir: PathBuf,
    records: Receiver<Vec<RecoveredRecord>>,
    here: std::vec::IntoIter<RecoveredRecord>,
    next: Option<RecoveredRecord>,
    thread: JoinHandle<anyhow::Result<Recovered>>,
}

impl Source {
    fn start(wal: u16, dir: PathBuf) -> Source {
        let (out, records) = sync_channel(HANDOVERS_WAITING);
        let path = dir.clone();
        let thread = thread::spawn(move || recover_one(wal, &path, &out));
        Source {
            dir,
            records,
            here: Vec::new().into_iter(),
            next: None,
            thread,
        }
    }

    fn peek(&mut self) -> Option<&RecoveredRecord> {
        while self.next.is_none() {
            self.next = self.here.next();
            if self.next.is_none() {
                // The thread has hung up: it is through, or failed, which `end` tells.
                self.here = self.records.recv().ok()?.into_iter();
            }
        }
        self.next.as_ref()
    }

    fn end(self) -> anyhow::Result<Recovered> {
        drop(self.records);
        match self.thread.join() {
            Ok(result) => result.with_context(|| {
                let dir = self.dir.display();
                format!("cannot recover {dir} (`corelane inspect wal {dir}` shows what is there)")
            }),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn recover_one(
    wal: u16,
    dir: &Path,
    out: &SyncSender<Vec<RecoveredRecord>>,
) -> anyhow::Result<Recovered> {
    let (files, manifest) = list(dir)?;
    let mut recovery = Recovery::new(wal, &files, Some(&manifest))?;
    let mut open: HashMap<u32, File> = HashMap::new();
    let mut found = Vec::new();
    loop {
        match recovery.poll()? {
            RecoveryStep::Record(record) => {
                found.push(record);
                if found.len() >= RECORDS_PER_HANDOVER
                    && out.send(std::mem::take(&mut found)).is_err()
                {
                    anyhow::bail!("stopped because another WAL cannot be recovered");
                }
            }
            RecoveryStep::Read(plan) => {
                let path = dir.join(segment_file_name(plan.slot));
                let file = match open.entry(plan.slot) {
                    std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                    std::collections::hash_map::Entry::Vacant(entry) => {
                        let file = open_settled(&path);
                        entry.insert(file.with_context(|| path.display().to_string())?)
                    }
                };
                let bytes = disk::read_blocking(file, u64::from(plan.offset), plan.bytes);
                recovery.on_read(&bytes.with_context(|| path.display().to_string())?)?;
            }
            RecoveryStep::Done => break,
        }
    }
    // An error means that nobody listens any more; the result says enough.
    let _ = out.send(found);
    let recovered = recovery.finish();
    step!("recovery.read");
    flush(dir, &recovered, &open)?;
    step!("recovery.flushed");
    tell(wal, &recovered);
    Ok(recovered)
}

fn list(dir: &Path) -> anyhow::Result<(Vec<ListedFile>, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        if let Some(slot) = entry.file_name().to_str().and_then(parse_segment_file_name) {
            files.push(ListedFile {
                slot,
                bytes: entry.metadata()?.len(),
            });
        }
    }
    files.sort_by_key(|file| file.slot);
    let path = dir.join(MANIFEST_FILE);
    let manifest = read_manifest(&path).with_context(|| match path.exists() {
        true => path.display().to_string(),
        false => format!(
            "{} is missing, which every WAL has: its records may be lost",
            path.display()
        ),
    })?;
    Ok((files, manifest))
}

/// No more of it than a manifest can have.
fn read_manifest(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(MANIFEST_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A failed flush has ended the last run, perhaps. What it should have written is not to be shown
/// to anybody now, found durable by a flush that has nothing to do, and gone later.
fn open_settled(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    disk::settle(&file)?;
    Ok(file)
}

/// What was being written when the last run ended may still be in the disk's memory. Through the
/// descriptors that it was read by: no error since then is missed.
fn flush(dir: &Path, recovered: &Recovered, open: &HashMap<u32, File>) -> anyhow::Result<()> {
    for slot in &recovered.sync {
        let path = dir.join(segment_file_name(*slot));
        let flushed = match open.get(slot) {
            Some(file) => file.sync_data(),
            None => File::open(&path).and_then(|file| file.sync_data()),
        };
        flushed.with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn tell(wal: u16, recovered: &Recovered) {
    if let Some(cut) = recovered.cut {
        tracing::info!(
            wal,
            lsn = cut.lsn.0,
            void_blocks = cut.void_blocks,
            "the last run ended in the middle of writes that were not acknowledged; they are cut off"
        );
    }
    for slot in &recovered.damaged_headers {
        tracing::warn!(
            wal,
            slot,
            "a segment's header is damaged; its records are intact, but check the disk"
        );
    }
}

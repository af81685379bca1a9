//! WAL recovery on bytes that anyone may have written.
//!
//! The first byte chooses. Even: a good WAL with bytes changed anywhere must
//! give an error or a prefix of its records. Odd: a manifest and blocks whose
//! CRCs are right and whose fields are arbitrary must give no panic, and
//! nothing outside the files.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use corelane::base::{Lsn, TopicId, TopicPartition};
use corelane::wal::recovery::RecoveredRecord;
use corelane::wal::{
    BlockHeader, Entry, EntryContent, Life, ListedFile, Manifest, Priority, Record, Recovered,
    Recovery, RecoveryError, RecoveryStep, SegmentWork, Wal, WalConfig,
};

const SEGMENT_BYTES: u32 = 16 * 1024;

#[derive(Clone, Default)]
struct Disk {
    files: BTreeMap<u32, Vec<u8>>,
    manifest: Vec<u8>,
}

/// Checks one input.
pub fn check(data: &[u8]) {
    match data.split_first() {
        Some((choice, rest)) if choice % 2 == 0 => changed_bytes(rest),
        Some((_, rest)) => arbitrary_fields(Fields(rest)),
        None => {}
    }
}

/// Each four bytes of the input change one byte of the image.
fn changed_bytes(data: &[u8]) {
    static GOOD: OnceLock<(Disk, Vec<RecoveredRecord>)> = OnceLock::new();
    let (good, records) = GOOD.get_or_init(|| {
        let disk = good_image();
        let records = recover(&disk).expect("the image is good");
        assert!(records.len() > 5);
        (disk, records)
    });
    let mut disk = good.clone();
    for change in data.chunks_exact(4) {
        let &[file, high, low, mask] = change else {
            continue;
        };
        let bytes = match disk.files.get_mut(&u32::from(file % 5)) {
            Some(bytes) => bytes,
            None => &mut disk.manifest,
        };
        let at = (usize::from(high) << 8 | usize::from(low)) % bytes.len();
        bytes[at] ^= mask;
    }
    if let Ok(found) = recover(&disk) {
        assert_eq!(found, records[..found.len()]);
    }
}

/// Bytes that are read as numbers until they run out, and as zeroes then.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    /// Mostly small, for collisions; sometimes anything.
    fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
            small => u64::from(small),
        }
    }

    fn content(&mut self) -> EntryContent {
        let life = Life {
            sequence: self.number(),
            incarnation: self.number(),
        };
        match self.byte() % 3 {
            0 => EntryContent::Free,
            1 => EntryContent::Open(life),
            _ => {
                let (first_lsn, end_lsn) = (Lsn(self.number()), Lsn(self.number()));
                EntryContent::Sealed {
                    life,
                    first_lsn,
                    end_lsn,
                }
            }
        }
    }
}

fn arbitrary_fields(mut fields: Fields<'_>) {
    let entries = (0..u32::from(fields.byte() % 4)).map(|slot| Entry {
        slot,
        // At times less than the file has, as of a segment that is to be shortened.
        file_bytes: match fields.byte() {
            pages @ 2..4 => u32::from(pages) * 4096,
            _ => SEGMENT_BYTES,
        },
        content: fields.content(),
    });
    let entries: Vec<Entry> = entries.collect();
    let mut disk = Disk::default();
    for entry in &entries {
        let mut file = vec![0; SEGMENT_BYTES as usize];
        for page in file.chunks_exact_mut(4096).skip(1) {
            page.fill(fields.byte());
            let header = BlockHeader {
                bytes_used: fields.number() as u32,
                record_count: fields.number() as u32,
                lsn: Lsn(fields.number()),
                durable: Lsn(fields.number()),
                incarnation: fields.number(),
                records_crc: fields.number() as u32,
            };
            let header = header.encode();
            page[..header.len()].copy_from_slice(&header);
        }
        disk.files.insert(entry.slot, file);
    }
    let manifest = Manifest {
        wal: 0,
        next_sequence: fields.number(),
        open_lsn: Lsn(fields.number()),
        durable: Lsn(fields.number()),
        entries,
    };
    disk.manifest = manifest.encode();
    for record in recover(&disk).unwrap_or_default() {
        assert!(record.position.offset as usize + record.payload.len() <= SEGMENT_BYTES as usize);
    }
}

fn recover(disk: &Disk) -> Result<Vec<RecoveredRecord>, RecoveryError> {
    let listed = |(&slot, file): (&u32, &Vec<u8>)| ListedFile {
        slot,
        bytes: file.len() as u64,
    };
    let files: Vec<ListedFile> = disk.files.iter().map(listed).collect();
    let mut recovery = Recovery::new(0, &files, Some(&disk.manifest))?;
    let mut records = Vec::new();
    loop {
        match recovery.poll()? {
            RecoveryStep::Read(plan) => {
                let start = plan.offset as usize;
                recovery.on_read(&disk.files[&plan.slot][start..start + plan.bytes])?;
            }
            RecoveryStep::Record(record) => records.push(record),
            RecoveryStep::Done => break,
        }
    }
    let recovered = recovery.finish();
    // Whatever was recovered, a WAL can be opened on it.
    let wal = Wal::open(config(), &recovered).expect("the configuration is good");
    assert_eq!(wal.durable().next(), recovered.next_lsn);
    Ok(records)
}

fn config() -> WalConfig {
    let disk_bytes_max = 8 * u64::from(SEGMENT_BYTES);
    WalConfig {
        wal: 0,
        segment_bytes: SEGMENT_BYTES,
        disk_bytes_max,
        run_seed: 7,
    }
}

fn good_image() -> Disk {
    let mut disk = Disk::default();
    let mut wal = Wal::open(config(), &Recovered::fresh(0)).expect("the configuration is good");
    run(&mut wal, &mut disk);
    for i in 0..9 {
        let tp = TopicPartition {
            topic: TopicId([i; 16]),
            partition: 0,
        };
        let state = vec![i; 700 * usize::from(i)].into();
        wal.append(Record::partition_state(tp, state), Priority::Internal)
            .expect("there is room");
        run(&mut wal, &mut disk);
    }
    disk
}

fn run(wal: &mut Wal, disk: &mut Disk) {
    while let Some(plan) = wal.poll_write() {
        let file = disk
            .files
            .get_mut(&plan.slot)
            .expect("the segment was prepared");
        plan.copy_to(&mut file[plan.offset as usize..][..plan.bytes]);
        wal.on_written(plan.lsn);
    }
    while let Some(work) = wal.poll_segment() {
        match work {
            SegmentWork::Prepare { slot, bytes } => {
                disk.files.insert(slot, vec![0; bytes as usize]);
                wal.on_prepared(slot);
            }
            SegmentWork::WriteHeader { slot, bytes } => {
                let file = disk.files.get_mut(&slot).expect("the segment was prepared");
                file[..bytes.len()].copy_from_slice(&bytes[..]);
                wal.on_header_written(slot);
            }
            SegmentWork::WriteManifest { bytes } => {
                disk.manifest = bytes;
                wal.on_manifest_written();
            }
            SegmentWork::Shorten { slot, bytes } => {
                let file = disk.files.get_mut(&slot).expect("the segment is there");
                file.truncate(bytes as usize);
                wal.on_shortened(slot);
            }
            SegmentWork::Delete { slot } => {
                disk.files.remove(&slot);
                wal.on_deleted(slot);
            }
        }
    }
}

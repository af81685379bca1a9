//! The words of an inspection.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use crate::base::Lsn;
use crate::kafka::batch::BatchHeader;
use crate::wal::inspect::{EmptyContent, Finding, RecordContent, RecordReport};
use crate::wal::recovery::Recovered;
use crate::wal::{
    Entry, EntryContent, Manifest, SegmentHeader, SegmentHeaderError, segment_file_name,
};

/// What the findings in one segment come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Totals {
    pub(super) blocks: u64,
    pub(super) records: u64,
    pub(super) damaged: u64,
    first_lsn: Option<Lsn>,
    last_lsn: Option<Lsn>,
}

impl Totals {
    pub(super) fn add(&mut self, finding: &Finding) {
        match finding {
            Finding::Block {
                header, records, ..
            } => {
                self.blocks += 1;
                self.records += records.len() as u64;
                self.first_lsn = self.first_lsn.or(Some(header.lsn));
                self.last_lsn = Some(header.lsn);
            }
            Finding::Damaged { .. } => self.damaged += 1,
            Finding::Empty { .. } => {}
        }
    }
}

/// Writes findings down, with or without blocks and records.
pub(super) struct Printer<'a> {
    out: &'a mut dyn Write,
    summary: bool,
}

impl<'a> Printer<'a> {
    pub(super) fn new(out: &'a mut dyn Write, summary: bool) -> Self {
        Printer { out, summary }
    }

    pub(super) fn manifest(&mut self, dir: &Path, manifest: &Manifest) -> io::Result<()> {
        let Manifest {
            wal,
            next_sequence,
            open_lsn,
            durable,
            entries,
        } = manifest;
        writeln!(
            self.out,
            "{}: WAL {wal}, {} file(s), next sequence {next_sequence}, open from block {}, \
             durable to block {}",
            dir.display(),
            entries.len(),
            open_lsn.0,
            durable.0,
        )
    }

    pub(super) fn manifest_error(&mut self, dir: &Path, error: &anyhow::Error) -> io::Result<()> {
        writeln!(
            self.out,
            "{}: {error:#}; its files by themselves:",
            dir.display()
        )
    }

    pub(super) fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let content = match entry.content {
            EntryContent::Free => "free".to_owned(),
            EntryContent::Open(life) => format!("open, sequence {}", life.sequence),
            EntryContent::Sealed {
                life,
                first_lsn,
                end_lsn,
            } => format!(
                "sealed, sequence {}, blocks {} to {}",
                life.sequence,
                first_lsn.0,
                end_lsn.0 - 1
            ),
        };
        let name = segment_file_name(entry.slot);
        writeln!(self.out, "{name}: {} bytes, {content}", entry.file_bytes)
    }

    /// Says how a file's size differs from what the manifest says, if it does.
    pub(super) fn unlike_entry(&mut self, entry: &Entry, bytes: u64) -> io::Result<()> {
        let listed = u64::from(entry.file_bytes);
        let is_sealed = matches!(entry.content, EntryContent::Sealed { .. });
        match bytes.checked_sub(listed) {
            Some(0) => Ok(()),
            Some(more) if is_sealed => writeln!(
                self.out,
                "  {more} bytes more, which the next start cuts off"
            ),
            _ => writeln!(self.out, "  DAMAGED: the file has {bytes} bytes"),
        }
    }

    pub(super) fn segment_header(
        &mut self,
        path: &Path,
        bytes: u32,
        header: &Result<SegmentHeader, SegmentHeaderError>,
    ) -> io::Result<()> {
        let path = path.display();
        match header {
            Ok(SegmentHeader { id, file_bytes, .. }) => {
                let was = if bytes == *file_bytes {
                    String::new()
                } else {
                    format!(", {file_bytes} when it was begun")
                };
                writeln!(
                    self.out,
                    "{path}: {bytes} bytes{was}, WAL {}, sequence {}",
                    id.wal, id.sequence
                )
            }
            Err(error) => writeln!(self.out, "{path}: DAMAGED: {error}"),
        }
    }

    pub(super) fn missing(&mut self, name: &str) -> io::Result<()> {
        writeln!(self.out, "  DAMAGED: {name} is missing")
    }

    pub(super) fn unlisted(&mut self, name: &str) -> io::Result<()> {
        writeln!(
            self.out,
            "{name}: not in the manifest, the next start deletes it"
        )
    }

    pub(super) fn unreadable(&mut self, error: &anyhow::Error) -> io::Result<()> {
        writeln!(self.out, "  {error:#}")
    }

    pub(super) fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        match finding {
            Finding::Damaged {
                offset,
                header,
                error,
            } => {
                let block = header.map(|header| format!(", block {}", header.lsn.0));
                let block = block.unwrap_or_default();
                writeln!(self.out, "  at {offset:>9}: DAMAGED{block}: {error}")
            }
            _ if self.summary => Ok(()),
            Finding::Empty {
                offset,
                bytes,
                content,
            } => {
                let what = match content {
                    EmptyContent::Zeroes => "never written",
                    EmptyContent::Leftovers => "left over, not of this log",
                };
                writeln!(self.out, "  at {offset:>9}: {bytes} bytes {what}")
            }
            Finding::Block {
                offset,
                header,
                records,
            } => {
                writeln!(
                    self.out,
                    "  at {offset:>9}: block {}, {} bytes, {} record(s), durable to {}",
                    header.lsn.0, header.bytes_used, header.record_count, header.durable.0,
                )?;
                records.iter().try_for_each(|record| self.record(record))
            }
        }
    }

    fn record(&mut self, record: &RecordReport) -> io::Result<()> {
        let RecordReport {
            tp,
            offset,
            bytes,
            content,
        } = record;
        let what = match content {
            RecordContent::Batch(header) => batch(header),
            RecordContent::LogStart(start) => format!("log start offset {start}"),
            RecordContent::PartitionState => "partition state".to_owned(),
        };
        writeln!(self.out, "    at {offset:>9}: {tp}, {bytes} bytes, {what}")
    }

    pub(super) fn totals(&mut self, totals: &Totals) -> io::Result<()> {
        let Totals {
            blocks,
            records,
            damaged,
            first_lsn,
            last_lsn,
        } = totals;
        let mut text = format!("  {blocks} block(s), {records} record(s)");
        if let (Some(first), Some(last)) = (first_lsn, last_lsn) {
            // Writing to a string cannot fail.
            let _ = write!(text, ", block {} to {}", first.0, last.0);
        }
        if *damaged > 0 {
            let _ = write!(text, ", {damaged} DAMAGED");
        }
        writeln!(self.out, "{text}")
    }

    pub(super) fn verdict(&mut self, judged: &anyhow::Result<(Recovered, u64)>) -> io::Result<()> {
        let (recovered, records) = match judged {
            Ok(judged) => judged,
            Err(error) => return writeln!(self.out, "DAMAGED: {error:#}\n"),
        };
        if let Some(cut) = &recovered.cut {
            writeln!(
                self.out,
                "a crash ended the log before block {}, {} at byte {}; {} block(s) behind it were \
                 never acknowledged and are void",
                cut.lsn.0,
                segment_file_name(cut.slot),
                cut.offset,
                cut.void_blocks,
            )?;
        }
        for slot in &recovered.damaged_headers {
            let name = segment_file_name(*slot);
            writeln!(
                self.out,
                "{name}: its header is damaged; no record is lost, but see to the disk"
            )?;
        }
        writeln!(
            self.out,
            "sound: {records} record(s) in {} segment(s), the next block is {}\n",
            recovered.segments.len(),
            recovered.next_lsn.0,
        )
    }
}

/// What a record batch says of itself.
fn batch(header: &BatchHeader) -> String {
    const CODECS: [&str; 5] = ["", ", gzip", ", snappy", ", lz4", ", zstd"];
    const LOG_APPEND_TIME: i16 = 1 << 3;
    let mut text = format!(
        "batch, offsets {} to {}, {} record(s), epoch {}{}",
        header.base_offset,
        header.last_offset(),
        header.record_count,
        header.leader_epoch,
        CODECS
            .get(usize::from(header.codec()))
            .unwrap_or(&", unknown codec"),
    );
    if header.has_producer() {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            ", producer {} epoch {} sequence {}",
            header.producer_id, header.producer_epoch, header.base_sequence
        );
    }
    let marks = [
        (header.attributes & LOG_APPEND_TIME != 0, ", LogAppendTime"),
        (header.is_transactional(), ", transactional"),
        (header.is_control(), ", control"),
    ];
    text.extend(
        marks
            .into_iter()
            .filter(|(is_set, _)| *is_set)
            .map(|(_, word)| word),
    );
    text
}

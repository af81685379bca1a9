//! `corelane inspect object`: what is in one object of the store, and whether every
//! byte of it is what was put there.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::Context;

use super::files;
use crate::object::format::{ChunkEntry, Finding, Footer, Verification, VerifyStep};

/// Prints and verifies the object in the file at `path`; gives whether it is sound.
///
/// # Errors
/// That it cannot be read, or the output not written.
pub(in crate::cli) fn object(
    path: &Path,
    summary: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let shown = || path.display().to_string();
    let file = files::open(path)?;
    let bytes = file.metadata().with_context(shown)?.len();
    let mut verification = Verification::new(bytes);
    let mut report = Report {
        out,
        summary,
        footer: None,
        damaged: 0,
    };
    loop {
        match verification.poll() {
            VerifyStep::Read { position, bytes } => {
                let mut read = vec![0; bytes];
                file.read_exact_at(&mut read, position)
                    .with_context(shown)?;
                verification.on_read(&read);
            }
            VerifyStep::Found(finding) => report.finding(path, finding)?,
            VerifyStep::Done => break,
        }
    }
    report.verdict()?;
    Ok(report.damaged == 0)
}

/// The words of it.
struct Report<'a> {
    out: &'a mut dyn Write,
    summary: bool,
    footer: Option<Footer>,
    damaged: u64,
}

impl Report<'_> {
    fn finding(&mut self, path: &Path, finding: Finding) -> io::Result<()> {
        let (what, fault) = match finding {
            Finding::Footer(Ok(footer)) => {
                self.head(path, &footer)?;
                self.footer = Some(footer);
                return Ok(());
            }
            Finding::Footer(Err(error)) => (path.display().to_string(), Some(error.to_string())),
            Finding::Header => {
                let fault = "it is not the one that the footer has".to_owned();
                ("header".to_owned(), Some(fault))
            }
            Finding::Chunk(at, judged) => (self.chunk(at), judged.err().map(|e| e.to_string())),
            Finding::State(at, judged) => (self.state(at), judged.err().map(|e| e.to_string())),
        };
        match fault {
            Some(fault) => {
                self.damaged += 1;
                writeln!(self.out, "{what}\n  DAMAGED: {fault}")
            }
            None if self.summary => Ok(()),
            None => writeln!(self.out, "{what}"),
        }
    }

    fn head(&mut self, path: &Path, footer: &Footer) -> io::Result<()> {
        let header = &footer.header;
        writeln!(
            self.out,
            "{}: object {} of cluster {}, level {}, begun at {} ms, {} bytes, {} chunk(s), \
             {} record(s)",
            path.display(),
            header.id,
            header.cluster,
            header.level,
            header.created_ms,
            footer.object_bytes,
            footer.chunks.len(),
            footer.chunks.iter().map(|chunk| chunk.records).sum::<u64>(),
        )
    }

    fn entry(&self, at: usize) -> Option<&ChunkEntry> {
        self.footer.as_ref()?.chunks.get(at)
    }

    fn chunk(&self, at: usize) -> String {
        let mut line = format!("chunk {at}");
        let Some(chunk) = self.entry(at) else {
            return line;
        };
        // Writing to a string does not fail.
        let _ = write!(
            line,
            ": {} offsets {} to {}, {} record(s) in {} batch(es), {} bytes at {}, newest \
             timestamp {}, log start {}, {} mark(s), leader epoch(s)",
            chunk.tp,
            chunk.base_offset,
            chunk.end_offset - 1,
            chunk.records,
            chunk.batches,
            chunk.bytes,
            chunk.position,
            chunk.max_timestamp,
            chunk.log_start,
            chunk.marks.len(),
        );
        for epoch in &chunk.epochs {
            let _ = write!(line, " {} from {}", epoch.epoch, epoch.offset);
        }
        line
    }

    fn state(&self, at: usize) -> String {
        match self.entry(at).and_then(|chunk| chunk.state) {
            Some(state) => format!(
                "  state of chunk {at}: {} bytes at {}",
                state.bytes, state.position
            ),
            None => format!("  state of chunk {at}"),
        }
    }

    fn verdict(&mut self) -> io::Result<()> {
        match self.damaged {
            0 => writeln!(self.out, "sound"),
            damaged => writeln!(self.out, "{damaged} part(s) damaged"),
        }
    }
}

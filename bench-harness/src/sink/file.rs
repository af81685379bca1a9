//! The file that the sink writes: allocated and zero-filled once, so that a
//! write afterwards changes neither its size nor its extents, which is what
//! makes O_DSYNC writes cheap.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use glommio::io::{DmaFile, OpenOptions};

/// Alignment of positions and lengths; every common device accepts it.
pub const ALIGN: usize = 4096;
const FILL_BYTES: usize = 1 << 20;

/// Opens the zero-filled file in `dir` for O_DIRECT|O_DSYNC writes, making it
/// first unless one of that size is there.
pub async fn open(dir: &Path, file_bytes: u64) -> Result<DmaFile> {
    ensure!(
        file_bytes.is_multiple_of(FILL_BYTES as u64) && file_bytes > 0,
        "--file-bytes must be a multiple of 1 MiB"
    );
    std::fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    let path = dir.join("ceiling.dat");
    let there = std::fs::metadata(&path).is_ok_and(|found| found.len() == file_bytes);
    if !there {
        let partial = dir.join("ceiling.partial");
        fill(&partial, file_bytes).await?;
        std::fs::rename(&partial, &path)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_DSYNC);
    Ok(options.dma_open(&path).await?)
}

async fn fill(path: &Path, file_bytes: u64) -> Result<()> {
    let file = DmaFile::create(path).await?;
    file.pre_allocate(file_bytes, false).await?;
    let mut zeroes = file.alloc_dma_buffer(FILL_BYTES);
    zeroes.as_bytes_mut().fill(0);
    let zeroes = std::rc::Rc::new(zeroes);
    for position in (0..file_bytes).step_by(FILL_BYTES) {
        let written = file
            .write_rc_at(std::rc::Rc::clone(&zeroes), position)
            .await?;
        ensure!(
            written == FILL_BYTES,
            "a short write of {written} bytes at {position}"
        );
    }
    file.fdatasync().await?;
    file.close().await?;
    Ok(())
}

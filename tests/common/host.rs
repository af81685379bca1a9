//! What the host says about files and processes, asked without the broker.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Whether files in `dir` can be opened as the WAL's are.
pub fn takes_direct_writes(dir: &Path) -> bool {
    let file = tempfile::NamedTempFile::new_in(dir).expect("a file beside the data");
    let flags = libc::O_DIRECT | libc::O_DSYNC;
    match File::options().write(true).custom_flags(flags).open(&file) {
        Ok(_) => true,
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => false,
        Err(error) => panic!("opening a file for direct writes: {error}"),
    }
}

/// Resident memory of a process, bytes, as long as it runs.
pub fn resident_bytes_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib = line.trim().trim_end_matches("kB").trim();
    Some(kib.parse::<u64>().ok()? * 1024)
}

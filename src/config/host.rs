//! What the host gives: CPUs, memory, disk; limits of its cgroups included.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::cpus;

/// What the process may use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// The CPUs it may run on, ascending; empty if the kernel does not say.
    pub cpus: Vec<usize>,
    /// How many CPUs' worth of time it may use: the CPUs, or fewer by a cgroup's
    /// quota, rounded down; at least 1.
    pub parallelism: usize,
    /// Memory it may use, bytes: the RAM, or less by a cgroup's limit.
    pub memory: u64,
}

impl Host {
    /// Asks the host.
    pub fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let cpus = cpus::allowed(&status).unwrap_or_default();
        // Knows affinity and the quotas of both kinds of cgroups.
        let parallelism = std::thread::available_parallelism().map_or(1, usize::from);
        Host {
            cpus,
            parallelism,
            memory: memory(),
        }
    }
}

/// Memory that the process may use, bytes.
fn memory() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    // Without any figure, one that lets a small broker start.
    let ram = mem_total(&meminfo).unwrap_or(1 << 30);
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = memory_limit_files(&cgroups);
    let limit = |file: &PathBuf| {
        fs::read_to_string(file)
            .ok()
            .and_then(|text| limit_of(&text))
    };
    limits.iter().filter_map(limit).fold(ram, u64::min)
}

/// `MemTotal` of `/proc/meminfo`, bytes.
fn mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

/// The text of a cgroup's limit file, bytes; `max` is no limit.
fn limit_of(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The files that may hold a memory limit for a process with this
/// `/proc/self/cgroup`: its cgroup's and those above it, which bind it as well.
fn memory_limit_files(cgroups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in cgroups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            names if names.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // In a container the path may be the host's; the root then is the container's.
        let path = Path::new(path.trim_start_matches('/'));
        files.extend(
            path.ancestors()
                .map(|above| Path::new(root).join(above).join(file)),
        );
    }
    files
}

/// Bytes that WALs in `data_dir` can have in all: free space of its file system,
/// and what they occupy already.
///
/// # Errors
/// The file system's.
pub fn wal_room(data_dir: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(existing(data_dir))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    Ok(free.saturating_add(allocated(&data_dir.join("wal"), WAL_DEPTH)))
}

/// The directory itself, or the nearest one above it that exists.
pub fn existing(directory: &Path) -> &Path {
    let found = directory.ancestors().find(|above| above.is_dir());
    found
        .filter(|above| !above.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// `wal/shard-NNN/segment`.
const WAL_DEPTH: usize = 2;

/// Bytes that files under a directory occupy; what cannot be read counts nothing.
fn allocated(directory: &Path, depth: usize) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() && depth > 1 => allocated(&entry.path(), depth - 1),
        Ok(metadata) if metadata.is_file() => metadata.blocks().saturating_mul(512),
        _ => 0,
    };
    entries.flatten().map(size).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_and_limits_read() {
        let table = [
            (
                "MemTotal:       24684092 kB\nMemFree: 1 kB\n",
                Some(24_684_092 * 1024),
            ),
            ("MemFree: 1 kB\n", None),
            ("MemTotal: x kB\n", None),
        ];
        for (text, bytes) in table {
            assert_eq!(mem_total(text), bytes, "{text:?}");
        }
        let table = [("1073741824\n", Some(1 << 30)), ("max\n", None), ("", None)];
        for (text, bytes) in table {
            assert_eq!(limit_of(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn limits_are_looked_for_in_all_cgroups_above() {
        let files = |text| {
            let files = memory_limit_files(text).into_iter();
            files
                .map(|file| file.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(files("0::/\n"), ["/sys/fs/cgroup/memory.max"]);
        assert_eq!(
            files("0::/a/b\n"),
            [
                "/sys/fs/cgroup/a/b/memory.max",
                "/sys/fs/cgroup/a/memory.max",
                "/sys/fs/cgroup/memory.max",
            ]
        );
        assert_eq!(
            files("5:cpu,cpuacct:/x\n4:memory:/x\n"),
            [
                "/sys/fs/cgroup/memory/x/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            ]
        );
        assert_eq!(files("nonsense\n"), [""; 0]);
    }

    #[test]
    fn this_host_has_cpus_memory_and_disk() {
        let host = Host::read();
        assert!(host.parallelism >= 1 && host.memory > 1 << 20, "{host:?}");
        assert!(
            host.cpus.is_empty() || host.parallelism <= host.cpus.len(),
            "{host:?}"
        );
        assert!(wal_room(Path::new("no/such/directory")).unwrap() > 0);
    }

    #[test]
    fn what_a_wal_occupies_counts_as_room() {
        let dir = tempfile::tempdir().unwrap();
        let segments = dir.path().join("wal/shard-000");
        fs::create_dir_all(&segments).unwrap();
        fs::write(segments.join("00000001"), vec![1; 1 << 20]).unwrap();
        assert!(allocated(&dir.path().join("wal"), WAL_DEPTH) >= 1 << 20);
        assert_eq!(allocated(&dir.path().join("none"), WAL_DEPTH), 0);
    }
}

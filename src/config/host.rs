//! What the host gives: CPUs, memory, disk; limits of its cgroups included.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{cgroup, cpus};

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
        let host = Host::below(Path::new("/"));
        // It knows of hosts without /proc, and of cgroups mounted elsewhere.
        let parallelism = std::thread::available_parallelism().map_or(1, usize::from);
        Host {
            parallelism: host.parallelism.min(parallelism),
            ..host
        }
    }

    /// What `/proc` and `/sys` below `root` say.
    fn below(root: &Path) -> Self {
        let read = |file| fs::read_to_string(root.join(file)).unwrap_or_default();
        let cpus = cpus::allowed(&read("proc/self/status")).unwrap_or_default();
        let cgroups = read("proc/self/cgroup");
        let quota = cgroup::cpus(root, &cgroups).unwrap_or(usize::MAX);
        let of_set = if cpus.is_empty() {
            usize::MAX
        } else {
            cpus.len()
        };
        // Without any figure, one that lets a small broker start.
        let ram = mem_total(&read("proc/meminfo")).unwrap_or(1 << 30);
        let limit = cgroup::memory_bytes(root, &cgroups).unwrap_or(u64::MAX);
        Host {
            cpus,
            parallelism: of_set.min(quota),
            memory: ram.min(limit),
        }
    }
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
    }

    /// A host of four CPUs with these files, and what is found there.
    fn found(files: &[(&str, &str)]) -> Host {
        let root = tempfile::tempdir().unwrap();
        let always = [
            ("proc/self/status", "Cpus_allowed_list:\t0-3\n"),
            ("proc/meminfo", "MemTotal: 8388608 kB\n"),
        ];
        for (name, text) in always.iter().chain(files) {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Host::below(root.path())
    }

    #[test]
    fn quotas_of_all_cgroups_above_bind() {
        const OWN: &str = "sys/fs/cgroup/a/b/cpu.max";
        const ABOVE: &str = "sys/fs/cgroup/a/cpu.max";
        const ROOT: &str = "sys/fs/cgroup/cpu.max";
        let table: [(&[(&str, &str)], usize); 12] = [
            (&[], 4),
            (&[(OWN, "max 100000\n")], 4),
            (&[(OWN, "200000 100000\n")], 2),
            // Whole CPUs, but never none.
            (&[(OWN, "399999 100000\n")], 3),
            (&[(OWN, "150000 100000\n")], 1),
            (&[(OWN, "50000 100000\n")], 1),
            (&[(OWN, "25000 10000\n")], 2),
            // More than there is.
            (&[(OWN, "900000 100000\n")], 4),
            (&[(OWN, "max 100000"), (ABOVE, "300000 100000")], 3),
            (&[(OWN, "200000 100000"), (ABOVE, "300000 100000")], 2),
            (&[(ABOVE, "max 100000"), (ROOT, "100000 100000")], 1),
            // What makes no sense is no limit.
            (&[(OWN, "100000 0"), (ABOVE, "many"), (ROOT, "")], 4),
        ];
        for (files, cpus) in table {
            let cgroup = [("proc/self/cgroup", "0::/a/b\n")];
            let host = found(&[files, &cgroup].concat());
            assert_eq!(host.parallelism, cpus, "{files:?}");
            assert_eq!(host.cpus, [0, 1, 2, 3]);
        }
    }

    #[test]
    fn quotas_of_the_first_kind_of_cgroups_bind_as_well() {
        let own = |quota| {
            [
                ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/x\n0::/y\n"),
                ("sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", quota),
                ("sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"),
            ]
        };
        let table = [("-1\n", 4), ("250000\n", 2), ("1000\n", 1), ("\n", 4)];
        for (quota, cpus) in table {
            assert_eq!(found(&own(quota)).parallelism, cpus, "{quota:?}");
        }
        let above = [
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "100000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ];
        let both = [&own("250000\n")[..], &above].concat();
        assert_eq!(found(&both).parallelism, 1);
        // A quota without its period.
        assert_eq!(found(&own("100000\n")[..2]).parallelism, 4);
    }

    #[test]
    fn limits_of_memory_of_all_cgroups_above_bind() {
        let second = ("proc/self/cgroup", "0::/a\n");
        let first = ("proc/self/cgroup", "4:memory:/x\n");
        let table: [(&[(&str, &str)], u64); 6] = [
            (&[second], 8 << 30),
            (&[second, ("sys/fs/cgroup/a/memory.max", "max\n")], 8 << 30),
            (
                &[second, ("sys/fs/cgroup/a/memory.max", "1073741824\n")],
                1 << 30,
            ),
            (
                &[second, ("sys/fs/cgroup/memory.max", "1073741824\n")],
                1 << 30,
            ),
            (
                &[
                    first,
                    (
                        "sys/fs/cgroup/memory/x/memory.limit_in_bytes",
                        "1073741824\n",
                    ),
                ],
                1 << 30,
            ),
            (&[("proc/self/cgroup", "nonsense\n")], 8 << 30),
        ];
        for (files, bytes) in table {
            assert_eq!(found(files).memory, bytes, "{files:?}");
        }
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

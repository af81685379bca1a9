//! What the cgroups of the process leave it: its own and all above, which bind it as well.
//! Both kinds: the second (cgroups 2), and the first, with a tree for each controller.

use std::fs;
use std::path::{Path, PathBuf};

/// CPUs whose whole time the process may use, at least 1; `None` without a limit. `cgroups` is
/// the text of `/proc/self/cgroup`.
pub(super) fn cpus(root: &Path, cgroups: &str) -> Option<usize> {
    let dirs = directories(root, cgroups, "cpu");
    dirs.iter().filter_map(|dir| quota(dir)).min()
}

/// Memory that the process may use, bytes; `None` without a limit.
pub(super) fn memory_bytes(root: &Path, cgroups: &str) -> Option<u64> {
    let dirs = directories(root, cgroups, "memory");
    let limit = |dir: &PathBuf| {
        let text = read(dir, "memory.max").or_else(|| read(dir, "memory.limit_in_bytes"));
        text?.trim().parse().ok()
    };
    dirs.iter().filter_map(limit).min()
}

/// The quota of one cgroup, in whole CPUs.
fn quota(dir: &Path) -> Option<usize> {
    let (quota, period) = match read(dir, "cpu.max") {
        Some(text) => {
            let (quota, period) = text.trim().split_once(' ')?;
            (quota.to_owned(), period.to_owned())
        }
        None => (
            read(dir, "cpu.cfs_quota_us")?,
            read(dir, "cpu.cfs_period_us")?,
        ),
    };
    // "max" and -1 are no limit, and no numbers here.
    let quota: u64 = quota.trim().parse().ok()?;
    let period: u64 = period.trim().parse().ok()?;
    let cpus = quota.checked_div(period)?.max(1);
    usize::try_from(cpus).ok()
}

fn read(dir: &Path, file: &str) -> Option<String> {
    fs::read_to_string(dir.join(file)).ok()
}

/// Where the limits of `controller` may be, for a process with this `/proc/self/cgroup`.
fn directories(root: &Path, cgroups: &str, controller: &str) -> Vec<PathBuf> {
    let mounts = root.join("sys/fs/cgroup");
    let mut found = Vec::new();
    for line in cgroups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let trees = match controllers {
            "" => vec![mounts.clone()],
            // Mounted under the name of all its controllers, or of the one.
            names if names.split(',').any(|name| name == controller) => {
                vec![mounts.join(names), mounts.join(controller)]
            }
            _ => continue,
        };
        // In a container the path may be the host's; the root then is the container's.
        let path = Path::new(path.trim_start_matches('/'));
        for tree in trees {
            found.extend(path.ancestors().map(|above| tree.join(above)));
        }
    }
    found
}

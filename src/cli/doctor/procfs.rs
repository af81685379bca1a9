//! Reading what the kernel says in `/proc`: pure, from text.

use std::path::{Path, PathBuf};

/// Major and minor of a kernel release such as `6.18.0-rc1-generic`.
pub(super) fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.trim().split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A resource limit, soft and hard; `u64::MAX` is unlimited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Limit {
    pub(super) soft: u64,
    pub(super) hard: u64,
}

/// A line of `/proc/self/limits`, by its name there.
pub(super) fn limit(limits: &str, name: &str) -> Option<Limit> {
    let mut values = limits
        .lines()
        .find_map(|line| line.strip_prefix(name))?
        .split_whitespace();
    let mut value = || match values.next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    };
    Some(Limit {
        soft: value()?,
        hard: value()?,
    })
}

/// A mounted file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mount {
    /// `major:minor` of its device.
    pub(super) device: String,
    pub(super) point: PathBuf,
    pub(super) kind: String,
}

/// The mount in `/proc/self/mountinfo` that an absolute path lies on.
pub(super) fn mount_of(mountinfo: &str, path: &Path) -> Option<Mount> {
    let mounts = mountinfo.lines().filter_map(parse_mount);
    // Of two mounts on one point the later covers the earlier.
    mounts
        .filter(|mount| path.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count())
}

fn parse_mount(line: &str) -> Option<Mount> {
    let (fields, kinds) = line.split_once(" - ")?;
    let mut fields = fields.split(' ').skip(2);
    let (device, point) = (fields.next()?, fields.nth(1)?);
    Some(Mount {
        device: device.to_owned(),
        point: PathBuf::from(unescape(point)),
        kind: kinds.split(' ').next()?.to_owned(),
    })
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescape(text: &str) -> String {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    escapes.iter().fold(text.to_owned(), |text, (code, plain)| {
        text.replace(code, plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_versions() {
        let table = [
            ("6.18.0\n", Some((6, 18))),
            ("5.8.0-1-generic", Some((5, 8))),
            ("5.10-rc1", Some((5, 10))),
            ("6", None),
            ("x.y", None),
        ];
        for (release, version) in table {
            assert_eq!(kernel_version(release), version, "{release:?}");
        }
    }

    #[test]
    fn limits() {
        let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                    Max open files            1024                 524288               files\n\
                    Max locked memory         unlimited            unlimited            bytes\n";
        assert_eq!(
            limit(text, "Max open files"),
            Some(Limit {
                soft: 1024,
                hard: 524_288
            })
        );
        let unlimited = Limit {
            soft: u64::MAX,
            hard: u64::MAX,
        };
        assert_eq!(limit(text, "Max locked memory"), Some(unlimited));
        assert_eq!(limit(text, "Max files"), None);
    }

    #[test]
    fn the_deepest_and_latest_mount_counts() {
        let text = "27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
                    30 27 259:0 / /mnt/my\\040disk rw - xfs /dev/nvme0n1 rw\n\
                    31 27 0:40 / /data rw shared:2 master:3 - tmpfs tmpfs rw\n\
                    32 27 8:2 / /data rw - ext4 /dev/sdb rw\n";
        let table = [
            ("/srv/x", "8:1", "ext4"),
            ("/mnt/my disk/data", "259:0", "xfs"),
            ("/mnt/my", "8:1", "ext4"),
            ("/data/wal", "8:2", "ext4"),
            ("/database", "8:1", "ext4"),
        ];
        for (path, device, kind) in table {
            let mount = mount_of(text, Path::new(path)).unwrap();
            assert_eq!(
                (mount.device.as_str(), mount.kind.as_str()),
                (device, kind),
                "{path}"
            );
        }
        assert_eq!(mount_of("", Path::new("/")), None);
    }
}

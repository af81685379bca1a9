//! Checks of the data directory, its file system and its device.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::procfs::{Mount, mount_of};
use super::{Finding, Warning, fatal, warning};
use crate::base::limits::WAL_ALIGN;
use crate::config::{Settings, host};

/// A file that is gone when the check is over.
struct ProbeFile {
    path: PathBuf,
    file: File,
}

impl ProbeFile {
    /// A new file in the directory, or in the nearest one above that exists.
    fn create(data_dir: &Path, flags: i32) -> io::Result<Self> {
        let name = format!(".corelane-probe-{}-{flags:x}", std::process::id());
        let path = host::existing(data_dir).join(name);
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .custom_flags(flags)
            .open(&path)?;
        Ok(ProbeFile { path, file })
    }
}

impl Drop for ProbeFile {
    fn drop(&mut self) {
        // A probe that stays behind is empty or small, and harms nobody.
        let _ = fs::remove_file(&self.path);
    }
}

pub(super) fn writable(data_dir: &Path) -> Result<String, Finding> {
    let shown = data_dir.display();
    let advice = "choose another --data-dir, or give this user the right to write there";
    if data_dir.exists() && !data_dir.is_dir() {
        return Err(fatal(
            format!("{shown} is no directory"),
            "choose another --data-dir",
        ));
    }
    match ProbeFile::create(data_dir, 0) {
        Ok(_) if data_dir.is_dir() => Ok(format!("{shown} can be written")),
        Ok(_) => Ok(format!("{shown} can be created")),
        Err(error) => Err(fatal(format!("{shown} cannot be written: {error}"), advice)),
    }
}

pub(super) fn file_system(data_dir: &Path) -> Result<String, Warning> {
    match mount(data_dir) {
        Some(mount) => judge_file_system(&mount.kind),
        None => Ok("its kind is not known".to_owned()),
    }
}

fn mount(data_dir: &Path) -> Option<Mount> {
    let path = host::existing(data_dir).canonicalize().ok()?;
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mount_of(&mountinfo, &path)
}

fn judge_file_system(kind: &str) -> Result<String, Warning> {
    let advice = "put --data-dir on ext4 or xfs";
    let drawback = match kind {
        "ext4" | "xfs" => return Ok(kind.to_owned()),
        "tmpfs" | "ramfs" => "is memory: no record survives a reboot",
        "overlay" | "overlayfs" | "aufs" => "is a container's own layer: slow, and gone with it",
        "btrfs" | "zfs" | "bcachefs" | "f2fs" => "writes elsewhere what is overwritten: slow",
        "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "ceph" | "virtiofs" => {
            "is on the network or another host: durable only if that is"
        }
        kind if kind.starts_with("fuse") => "is served by a program: durable only if that is",
        _ => "is not one that corelane is tested on",
    };
    Err(warning(format!("{kind} {drawback}"), advice))
}

pub(super) fn direct_io(data_dir: &Path) -> Result<String, Warning> {
    match write_directly(data_dir) {
        Ok(()) => Ok("O_DIRECT with O_DSYNC works".to_owned()),
        Err(error) => Err(warning(
            format!("O_DIRECT with O_DSYNC does not work: {error}"),
            "put --data-dir on ext4 or xfs; until then writes go through the page cache and \
             fdatasync, which is slower",
        )),
    }
}

/// Writes one block as the WAL does.
fn write_directly(data_dir: &Path) -> io::Result<()> {
    let probe = ProbeFile::create(data_dir, libc::O_DIRECT | libc::O_DSYNC)?;
    let buffer = vec![0u8; 2 * WAL_ALIGN];
    let start = buffer.as_ptr().align_offset(WAL_ALIGN);
    let block = buffer.get(start..start.saturating_add(WAL_ALIGN));
    let block = block.ok_or_else(|| io::Error::other("no aligned memory"))?;
    probe.file.write_all_at(block, 0)
}

pub(super) fn write_cache(data_dir: &Path) -> Result<String, Warning> {
    let unknown = || Ok("not known for this file system".to_owned());
    let Some(mount) = mount(data_dir) else {
        return unknown();
    };
    let device = Path::new("/sys/dev/block").join(&mount.device);
    // A partition has its queue one level up.
    let queues = [device.join("queue"), device.join("../queue")];
    let Some(queue) = queues
        .iter()
        .find(|queue| queue.join("write_cache").exists())
    else {
        return unknown();
    };
    let read = |name| fs::read_to_string(queue.join(name)).unwrap_or_default();
    judge_write_cache(read("write_cache").trim(), read("fua").trim())
}

fn judge_write_cache(cache: &str, fua: &str) -> Result<String, Warning> {
    match (cache, fua) {
        ("write through", _) => Ok("none that could lose data".to_owned()),
        ("write back", "1") => Ok("volatile, written through with FUA".to_owned()),
        ("write back", _) => Err(warning(
            "volatile and without FUA: each durable write flushes all of it",
            "use a device without a volatile cache or with FUA (most NVMe, EBS)",
        )),
        _ => Ok("not known for this device".to_owned()),
    }
}

pub(super) fn free_space(settings: &Settings) -> Result<String, Warning> {
    match host::wal_room(&settings.data_dir) {
        Ok(room) => judge_free_space(settings.wal_disk, room),
        Err(error) => Err(warning(
            format!(
                "it cannot be told for {}: {error}",
                settings.data_dir.display()
            ),
            "check the file system",
        )),
    }
}

fn judge_free_space(wal_disk: u64, room: u64) -> Result<String, Warning> {
    let (budget, room_mib) = (wal_disk >> 20, room >> 20);
    if wal_disk > room {
        return Err(warning(
            format!("the WAL may grow to {budget} MiB, and there is room for {room_mib} MiB"),
            format!("free some, or set --wal-disk to less than {room_mib}MiB"),
        ));
    }
    Ok(format!("{budget} MiB for the WAL, of {room_mib} MiB"))
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    fn verdict<F: Clone + Into<Finding>>(result: &Result<String, F>) -> Option<Severity> {
        let finding = result.as_ref().err().cloned().map(F::into);
        finding.map(|finding| finding.severity)
    }

    #[test]
    fn a_directory_is_probed_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let present = writable(dir.path()).unwrap();
        assert!(present.ends_with("can be written"), "{present}");
        let absent = writable(&dir.path().join("a/b")).unwrap();
        assert!(absent.ends_with("can be created"), "{absent}");
        let _ = direct_io(dir.path());
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            0,
            "no probe stays behind"
        );
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(verdict(&writable(&file)), Some(Severity::Fatal));
        assert_eq!(
            verdict(&writable(Path::new("/proc/none"))),
            Some(Severity::Fatal)
        );
    }

    #[test]
    fn file_systems_caches_and_room_are_judged() {
        let warned = Some(Severity::Warning);
        for (kind, expected) in [
            ("ext4", None),
            ("xfs", None),
            ("tmpfs", warned),
            ("nfs4", warned),
        ] {
            assert_eq!(verdict(&judge_file_system(kind)), expected, "{kind}");
        }
        for (kind, word) in [
            ("overlay", "container"),
            ("fuse.sshfs", "program"),
            ("hfs", "tested"),
        ] {
            let finding = judge_file_system(kind).unwrap_err();
            assert!(finding.what.contains(word), "{}", finding.what);
        }
        let caches = [
            ("write through", "0", None),
            ("write back", "1", None),
            ("write back", "0", warned),
            ("", "", None),
        ];
        for (cache, fua, expected) in caches {
            assert_eq!(
                verdict(&judge_write_cache(cache, fua)),
                expected,
                "{cache} {fua}"
            );
        }
        assert_eq!(verdict(&judge_free_space(2 << 20, 1 << 20)), warned);
        assert_eq!(verdict(&judge_free_space(1 << 20, 1 << 20)), None);
    }
}

//! A file system to fill up or to make read-only, where tests may mount one.

use std::path::Path;
use std::process::Command;

use crate::common::skip::skip;

/// A file system of its own, small, gone in the end.
pub struct SmallFileSystem {
    dir: tempfile::TempDir,
}

impl SmallFileSystem {
    /// `None`, with the reason printed, where this process may not mount anything.
    pub fn mount(mib: u32) -> Option<SmallFileSystem> {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(dir.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(SmallFileSystem { dir }),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                skip(&format!("no file system can be mounted here: {why}"));
                None
            }
            Err(error) => {
                skip(&format!("no mount(8) here: {error}"));
                None
            }
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Allows no more writes. Whether that worked; the reason is printed if not.
    pub fn make_read_only(&self) -> bool {
        let remounted = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(self.path())
            .output();
        match remounted {
            Ok(output) if output.status.success() => true,
            other => {
                skip(&format!("it cannot be made read-only: {other:?}"));
                false
            }
        }
    }
}

impl Drop for SmallFileSystem {
    fn drop(&mut self) {
        // What cannot be unmounted stays, and the system clears it away.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
